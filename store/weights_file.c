/* weights_file.c - see weights_file.h. The header is read through the descriptor that is then mapped, so
 * opening touches no page of a mapping. The format lets data begin anywhere, the ABI promises
 * alignment to the element: a tensor that lies askew is copied into aligned memory, all others are
 * views of the mapping. */
#include "weights_file.h"
#include "dtype.h"
#include "errors.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define COPY_ALIGNMENT 64

static model_status read_header(int fd, struct weights_file *file, struct model_error *err)
{
    uint8_t first[8] = {0};
    uint64_t file_bytes = file->map.size_bytes, header_bytes = 0;
    model_status status = MODEL_OK;
    if (file_bytes >= sizeof first)
        status = file_read_at(fd, file->path, first, sizeof first, 0, err);
    if (status == MODEL_OK)
        status = safetensors_header_size(first, file_bytes, file->path, &header_bytes, err);
    if (status != MODEL_OK)
        return status;
    char *header = malloc((size_t)header_bytes + 1);
    if (header == NULL)
        return error_no_memory(err, file->path);
    status = file_read_at(fd, file->path, header, header_bytes, sizeof first, err);
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

static model_status copy_askew(int fd, struct weights_file *file, struct model_error *err)
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
        model_status status =
            file_read_at(fd, file->path, file->copies + at, entry->size_bytes, entry->offset, err);
        if (status != MODEL_OK)
            return status;
        at += copy_bytes(entry);
    }
    return MODEL_OK;
}

model_status weights_file_open(char *path, struct weights_file *file, struct model_error *err)
{
    if (path == NULL)
        return error_no_memory(err, "the path of a weights file");
    file->path = path;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    model_status status = file_map_open_fd(fd, path, &file->map, err);
    if (status == MODEL_OK)
        status = read_header(fd, file, err);
    if (status == MODEL_OK)
        status = copy_askew(fd, file, err);
    (void)close(fd);
    return status;
}

void weights_file_close(struct weights_file *file)
{
    safetensors_finish(&file->header);
    file_map_close(&file->map);
    free(file->copies);
    free(file->path);
}

void weights_file_views(const struct weights_file *file, struct model_tensor *ret)
{
    uint8_t *copy = file->copies;
    for (size_t i = 0; i < file->header.n_entries; i++) {
        const struct safetensors_entry *entry = &file->header.entries[i];
        void *data = NULL;
        if (lies_askew(entry)) {
            data = copy;
            copy += copy_bytes(entry);
        } else if (entry->size_bytes > 0) {
            data = (void *)(uintptr_t)(file->map.data + entry->offset);
        }
        tensor_init(&ret[i], entry->name, entry->dtype, entry->rank, entry->shape, data);
        ret[i].flags = MODEL_TENSOR_READ_ONLY;
    }
}
