/* weights_file.c - see weights_file.h. The header is read through the descriptor that is then mapped, so
 * opening touches no page of a mapping. The format lets data begin anywhere, the ABI promises
 * alignment to the element: a tensor that lies askew is copied into aligned memory, all others are
 * views of the mapping. */
#include "weights_file.h"
#include "dtype.h"
#include "errors.h"
#include "package_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define COPY_ALIGNMENT 64

static model_status read_header(struct weights_file *file, struct model_error *err)
{
    uint8_t first[8] = {0};
    uint64_t file_bytes = file->map.size_bytes, header_bytes = 0;
    model_status status = MODEL_OK;
    if (file_bytes >= sizeof first)
        status = file_read_at(file->map.fd, file->path, first, sizeof first, file->begin, err);
    if (status == MODEL_OK)
        status = safetensors_header_size(first, file_bytes, file->path, &header_bytes, err);
    if (status != MODEL_OK)
        return status;
    char *header = malloc((size_t)header_bytes + 1);
    if (header == NULL)
        return error_no_memory(err, file->path);
    status = file_read_at(file->map.fd, file->path, header, header_bytes,
                          file->begin + sizeof first, err);
    if (status == MODEL_OK)
        status = safetensors_parse_header(header, (size_t)header_bytes, file_bytes, file->path,
                                          &file->header, err);
    if (status != MODEL_OK)
        free(header);
    return status;
}

static bool lies_askew(const struct safetensors_entry *entry)
{
    return entry->size_bytes > 0 && entry->offset % dtype_size_bytes(entry->dtype) != 0;
}

static uint64_t copy_bytes(const struct safetensors_entry *entry)
{
    return (entry->size_bytes + COPY_ALIGNMENT - 1) / COPY_ALIGNMENT * COPY_ALIGNMENT;
}

static model_status copy_askew(struct weights_file *file, struct model_error *err)
{
    uint64_t total = 0, at = 0;
    for (size_t i = 0; i < file->header.n_entries; i++)
        total += lies_askew(&file->header.entries[i]) ? copy_bytes(&file->header.entries[i]) : 0;
    if (total == 0)
        return MODEL_OK;
    void *memory = NULL;
    if (posix_memalign(&memory, COPY_ALIGNMENT, (size_t)total) != 0)
        return error_no_memory(err, file->path);
    file->copies = memory;
    for (size_t i = 0; i < file->header.n_entries; i++) {
        const struct safetensors_entry *entry = &file->header.entries[i];
        if (!lies_askew(entry))
            continue;
        model_status status = file_read_at(file->map.fd, file->path, file->copies + at,
                                           entry->size_bytes, file->begin + entry->offset, err);
        if (status != MODEL_OK)
            return status;
        at += copy_bytes(entry);
    }
    return MODEL_OK;
}

static model_status map_file(struct weights_file *file, struct model_error *err)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", file->path);
    model_status status = file_map_open_fd(fd, file->path, &file->map, err);
    (void)close(fd);
    return status;
}

static model_status map_entry(const struct archive *archive, bool is_lazy,
                              struct weights_file *file, struct model_error *err)
{
    const struct archive_entry *entry = NULL;
    model_status status = package_file_entry(archive, file->path, &entry, err);
    if (status == MODEL_OK)
        status = is_lazy ? archive_map_lazily(archive, entry, &file->map, err)
                         : archive_map(archive, entry, &file->map, err);
    if (status != MODEL_OK)
        return status;
    file->entry = entry;
    file->begin = archive_is_in_place(entry) ? entry->offset : 0;
    return MODEL_OK;
}

model_status weights_file_open(const struct archive *archive, bool is_lazy, char *path,
                               struct weights_file *file, struct model_error *err)
{
    if (path == NULL)
        return error_no_memory(err, "the path of a weights file");
    file->path = path;
    model_status status =
        archive != NULL ? map_entry(archive, is_lazy, file, err) : map_file(file, err);
    if (status == MODEL_OK)
        status = read_header(file, err);
    if (status == MODEL_OK)
        status = copy_askew(file, err);
    if (status == MODEL_OK && file->copies != NULL && is_lazy && file->entry != NULL)
        status = archive_check_mapped(archive, file->entry, &file->map, err); /* used already */
    return status;
}

void weights_file_close(struct weights_file *file)
{
    safetensors_finish(&file->header);
    file_map_close(&file->map);
    free(file->copies);
    free(file->path);
}

void weights_file_refs(const struct weights_file *file, struct weights_ref *ret)
{
    const uint8_t *copy = file->copies;
    for (size_t i = 0; i < file->header.n_entries; i++) {
        const struct safetensors_entry *entry = &file->header.entries[i];
        ret[i] = (struct weights_ref){.entry = entry};
        if (lies_askew(entry)) {
            ret[i].data = copy;
            copy += copy_bytes(entry);
        } else if (entry->size_bytes > 0) {
            ret[i].data = file->map.data + entry->offset;
        }
    }
}
