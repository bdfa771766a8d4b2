/* mirror_fault_reply.c - what each mode of mirror_fault.h does to a request; see mirror_private.h.
 *
 * Three places ask: before anything is looked at (mirror_fault_request), when a file was found
 * (mirror_fault_file), and when its bytes are sent (mirror_fault_body). For tests of clients only: the
 * content network's signatures are numbers that anybody can guess. */
#include "mirror_private.h"
#include "errors.h"
#include "http_text.h"
#include "mirror_fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_GZIP_BYTES ((uint64_t)64 << 20)
#define TOKENS_SEEN    "tokens at the content network"

/* Sends one header besides the usual ones, frees its text. */
static void reply_location(struct http_request *request, int status, struct buffer *location,
                           model_status made)
{
    if (made == MODEL_OK) {
        http_reply_header(request, "Location", location->data);
        http_reply_text(request, status, "text/plain; charset=utf-8", "it is elsewhere\n");
    } else {
        mirror_reply_error(request, 503, NULL, "out of memory; try again");
    }
    buffer_finish(location);
}

/* ---- before anything is looked at */

static bool strike_limits(struct mirror *mirror, struct http_request *request)
{
    if (mirror_fault_strikes(mirror->faults, FAULT_429_RATELIMIT, "")) {
        http_reply_header(request, "RateLimit", "\"api\";r=0;t=0");
        http_reply_header(request, "RateLimit-Policy", "\"fixed window\";\"api\";q=2;w=300");
    } else if (mirror_fault_strikes(mirror->faults, FAULT_429_RETRY_AFTER, "")) {
        http_reply_header(request, "Retry-After", "1");
    } else {
        return false;
    }
    mirror_reply_error(request, 429, NULL, "too many requests; wait a little");
    return true;
}

static bool strike_server_error(struct mirror *mirror, struct http_request *request)
{
    static const int statuses[] = {500, 502, 503, 504};
    const char *path = http_request_raw_path(request);
    if (!mirror_fault_is_on(mirror->faults, FAULT_5XX_THEN_OK))
        return false;
    uint64_t n = mirror_fault_count(mirror->faults, FAULT_5XX_THEN_OK, path);
    if (n >= mirror_fault_argument(mirror->faults, FAULT_5XX_THEN_OK))
        return false;
    http_reply_text(request, statuses[n % 4], "text/html", "<html>the server is ill</html>\n");
    return true;
}

/* "ns/name-old" leads to "ns/name". */
static bool strike_name(struct mirror *mirror, const struct mirror_route *route,
                        struct http_request *request)
{
    size_t length = route->id != NULL ? strlen(route->id) : 0;
    if (!mirror_fault_is_on(mirror->faults, FAULT_RENAME_307) || length <= 4 ||
        strcmp(route->id + length - 4, "-old") != 0)
        return false;
    route->id[length - 4] = '\0';
    const struct mirror_repository *found = mirror_catalog_find(&mirror->catalog, route->id);
    if (found != NULL)
        mirror_redirect(request, route, found->id);
    else
        route->id[length - 4] = '-';
    return found != NULL;
}

bool mirror_fault_request(struct mirror *mirror, const struct mirror_route *route,
                          struct http_request *request)
{
    if (strike_limits(mirror, request) || strike_server_error(mirror, request) ||
        strike_name(mirror, route, request))
        return true;
    if (!mirror_fault_strikes(mirror->faults, FAULT_401_BARE, ""))
        return false;
    http_reply(request, 401, NULL, "", 0);
    return true;
}

/* ---- branches that move */

static bool is_branch(const char *revision)
{
    return strlen(revision) < SHA1_HEX_BYTES - 1;
}

bool mirror_fault_move(struct mirror *mirror, const struct mirror_route *route,
                       const struct mirror_snapshot *now, struct mirror_snapshot *ret)
{
    if (!mirror_fault_is_on(mirror->faults, FAULT_BRANCH_MOVES))
        return false;
    *ret = *now;
    ret->commit[0] = now->commit[0] == 'f' ? '0' : 'f';
    return is_branch(route->revision)
               ? mirror_fault_count(mirror->faults, FAULT_BRANCH_MOVES, route->id) > 0
               : strcmp(route->revision, ret->commit) == 0;
}

/* ---- a file was found */

static model_status append_file_address(struct buffer *text,
                                        const struct mirror_repository *repository,
                                        const char *word, const struct mirror_file *file)
{
    model_status status =
        buffer_printf(text, "%s%s%s/", repository->id, word, repository->snapshot->commit);
    return status == MODEL_OK ? http_percent_encode(file->path, text) : status;
}

static void redirect_to_cache(const struct mirror_repository *repository,
                              const struct mirror_file *file, struct http_request *request)
{
    struct buffer location = BUFFER_INIT(16384);
    char quoted[SHA256_HEX_BYTES + 2];
    model_status status = buffer_append_text(&location, "/api/resolve-cache/models/");
    if (status == MODEL_OK)
        status = append_file_address(&location, repository, "/", file);
    if (status == MODEL_OK)
        status = buffer_printf(&location, "?etag=%%22%s%%22", file->etag);
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", file->etag);
    http_reply_header(request, "X-Repo-Commit", repository->snapshot->commit);
    http_reply_header(request, "ETag", quoted);
    reply_location(request, 307, &location, status);
}

static void redirect_to_cdn(struct mirror *mirror, const struct mirror_repository *repository,
                            const struct mirror_file *file, struct http_request *request)
{
    struct buffer location = BUFFER_INIT(16384);
    char number[60];
    uint64_t n = 0;
    model_status status = buffer_printf(&location, "%s/~cdn/", mirror->cdn_url);
    size_t key_at = location.size;
    if (status == MODEL_OK)
        status = append_file_address(&location, repository, "/resolve/", file);
    if (status == MODEL_OK)
        n = mirror_fault_count(mirror->faults, FAULT_CDN_302, location.data + key_at);
    if (status == MODEL_OK)
        status = buffer_printf(&location, "?Expires=1&Signature=%llu", (unsigned long long)n + 1);
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)file->stamp.size_bytes);
    http_reply_header(request, "X-Repo-Commit", repository->snapshot->commit);
    http_reply_header(request, "X-Linked-Size", number);
    char quoted[SHA256_HEX_BYTES + 2];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", file->etag);
    http_reply_header(request, "X-Linked-Etag", quoted);
    reply_location(request, 302, &location, status);
}

bool mirror_fault_file(struct mirror *mirror, const struct mirror_repository *repository,
                       const struct mirror_route *route, const struct mirror_file *file,
                       struct http_request *request)
{
    if (route->kind == MIRROR_RESOLVE && file->is_lfs &&
        mirror_fault_is_on(mirror->faults, FAULT_CDN_302)) {
        redirect_to_cdn(mirror, repository, file, request);
        return true;
    }
    if (route->kind == MIRROR_RESOLVE && !file->is_lfs &&
        mirror_fault_is_on(mirror->faults, FAULT_RESOLVE_CACHE_307)) {
        redirect_to_cache(repository, file, request);
        return true;
    }
    if (http_request_header(request, "Range") != NULL &&
        mirror_fault_strikes(mirror->faults, FAULT_416, file->path)) {
        char text[60];
        (void)snprintf(text, sizeof text, "bytes */%llu",
                       (unsigned long long)file->stamp.size_bytes);
        http_reply_header(request, "Content-Range", text);
        mirror_reply_error(request, 416, NULL, "the range lies outside the file");
        return true;
    }
    return false;
}

/* ---- its bytes */

static uint32_t crc32_of(const unsigned char *data, size_t size_bytes)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size_bytes; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static model_status append_le(struct buffer *out, uint32_t value, size_t n_bytes)
{
    unsigned char bytes[4];
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    return buffer_append(out, bytes, n_bytes);
}

/* RFC 1952, in blocks that are stored as they are. */
static model_status append_gzip(struct buffer *out, const unsigned char *data, size_t size_bytes)
{
    static const unsigned char head[10] = {0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF};
    model_status status = buffer_append(out, head, sizeof head);
    size_t at = 0;
    do {
        size_t n = size_bytes - at < 0xFFFF ? size_bytes - at : 0xFFFF;
        if (status == MODEL_OK)
            status = buffer_append(out, at + n == size_bytes ? "\1" : "\0", 1);
        if (status == MODEL_OK)
            status = append_le(out, (uint32_t)n | (uint32_t)(~n & 0xFFFF) << 16, 4);
        if (status == MODEL_OK && n > 0)
            status = buffer_append(out, data + at, n);
        at += n;
    } while (at < size_bytes);
    if (status == MODEL_OK)
        status = append_le(out, crc32_of(data, size_bytes), 4);
    return status == MODEL_OK ? append_le(out, (uint32_t)size_bytes, 4) : status;
}

static void reply_gzip(struct http_request *request, int fd, size_t size_bytes)
{
    struct buffer out = BUFFER_INIT(2 * MAX_GZIP_BYTES);
    unsigned char *data = malloc(size_bytes + 1);
    model_status status = MODEL_OUT_OF_MEMORY;
    if (data != NULL && pread(fd, data, size_bytes, 0) == (ssize_t)size_bytes)
        status = append_gzip(&out, data, size_bytes);
    if (status == MODEL_OK) {
        http_reply_header(request, "Content-Encoding", "gzip");
        http_reply(request, 200, "application/octet-stream", out.data, out.size);
    } else {
        mirror_reply_error(request, 503, NULL, "the file cannot be read now; try again");
    }
    free(data);
    buffer_finish(&out);
}

bool mirror_fault_body(struct mirror *mirror, const struct mirror_repository *repository,
                       const struct mirror_route *route, struct http_request *request, int fd,
                       uint64_t file_bytes, uint64_t length_bytes)
{
    struct mirror_faults *faults = mirror->faults;
    uint64_t half_bytes = length_bytes / 2;
    if (strcmp(http_request_method(request), "GET") != 0)
        return false;
    const struct mirror_repository *real = mirror_catalog_find(&mirror->catalog, repository->id);
    if (real != NULL && real->snapshot != repository->snapshot) /* it sees the moved one */
        http_reply_spoil(request, HTTP_SPOIL_FLIP, half_bytes);
    if (fd >= 0 && file_bytes <= MAX_GZIP_BYTES &&
        mirror_fault_strikes(faults, FAULT_GZIP, route->path)) {
        reply_gzip(request, fd, (size_t)file_bytes);
        return true;
    }
    if (mirror_fault_strikes(faults, FAULT_TRUNCATE, route->path))
        http_reply_spoil(request, HTTP_SPOIL_CUT, half_bytes);
    else if (mirror_fault_strikes(faults, FAULT_STALL, route->path))
        http_reply_spoil(request, HTTP_SPOIL_STALL, half_bytes);
    else if (mirror_fault_strikes(faults, FAULT_CORRUPT, route->path))
        http_reply_spoil(request, HTTP_SPOIL_FLIP, half_bytes);
    else if (mirror_fault_is_on(faults, FAULT_SLOW))
        http_reply_spoil(request, HTTP_SPOIL_DRIP, mirror_fault_argument(faults, FAULT_SLOW));
    return false;
}

/* ---- the content network */

static void reply_tokens(struct mirror *mirror, struct http_request *request)
{
    char text[40];
    (void)snprintf(
        text, sizeof text, "%llu\n",
        (unsigned long long)mirror_fault_counted(mirror->faults, FAULT_CDN_302, TOKENS_SEEN));
    http_reply_text(request, 200, "text/plain; charset=utf-8", text);
}

/* Whether the address was given out, and has not expired. */
static bool is_signed(struct mirror *mirror, const struct http_request *request)
{
    struct mirror_faults *faults = mirror->faults;
    const char *key = http_request_raw_path(request) + strlen("/~cdn/");
    char *signature = NULL;
    (void)http_query_value(http_request_query(request), "Signature", &signature, NULL);
    uint64_t n = signature != NULL ? strtoull(signature, NULL, 10) : 0;
    free(signature);
    if (n == 0 || n > mirror_fault_counted(faults, FAULT_CDN_302, key))
        return false;
    return n > 1 || !mirror_fault_is_on(faults, FAULT_EXPIRE_403) ||
           mirror_fault_count(faults, FAULT_EXPIRE_403, key) <
               mirror_fault_argument(faults, FAULT_EXPIRE_403);
}

void mirror_handle_cdn(void *context, struct http_request *request)
{
    struct mirror *mirror = context;
    struct mirror_route route = {0};
    if (http_request_header(request, "Authorization") != NULL) {
        (void)mirror_fault_count(mirror->faults, FAULT_CDN_302, TOKENS_SEEN);
        log_write(mirror->options.log, MODEL_LOG_WARN, "a token came to the content network");
        mirror_reply_error(request, 400, NULL,
                           "only one way to sign in: this address is signed, send no token");
    } else if (strcmp(http_request_raw_path(request), "/tokens") == 0) {
        reply_tokens(mirror, request);
    } else if (mirror_route_parse(http_request_raw_path(request), &route, NULL) != MODEL_OK ||
               route.kind != MIRROR_CDN || !is_signed(mirror, request)) {
        http_reply_text(request, 403, "application/xml",
                        "<Error><Code>AccessDenied</Code><Message>Request has expired</Message>"
                        "</Error>");
    } else {
        struct mirror_repository *repository = mirror_catalog_find(&mirror->catalog, route.id);
        if (repository != NULL)
            mirror_answer(mirror, repository, &route, request);
        else
            mirror_reply_no_repository(request, route.id);
    }
    mirror_route_finish(&route);
}
