/* mirror_access_log.c - see mirror_access_log.h. Each line is one write to a file that is open for
 * appending, so lines stay whole, also when another program moves or cuts the file. */
#include "mirror_access_log.h"
#include "errors.h"
#include "http_server.h"
#include "json_view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_LINE_BYTES 65536

struct mirror_access_log {
    int fd;
    bool is_json;
    struct buffer line;
};

/* ---- lines */

static model_status append_escaped(struct buffer *out, const char *text)
{
    model_status status = MODEL_OK;
    for (; status == MODEL_OK && *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c >= 0x7F || c == '"' || c == '\\')
            status = buffer_printf(out, "\\x%02X", c);
        else
            status = buffer_append(out, text, 1);
    }
    return status;
}

/* By hand: strftime() follows the application's locale. */
static model_status append_time(struct buffer *out, int64_t now_s, bool is_json)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)now_s;
    struct tm t;
    if (gmtime_r(&now, &t) == NULL)
        return MODEL_INVALID_ARGUMENT;
    if (is_json)
        return buffer_printf(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", t.tm_year + 1900, t.tm_mon + 1,
                             t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
    return buffer_printf(out, "[%02d/%.3s/%04d:%02d:%02d:%02d +0000]", t.tm_mday,
                         months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

static model_status append_common(const struct mirror_access *access, struct buffer *out)
{
    model_status status =
        buffer_printf(out, "%s - %s ", access->address, access->name != NULL ? access->name : "-");
    if (status == MODEL_OK)
        status = append_time(out, access->now_s, false);
    if (status == MODEL_OK)
        status = buffer_append_text(out, " \"");
    if (status == MODEL_OK)
        status = append_escaped(out, access->method);
    if (status == MODEL_OK)
        status = buffer_append_text(out, " ");
    if (status == MODEL_OK)
        status = append_escaped(out, access->path);
    if (status == MODEL_OK)
        status = buffer_printf(out, " HTTP/1.%d\" %d %llu\n", access->is_http_1_0 ? 0 : 1,
                               access->status, (unsigned long long)access->body_bytes);
    return status;
}

/* Bytes that are no UTF-8 must not come into JSON. */
static void add_escaped(json_node *parent, const char *key, const char *text)
{
    struct buffer escaped = BUFFER_INIT(MAX_LINE_BYTES);
    if (append_escaped(&escaped, text) == MODEL_OK)
        json_add_string(parent, key, escaped.data != NULL ? escaped.data : "");
    buffer_finish(&escaped);
}

static model_status append_json(const struct mirror_access *access, struct buffer *out)
{
    struct buffer now = BUFFER_INIT(64);
    json_node *root = json_new_object();
    model_status status = append_time(&now, access->now_s, true);
    json_add_string(root, "time", status == MODEL_OK ? now.data : "");
    buffer_finish(&now);
    json_add_string(root, "address", access->address);
    if (access->name != NULL)
        json_add_string(root, "token", access->name);
    add_escaped(root, "method", access->method);
    add_escaped(root, "path", access->path);
    json_add_number(root, "status", access->status);
    json_add_number(root, "bytes", (double)access->body_bytes);
    json_add_bool(root, "complete", access->is_complete);
    json_add_number(root, "ms", (double)(access->duration_ns / 1000) / 1000.0);
    if (access->user_agent != NULL)
        add_escaped(root, "user_agent", access->user_agent);
    char *text = json_print(root, false);
    json_free(root);
    status = text != NULL ? buffer_printf(out, "%s\n", text) : MODEL_OUT_OF_MEMORY;
    free(text);
    return status;
}

model_status mirror_access_line(const struct mirror_access *access, bool is_json,
                                struct buffer *ret)
{
    return is_json ? append_json(access, ret) : append_common(access, ret);
}

/* ---- the file */

model_status mirror_access_log_open(const char *path, bool is_json, struct mirror_access_log **ret,
                                    struct model_error *err)
{
    int fd = strcmp(path, "-") == 0
                 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open the access log %.400s", path);
    struct mirror_access_log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        (void)close(fd);
        return error_no_memory(err, "an access log");
    }
    log->fd = fd;
    log->is_json = is_json;
    log->line.max_bytes = MAX_LINE_BYTES;
    *ret = log;
    return MODEL_OK;
}

void mirror_access_log_close(struct mirror_access_log *log)
{
    if (log == NULL)
        return;
    (void)close(log->fd);
    buffer_finish(&log->line);
    free(log);
}

void mirror_access_log_write(struct mirror_access_log *log, const struct http_request *request,
                             const char *name, const struct http_outcome *outcome)
{
    struct mirror_access access = {
        .address = http_request_address(request),
        .name = name,
        .method = http_request_method(request),
        .path = http_request_raw_path(request),
        .is_http_1_0 = http_request_is_http_1_0(request),
        .is_complete = outcome->is_complete,
        .user_agent = http_request_header(request, "User-Agent"),
        .status = outcome->status,
        .body_bytes = outcome->body_bytes,
        .duration_ns = outcome->duration_ns,
        .now_s = (int64_t)time(NULL),
    };
    buffer_clear(&log->line);
    if (mirror_access_line(&access, log->is_json, &log->line) != MODEL_OK)
        return;
    for (size_t at = 0; at < log->line.size;) {
        ssize_t n = write(log->fd, log->line.data + at, log->line.size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        at += (size_t)n;
    }
}
