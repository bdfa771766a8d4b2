/* prepared_map.c - see prepared_map.h. It is guarded before its first byte is read. */
#include "prepared_map.h"
#include "errors.h"

#include <string.h>

static const char name[] = "the file of prepared weights";

static model_status check_first(const struct prepared_index *index, const char *first_key,
                                struct model_error *err)
{
    if (first_key == NULL || strcmp(index->blobs[0].key, first_key) == 0)
        return MODEL_OK;
    return error_set(err, MODEL_UNSUPPORTED, "it is of another library or instruction set");
}

model_status prepared_map_open(int fd, const char *key, const char *first_key, uint32_t threads,
                               struct prepared_map *ret, struct model_error *err)
{
    struct prepared_map opened = {.map = {.fd = -1}};
    model_status status = file_map_open_fd(fd, name, &opened.map, err);
    if (status != MODEL_OK)
        return status;
    if (opened.map.size_bytes == 0)
        status = error_set(err, MODEL_CORRUPT, "it is empty");
    else
        status = page_guard_add(&opened.map, &opened.guard, err);
    if (status == MODEL_OK)
        status =
            prepared_file_read(opened.map.data, opened.map.size_bytes, key, &opened.index, err);
    if (status == MODEL_OK)
        status = check_first(&opened.index, first_key, err);
    if (status == MODEL_OK)
        status = prepared_file_check(&opened.index, threads, err);
    if (status == MODEL_OK)
        status = prepared_map_check(&opened, err);
    if (status == MODEL_OK)
        *ret = opened;
    else
        prepared_map_close(&opened);
    return status;
}

model_status prepared_map_check(const struct prepared_map *map, struct model_error *err)
{
    struct model_error damage = MODEL_ERROR_INIT;
    if (map->guard == NULL || page_guard_check(map->guard, name, &damage) == MODEL_OK)
        return MODEL_OK;
    return error_set(err, MODEL_IO, "%s; run again, it is made anew", damage.message);
}

void prepared_map_close(struct prepared_map *map)
{
    page_guard_remove(map->guard);
    prepared_index_finish(&map->index);
    file_map_close(&map->map);
    map->guard = NULL;
}
