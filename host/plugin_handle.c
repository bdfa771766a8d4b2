/* plugin_handle.c - see plugin_handle.h. [any-thread]
 *
 * A plugin may be replaced while the process runs, by renaming and by writing over its file, and what is
 * open must stay what it is. So a private copy is opened (plugin_copy.h), once for each content; where
 * there cannot be one, the file itself.
 *
 * dlopen() takes a name that it has seen for the object that it has, without a look at the file. Each
 * object is therefore opened by a name of its own, with its identity as steps that lead nowhere:
 * "/mine//.//./libmodel.so". */
#include "plugin_handle.h"
#include "errors.h"
#include "buffer.h"
#include "plugin_copy.h"

#include <dlfcn.h>
#include <limits.h>
#ifndef __APPLE__
#include <link.h>
#endif
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __APPLE__
#define MTIME st_mtimespec
#else
#define MTIME st_mtim
#endif

#define IDENTITY_BITS 64
#define STEPS_BYTES   (2 * IDENTITY_BITS + 2) /* with the first '/' and the end */

/* Runtimes that must not be in a process twice: a second one brings its own threads and barriers. */
static const char *const foreign_runtimes[] = {"libomp.so", "libiomp5.so", "libmkl_rt.so"};

static void warn_of_foreign_runtimes(const struct plugin_file *file, const char *path,
                                     const struct log_sink *log)
{
    for (size_t i = 0; i < sizeof foreign_runtimes / sizeof foreign_runtimes[0]; i++)
        if (strstr(file->needed, foreign_runtimes[i]) != NULL)
            log_write(log, MODEL_LOG_WARN,
                      "%s needs %s, a second threading runtime beside libgomp; expect contention",
                      path, foreign_runtimes[i]);
}

/* The file as a number (FNV-1a): where it is and what it was when it was read. */
static uint64_t file_identity(const struct stat *file)
{
    const uint64_t parts[] = {(uint64_t)file->st_dev, (uint64_t)file->st_ino,
                              (uint64_t)file->st_size, (uint64_t)file->MTIME.tv_sec,
                              (uint64_t)file->MTIME.tv_nsec};
    uint64_t identity = 14695981039346656037u;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        for (int shift = 0; shift < 64; shift += 8)
            identity = (identity ^ (parts[i] >> shift & 0xFF)) * 1099511628211u;
    return identity;
}

/* "/" and for each bit "/" or "./". */
static void write_steps(uint64_t identity, char steps[STEPS_BYTES])
{
    *steps++ = '/';
    for (int bit = 0; bit < IDENTITY_BITS; bit++) {
        if (identity >> bit & 1)
            *steps++ = '.';
        *steps++ = '/';
    }
    *steps = '\0';
}

/* Whether the object was opened with these steps. Not so: its file had other contents then, and a file
 * that is written over takes the pages of the code that is open with it. */
static bool was_opened_as(void *object, const char *steps)
{
#ifdef __APPLE__
    (void)object;
    (void)steps;
    return true;
#else
    const struct link_map *map = NULL;
    const size_t length = strlen(steps);
    if (dlinfo(object, RTLD_DI_LINKMAP, &map) != 0 || strrchr(map->l_name, '/') == NULL)
        return false;
    const size_t folder = (size_t)(strrchr(map->l_name, '/') + 1 - map->l_name);
    return folder >= length && memcmp(map->l_name + folder - length, steps, length) == 0;
#endif
}

/* "<folder><steps><name>"; false: too long. */
static bool write_name(const char *path, const char *steps, char name[PATH_MAX])
{
    const char *slash = strrchr(path, '/'), *last = slash != NULL ? slash + 1 : path;
    const size_t folder = slash != NULL ? (size_t)(slash - path) : 1;
    int length =
        snprintf(name, PATH_MAX, "%.*s%s%s", (int)folder, slash != NULL ? path : ".", steps, last);
    return length > 0 && length < PATH_MAX;
}

/* The first 64 bits of a digest in hexadecimal. */
static uint64_t identity_of(const char *digest)
{
    char first[IDENTITY_BITS / 4 + 1] = "";
    memcpy(first, digest, sizeof first - 1);
    return strtoull(first, NULL, 16);
}

/* The copies that are open, for ever. */
struct open_copy {
    struct open_copy *next;
    char digest[SHA256_HEX_BYTES];
    void *object;
};
static struct open_copy *open_copies;
static pthread_mutex_t open_copies_mutex = PTHREAD_MUTEX_INITIALIZER; /* guards open_copies */

static model_status pass_barrier(const struct plugin_gate *gate, struct model_error *err)
{
    return gate->barrier != NULL ? gate->barrier(err) : MODEL_OK;
}

/* NULL: it cannot be opened so. Under the mutex. */
static void *open_new_copy(const struct plugin_gate *gate, const struct buffer *bytes,
                           const char *digest)
{
    char path[PLUGIN_COPY_PATH_BYTES], name[PATH_MAX], steps[STEPS_BYTES];
    struct open_copy *copy = calloc(1, sizeof *copy);
    int fd = copy != NULL ? plugin_copy_make(bytes, path) : -1;
    write_steps(identity_of(digest), steps);
    if (fd >= 0 && write_name(path, steps, name) && pass_barrier(gate, NULL) == MODEL_OK)
        copy->object = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (fd >= 0)
        (void)close(fd);
    if (copy == NULL || copy->object == NULL) {
        free(copy);
        return NULL;
    }
    memcpy(copy->digest, digest, sizeof copy->digest);
    copy->next = open_copies;
    open_copies = copy;
    return copy->object;
}

static model_status ask(const struct plugin_gate *gate, const char *path, const char *sha256,
                        struct model_error *err)
{
    return gate->admit != NULL ? gate->admit(gate->context, path, sha256, err) : MODEL_OK;
}

/* *ret NULL: there cannot be one. */
static model_status open_copy(const struct plugin_file *file, const char *path,
                              const struct plugin_gate *gate, char digest[SHA256_HEX_BYTES],
                              void **ret, struct model_error *err)
{
    struct buffer bytes;
    *ret = NULL;
    if (gate->only_copies && plugin_copy_lacks_libraries(file))
        return plugin_copy_refuse(path, file, err);
    if (!plugin_copy_wanted(path, file, gate->admit != NULL || gate->only_copies, &bytes, digest))
        return MODEL_OK;
    model_status status = ask(gate, path, digest, err);
    if (status != MODEL_OK) {
        buffer_finish(&bytes);
        return status;
    }
    (void)pthread_mutex_lock(&open_copies_mutex);
    const struct open_copy *copy = open_copies;
    while (copy != NULL && strcmp(copy->digest, digest) != 0)
        copy = copy->next;
    *ret = copy != NULL ? copy->object : open_new_copy(gate, &bytes, digest);
    (void)pthread_mutex_unlock(&open_copies_mutex);
    buffer_finish(&bytes);
    return MODEL_OK;
}

static model_status ask_in_place(const struct plugin_gate *gate, const char *path,
                                 char digest[SHA256_HEX_BYTES], struct model_error *err)
{
    uint64_t size_bytes = 0;
    if (gate->admit == NULL && !gate->wants_digest)
        return MODEL_OK;
    model_status status = digest_file_sha256(path, digest, &size_bytes, err);
    return status == MODEL_OK ? ask(gate, path, digest, err) : status;
}

static model_status open_in_place(const struct plugin_file *file, const char *path,
                                  const struct plugin_gate *gate, char digest[SHA256_HEX_BYTES],
                                  void **ret, struct model_error *err)
{
    if (gate->only_copies)
        return plugin_copy_refuse(path, file, err);
    model_status status = ask_in_place(gate, path, digest, err);
    if (status == MODEL_OK)
        status = plugin_file_check_same(file, path, err);
    if (status != MODEL_OK)
        return status;
    char name[PATH_MAX], steps[STEPS_BYTES];
    write_steps(file_identity(&file->read), steps);
    if (!write_name(path, steps, name))
        return error_set(err, MODEL_UNSUPPORTED, "cannot open plugin %s: its path is too long",
                         path);
    status = pass_barrier(gate, err);
    if (status != MODEL_OK)
        return status;
    void *object = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) {
        const char *why = dlerror();
        const size_t length = strlen(name);
        if (strncmp(why, name, length) == 0 && strncmp(why + length, ": ", 2) == 0)
            why += length + 2;
        return error_set(err, MODEL_UNSUPPORTED, "cannot open plugin %s: %s", path, why);
    }
    if (!was_opened_as(object, steps))
        return error_set(err, MODEL_CORRUPT,
                         "%s was written over while this process has it open; give it its place by "
                         "renaming (mv, pkgmgr install), then load again",
                         path);
    *ret = object;
    return MODEL_OK;
}

model_status plugin_handle_open(const char *path, const struct log_sink *log,
                                struct plugin_handle *ret, struct model_error *err)
{
    static const struct plugin_gate open_gate;
    return plugin_handle_open_if(path, log, &open_gate, ret, err);
}

model_status plugin_handle_open_if(const char *path, const struct log_sink *log,
                                   const struct plugin_gate *gate, struct plugin_handle *ret,
                                   struct model_error *err)
{
    struct plugin_handle handle = {0};
    model_status status = plugin_file_read(path, &handle.file, err);
    if (status == MODEL_OK)
        status = plugin_file_check(&handle.file, path, err);
    if (status != MODEL_OK)
        return status;
    warn_of_foreign_runtimes(&handle.file, path, log);
    status = plugin_file_check_same(&handle.file, path, err);
    if (status != MODEL_OK)
        return status;
    void *object = NULL;
    status = open_copy(&handle.file, path, gate, handle.sha256, &object, err);
    if (status == MODEL_OK && object == NULL) {
        handle.sha256[0] = '\0';
        status = open_in_place(&handle.file, path, gate, handle.sha256, &object, err);
    }
    if (status != MODEL_OK)
        return status;
    status = plugin_file_check_same(&handle.file, path, err);
    if (status != MODEL_OK)
        return status; /* what was opened is not what was checked */
    void *symbol = dlsym(object, "create_model");
    if (symbol == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%s: create_model is exported but not found",
                         path);
    memcpy(&handle.create_model, &symbol, sizeof symbol);
    *ret = handle;
    return MODEL_OK;
}
