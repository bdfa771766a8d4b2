/* manifest_restore.c - see manifest_restore.h. The damaged text is no JSON any more, or not what its folder says: so
 * strings are looked for by their names, and whether that was right is seen by comparing. */
#include "manifest_restore.h"
#include "buffer.h"
#include "errors.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIELD_BYTES 512
#define DAMAGED_SHARE   8 /* at most one byte of so many */

/* The string behind "key": in a copy; NULL: none that is plain text. */
static char *find_field(const char *text, size_t n_bytes, const char *key)
{
    char *name = text_format("\"%s\":", key), *value = NULL;
    const char *at = name != NULL ? memmem(text, n_bytes, name, strlen(name)) : NULL;
    const char *const end = text + n_bytes;
    if (at != NULL) {
        at += strlen(name);
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        const char *const begin = at + 1;
        const char *quote =
            at < end && *at == '"' ? memchr(begin, '"', (size_t)(end - begin)) : NULL;
        const size_t n = quote != NULL ? (size_t)(quote - begin) : 0;
        if (quote != NULL && n <= MAX_FIELD_BYTES && memchr(begin, '\\', n) == NULL)
            value = text_format("%.*s", (int)n, begin);
    }
    free(name);
    return value;
}

static bool is_nearly(const char *text, const char *damaged, size_t n_bytes)
{
    size_t n_other = 0;
    for (size_t i = 0; i < n_bytes; i++)
        n_other += text[i] != damaged[i];
    return n_other <= n_bytes / DAMAGED_SHARE;
}

char *manifest_restore(const struct manifest *manifest, const char *damaged, size_t n_bytes)
{
    struct manifest was = *manifest;
    struct {
        const char *key;
        char **field, *found;
    } fields[] = {{"requested_id", &was.requested_id, NULL},
                  {"requested_revision", &was.requested_revision, NULL},
                  {"endpoint", &was.endpoint, NULL},
                  {"created", &was.created, NULL}};
    const size_t n_fields = sizeof fields / sizeof fields[0];
    for (size_t i = 0; i < n_fields; i++) {
        fields[i].found = find_field(damaged, n_bytes, fields[i].key);
        if (fields[i].found != NULL)
            *fields[i].field = fields[i].found;
    }
    char *text = manifest_print(&was);
    if (text != NULL && (strlen(text) != n_bytes || !is_nearly(text, damaged, n_bytes))) {
        free(text);
        text = NULL;
    }
    for (size_t i = 0; i < n_fields; i++)
        free(fields[i].found);
    return text;
}
