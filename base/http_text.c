/* http_text.c - see http_text.h; RFC 9110 (HTTP semantics) and RFC 3986 (URIs). No state. */
#include "http_text.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

model_status http_percent_decode(const char *text, size_t size_bytes, bool plus_is_space,
                                 char **ret, struct model_error *err)
{
    char *decoded = malloc(size_bytes + 1);
    if (decoded == NULL)
        return error_no_memory(err, "a decoded address");
    size_t used = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        char c = text[i];
        if (c == '%') {
            int high = size_bytes - i > 2 ? hex_value(text[i + 1]) : -1;
            int low = size_bytes - i > 2 ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                free(decoded);
                return error_set(err, MODEL_INVALID_ARGUMENT,
                                 "the address has a '%%' without two hexadecimal digits behind it");
            }
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == '\0') {
            free(decoded);
            return error_set(err, MODEL_INVALID_ARGUMENT, "the address has a zero byte in it");
        }
        decoded[used++] = c;
    }
    decoded[used] = '\0';
    *ret = decoded;
    return MODEL_OK;
}

model_status http_percent_encode(const char *text, struct buffer *ret)
{
    model_status status = MODEL_OK;
    for (; *text != '\0' && status == MODEL_OK; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || strchr("-._~/", c) != NULL;
        status = is_plain ? buffer_append(ret, text, 1) : buffer_printf(ret, "%%%02X", c);
    }
    return status;
}

const char *http_query_next(const char *query, struct http_pair *ret)
{
    while (*query == '&')
        query++;
    if (*query == '\0')
        return NULL;
    size_t size_bytes = strcspn(query, "&");
    const char *equals = memchr(query, '=', size_bytes);
    ret->name = query;
    ret->name_bytes = equals != NULL ? (size_t)(equals - query) : size_bytes;
    ret->value = equals != NULL ? equals + 1 : query + size_bytes;
    ret->value_bytes = equals != NULL ? size_bytes - ret->name_bytes - 1 : 0;
    return query + size_bytes;
}

model_status http_query_value(const char *query, const char *name, char **ret,
                              struct model_error *err)
{
    struct http_pair pair;
    while (query != NULL && (query = http_query_next(query, &pair)) != NULL) {
        char *key = NULL;
        model_status status = http_percent_decode(pair.name, pair.name_bytes, true, &key, err);
        if (status != MODEL_OK)
            return status;
        bool found = strcmp(key, name) == 0;
        free(key);
        if (found)
            return http_percent_decode(pair.value, pair.value_bytes, true, ret, err);
    }
    return error_set(err, MODEL_NOT_FOUND, "the address has no '%s'", name);
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

bool http_list_has(const char *value, const char *token)
{
    size_t token_bytes = strlen(token);
    while (*value != '\0') {
        value = skip_blanks(value);
        size_t size_bytes = strcspn(value, ", \t");
        if (size_bytes == token_bytes && strncasecmp(value, token, size_bytes) == 0)
            return true;
        value += strcspn(value, ",");
        value += *value == ',' ? 1 : 0;
    }
    return false;
}

bool http_value_is_safe(const char *value)
{
    for (; *value != '\0'; value++)
        if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7F)
            return false;
    return true;
}

/* Digits only, at least one. A number of more than 64 bits is the largest one: no file is longer. */
static bool read_number(const char **text, uint64_t *ret)
{
    const char *at = *text;
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    if (at == *text)
        return false;
    *text = at;
    *ret = value;
    return true;
}

static enum http_range suffix_range(const char *at, uint64_t size_bytes, uint64_t *ret_first,
                                    uint64_t *ret_length_bytes)
{
    uint64_t suffix_bytes;
    if (!read_number(&at, &suffix_bytes) || *skip_blanks(at) != '\0')
        return HTTP_RANGE_NONE;
    if (suffix_bytes == 0 || size_bytes == 0)
        return HTTP_RANGE_UNSATISFIABLE;
    *ret_length_bytes = suffix_bytes < size_bytes ? suffix_bytes : size_bytes;
    *ret_first = size_bytes - *ret_length_bytes;
    return HTTP_RANGE_PART;
}

enum http_range http_range_parse(const char *value, uint64_t size_bytes, uint64_t *ret_first,
                                 uint64_t *ret_length_bytes)
{
    if (value == NULL || strncasecmp(value, "bytes", 5) != 0)
        return HTTP_RANGE_NONE;
    const char *at = skip_blanks(value + 5);
    if (*at != '=')
        return HTTP_RANGE_NONE;
    at = skip_blanks(at + 1);
    if (*at == '-')
        return suffix_range(at + 1, size_bytes, ret_first, ret_length_bytes);
    uint64_t first, last = UINT64_MAX;
    if (!read_number(&at, &first) || *at != '-')
        return HTTP_RANGE_NONE;
    at++;
    if (*skip_blanks(at) != '\0' && (!read_number(&at, &last) || *skip_blanks(at) != '\0'))
        return HTTP_RANGE_NONE;
    if (last < first)
        return HTTP_RANGE_NONE;
    if (first >= size_bytes)
        return HTTP_RANGE_UNSATISFIABLE;
    if (last >= size_bytes)
        last = size_bytes - 1;
    *ret_first = first;
    *ret_length_bytes = last - first + 1;
    return HTTP_RANGE_PART;
}

static bool quoted_is(const char *text, size_t size_bytes, const char *etag)
{
    size_t etag_bytes = strlen(etag);
    return size_bytes == etag_bytes + 2 && text[0] == '"' && text[size_bytes - 1] == '"' &&
           memcmp(text + 1, etag, etag_bytes) == 0;
}

bool http_etag_listed(const char *value, const char *etag)
{
    value = skip_blanks(value);
    if (*value == '*' && *skip_blanks(value + 1) == '\0')
        return true;
    while (*value != '\0') {
        value += strspn(value, " \t,");
        if (strncmp(value, "W/", 2) == 0)
            value += 2;
        size_t size_bytes = strcspn(value, ", \t");
        if (quoted_is(value, size_bytes, etag))
            return true;
        value += size_bytes;
    }
    return false;
}

bool http_etag_is(const char *value, const char *etag)
{
    value = skip_blanks(value);
    size_t size_bytes = strlen(value);
    while (size_bytes > 0 && (value[size_bytes - 1] == ' ' || value[size_bytes - 1] == '\t'))
        size_bytes--;
    return quoted_is(value, size_bytes, etag);
}
