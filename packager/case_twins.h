/* case_twins.h - names that differ in upper and lower case only, which are one file on some disks (macOS, FAT).
 * Pure. [any-thread] */
#ifndef CASE_TWINS_H
#define CASE_TWINS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether two of n paths are such; letters beyond a to z are taken as they are. Without memory: false. */
bool case_twins_find(const char *(*path_at)(const void *context, size_t i), const void *context,
                     size_t n, size_t *ret_first, size_t *ret_second);

/* The warning about two of them: "'%.200s' and '%.200s' differ ...". */
#define CASE_TWINS_WARNING                                                                          \
    "'%.200s' and '%.200s' differ in upper and lower case only: the package cannot be copied to a " \
    "disk that does not tell them apart"

#endif
