/* mapped_files.c - see mapped_files.h. */
#include "mapped_files.h"
#include "errors.h"
#include "files.h"
#include "memory_usage.h"
#include "package.h"
#include "package_file.h"
#include "page_guard.h"
#include "signed_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct mapped_file {
    struct mapped_file *next;
    char *name, *path;
    struct file_map map;
    struct page_guard *guard; /* NULL: memory, or an empty file */
};

/* ---- a file of a folder */

static bool is_below(const char *path, const char *folder)
{
    const size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

/* Packages of a store may be links to its blobs. */
static bool is_blob(const char *real, const char *package_dir)
{
    char *path = package_blobs_of_folder(package_dir);
    char *blobs = path != NULL ? realpath(path, NULL) : NULL;
    const bool is_one = blobs != NULL && is_below(real, blobs);
    free(blobs);
    free(path);
    return is_one;
}

static model_status map_path(const struct mapped_source *source, struct mapped_file *file,
                             struct model_error *err)
{
    char *real = realpath(file->path, NULL);
    if (real == NULL)
        return error_set_errno(err, errno, "cannot open %s", file->path);
    model_status status = MODEL_OK;
    int fd = -1;
    if (!is_below(real, source->package_dir) && !is_blob(real, source->package_dir))
        status = error_set(err, MODEL_CORRUPT,
                           "%s is a link out of the package, to %.400s: copy the file into it",
                           file->path, real);
    else if ((fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)) < 0)
        status = error_set_errno(err, errno, "cannot open %s", file->path);
    else
        status = file_map_open_fd(fd, file->path, &file->map, err);
    if (fd >= 0)
        (void)close(fd);
    free(real);
    return status;
}

/* ---- a file of an archive */

/* What is unpacked stays in memory with the model. */
static model_status count_unpacked(struct mapped_files *files, const struct archive_entry *entry,
                                   struct model_error *err)
{
    const uint64_t budget = files->source.budget_bytes;
    if (budget > 0 && entry->size_bytes > budget - files->unpacked_bytes)
        return error_set(err, MODEL_OUT_OF_MEMORY,
                         "'%.300s' is compressed or encrypted and unpacks to %llu bytes, %llu of "
                         "memory_budget_bytes are left; pack it as it is, or allow more",
                         entry->path, (unsigned long long)entry->size_bytes,
                         (unsigned long long)(budget - files->unpacked_bytes));
    files->unpacked_bytes += entry->size_bytes;
    return MODEL_OK;
}

/* No file in memory: a worker's sandbox has none. */
static model_status unpack(const struct archive *archive, const struct archive_entry *entry,
                           struct file_map *ret, struct model_error *err)
{
    struct file_map map = {.size_bytes = (size_t)entry->size_bytes, .fd = -1};
    void *memory =
        mmap(NULL, map.size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return error_no_memory(err, entry->path);
    map.data = memory;
    if (entry->is_encrypted)
        file_map_conceal(&map);
    model_status status = archive_read_into(archive, entry, memory, err);
    if (status == MODEL_OK && mprotect(memory, map.size_bytes, PROT_READ) != 0)
        status = error_set_errno(err, errno, "cannot protect the content of %s", entry->path);
    if (status == MODEL_OK)
        *ret = map;
    else
        file_map_close(&map);
    return status;
}

static model_status map_entry(struct mapped_files *files, struct mapped_file *file,
                              struct model_error *err)
{
    const struct archive *archive = files->source.archive;
    const struct archive_entry *entry = NULL;
    if (package_folder_exists(archive, file->path))
        return error_set(err, MODEL_INVALID_ARGUMENT, "%s is not a regular file", file->path);
    model_status status = package_file_entry(archive, file->path, &entry, err);
    if (status != MODEL_OK)
        return status;
    if (entry->size_bytes == 0 || archive_is_mappable(archive, entry))
        return archive_map(archive, entry, &file->map, err);
    status = count_unpacked(files, entry, err);
    return status == MODEL_OK ? unpack(archive, entry, &file->map, err) : status;
}

/* ---- the table's functions */

static void free_file(struct mapped_file *file)
{
    page_guard_remove(file->guard);
    file_map_close(&file->map);
    free(file->path);
    free(file->name);
    free(file);
}

static const struct mapped_file *find(const struct mapped_files *files, const char *name)
{
    const struct mapped_file *file = files->newest;
    while (file != NULL && strcmp(file->name, name) != 0)
        file = file->next;
    return file;
}

static model_status map_new(struct mapped_files *files, const char *name, struct mapped_file **ret,
                            struct model_error *err)
{
    struct mapped_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return error_no_memory(err, name);
    file->map.fd = -1;
    file->name = text_format("%s", name);
    file->path = path_join(files->source.backend_dir, name);
    model_status status =
        file->name != NULL && file->path != NULL ? MODEL_OK : error_no_memory(err, name);
    if (status == MODEL_OK)
        status = files->source.archive != NULL ? map_entry(files, file, err)
                                               : map_path(&files->source, file, err);
    if (status == MODEL_OK && file->map.size_bytes > 0 && file->map.fd >= 0)
        status = page_guard_add(&file->map, &file->guard, err);
    if (status == MODEL_OK)
        *ret = file;
    else
        free_file(file);
    return status;
}

static model_status check_asked(const struct mapped_files *files, const char *name,
                                struct model_error *err)
{
    if (files->is_closed)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "'%.200s' is asked for when the model is made: files are opened in "
                         "create_model()",
                         name);
    return path_is_safe(name)
               ? MODEL_OK
               : error_set(
                     err, MODEL_INVALID_ARGUMENT,
                     "'%.200s' is no file of the backend's folder: want a path in it, without "
                     "'..' and not from '/'",
                     name);
}

static model_status map(void *context, const char *name, const void **ret_data, uint64_t *ret_bytes,
                        struct model_error *err)
{
    struct mapped_files *files = context;
    const struct mapped_file *file = find(files, name);
    struct mapped_file *added = NULL;
    model_status status = check_asked(files, name, err);
    if (status != MODEL_OK)
        return status;
    if (file == NULL) {
        status = map_new(files, name, &added, err);
        if (status != MODEL_OK)
            return status;
        added->next = files->newest;
        file = files->newest = added;
    }
    *ret_data = file->map.data;
    *ret_bytes = file->map.size_bytes;
    return MODEL_OK;
}

static void discard(void *context, const void *data, uint64_t size_bytes)
{
    const struct mapped_files *files = context;
    for (const struct mapped_file *file = files->newest; file != NULL; file = file->next)
        if (file->guard != NULL) /* memory has nothing behind it */
            file_map_discard(&file->map, data, (size_t)size_bytes);
}

static model_status check_path(void *context, const char *name, struct model_error *err)
{
    const struct mapped_files *files = context;
    const model_status status = check_asked(files, name, err);
    if (status != MODEL_OK)
        return status;
    char *path = path_join(files->source.backend_dir, name);
    const model_status found = path != NULL ? signed_path_check(files->source.archive, path, err)
                                            : error_no_memory(err, name);
    free(path);
    return found;
}

/* ---- the life of all */

void mapped_files_init(struct mapped_files *files, const struct mapped_source *source)
{
    *files = (struct mapped_files){.table = {sizeof files->table, files, map, discard, check_path},
                                   .source = *source};
}

void mapped_files_close(struct mapped_files *files)
{
    files->is_closed = true;
}

void mapped_files_rest(const struct mapped_files *files)
{
    for (const struct mapped_file *file = files->newest; file != NULL; file = file->next)
        discard((void *)(uintptr_t)files, file->map.data, file->map.size_bytes);
}

model_status mapped_files_check(const struct mapped_files *files, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (const struct mapped_file *file = files->newest; file != NULL && status == MODEL_OK;
         file = file->next)
        if (file->guard != NULL)
            status = page_guard_check(file->guard, file->path, err);
    return status;
}

void mapped_files_measure(const struct mapped_files *files, uint64_t *ret_bytes,
                          uint64_t *ret_resident_bytes)
{
    *ret_bytes = *ret_resident_bytes = 0;
    for (const struct mapped_file *file = files->newest; file != NULL; file = file->next) {
        *ret_bytes += file->map.size_bytes;
        *ret_resident_bytes += memory_usage_mapping(file->map.data, file->map.size_bytes);
    }
}

void mapped_files_finish(struct mapped_files *files)
{
    while (files->newest != NULL) {
        struct mapped_file *next = files->newest->next;
        free_file(files->newest);
        files->newest = next;
    }
    files->table = (struct model_backend_files){0};
}
