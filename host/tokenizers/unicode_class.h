/* unicode_class.h - what a tokenizer wants to know of one character; utf8proc lives behind this header.
 * Pure functions. [any-thread]
 *
 * The answers are those of the reference library (Hugging Face tokenizers 0.23), so that ids agree:
 * categories of Unicode 8, canonical decompositions of Unicode 9, lower case of Unicode 17. Where the
 * installed utf8proc knows more or less than that, small tables in unicode_class.c even it out. */
#ifndef UNICODE_CLASS_H
#define UNICODE_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum char_class {
    CHAR_PLAIN = 0,
    CHAR_SPACE,       /* White_Space; among them TAB, LF, VT, FF, CR and U+0085 */
    CHAR_CONTROL,     /* Cc, Cf, Co, but for the spaces */
    CHAR_PUNCTUATION, /* P*, and the symbols of ASCII */
    CHAR_MARK         /* Mn */
};

enum char_class char_class(uint32_t codepoint);
/* Letters, marks, digits, connectors: what \w means in a regular expression. */
bool char_is_word(uint32_t codepoint);
/* Digits, letters and other characters that are numbers. */
bool char_is_numeric(uint32_t codepoint);
/* The blocks of Han ideographs that BERT splits character by character. */
bool char_is_han(uint32_t codepoint);

#define CHAR_MAX_LOWER 2
/* The lower case, without regard to context; returns how many characters were written. */
size_t char_lower(uint32_t codepoint, uint32_t ret[CHAR_MAX_LOWER]);

#define CHAR_MAX_DECOMPOSED 4
/* The full canonical decomposition (itself when there is none); returns the number of characters. */
size_t char_decompose(uint32_t codepoint, uint32_t ret[CHAR_MAX_DECOMPOSED]);
#define CHAR_MAX_COMPATIBLE 18
/* The full compatibility decomposition. */
size_t char_decompose_compatible(uint32_t codepoint, uint32_t ret[CHAR_MAX_COMPATIBLE]);
/* The character that two compose to, or 0. */
uint32_t char_compose(uint32_t first, uint32_t second);
/* Whether a starter may compose with a character before it (seldom does one). */
bool char_may_follow(uint32_t codepoint);
/* Canonical_Combining_Class; 0: a starter. */
unsigned char_combining_class(uint32_t codepoint);

/* The character at the start of well-formed UTF-8 and its bytes. */
size_t char_decode(const char *text, uint32_t *ret_codepoint);
/* The character that ends before `end`. */
uint32_t char_before(const char *text, size_t end);
#define CHAR_MAX_BYTES 4
size_t char_encode(uint32_t codepoint, char ret[CHAR_MAX_BYTES]);

#endif
