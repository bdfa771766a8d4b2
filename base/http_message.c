/* http_message.c - see http_message.h. No state.
 *
 * A head is taken apart only when it is there as a whole, so there is one pass over a bounded text and
 * no parser state between packets. */
#include "http_message.h"

#include <string.h>
#include <strings.h>

#include "http_text.h"

#define MAX_METHOD_BYTES     20
#define MAX_CHUNK_LINE_BYTES 256
#define MAX_TRAILER_BYTES    4096

/* ---- the head */

size_t http_head_size(const char *data, size_t size_bytes, size_t *scanned)
{
    size_t i = *scanned;
    for (; i < size_bytes; i++) {
        const char *newline = memchr(data + i, '\n', size_bytes - i);
        if (newline == NULL) {
            i = size_bytes;
            break;
        }
        i = (size_t)(newline - data);
        /* A bare newline ends the head, too: http_head_parse() refuses it then. */
        if (i + 1 < size_bytes && data[i + 1] == '\n')
            return i + 2;
        if (i + 2 < size_bytes && data[i + 1] == '\r' && data[i + 2] == '\n')
            return i + 3;
        if (i + 2 >= size_bytes)
            break; /* what follows this newline is not here yet */
    }
    *scanned = i < size_bytes ? i : size_bytes;
    return 0;
}

static bool is_token(const char *text, size_t size_bytes)
{
    static const char extra[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < size_bytes; i++) {
        char c = text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr(extra, c) != NULL)))
            return false;
    }
    return size_bytes > 0;
}

/* Cuts the next line off; NULL when it does not end in CR LF or holds a zero byte or a bare CR. */
static char *next_line(char **text, char *end)
{
    char *line = *text;
    char *newline = memchr(line, '\n', (size_t)(end - line));
    if (newline == NULL || newline == line || newline[-1] != '\r')
        return NULL;
    newline[-1] = '\0';
    *text = newline + 1;
    return strlen(line) == (size_t)(newline - 1 - line) && strchr(line, '\r') == NULL ? line : NULL;
}

static int refuse(const char **ret_why, int status, const char *why)
{
    *ret_why = why;
    return status;
}

static int parse_version(const char *version, struct http_head *head, const char **ret_why)
{
    if (strcmp(version, "HTTP/1.1") == 0 || strcmp(version, "HTTP/1.0") == 0) {
        head->is_http_1_0 = version[7] == '0';
        return 0;
    }
    if (strncmp(version, "HTTP/", 5) == 0 && strchr(version, ' ') == NULL)
        return refuse(ret_why, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    return refuse(ret_why, 400, "the request line is not 'METHOD /path HTTP/1.1'");
}

/* "/path?query", "http://host/path?query" (what a proxy is sent) or "*". */
static int parse_target(char *target, struct http_head *head, const char **ret_why)
{
    for (const char *c = target; *c != '\0'; c++)
        if ((unsigned char)*c <= 0x20 || *c == 0x7F || *c == '#')
            return refuse(ret_why, 400, "the address has a character that must be percent-encoded");
    if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0) {
        char *rest = strchr(target, ':') + 3;
        rest += strcspn(rest, "/?");
        if (*rest == '\0')
            head->path = "/";
        else if (*rest == '?')
            return refuse(ret_why, 400, "the address has no path");
        else
            head->path = target = rest;
        if (*rest == '\0')
            return 0;
    } else if (target[0] == '/' || strcmp(target, "*") == 0) {
        head->path = target;
    } else {
        return refuse(ret_why, 400, "the address does not begin with '/'");
    }
    char *mark = strchr(target, '?');
    if (mark != NULL) {
        *mark = '\0';
        head->query = mark + 1;
    }
    return 0;
}

static int parse_request_line(char *line, struct http_head *head, const char **ret_why)
{
    char *target = strchr(line, ' ');
    char *version = target != NULL ? strchr(target + 1, ' ') : NULL;
    if (version == NULL)
        return refuse(ret_why, 400, "the request line is not 'METHOD /path HTTP/1.1'");
    *target++ = '\0';
    *version++ = '\0';
    if (!is_token(line, strlen(line)))
        return refuse(ret_why, 400, "the request line is not 'METHOD /path HTTP/1.1'");
    int status = parse_version(version, head, ret_why);
    if (status != 0)
        return status;
    if (strlen(line) > MAX_METHOD_BYTES)
        return refuse(ret_why, 501, "the method is not known here");
    head->method = line;
    return parse_target(target, head, ret_why);
}

static int parse_header(char *line, struct http_head *head, const char **ret_why)
{
    char *colon = strchr(line, ':');
    if (colon == NULL || !is_token(line, (size_t)(colon - line)))
        return refuse(ret_why, 400, "a header line is not 'Name: value'");
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t length = strlen(value);
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        value[--length] = '\0';
    if (!http_value_is_safe(value))
        return refuse(ret_why, 400, "a header has a control character in it");
    if (head->n_headers == HTTP_MAX_HEADERS)
        return refuse(ret_why, 431, "more than 100 headers");
    head->headers[head->n_headers++] = (struct http_header){line, value};
    return 0;
}

const char *http_head_value(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->n_headers; i++)
        if (strcasecmp(head->headers[i].name, name) == 0)
            return head->headers[i].value;
    return NULL;
}

static size_t count_headers(const struct http_head *head, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < head->n_headers; i++)
        n += strcasecmp(head->headers[i].name, name) == 0 ? 1 : 0;
    return n;
}

static bool parse_length(const char *value, uint64_t *ret)
{
    size_t digits = strspn(value, "0123456789");
    if (digits == 0 || digits > 18 || value[digits] != '\0')
        return false;
    uint64_t length = 0;
    for (; *value != '\0'; value++)
        length = length * 10 + (uint64_t)(*value - '0');
    *ret = length;
    return true;
}

/* How long the body is: the place where servers are tricked, hence no leniency. */
static int parse_framing(struct http_head *head, const char **ret_why)
{
    const char *length = http_head_value(head, "Content-Length");
    const char *coding = http_head_value(head, "Transfer-Encoding");
    if (count_headers(head, "Content-Length") > 1 || count_headers(head, "Transfer-Encoding") > 1 ||
        (length != NULL && coding != NULL))
        return refuse(ret_why, 400, "the body's length is given twice");
    if (length != NULL && !parse_length(length, &head->body_bytes))
        return refuse(ret_why, 400, "Content-Length is not a number");
    if (coding != NULL && (strcasecmp(coding, "chunked") != 0 || head->is_http_1_0))
        return refuse(ret_why, 501, "of transfer codings only 'chunked' is understood");
    head->is_chunked = coding != NULL;
    return 0;
}

static int parse_meaning(struct http_head *head, const char **ret_why)
{
    size_t n_hosts = count_headers(head, "Host");
    if (n_hosts > 1 || (n_hosts == 0 && !head->is_http_1_0))
        return refuse(ret_why, 400, "there must be one Host header");
    const char *connection = http_head_value(head, "Connection");
    head->keep_alive = !head->is_http_1_0;
    if (connection != NULL && http_list_has(connection, "close"))
        head->keep_alive = false;
    else if (connection != NULL && http_list_has(connection, "keep-alive"))
        head->keep_alive = true;
    const char *expect = http_head_value(head, "Expect");
    if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
        return refuse(ret_why, 417, "of expectations only '100-continue' is understood");
    head->expects_continue = expect != NULL && !head->is_http_1_0;
    return parse_framing(head, ret_why);
}

int http_head_parse(char *text, size_t size_bytes, struct http_head *ret, const char **ret_why)
{
    char *end = text + size_bytes;
    struct http_head head;
    memset(&head, 0, offsetof(struct http_head, headers));
    char *line = next_line(&text, end);
    if (line == NULL)
        return refuse(ret_why, 400, "lines must end in CR LF and hold no zero byte");
    int status = parse_request_line(line, &head, ret_why);
    while (status == 0) {
        line = next_line(&text, end);
        if (line == NULL)
            return refuse(ret_why, 400, "lines must end in CR LF and hold no zero byte");
        if (*line == '\0')
            break;
        status = parse_header(line, &head, ret_why);
    }
    if (status == 0)
        status = parse_meaning(&head, ret_why);
    if (status == 0)
        *ret = head;
    return status;
}

/* ---- a chunked body */

enum {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER,
    CHUNK_TRAILER_LF
};

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

static int take_size_line(struct http_chunks *chunks, char c)
{
    if (++chunks->line_bytes > MAX_CHUNK_LINE_BYTES)
        return 400;
    if (chunks->state == CHUNK_SIZE_LF) {
        if (c != '\n')
            return 400;
        chunks->state = chunks->left_bytes > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        chunks->line_bytes = 0;
        return 0;
    }
    int digit = chunks->state == CHUNK_SIZE ? hex_digit(c) : -1;
    if (digit >= 0) {
        if (chunks->left_bytes >> 56 != 0)
            return 413;
        chunks->left_bytes = chunks->left_bytes * 16 + (uint64_t)digit;
        return 0;
    }
    bool has_size = chunks->state == CHUNK_EXTENSION || chunks->line_bytes > 1;
    if (!has_size || c == '\n' || c == '\0')
        return 400;
    if (c == '\r')
        chunks->state = CHUNK_SIZE_LF;
    else if (chunks->state == CHUNK_EXTENSION || c == ';' || c == ' ' || c == '\t')
        chunks->state = CHUNK_EXTENSION;
    else
        return 400;
    return 0;
}

/* Lines behind the last chunk are read and dropped; an empty one ends the body. */
static int take_trailer(struct http_chunks *chunks, char c)
{
    if (++chunks->n_trailer_bytes > MAX_TRAILER_BYTES)
        return 431;
    if (chunks->state == CHUNK_TRAILER_LF) {
        if (c != '\n')
            return 400;
        chunks->is_done = chunks->line_bytes == 0;
        chunks->line_bytes = 0;
        chunks->state = CHUNK_TRAILER;
        return 0;
    }
    if (c == '\n')
        return 400;
    if (c == '\r')
        chunks->state = CHUNK_TRAILER_LF;
    else
        chunks->line_bytes++;
    return 0;
}

static int take_data_end(struct http_chunks *chunks, char c)
{
    if (c != (chunks->state == CHUNK_DATA_CR ? '\r' : '\n'))
        return 400;
    chunks->state = chunks->state == CHUNK_DATA_CR ? CHUNK_DATA_LF : CHUNK_SIZE;
    return 0;
}

static int take_data(struct http_chunks *chunks, const char *data, size_t size_bytes,
                     struct buffer *body, size_t *ret_used)
{
    size_t n = chunks->left_bytes < size_bytes ? (size_t)chunks->left_bytes : size_bytes;
    model_status status = chunks->left_bytes > body->max_bytes - body->size
                              ? MODEL_INVALID_ARGUMENT
                              : buffer_append(body, data, n);
    if (status != MODEL_OK)
        return status == MODEL_OUT_OF_MEMORY ? 503 : 413;
    chunks->left_bytes -= n;
    if (chunks->left_bytes == 0)
        chunks->state = CHUNK_DATA_CR;
    *ret_used = n;
    return 0;
}

int http_chunks_take(struct http_chunks *chunks, const char *data, size_t size_bytes,
                     struct buffer *body, size_t *ret_used)
{
    size_t used = 0;
    while (used < size_bytes && !chunks->is_done) {
        size_t n = 1;
        int status;
        if (chunks->state == CHUNK_DATA)
            status = take_data(chunks, data + used, size_bytes - used, body, &n);
        else if (chunks->state == CHUNK_DATA_CR || chunks->state == CHUNK_DATA_LF)
            status = take_data_end(chunks, data[used]);
        else if (chunks->state == CHUNK_TRAILER || chunks->state == CHUNK_TRAILER_LF)
            status = take_trailer(chunks, data[used]);
        else
            status = take_size_line(chunks, data[used]);
        if (status != 0)
            return status;
        used += n;
    }
    *ret_used = used;
    return 0;
}
