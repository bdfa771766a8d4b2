/* tensor_table.c - see tensor_table.h. */
#include "tensor_table.h"
#include "errors.h"
#include "files.h"
#include "printable_text.h"
#include "weights_index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_BYTES 16

static int compare_tensors(const void *a, const void *b)
{
    return strcmp(((const struct model_tensor *)a)->name, ((const struct model_tensor *)b)->name);
}

/* ---- safetensors */

static model_status list_weights(struct tensor_table *table, struct model_error *err)
{
    size_t n = weights_count(table->weights);
    table->form = "safetensors";
    table->tensors = calloc(n + 1, sizeof *table->tensors);
    if (table->tensors == NULL)
        return error_no_memory(err, "the table of tensors");
    for (size_t i = 0; i < n; i++) {
        table->tensors[i].struct_size = sizeof table->tensors[i];
        weights_at(table->weights, i, &table->tensors[i]);
    }
    table->n_tensors = n;
    return MODEL_OK;
}

/* ---- torch */

static int compare_aliases(const void *a, const void *b)
{
    return strcmp(((const struct tensor_alias *)a)->name, ((const struct tensor_alias *)b)->name);
}

static model_status refuse_twice(const struct tensor_table *table, const char *name,
                                 struct model_error *err)
{
    char shown[PRINTABLE_TEXT_BYTES];
    return error_set(err, MODEL_CORRUPT, "%s: tensor '%s' stands in two shards", table->path,
                     printable(name, shown));
}

static model_status sort_names(struct tensor_table *table, struct model_error *err)
{
    const struct tensor_alias *aliases = table->aliases;
    qsort(table->tensors, table->n_tensors, sizeof *table->tensors, compare_tensors);
    qsort(table->aliases, table->n_aliases, sizeof *table->aliases, compare_aliases);
    for (size_t i = 1; i < table->n_tensors; i++)
        if (strcmp(table->tensors[i - 1].name, table->tensors[i].name) == 0)
            return refuse_twice(table, table->tensors[i].name, err);
    for (size_t i = 0; i < table->n_aliases; i++)
        if (tensor_table_find(table, aliases[i].name) != NULL ||
            (i > 0 && strcmp(aliases[i - 1].name, aliases[i].name) == 0))
            return refuse_twice(table, aliases[i].name, err);
    return MODEL_OK;
}

static model_status list_files(struct tensor_table *table, struct model_error *err)
{
    size_t n_tensors = 0, n_aliases = 0;
    for (size_t i = 0; i < table->n_files; i++) {
        n_tensors += table->files[i].n_tensors;
        n_aliases += table->files[i].n_aliases;
    }
    table->form = "torch";
    table->tensors = calloc(n_tensors + 1, sizeof *table->tensors);
    table->aliases = calloc(n_aliases + 1, sizeof *table->aliases);
    if (table->tensors == NULL || table->aliases == NULL)
        return error_no_memory(err, "the table of tensors");
    for (size_t i = 0; i < table->n_files; i++) {
        const struct torch_file *file = &table->files[i];
        for (size_t j = 0; j < file->n_aliases; j++)
            table->aliases[table->n_aliases++] = (struct tensor_alias){
                file->aliases[j].name, file->tensors[file->aliases[j].tensor].name};
        for (size_t j = 0; j < file->n_tensors; j++)
            table->tensors[table->n_tensors++] = file->tensors[j];
    }
    return sort_names(table, err);
}

static model_status open_torch(struct tensor_table *table, const char *path,
                               struct model_error *err)
{
    table->files = calloc(1, sizeof *table->files);
    if (table->files == NULL)
        return error_no_memory(err, path);
    model_status status = torch_file_open(path, &table->files[0], err);
    table->n_files = status == MODEL_OK;
    return status == MODEL_OK ? list_files(table, err) : status;
}

/* ---- shards of torch */

static bool is_alias(const struct tensor_table *table, const char *name)
{
    const struct tensor_alias key = {.name = name};
    return bsearch(&key, table->aliases, table->n_aliases, sizeof key, compare_aliases) != NULL;
}

/* Each name that the index lists is there, and nothing else. */
static model_status check_index(const struct tensor_table *table, const struct weights_index *index,
                                struct model_error *err)
{
    char shown[PRINTABLE_TEXT_BYTES];
    const struct string_map_slot *slot = NULL;
    while ((slot = string_map_next(&index->shard_of, slot)) != NULL)
        if (tensor_table_find(table, slot->key) == NULL && !is_alias(table, slot->key))
            return error_set(err, MODEL_CORRUPT, "%s: tensor '%s' is in none of the shards",
                             table->path, printable(slot->key, shown));
    for (size_t i = 0; i < table->n_tensors; i++) {
        const char *name = table->tensors[i].name;
        if (string_map_find(&index->shard_of, name, strlen(name)) < 0)
            return error_set(err, MODEL_CORRUPT, "%s: tensor '%s' of a shard is not listed",
                             table->path, printable(name, shown));
    }
    return MODEL_OK;
}

static model_status open_torch_shards(struct tensor_table *table, const char *path,
                                      struct model_error *err)
{
    struct weights_index index = {0};
    char *folder = text_format("%.*s", (int)(path_base(path) - path), path);
    model_status status =
        folder != NULL ? weights_index_read(NULL, path, &index, err) : error_no_memory(err, path);
    if (status == MODEL_OK) {
        table->files = calloc(index.n_shards + 1, sizeof *table->files);
        status = table->files != NULL ? MODEL_OK : error_no_memory(err, path);
    }
    for (size_t i = 0; status == MODEL_OK && i < index.n_shards; i++) {
        char *shard = text_format("%s%s", folder, index.shards[i]);
        status = shard != NULL ? torch_file_open(shard, &table->files[i], err)
                               : error_no_memory(err, path);
        if (status == MODEL_NOT_FOUND)
            status = error_set(err, MODEL_CORRUPT, "%s: the shard '%s' is missing", path,
                               index.shards[i]);
        table->n_files += status == MODEL_OK;
        free(shard);
    }
    if (status == MODEL_OK)
        status = list_files(table, err);
    if (status == MODEL_OK)
        status = check_index(table, &index, err);
    weights_index_finish(&index);
    free(folder);
    return status;
}

/* ---- what it is */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

/* A safetensors header's length may begin with any byte, but its text begins with '{'. A pickle of protocol 0 or
 * 1 begins with its first opcode; as a header's length it would be of 2^40 bytes and more. */
static bool looks_like_torch(const uint8_t head[HEAD_BYTES], size_t n)
{
    static const char first_opcodes[] = "()]}cdilFGIJKLMNPQSTUVX";
    const bool is_safetensors = n > 8 && head[8] == '{';
    const bool is_zip = n >= 4 && memcmp(head, "PK\3\4", 4) == 0;
    const bool is_binary_pickle = n > 2 && head[0] == 0x80 && head[1] <= 5;
    const bool is_plain_pickle = n > 2 && head[0] != '\0' &&
                                 strchr(first_opcodes, head[0]) != NULL &&
                                 (n < 8 || head[5] != 0 || head[6] != 0 || head[7] != 0);
    return is_zip || (!is_safetensors && (is_binary_pickle || is_plain_pickle));
}

static model_status read_head(const char *path, uint8_t head[HEAD_BYTES], size_t *ret_n,
                              struct model_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    ssize_t n = read(fd, head, HEAD_BYTES);
    int reason = errno;
    (void)close(fd);
    if (n < 0)
        return error_set_errno(err, reason, "cannot read %s", path);
    *ret_n = (size_t)n;
    return MODEL_OK;
}

static model_status open_file(struct tensor_table *table, const char *path, struct model_error *err)
{
    uint8_t head[HEAD_BYTES] = {0};
    size_t n = 0;
    if (ends_with(path, ".index.json") && !ends_with(path, WEIGHTS_INDEX_NAME))
        return open_torch_shards(table, path, err);
    model_status status = read_head(path, head, &n, err);
    if (status != MODEL_OK)
        return status;
    if (looks_like_torch(head, n))
        return open_torch(table, path, err);
    status = weights_open_file(path, &table->weights, err);
    return status == MODEL_OK ? list_weights(table, err) : status;
}

static model_status open_folder(struct tensor_table *table, const char *path,
                                struct model_error *err)
{
    static const char *const torch_names[] = {TORCH_SINGLE_NAME, TORCH_INDEX_NAME};
    model_status status = weights_open(path, &table->weights, err);
    for (size_t i = 0; i < 2 && status == MODEL_NOT_FOUND; i++) {
        char *file = path_join(path, torch_names[i]);
        if (file == NULL)
            return error_no_memory(err, path);
        if (path_is_file(file))
            status = open_file(table, file, err);
        free(file);
    }
    return status == MODEL_OK && table->weights != NULL ? list_weights(table, err) : status;
}

/* ---- public */

bool tensor_file_is_torch(const char *path)
{
    uint8_t head[HEAD_BYTES] = {0};
    size_t n = 0;
    return read_head(path, head, &n, NULL) == MODEL_OK && looks_like_torch(head, n);
}

model_status tensor_table_open(const char *path, struct tensor_table *ret, struct model_error *err)
{
    struct tensor_table table = {.path = text_format("%s", path)};
    model_status status;
    if (table.path == NULL)
        status = error_no_memory(err, path);
    else if (path_is_dir(path))
        status = open_folder(&table, path, err);
    else if (ends_with(path, WEIGHTS_INDEX_NAME)) {
        char *folder = text_format("%.*s.", (int)(path_base(path) - path), path);
        status = folder != NULL ? open_folder(&table, folder, err) : error_no_memory(err, path);
        free(folder);
    } else
        status = open_file(&table, path, err);
    if (status == MODEL_OK)
        *ret = table;
    else
        tensor_table_close(&table);
    return status;
}

model_status tensor_table_open_from(const struct archive *archive, const char *path,
                                    struct tensor_table *ret, struct model_error *err)
{
    if (archive == NULL)
        return tensor_table_open(path, ret, err);
    struct tensor_table table = {.path = text_format("%s", path)};
    model_status status = table.path != NULL
                              ? weights_open_from(archive, path, true, &table.weights, err)
                              : error_no_memory(err, path);
    if (status == MODEL_OK)
        status = list_weights(&table, err);
    if (status == MODEL_OK)
        *ret = table;
    else
        tensor_table_close(&table);
    return status;
}

model_status tensor_table_check(const struct tensor_table *table, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < table->n_files && status == MODEL_OK; i++)
        status = torch_file_check(&table->files[i], err);
    return status;
}

void tensor_table_discard(const struct tensor_table *table, const struct model_tensor *tensor)
{
    if (table->weights != NULL)
        weights_discard(table->weights, tensor);
    const uint8_t *data = tensor->data;
    for (size_t i = 0; i < table->n_files && data != NULL; i++) {
        const struct file_map *map = &table->files[i].map;
        if (data >= map->data && data < map->data + map->size_bytes)
            file_map_discard(map, map->data, map->size_bytes);
    }
}

const struct model_tensor *tensor_table_find(const struct tensor_table *table, const char *name)
{
    const struct model_tensor key = {.name = name};
    return table->n_tensors > 0
               ? bsearch(&key, table->tensors, table->n_tensors, sizeof key, compare_tensors)
               : NULL;
}

uint64_t tensor_table_bytes(const struct tensor_table *table)
{
    uint64_t total = 0;
    for (size_t i = 0; i < table->n_tensors; i++)
        total += table->tensors[i].size_bytes;
    return total;
}

void tensor_table_close(struct tensor_table *table)
{
    weights_destroy(table->weights);
    for (size_t i = 0; i < table->n_files; i++)
        torch_file_close(&table->files[i]);
    free(table->files);
    free(table->tensors);
    free(table->aliases);
    free(table->path);
    *table = (struct tensor_table){0};
}
