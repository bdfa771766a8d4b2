/* torch_file.c - see torch_file.h. */
#include "torch_file.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>

model_status torch_file_open(const char *path, struct torch_file *ret, struct model_error *err)
{
    struct torch_file file = {.path = text_format("%s", path), .map.fd = -1};
    model_status status =
        file.path != NULL ? file_map_open(path, &file.map, err) : error_no_memory(err, path);
    if (status == MODEL_OK)
        status = torch_storages_open(file.map.data, file.map.size_bytes, file.path, &file.storages,
                                     &file.pickle, err);
    if (status == MODEL_OK)
        status = torch_file_collect(&file, file.path, file.map.size_bytes, err);
    if (status == MODEL_OK)
        *ret = file;
    else
        torch_file_close(&file);
    return status;
}

/* What was read is not kept in memory. */
static void discard(void *context, const uint8_t *data, size_t size_bytes)
{
    file_map_discard(context, data, size_bytes);
}

model_status torch_file_check(const struct torch_file *file, struct model_error *err)
{
    struct file_map map = file->map;
    return torch_storages_check(&file->storages, &(struct zip_progress){discard, &map}, err);
}

static void free_texts(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
}

void torch_file_close(struct torch_file *file)
{
    free_texts(file->left_out, file->n_left_out);
    free_texts(file->names, file->n_names);
    free(file->tensors);
    free(file->aliases);
    pickle_finish(&file->pickle);
    torch_storages_close(&file->storages);
    file_map_close(&file->map);
    free(file->path);
    *file = (struct torch_file){.map.fd = -1};
}
