/* utf8.c - see utf8.h. */
#include "utf8.h"
#include "errors.h"

#include <stdbool.h>
#include <string.h>

/* The length of the well-formed sequence at p, or 0. */
static size_t sequence_length(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
    if (n == 0 || n > left)
        return 0;
    unsigned char low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return n;
}

size_t utf8_valid_prefix(const char *text, size_t size_bytes)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    while (i < size_bytes) {
        uint64_t word;
        if (size_bytes - i >= 8 && (memcpy(&word, p + i, 8), (word & 0x8080808080808080u) == 0)) {
            i += 8;
            continue;
        }
        size_t n = sequence_length(p + i, size_bytes - i);
        if (n == 0)
            return i;
        i += n;
    }
    return size_bytes;
}

size_t utf8_control_bytes(const char *text, size_t size_bytes)
{
    const unsigned char *p = (const unsigned char *)text;
    if (size_bytes >= 1 && (p[0] < 0x20 || p[0] == 0x7F))
        return 1;
    if (size_bytes >= 2 && ((p[0] == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0) || /* C1 */
                            (p[0] == 0xD8 && p[1] == 0x9C)))                 /* U+061C */
        return 2;
    if (size_bytes < 3 || p[0] != 0xE2)
        return 0;
    const bool is_mark = p[1] == 0x80
                             ? p[2] == 0x8E || p[2] == 0x8F ||               /* U+200E, U+200F */
                                   (p[2] >= 0xA8 && p[2] <= 0xAE)            /* U+2028 to U+202E */
                             : p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9; /* U+2066 on */
    return is_mark ? 3 : 0;
}

model_status utf8_check(const char *text, size_t size_bytes, const char *what,
                        struct model_error *err)
{
    size_t good = utf8_valid_prefix(text, size_bytes);
    if (good == size_bytes)
        return MODEL_OK;
    return error_set(
        err, MODEL_INVALID_ARGUMENT,
        "%s is not UTF-8: byte 0x%02X at offset %zu; convert it, for example with iconv", what,
        (unsigned char)text[good], good);
}
