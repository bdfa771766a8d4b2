/* coreml_disk.c - see coreml_disk.h. */
#include "coreml_disk.h"
#include "errors.h"

static model_status map(void *context, const char *name, const void **ret_data, uint64_t *ret_bytes,
                        struct model_error *err)
{
    struct coreml_disk *disk = context;
    struct file_map *map = &disk->maps[disk->n_maps];
    if (disk->n_maps == COREML_DISK_MAX_FILES)
        return error_set(err, MODEL_UNSUPPORTED, "%s: a model of more than %d files", name,
                         COREML_DISK_MAX_FILES);
    const model_status status = file_map_open(name, map, err);
    if (status != MODEL_OK)
        return status;
    disk->n_maps++;
    *ret_data = map->data;
    *ret_bytes = map->size_bytes;
    return MODEL_OK;
}

static void discard(void *context, const void *data, uint64_t size_bytes)
{
    const struct coreml_disk *disk = context;
    for (size_t i = 0; i < disk->n_maps; i++)
        file_map_discard(&disk->maps[i], data, (size_t)size_bytes);
}

/* Nothing is signed here: it is a table without check_path(). */
#define DISK_TABLE_BYTES offsetof(struct model_backend_files, check_path)

void coreml_disk_init(struct coreml_disk *disk)
{
    *disk = (struct coreml_disk){
        .files = {
            .struct_size = DISK_TABLE_BYTES, .context = disk, .map = map, .discard = discard}};
}

void coreml_disk_finish(struct coreml_disk *disk)
{
    while (disk->n_maps > 0)
        file_map_close(&disk->maps[--disk->n_maps]);
}
