/* fuzz_folder.h - for fuzz targets whose subject reads files by their names: a folder, made on first use and
 * removed at exit, and an input that is divided into several files. Included once by a target; one
 * thread. */
#ifndef FUZZ_FOLDER_H
#define FUZZ_FOLDER_H

#include "files.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void must(bool holds)
{
    if (!holds)
        abort();
}

static char fuzz_folder[PATH_MAX / 2];

static inline void fuzz_folder_remove(void)
{
    (void)dir_remove_all(fuzz_folder, NULL);
}

/* The path of a file in it; lives until the next call but seven. */
static inline const char *fuzz_path(const char *name)
{
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 8];
    if (fuzz_folder[0] == '\0') {
        const char *parent = getenv("TMPDIR");
        (void)snprintf(fuzz_folder, sizeof fuzz_folder, "%s/fuzz.XXXXXX",
                       parent != NULL ? parent : "/tmp");
        must(mkdtemp(fuzz_folder) != NULL);
        must(atexit(fuzz_folder_remove) == 0);
    }
    (void)snprintf(path, PATH_MAX, "%s/%s", fuzz_folder, name);
    return path;
}

/* A file with this content; NULL: no file. */
static inline void fuzz_put(const char *name, const void *data, size_t size_bytes)
{
    const char *path = fuzz_path(name);
    (void)unlink(path);
    if (data == NULL)
        return;
    FILE *file = fopen(path, "wb");
    must(file != NULL);
    must(fwrite(data, 1, size_bytes, file) == size_bytes);
    must(fclose(file) == 0);
}

/* Divides an input at its lines "---" into one file for each name (there are n_names); what the input has
 * no part for is no file. */
static inline void fuzz_put_parts(const char *const *names, size_t n_names, const uint8_t *data,
                                  size_t size_bytes)
{
    static const char line[] = "\n---\n";
    for (size_t i = 0; i < n_names; i++) {
        const uint8_t *end = data != NULL ? memmem(data, size_bytes, line, sizeof line - 1) : NULL;
        size_t part_bytes = end != NULL ? (size_t)(end - data) : size_bytes;
        fuzz_put(names[i], data, part_bytes);
        size_bytes -= end != NULL ? part_bytes + sizeof line - 1 : size_bytes;
        data = end != NULL ? end + sizeof line - 1 : NULL;
    }
}

#endif
