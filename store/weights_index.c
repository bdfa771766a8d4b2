/* weights_index.c - see weights_index.h. No state, any thread. */
#include "weights_index.h"
#include "errors.h"
#include "package_file.h"
#include "json_scan.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NAME_SHOWN 200

struct reading {
    struct json_scan scan;
    const char *what;
    struct weights_index index;
    struct string_map shard_numbers;
    struct model_error *err;
};

static model_status number_of_shard(struct reading *reading, const char *shard, uint32_t *ret)
{
    struct weights_index *index = &reading->index;
    int64_t known = string_map_find(&reading->shard_numbers, shard, strlen(shard));
    if (known >= 0) {
        *ret = (uint32_t)known;
        return MODEL_OK;
    }
    if (!path_is_safe(shard))
        return error_set(reading->err, MODEL_CORRUPT, "%s: '%.*s' is no safe name for a shard",
                         reading->what, MAX_NAME_SHOWN, shard);
    if (index->n_shards == WEIGHTS_INDEX_MAX_SHARDS)
        return error_set(reading->err, MODEL_CORRUPT, "%s: more than %d shards", reading->what,
                         WEIGHTS_INDEX_MAX_SHARDS);
    if (index->shards == NULL)
        index->shards = calloc(WEIGHTS_INDEX_MAX_SHARDS, sizeof *index->shards);
    uint32_t number = (uint32_t)index->n_shards;
    if (index->shards == NULL ||
        string_map_add(&reading->shard_numbers, shard, strlen(shard), number) != MODEL_OK)
        return error_no_memory(reading->err, reading->what);
    index->shards[index->n_shards++] = shard;
    *ret = number;
    return MODEL_OK;
}

static model_status read_weight_map(struct reading *reading)
{
    bool first = true;
    const char *name = NULL, *shard = NULL;
    uint32_t number = 0;
    model_status status;
    while ((status = json_scan_object(&reading->scan, &first, &name)) == MODEL_OK && name != NULL) {
        status = json_scan_string(&reading->scan, &shard);
        if (status == MODEL_OK)
            status = number_of_shard(reading, shard, &number);
        if (status != MODEL_OK)
            return status;
        status = string_map_add(&reading->index.shard_of, name, strlen(name), number);
        if (status == MODEL_INVALID_ARGUMENT)
            return error_set(reading->err, MODEL_CORRUPT, "%s: tensor '%.*s' stands twice",
                             reading->what, MAX_NAME_SHOWN, name);
        if (status != MODEL_OK)
            return error_no_memory(reading->err, reading->what);
    }
    return status;
}

static model_status read_members(struct reading *reading)
{
    bool first = true, seen = false;
    const char *key = NULL;
    model_status status;
    while ((status = json_scan_object(&reading->scan, &first, &key)) == MODEL_OK && key != NULL) {
        bool is_map = strcmp(key, "weight_map") == 0;
        if (is_map && seen)
            return json_scan_fail(&reading->scan, "weight_map stands twice");
        seen = seen || is_map;
        status = is_map ? read_weight_map(reading) : json_scan_skip(&reading->scan);
        if (status != MODEL_OK)
            return status;
    }
    if (status == MODEL_OK)
        status = json_scan_end(&reading->scan);
    if (status == MODEL_OK && reading->index.n_shards == 0)
        return error_set(reading->err, MODEL_CORRUPT, "%s: want a weight_map with tensors",
                         reading->what);
    return status;
}

model_status weights_index_parse(char *text, size_t size_bytes, const char *what,
                                 struct weights_index *ret, struct model_error *err)
{
    struct reading reading = {.what = what, .err = err};
    model_status status = MODEL_OUT_OF_MEMORY;
    if (string_map_init(&reading.index.shard_of, 0) == MODEL_OK &&
        string_map_init(&reading.shard_numbers, 0) == MODEL_OK) {
        status = json_scan_init(&reading.scan, text, size_bytes, what, err);
        if (status == MODEL_OK)
            status = read_members(&reading);
    } else {
        status = error_no_memory(err, what);
    }
    string_map_finish(&reading.shard_numbers);
    if (status != MODEL_OK) {
        weights_index_finish(&reading.index);
        return status;
    }
    reading.index.text = text;
    *ret = reading.index;
    return MODEL_OK;
}

model_status weights_index_read(const struct archive *archive, const char *path,
                                struct weights_index *ret, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(WEIGHTS_INDEX_MAX_BYTES);
    model_status status = package_file_read(archive, path, WEIGHTS_INDEX_MAX_BYTES, &text, err);
    if (status == MODEL_OK)
        status = weights_index_parse(text.data, text.size, path, ret, err);
    if (status != MODEL_OK)
        buffer_finish(&text);
    return status;
}

void weights_index_finish(struct weights_index *index)
{
    string_map_finish(&index->shard_of);
    free(index->shards);
    free(index->text);
    *index = (struct weights_index){0};
}
