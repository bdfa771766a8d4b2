/* printable_text.c - see printable_text.h. */
#include "printable_text.h"
#include "utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHARACTER_BYTES 4

/* The bytes of the character at text, 0 when it must be escaped. */
static size_t plain_character(const char *text, size_t size_bytes)
{
    unsigned char first = (unsigned char)text[0];
    if (first < 0x80)
        return first >= 0x20 && first != 0x7F && first != '\\';
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (length > size_bytes || utf8_valid_prefix(text, length) != length)
        return 0;
    return utf8_control_bytes(text, length) > 0 ? 0 : length;
}

const char *printable_text(const char *text, size_t size_bytes, char ret[PRINTABLE_TEXT_BYTES])
{
    static const char more[] = "...";
    size_t used = 0;
    for (size_t i = 0; i < size_bytes;) {
        char piece[8];
        size_t length = plain_character(text + i, size_bytes - i);
        size_t taken = length > 0 ? length : 1;
        if (length > 0)
            memcpy(piece, text + i, length);
        else if (text[i] == '\\')
            memcpy(piece, "\\\\", length = 2);
        else
            length = (size_t)snprintf(piece, sizeof piece, "\\x%02x", (unsigned char)text[i]);
        bool is_last = i + taken == size_bytes;
        if (used + length + (is_last ? 0 : MAX_CHARACTER_BYTES) >= PRINTABLE_TEXT_BYTES) {
            memcpy(ret + used, more, sizeof more - 1);
            used += sizeof more - 1;
            break;
        }
        memcpy(ret + used, piece, length);
        used += length;
        i += taken;
    }
    ret[used] = '\0';
    return ret;
}

const char *printable(const char *text, char ret[PRINTABLE_TEXT_BYTES])
{
    return printable_text(text != NULL ? text : "", text != NULL ? strlen(text) : 0, ret);
}

const char *printable_line(const char *text, char ret[PRINTABLE_TEXT_BYTES])
{
    const size_t n = strlen(text);
    bool is_plain = utf8_valid_prefix(text, n) == n;
    for (size_t i = 0; i < n && is_plain; i++)
        is_plain = utf8_control_bytes(text + i, n - i) == 0;
    return is_plain ? text : printable_text(text, n, ret);
}

char *printable_copy(const char *text)
{
    static const size_t longest = 4; /* bytes that one becomes */
    const size_t n = strlen(text);
    char *copy = n < SIZE_MAX / longest ? malloc(n * longest + 1) : NULL, *to = copy;
    for (size_t i = 0; copy != NULL && i < n;) {
        const size_t length = text[i] == '\\' ? 1 : plain_character(text + i, n - i);
        if (length > 0)
            memcpy(to, text + i, length);
        else
            (void)snprintf(to, longest + 1, "\\x%02x", (unsigned char)text[i]);
        to += length > 0 ? length : longest;
        i += length > 0 ? length : 1;
    }
    if (copy != NULL)
        *to = '\0';
    return copy;
}
