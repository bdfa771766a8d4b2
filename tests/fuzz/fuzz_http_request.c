/* fuzz_http_request.c - the way of a request's bytes through the mirror, without sockets: head, address,
 * route, query, range, tags, chunked and plain bodies of paths-info. What is accepted must keep what
 * the headers promise. */
#include "http_message.h"
#include "http_text.h"
#include "mirror_answers.h"
#include "mirror_route.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

#define FILE_BYTES 1000

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_route(const char *raw_path)
{
    struct mirror_route route;
    struct model_error err = {.struct_size = sizeof err};
    if (mirror_route_parse(raw_path, &route, &err) != MODEL_OK) {
        must(err.message[0] != '\0');
        return;
    }
    must((route.id == NULL) == (route.kind <= MIRROR_LIST));
    if (route.id != NULL) {
        must(route.revision != NULL && route.path != NULL);
        must(route.id_at + route.id_bytes <= strlen(raw_path));
        size_t length = strlen(route.path);
        must(length == 0 || route.path[length - 1] != '/');
    }
    mirror_route_finish(&route);
}

static void check_headers(const struct http_head *head)
{
    uint64_t first = 0, length_bytes = 0;
    if (http_range_parse(http_head_value(head, "Range"), FILE_BYTES, &first, &length_bytes) ==
        HTTP_RANGE_PART)
        must(length_bytes > 0 && first < FILE_BYTES && length_bytes <= FILE_BYTES - first);
    for (size_t i = 0; i < head->n_headers; i++) {
        must(http_value_is_safe(head->headers[i].value));
        (void)http_etag_listed(head->headers[i].value, "abc");
        (void)http_etag_is(head->headers[i].value, "abc");
        (void)http_list_has(head->headers[i].value, "close");
    }
}

static void check_query(const char *query)
{
    char *value = NULL;
    if (http_query_value(query, "recursive", &value, NULL) == MODEL_OK)
        (void)mirror_is_true(value);
    free(value);
}

static void check_body(const struct http_head *head, const char *body, size_t size_bytes)
{
    struct buffer text = BUFFER_INIT(4096);
    struct mirror_paths paths;
    if (head->is_chunked) {
        struct http_chunks chunks = {0};
        size_t used = 0;
        int status = http_chunks_take(&chunks, body, size_bytes, &text, &used);
        must(status != 0 || used == size_bytes || chunks.is_done);
        must(text.size <= text.max_bytes);
    } else {
        (void)buffer_append(&text, body, size_bytes < 4096 ? size_bytes : 4096);
    }
    if (text.data != NULL && mirror_paths_parse(http_head_value(head, "Content-Type"), text.data,
                                                text.size, &paths, NULL) == MODEL_OK)
        mirror_paths_finish(&paths);
    buffer_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    size_t scanned = 0, head_bytes = http_head_size((const char *)data, size_bytes, &scanned);
    must(scanned <= size_bytes && head_bytes <= size_bytes);
    char *text = malloc(size_bytes + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size_bytes);
    text[size_bytes] = '\0';
    struct http_head head;
    const char *why = NULL;
    if (head_bytes > 0 && http_head_parse(text, head_bytes, &head, &why) == 0) {
        char *path = NULL;
        (void)http_percent_decode(head.path, strlen(head.path), false, &path, NULL);
        free(path);
        check_route(head.path);
        check_headers(&head);
        check_query(head.query);
        check_body(&head, text + head_bytes, size_bytes - head_bytes);
    } else if (head_bytes == 0) {
        check_route(text); /* the same grammar without the wrapping */
    } else {
        must(why != NULL);
    }
    free(text);
    return 0;
}
