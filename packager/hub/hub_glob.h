/* hub_glob.h - the patterns of --include and --exclude, as the hub's own tools read them.
 *
 * Case counts. '*' is any text, '/' too; '?' one character; [abc], [a-z], [!abc] one of a set; a '['
 * that is never closed is itself; a pattern that ends in '/' means everything below. Patterns and
 * paths are UTF-8, a character is a code point. Pure; O(pattern x path). [any-thread] */
#ifndef HUB_GLOB_H
#define HUB_GLOB_H

#include <stdbool.h>
#include <stddef.h>

bool hub_glob_match(const char *pattern, const char *path);
/* Whether any of the patterns matches. */
bool hub_glob_match_any(const char *const *patterns, size_t n_patterns, const char *path);

#endif
