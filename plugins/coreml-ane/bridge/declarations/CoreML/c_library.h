/* c_library.h - as much of string.h as the bridge uses; see CoreML.h. */
#ifndef C_LIBRARY_H
#define C_LIBRARY_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int value, size_t size);
char *strdup(const char *text);
int strcmp(const char *a, const char *b);

#endif
