/* json_scan.c - see json_scan.h. Strings are decoded in place: a decoded string is never longer than
 * its source, and its terminator falls on the closing quote at the latest. */
#include "json_scan.h"
#include "errors.h"
#include "utf8.h"

#include <string.h>

model_status json_scan_init(struct json_scan *scan, char *text, size_t size_bytes, const char *what,
                            struct model_error *err)
{
    *scan = (struct json_scan){text, text, text + size_bytes, what, err};
    size_t good = utf8_valid_prefix(text, size_bytes);
    if (good == size_bytes)
        return MODEL_OK;
    scan->at = text + good;
    return json_scan_fail(scan, "not UTF-8");
}

model_status json_scan_fail(const struct json_scan *scan, const char *problem)
{
    return error_set(scan->err, MODEL_CORRUPT, "%s: byte %zu: %s", scan->what,
                     (size_t)(scan->at - scan->begin), problem);
}

static void skip_space(struct json_scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

/* The next character behind white space, 0 at the end. */
static char peek(struct json_scan *scan)
{
    skip_space(scan);
    return scan->at < scan->end ? *scan->at : '\0';
}

static bool take(struct json_scan *scan, char wanted)
{
    if (peek(scan) != wanted || scan->at == scan->end)
        return false;
    scan->at++;
    return true;
}

model_status json_scan_object(struct json_scan *scan, bool *first, const char **ret_key)
{
    if (*first && !take(scan, '{'))
        return json_scan_fail(scan, "not valid JSON, want '{'");
    if (take(scan, '}')) {
        *ret_key = NULL;
        return MODEL_OK;
    }
    if (!*first && !take(scan, ','))
        return json_scan_fail(scan, "not valid JSON, want ',' or '}'");
    *first = false;
    const char *key = NULL;
    model_status status = json_scan_string(scan, &key);
    if (status != MODEL_OK)
        return status;
    if (!take(scan, ':'))
        return json_scan_fail(scan, "not valid JSON, want ':'");
    *ret_key = key;
    return MODEL_OK;
}

model_status json_scan_array(struct json_scan *scan, bool *first, bool *ret_more)
{
    if (*first && !take(scan, '['))
        return json_scan_fail(scan, "not valid JSON, want '['");
    if (take(scan, ']')) {
        *ret_more = false;
        return MODEL_OK;
    }
    if (!*first && !take(scan, ','))
        return json_scan_fail(scan, "not valid JSON, want ',' or ']'");
    *first = false;
    *ret_more = true;
    return MODEL_OK;
}

static bool read_hex4(struct json_scan *scan, uint32_t *ret)
{
    if (scan->end - scan->at < 4)
        return false;
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = *scan->at++;
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)((c | 0x20) - 'a') + 10;
        else
            return false;
        value = value << 4 | digit;
    }
    *ret = value;
    return true;
}

/* Behind "\u": one character of four digits, or two such escapes for one beyond U+FFFF. */
static bool read_unicode_escape(struct json_scan *scan, uint32_t *ret)
{
    uint32_t code = 0, low = 0;
    if (!read_hex4(scan, &code) || code == 0 || (code >= 0xDC00 && code <= 0xDFFF))
        return false;
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u')
            return false;
        scan->at += 2;
        if (!read_hex4(scan, &low) || low < 0xDC00 || low > 0xDFFF)
            return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *ret = code;
    return true;
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
        *out++ = (char)(0x80 | (code & 63));
    } else {
        if (code < 0x10000) {
            *out++ = (char)(0xE0 | code >> 12);
        } else {
            *out++ = (char)(0xF0 | code >> 18);
            *out++ = (char)(0x80 | (code >> 12 & 63));
        }
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    }
    return out;
}

/* Behind a backslash. NULL: no such escape. */
static char *decode_escape(struct json_scan *scan, char *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (scan->at == scan->end)
        return NULL;
    char c = *scan->at++;
    if (c == 'u') {
        uint32_t code = 0;
        return read_unicode_escape(scan, &code) ? put_utf8(out, code) : NULL;
    }
    const char *found = c != '\0' ? strchr(from, c) : NULL;
    if (found == NULL)
        return NULL;
    *out++ = to[found - from];
    return out;
}

model_status json_scan_string(struct json_scan *scan, const char **ret)
{
    if (!take(scan, '"'))
        return json_scan_fail(scan, "not valid JSON, want a string");
    char *text = scan->at, *out = text;
    while (scan->at < scan->end) {
        char c = *scan->at++;
        if (c == '"') {
            *out = '\0';
            *ret = text;
            return MODEL_OK;
        }
        if (c == '\\') {
            out = decode_escape(scan, out);
            if (out == NULL)
                return json_scan_fail(scan, "not valid JSON, a broken escape in a string");
        } else if ((unsigned char)c < 0x20) {
            scan->at--;
            return json_scan_fail(scan, "not valid JSON, a control character in a string");
        } else {
            *out++ = c;
        }
    }
    return json_scan_fail(scan, "not valid JSON, a string without its end");
}

static bool is_digit(const struct json_scan *scan)
{
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

model_status json_scan_integer(struct json_scan *scan, uint64_t *ret)
{
    (void)peek(scan);
    if (!is_digit(scan))
        return json_scan_fail(scan, "want a whole number that is not negative");
    uint64_t value = 0;
    bool leading_zero = *scan->at == '0';
    const char *start = scan->at;
    for (; is_digit(scan); scan->at++) {
        value = value * 10 + (uint64_t)(*scan->at - '0');
        if (value > JSON_SCAN_MAX_INTEGER)
            return json_scan_fail(scan, "a number over 2^53 - 1");
    }
    if (leading_zero && scan->at - start > 1)
        return json_scan_fail(scan, "not valid JSON, a number that starts with 0");
    if (scan->at < scan->end && (*scan->at == '.' || (*scan->at | 0x20) == 'e'))
        return json_scan_fail(scan, "want a whole number");
    *ret = value;
    return MODEL_OK;
}

static bool skip_digits(struct json_scan *scan)
{
    if (!is_digit(scan))
        return false;
    while (is_digit(scan))
        scan->at++;
    return true;
}

static bool skip_number(struct json_scan *scan)
{
    if (*scan->at == '-')
        scan->at++;
    if (scan->at < scan->end && *scan->at == '0')
        scan->at++;
    else if (!skip_digits(scan))
        return false;
    if (scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        if (!skip_digits(scan))
            return false;
    }
    if (scan->at < scan->end && (*scan->at | 0x20) == 'e') {
        scan->at++;
        if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
            scan->at++;
        return skip_digits(scan);
    }
    return true;
}

static bool skip_word(struct json_scan *scan, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return false;
    scan->at += length;
    return true;
}

static model_status skip_value(struct json_scan *scan, int depth)
{
    if (depth > JSON_SCAN_MAX_DEPTH)
        return json_scan_fail(scan, "nested too deep");
    bool first = true, more = true;
    const char *text = NULL;
    model_status status = MODEL_OK;
    switch (peek(scan)) {
    case '{':
        while ((status = json_scan_object(scan, &first, &text)) == MODEL_OK && text != NULL)
            if ((status = skip_value(scan, depth + 1)) != MODEL_OK)
                return status;
        return status;
    case '[':
        while ((status = json_scan_array(scan, &first, &more)) == MODEL_OK && more)
            if ((status = skip_value(scan, depth + 1)) != MODEL_OK)
                return status;
        return status;
    case '"':
        return json_scan_string(scan, &text);
    case '\0':
        return json_scan_fail(scan, "not valid JSON, want a value");
    default:
        if (skip_word(scan, "true") || skip_word(scan, "false") || skip_word(scan, "null") ||
            skip_number(scan))
            return MODEL_OK;
        return json_scan_fail(scan, "not valid JSON, want a value");
    }
}

model_status json_scan_skip(struct json_scan *scan)
{
    return skip_value(scan, 0);
}

model_status json_scan_end(struct json_scan *scan)
{
    skip_space(scan);
    return scan->at == scan->end ? MODEL_OK : json_scan_fail(scan, "text after the JSON value");
}
