/* hub_glob.c - see hub_glob.h. Follows Python's fnmatch.fnmatchcase, which huggingface_hub uses. */
#include "hub_glob.h"

#include <stdint.h>
#include <string.h>

/* One code point; bytes that are not UTF-8 stand for themselves. Returns its length. */
static size_t read_character(const char *text, uint32_t *ret)
{
    unsigned char lead = (unsigned char)text[0];
    size_t n = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    uint32_t value = n == 1 ? lead : lead & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)text[i] & 0xC0) != 0x80) {
            *ret = lead;
            return 1;
        }
        value = value << 6 | ((unsigned char)text[i] & 0x3Fu);
    }
    *ret = value;
    return n;
}

/* The ']' that closes the set whose '[' stands before `set`, or NULL. */
static const char *end_of_set(const char *set)
{
    if (*set == '!')
        set++;
    if (*set == ']')
        set++;
    return strchr(set, ']');
}

static bool set_contains(const char *set, const char *end, uint32_t character)
{
    bool negated = *set == '!';
    bool found = false;
    if (negated)
        set++;
    while (set < end) {
        uint32_t low, high;
        set += read_character(set, &low);
        high = low;
        if (*set == '-' && set + 1 < end)
            set += 1 + read_character(set + 1, &high);
        if (low <= character && character <= high)
            found = true;
    }
    return found != negated;
}

/* Matches one character of the path with the pattern's next element (not '*'); returns the length of
 * that element, 0 when it does not match. */
static size_t match_one(const char *pattern, uint32_t character)
{
    if (*pattern == '?')
        return 1;
    const char *end = *pattern == '[' ? end_of_set(pattern + 1) : NULL;
    if (end != NULL)
        return set_contains(pattern + 1, end, character) ? (size_t)(end + 1 - pattern) : 0;
    uint32_t wanted;
    size_t n = read_character(pattern, &wanted);
    return *pattern != '\0' && wanted == character ? n : 0;
}

bool hub_glob_match(const char *pattern, const char *path)
{
    size_t length = strlen(pattern);
    bool below = length > 0 && pattern[length - 1] == '/';
    const char *star = NULL, *retry = NULL; /* the last '*' and where it shall end next */
    while (*path != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            retry = path;
            continue;
        }
        if (*pattern == '\0' && below)
            return true;
        uint32_t character;
        size_t n = read_character(path, &character);
        size_t used = match_one(pattern, character);
        if (used > 0) {
            pattern += used;
            path += n;
        } else if (star != NULL) {
            pattern = star;
            retry += read_character(retry, &character);
            path = retry;
        } else {
            return false;
        }
    }
    pattern += strspn(pattern, "*");
    return *pattern == '\0';
}

bool hub_glob_match_any(const char *const *patterns, size_t n_patterns, const char *path)
{
    for (size_t i = 0; i < n_patterns; i++)
        if (hub_glob_match(patterns[i], path))
            return true;
    return false;
}
