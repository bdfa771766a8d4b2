/* young_characters.h - characters of Unicode 15 and 16, which the reference's patterns know (those of
 * Oniguruma 6.9.10) and the installed PCRE2 and utf8proc perhaps do not. With a library that knows them
 * the table changes nothing. [any-thread] */
#ifndef YOUNG_CHARACTERS_H
#define YOUNG_CHARACTERS_H

#include <stddef.h>
#include <stdint.h>

struct young_range {
    uint32_t first, last;
    char category[3];
};

/* (n), ordered. */
const struct young_range *young_ranges(size_t *ret_n);
/* "Lu", or "" for a character that is not young. */
const char *young_category(uint32_t codepoint);

#endif
