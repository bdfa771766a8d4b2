/* hub_response.c - the answer of an exchange; see hub_http.h. */
#include "buffer.h"
#include "errors.h"
#include "hub_http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const header_names[HUB_N_HEADERS] = {
    [HUB_LOCATION] = "location",
    [HUB_LINK] = "link",
    [HUB_ETAG] = "etag",
    [HUB_LINKED_ETAG] = "x-linked-etag",
    [HUB_ERROR_CODE] = "x-error-code",
    [HUB_ERROR_MESSAGE] = "x-error-message",
    [HUB_RATE_LIMIT] = "ratelimit",
    [HUB_RETRY_AFTER] = "retry-after",
    [HUB_CONTENT_RANGE] = "content-range",
    [HUB_CONTENT_ENCODING] = "content-encoding",
    [HUB_DATE] = "date",
};

void hub_response_init(struct hub_response *response)
{
    *response = (struct hub_response){.error_body = BUFFER_INIT(HUB_MAX_ERROR_BODY_BYTES)};
}

void hub_response_finish(struct hub_response *response)
{
    for (int i = 0; i < HUB_N_HEADERS; i++)
        free(response->headers[i]);
    buffer_finish(&response->error_body);
    hub_response_init(response);
}

enum hub_header hub_header_find(const char *name, size_t name_bytes)
{
    int i = 0;
    while (i < HUB_N_HEADERS && (strlen(header_names[i]) != name_bytes ||
                                 strncasecmp(header_names[i], name, name_bytes) != 0))
        i++;
    return (enum hub_header)i;
}

/* Keeps a header that someone looks at. */
static model_status keep_header(struct hub_response *response, const char *line, size_t line_bytes,
                                const char *url, struct model_error *err)
{
    const char *colon = memchr(line, ':', line_bytes);
    enum hub_header header =
        colon != NULL ? hub_header_find(line, (size_t)(colon - line)) : HUB_N_HEADERS;
    if (header == HUB_N_HEADERS)
        return MODEL_OK;
    const char *value = colon + 1, *end = line + line_bytes;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && strchr("\r\n \t", end[-1]) != NULL)
        end--;
    size_t n = (size_t)(end - value);
    bool is_valid = memchr(value, '\0', n) == NULL && memchr(value, '\r', n) == NULL &&
                    memchr(value, '\n', n) == NULL; /* it may become a part of another line */
    if (n > HUB_MAX_HEADER_BYTES || !is_valid)
        return error_set(err, MODELHOST_NETWORK,
                         "the answer of %.200s has a header '%.*s' that is too long or not valid; "
                         "is this a hub?",
                         url, (int)(colon - line), line);
    char *copy = text_format("%.*s", (int)n, value); /* no terminator is behind it */
    if (copy == NULL)
        return error_no_memory(err, "a header");
    free(response->headers[header]);
    response->headers[header] = copy;
    return MODEL_OK;
}

model_status hub_response_take_line(struct hub_response *response, const char *line,
                                    size_t line_bytes, const char *url, struct model_error *err)
{
    size_t header_bytes = response->header_bytes + line_bytes;
    response->header_bytes = header_bytes;
    if (header_bytes > HUB_MAX_HEADERS_BYTES)
        return error_set(err, MODELHOST_NETWORK,
                         "the answer of %.200s has more than %u bytes of headers; is this a hub?",
                         url, HUB_MAX_HEADERS_BYTES);
    if (line_bytes > 5 && memcmp(line, "HTTP/", 5) == 0) {
        /* another answer begins (after 100 Continue, or a proxy's): forget the one before */
        hub_response_finish(response);
        response->header_bytes = header_bytes;
        response->in_headers = true;
        return MODEL_OK;
    }
    if (line_bytes > 0 && (line[0] == '\r' || line[0] == '\n'))
        response->in_headers = false;
    return keep_header(response, line, line_bytes, url, err);
}
