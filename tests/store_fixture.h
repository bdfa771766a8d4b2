/* store_fixture.h - what the tests of the store share: folders that vanish, files of given content,
 * safetensors files from a header's text, a package put into a store. Include after cmocka.h. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "digest.h"
#include "errors.h"
#include "files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A new folder below $TMPDIR or /tmp; *state owns its path. For setup and teardown of a test. */
static inline int make_folder(void **state)
{
    const char *base = getenv("TMPDIR");
    char *dir = text_format("%s/modelhost-test-XXXXXX", base != NULL ? base : "/tmp");
    if (dir == NULL || mkdtemp(dir) == NULL)
        return -1;
    *state = dir;
    return 0;
}

static inline int remove_folder(void **state)
{
    int result = dir_remove_all(*state, NULL) == MODEL_OK ? 0 : -1;
    free(*state);
    return result;
}

/* "<folder>/<name>" in one of 64 static buffers. */
static inline const char *in_folder(const char *folder, const char *name)
{
    static char paths[64][1024];
    static unsigned next;
    char path[1024];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_true(length > 0 && (size_t)length < sizeof path);
    return memcpy(paths[next++ % 64], path, sizeof path);
}

/* Writes a file, and its folders. */
static inline void put_bytes(const char *path, const void *data, size_t size_bytes)
{
    char *folder = text_format("%.*s", (int)(path_base(path) - path), path);
    assert_non_null(folder);
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    free(folder);
    assert_int_equal(file_write_atomic(path, data, size_bytes, NULL), MODEL_OK);
}

static inline void put_text(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

/* A safetensors file in memory: length, header, then data_bytes of 0, 1, 2, ... To be freed. */
static inline uint8_t *make_safetensors(const char *header, size_t data_bytes, size_t *ret_bytes)
{
    size_t header_bytes = strlen(header);
    uint8_t *file = malloc(8 + header_bytes + data_bytes + 1);
    assert_non_null(file);
    for (size_t i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)header_bytes >> (8 * i));
    memcpy(file + 8, header, header_bytes);
    for (size_t i = 0; i < data_bytes; i++)
        file[8 + header_bytes + i] = (uint8_t)i;
    *ret_bytes = 8 + header_bytes + data_bytes;
    return file;
}

static inline void put_safetensors(const char *path, const char *header, size_t data_bytes)
{
    size_t size_bytes = 0;
    uint8_t *file = make_safetensors(header, data_bytes, &size_bytes);
    put_bytes(path, file, size_bytes);
    free(file);
}

/* "<folder of this program>/<name>": where the Makefile puts the fixture plugins. */
static inline const char *beside_program(const char *name)
{
    char program[900];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    assert_true(length > 0);
    program[length] = '\0';
    *strrchr(program, '/') = '\0';
    return in_folder(program, name);
}

#endif
