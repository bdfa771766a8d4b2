/* byte_level.h - the alphabet of byte-level tokenizers: each byte has a character that can be seen, so
 * that tokens are text whatever their bytes. Bytes that are visible in Latin-1 stand for themselves,
 * the other 68 for U+0100 and on. After Radford et al. 2019 (GPT-2). [any-thread] */
#ifndef BYTE_LEVEL_H
#define BYTE_LEVEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character of a byte: U+0021 to U+0143. */
uint32_t byte_level_char(unsigned char byte);
/* The byte of a character, or -1. */
int byte_level_byte(uint32_t codepoint);
/* The bytes of a token, at most as many as it has itself, into ret (token_bytes); false, with ret used,
 * when some character is not of the alphabet. */
bool byte_level_bytes(const char *token, size_t token_bytes, char *ret, size_t *ret_bytes);

/* Where the word ends that starts at text[at] by GPT-2's pattern, of ASCII characters alone; 0: the word
 * and what decides its end are not all ASCII. */
size_t byte_level_ascii_word(const char *text, size_t text_bytes, size_t at);
/* 's|'t|'re|... as GPT-2 has it */
extern const char byte_level_regex[];

#endif
