/* mirror_files.c - the replies to /ID/resolve/REV/FILE and /ID/raw/REV/FILE; see mirror_private.h.
 *
 * A file is served only if what is opened is the very file that was hashed: same device, inode, size
 * and times. So no digest ever stands beside other content, and nothing outside the folder can be
 * slipped in by a link that appears later. Of an archive, only what was opened at first is read. */
#include "mirror_private.h"
#include "files.h"
#include "http_text.h"
#include "mirror_archive.h"
#include "mirror_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *content_type_of(const char *path)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".json", "application/json"},
        {".md", "text/plain; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
    };
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t n = strlen(types[i].ending);
        if (length > n && strcmp(path + length - n, types[i].ending) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

/* What a file is answered from. */
struct subject {
    struct mirror *mirror;
    const struct mirror_repository *repository;
    const struct mirror_route *route;
    const struct mirror_file *file;
    const char *etag; /* of what is sent: the file, or its pointer; a content network has its own */
};

static void add_headers(struct http_request *request, const struct subject *subject)
{
    char quoted[SHA256_HEX_BYTES + 2];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", subject->etag);
    http_reply_header(request, "ETag", quoted);
    if (subject->route->kind != MIRROR_CDN)
        http_reply_header(request, "X-Repo-Commit", subject->repository->snapshot->commit);
    http_reply_header(request, "Accept-Ranges", "bytes");
    http_reply_header(request, "X-Content-Type-Options", "nosniff");
}

/* 304 when the client has it. */
static bool reply_not_modified(struct http_request *request, const struct subject *subject)
{
    const char *known = http_request_header(request, "If-None-Match");
    if (known == NULL || !http_etag_listed(known, subject->etag))
        return false;
    add_headers(request, subject);
    http_reply(request, 304, NULL, "", 0);
    return true;
}

/* Which part to send: sets the range and its header, and returns the status. */
static int choose_range(struct http_request *request, const struct subject *subject,
                        uint64_t size_bytes, uint64_t *ret_first, uint64_t *ret_length_bytes)
{
    char text[80];
    const char *range = http_request_header(request, "Range");
    const char *if_range = http_request_header(request, "If-Range");
    *ret_first = 0;
    *ret_length_bytes = size_bytes;
    if (range == NULL || strcmp(http_request_method(request), "GET") != 0 ||
        (if_range != NULL && !http_etag_is(if_range, subject->etag)) ||
        mirror_fault_is_on(subject->mirror->faults, FAULT_IGNORE_RANGE))
        return 200;
    if (size_bytes == 0) {
        /* Clients learn sizes by asking for byte 0: an empty file is sent whole, with its size. */
        http_reply_header(request, "Content-Range", "bytes */0");
        return 200;
    }
    switch (http_range_parse(range, size_bytes, ret_first, ret_length_bytes)) {
    case HTTP_RANGE_PART:
        (void)snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)*ret_first,
                       (unsigned long long)(*ret_first + *ret_length_bytes - 1),
                       (unsigned long long)size_bytes);
        http_reply_header(request, "Content-Range", text);
        return 206;
    case HTTP_RANGE_UNSATISFIABLE:
        (void)snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)size_bytes);
        http_reply_header(request, "Content-Range", text);
        return 416;
    default:
        return 200;
    }
}

/* The open file, or -1: EAGAIN when it is not the one that was hashed. What was pulled is called by its
 * digest, and never changes. */
static int open_hashed(const struct subject *subject)
{
    const struct mirror_repository *repository = subject->repository;
    const struct mirror_file *file = subject->file;
    char *path = repository->is_pulled ? mirror_pull_path(subject->mirror, file)
                                       : path_join(repository->folder, file->path);
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    int problem = path == NULL ? ENOMEM : errno;
    free(path);
    struct stat info;
    if (fd >= 0 && fstat(fd, &info) == 0) {
        struct mirror_stamp stamp = mirror_stamp_of(&info);
        if (repository->is_pulled ? stamp.size_bytes == file->stamp.size_bytes
                                  : mirror_stamp_equal(&stamp, &file->stamp))
            return fd;
        problem = EAGAIN;
    }
    if (fd >= 0)
        (void)close(fd);
    errno = problem == ENOENT || problem == ENOTDIR || problem == ELOOP ? EAGAIN : problem;
    return -1;
}

/* fd -1: of an archive. */
static void send_content(const struct subject *subject, struct http_request *request, int fd)
{
    uint64_t first, length_bytes, size_bytes = subject->file->stamp.size_bytes;
    int status = choose_range(request, subject, size_bytes, &first, &length_bytes);
    if (status == 416) {
        if (fd >= 0)
            (void)close(fd);
        mirror_reply_error(request, 416, NULL, "the range lies outside the file's %llu bytes",
                           (unsigned long long)size_bytes);
        return;
    }
    add_headers(request, subject);
    if (subject->mirror->faults != NULL &&
        mirror_fault_body(subject->mirror, subject->repository, subject->route, request, fd,
                          size_bytes, length_bytes))
        (void)close(fd);
    else if (fd < 0)
        mirror_archive_reply(subject->repository->archive, subject->file, request, status,
                             content_type_of(subject->file->path), first, length_bytes);
    else
        http_reply_file(request, status, content_type_of(subject->file->path), fd, first,
                        length_bytes);
}

static bool reply_content(const struct subject *subject, struct http_request *request)
{
    if (subject->repository->archive != NULL) {
        if (!reply_not_modified(request, subject))
            send_content(subject, request, -1);
        return true;
    }
    int fd = open_hashed(subject);
    if (fd < 0 && errno == EAGAIN)
        return false;
    if (fd < 0) {
        bool is_full = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
        mirror_reply_error(request, is_full ? 503 : 500, NULL, "the mirror cannot open the file%s",
                           is_full ? " now; try again" : "");
    } else if (reply_not_modified(request, subject)) {
        (void)close(fd);
    } else {
        send_content(subject, request, fd);
    }
    return true;
}

static void reply_pointer(const struct subject *subject, struct http_request *request)
{
    char pointer[MIRROR_POINTER_BYTES];
    const struct mirror_file *file = subject->file;
    size_t size_bytes = mirror_pointer_text(file->etag, file->stamp.size_bytes, pointer);
    if (reply_not_modified(request, subject))
        return;
    uint64_t first, length_bytes;
    int status = choose_range(request, subject, size_bytes, &first, &length_bytes);
    if (status == 416) {
        mirror_reply_error(request, 416, NULL, "the range lies outside the file's %zu bytes",
                           size_bytes);
        return;
    }
    add_headers(request, subject);
    http_reply(request, status, "text/plain; charset=utf-8", pointer + first, (size_t)length_bytes);
}

bool mirror_reply_file(struct mirror *mirror, const struct mirror_repository *repository,
                       const struct mirror_route *route, struct http_request *request)
{
    const struct mirror_file *file = mirror_snapshot_find(repository->snapshot, route->path);
    if (file == NULL)
        return false;
    struct subject subject = {mirror, repository, route, file, file->etag};
    if (mirror->faults != NULL && mirror_fault_file(mirror, repository, route, file, request))
        return true;
    char cdn_tag[40];
    (void)snprintf(cdn_tag, sizeof cdn_tag, "cdn-%.20s", file->etag);
    if (route->kind == MIRROR_CDN)
        subject.etag = cdn_tag;
    if (route->kind != MIRROR_RAW || !file->is_lfs)
        return reply_content(&subject, request);
    subject.etag = file->blob_id;
    reply_pointer(&subject, request);
    return true;
}

void mirror_reply_file_head(struct mirror *mirror, const struct mirror_repository *repository,
                            const struct mirror_route *route, const struct mirror_file *file,
                            struct http_request *request)
{
    struct subject subject = {mirror, repository, route, file, file->etag};
    if (reply_not_modified(request, &subject))
        return;
    add_headers(request, &subject);
    http_reply(request, 200, content_type_of(file->path), NULL, (size_t)file->stamp.size_bytes);
}
