/* weights.c - see weights.h: one file or the shards of an index become one table. weights_file.c opens
 * each. A tensor is kept as 16 bytes beside its entry in the header, and becomes a view when it is asked for. */
#include "weights.h"
#include "dtype.h"
#include "errors.h"
#include "package_file.h"
#include "weights_file.h"
#include "weights_index.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_NAME_SHOWN 200

struct weights {
    const struct archive *archive; /* NULL: a folder */
    bool is_lazy;
    struct weights_file *files; /* (n_files) */
    size_t n_files;
    struct weights_ref *refs; /* (n_refs), ordered by name */
    size_t n_refs;
};

/* ---- the table */

static int compare_refs(const void *a, const void *b)
{
    return strcmp(((const struct weights_ref *)a)->entry->name,
                  ((const struct weights_ref *)b)->entry->name);
}

/* NULL: there is none of this name. */
static const struct weights_ref *find_ref(const struct weights *weights, const char *name)
{
    const struct safetensors_entry entry = {.name = name};
    const struct weights_ref key = {.entry = &entry};
    return weights->n_refs > 0
               ? bsearch(&key, weights->refs, weights->n_refs, sizeof key, compare_refs)
               : NULL;
}

static model_status build_table(struct weights *weights, struct model_error *err)
{
    size_t n_refs = 0;
    for (size_t i = 0; i < weights->n_files; i++)
        n_refs += weights->files[i].header.n_entries;
    weights->refs = calloc(n_refs + 1, sizeof *weights->refs);
    if (weights->refs == NULL)
        return error_no_memory(err, "the table of weights");
    for (size_t i = 0; i < weights->n_files; i++) {
        weights_file_refs(&weights->files[i], weights->refs + weights->n_refs);
        weights->n_refs += weights->files[i].header.n_entries;
    }
    qsort(weights->refs, n_refs, sizeof *weights->refs, compare_refs);
    for (size_t i = 1; i < n_refs; i++)
        if (compare_refs(&weights->refs[i - 1], &weights->refs[i]) == 0)
            return error_set(err, MODEL_CORRUPT, "%s: tensor '%.*s' stands in two shards",
                             weights->files[0].path, MAX_NAME_SHOWN, weights->refs[i].entry->name);
    return MODEL_OK;
}

static struct weights *allocate(const struct archive *archive, bool is_lazy, size_t n_files)
{
    struct weights *weights = calloc(1, sizeof *weights);
    if (weights != NULL)
        weights->files = calloc(n_files, sizeof *weights->files);
    if (weights == NULL || weights->files == NULL) {
        free(weights);
        return NULL;
    }
    weights->archive = archive;
    weights->is_lazy = is_lazy;
    weights->n_files = n_files;
    return weights;
}

/* ---- shards */

/* Every tensor of shard number `shard` is listed for it. */
static model_status check_shard(const struct weights_index *index, const struct weights_file *file,
                                uint32_t shard, struct model_error *err)
{
    for (size_t i = 0; i < file->header.n_entries; i++) {
        const char *name = file->header.entries[i].name;
        int64_t listed = string_map_find(&index->shard_of, name, strlen(name));
        if (listed < 0)
            return error_set(err, MODEL_CORRUPT, "%s: tensor '%.*s' is not in %s", file->path,
                             MAX_NAME_SHOWN, name, WEIGHTS_INDEX_NAME);
        if (listed != (int64_t)shard)
            return error_set(err, MODEL_CORRUPT, "%s: tensor '%.*s' should be in %s by %s",
                             file->path, MAX_NAME_SHOWN, name, index->shards[listed],
                             WEIGHTS_INDEX_NAME);
    }
    return MODEL_OK;
}

/* Every listed tensor is there. Each shard's own tensors were checked, so the counts tell. */
static model_status check_complete(const struct weights *weights, const struct weights_index *index,
                                   const char *folder, struct model_error *err)
{
    const struct string_map_slot *slot = NULL;
    while (weights->n_refs != index->shard_of.size &&
           (slot = string_map_next(&index->shard_of, slot)) != NULL)
        if (find_ref(weights, slot->key) == NULL)
            return error_set(err, MODEL_CORRUPT, "%s/%s: tensor '%.*s' is not in %s, as %s says",
                             folder, index->shards[slot->value], MAX_NAME_SHOWN, slot->key,
                             index->shards[slot->value], WEIGHTS_INDEX_NAME);
    return MODEL_OK;
}

static model_status open_shards(const struct archive *archive, bool is_lazy, const char *folder,
                                const struct weights_index *index, struct weights **ret,
                                struct model_error *err)
{
    struct weights *weights = allocate(archive, is_lazy, index->n_shards);
    if (weights == NULL)
        return error_no_memory(err, folder);
    model_status status = MODEL_OK;
    for (size_t i = 0; i < index->n_shards && status == MODEL_OK; i++) {
        status = weights_file_open(archive, is_lazy, path_join(folder, index->shards[i]),
                                   &weights->files[i], err);
        if (status == MODEL_NOT_FOUND)
            status = error_set(err, MODEL_CORRUPT, "%s: shard '%s' is missing, %s lists it", folder,
                               index->shards[i], WEIGHTS_INDEX_NAME);
        if (status == MODEL_OK)
            status = check_shard(index, &weights->files[i], (uint32_t)i, err);
    }
    if (status == MODEL_OK)
        status = build_table(weights, err);
    if (status == MODEL_OK)
        status = check_complete(weights, index, folder, err);
    if (status != MODEL_OK) {
        weights_destroy(weights);
        return status;
    }
    *ret = weights;
    return MODEL_OK;
}

/* ---- what is in a folder that has no weights */

static bool is_pickle(const char *name)
{
    static const char *const suffixes[] = {".bin", ".pt", ".pth", ".pkl", ".ckpt"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t suffix = strlen(suffixes[i]);
        if (length > suffix && strcmp(name + length - suffix, suffixes[i]) == 0)
            return true;
    }
    return false;
}

static model_status say_no_weights(const struct archive *archive, const char *folder,
                                   struct model_error *err)
{
    struct dir_list list;
    model_status status = package_folder_read(archive, folder, &list, err);
    if (status != MODEL_OK)
        return status;
    const char *pickle = NULL;
    for (size_t i = 0; i < list.n_names && pickle == NULL; i++)
        pickle = is_pickle(list.names[i]) ? list.names[i] : NULL;
    if (pickle != NULL)
        status = error_set(err, MODEL_NOT_FOUND,
                           "%s has no %s and no %s; %s is a pickle, which is never opened: make "
                           "safetensors of it with 'pkgmgr convert'",
                           folder, WEIGHTS_SINGLE_NAME, WEIGHTS_INDEX_NAME, pickle);
    else
        status = error_set(err, MODEL_NOT_FOUND, "%s has no %s and no %s", folder,
                           WEIGHTS_SINGLE_NAME, WEIGHTS_INDEX_NAME);
    dir_list_finish(&list);
    return status;
}

/* ---- public */

/* Takes path over. */
static model_status open_single(const struct archive *archive, bool is_lazy, char *path,
                                struct weights **ret, struct model_error *err)
{
    struct weights *weights = allocate(archive, is_lazy, 1);
    if (weights == NULL) {
        free(path);
        return error_no_memory(err, "weights");
    }
    model_status status = weights_file_open(archive, is_lazy, path, &weights->files[0], err);
    if (status == MODEL_OK)
        status = build_table(weights, err);
    if (status != MODEL_OK) {
        weights_destroy(weights);
        return status;
    }
    *ret = weights;
    return MODEL_OK;
}

model_status weights_open_file(const char *path, struct weights **ret, struct model_error *err)
{
    return open_single(NULL, false, text_format("%s", path), ret, err);
}

static bool is_there(const struct archive *archive, const char *path)
{
    return archive != NULL ? package_file_exists(archive, path) : access(path, F_OK) == 0;
}

model_status weights_open_from(const struct archive *archive, const char *folder, bool is_lazy,
                               struct weights **ret, struct model_error *err)
{
    char *single = path_join(folder, WEIGHTS_SINGLE_NAME);
    char *list = path_join(folder, WEIGHTS_INDEX_NAME);
    model_status status;
    if (single == NULL || list == NULL) {
        status = error_no_memory(err, folder);
    } else if (is_there(archive, single)) {
        status = open_single(archive, is_lazy, single, ret, err);
        single = NULL;
    } else if (is_there(archive, list)) {
        struct weights_index index = {0};
        status = weights_index_read(archive, list, &index, err);
        if (status == MODEL_OK)
            status = open_shards(archive, is_lazy, folder, &index, ret, err);
        weights_index_finish(&index);
    } else {
        status = say_no_weights(archive, folder, err);
    }
    free(list);
    free(single);
    return status;
}

model_status weights_open(const char *folder, struct weights **ret, struct model_error *err)
{
    return weights_open_from(NULL, folder, false, ret, err);
}

bool weights_has_both(const struct archive *archive, const char *folder)
{
    char *single = path_join(folder, WEIGHTS_SINGLE_NAME);
    char *list = path_join(folder, WEIGHTS_INDEX_NAME);
    bool both = single != NULL && list != NULL && package_file_exists(archive, single) &&
                package_file_exists(archive, list);
    free(list);
    free(single);
    return both;
}

void weights_destroy(struct weights *weights)
{
    if (weights == NULL)
        return;
    for (size_t i = 0; i < weights->n_files; i++)
        weights_file_close(&weights->files[i]);
    free(weights->refs);
    free(weights->files);
    free(weights);
}

size_t weights_count(const struct weights *weights)
{
    return weights->n_refs;
}

/* The struct is its caller's, who may know fewer fields than we, or more: what both know is copied,
 * its struct_size stays. False, and nothing written, below the layout of 1.0. */
static bool hand_out(const struct weights_ref *ref, struct model_tensor *ret)
{
    const struct safetensors_entry *entry = ref->entry;
    struct model_tensor view;
    if (!MODEL_HAS(struct model_tensor, ret, reserved))
        return false;
    tensor_init(&view, entry->name, entry->dtype, entry->rank, entry->shape,
                (void *)(uintptr_t)ref->data);
    view.flags = MODEL_TENSOR_READ_ONLY;
    size_t skipped = sizeof ret->struct_size;
    size_t end = ret->struct_size < sizeof view ? ret->struct_size : sizeof view;
    memcpy((char *)ret + skipped, (const char *)&view + skipped, end - skipped);
    return true;
}

void weights_at(const struct weights *weights, size_t index, struct model_tensor *ret)
{
    (void)hand_out(&weights->refs[index], ret);
}

model_status weights_find(const struct weights *weights, const char *name, struct model_tensor *ret)
{
    const struct weights_ref *ref = find_ref(weights, name);
    if (ref == NULL)
        return MODEL_NOT_FOUND;
    return hand_out(ref, ret) ? MODEL_OK : MODEL_INVALID_ARGUMENT;
}

size_t weights_index(const struct weights *weights, const char *name)
{
    return (size_t)(find_ref(weights, name) - weights->refs);
}

/* The file whose mapping a view is of; NULL: of a copy. */
static struct weights_file *file_of(const struct weights *weights, const struct model_tensor *view)
{
    const uintptr_t data = (uintptr_t)view->data;
    for (size_t i = 0; i < weights->n_files; i++) {
        const struct file_map *map = &weights->files[i].map;
        const uintptr_t begin = (uintptr_t)map->data;
        if (data >= begin && data - begin < map->size_bytes)
            return &weights->files[i];
    }
    return NULL;
}

void weights_discard(const struct weights *weights, const struct model_tensor *view)
{
    const struct weights_file *file = file_of(weights, view);
    if (file != NULL)
        file_map_discard(&file->map, view->data, (size_t)view->size_bytes);
}

/* Two threads may both compare; they find the same. */
model_status weights_check(const struct weights *weights, const struct model_tensor *view,
                           struct model_error *err)
{
    struct weights_file *file = weights->is_lazy ? file_of(weights, view) : NULL;
    if (file == NULL || file->entry == NULL || atomic_load(&file->is_checked) != 0)
        return MODEL_OK;
    model_status status = archive_check_mapped(weights->archive, file->entry, &file->map, err);
    if (status == MODEL_OK)
        atomic_store(&file->is_checked, 1);
    return status;
}

size_t weights_n_files(const struct weights *weights)
{
    return weights->n_files;
}

struct file_map weights_file(const struct weights *weights, size_t index, const char **ret_path)
{
    if (ret_path != NULL)
        *ret_path = weights->files[index].path;
    return weights->files[index].map;
}
