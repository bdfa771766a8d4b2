/* safetensors.c - reading a safetensors header; see safetensors.h. The rules are those of the
 * safetensors library's validation, and two that its documentation states and its reader leaves out:
 * a name stands once, and the header starts with '{'. No state, any thread. */
#include "safetensors.h"
#include "dtype.h"
#include "errors.h"
#include "json_scan.h"
#include "size.h"
#include "string_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES   8
#define MAX_NAME_SHOWN 200 /* of a name in a sentence */

/* What the header says of one tensor; bits of `seen` for the members that stood there. */
enum { SEEN_DTYPE = 1, SEEN_SHAPE = 2, SEEN_OFFSETS = 4, SEEN_ALL = 7 };

struct reading {
    struct json_scan scan;
    const char *what; /* the file */
    struct safetensors_entry *entries;
    size_t n_entries, capacity;
    int64_t *shapes; /* (n_sizes), of all entries in their order */
    size_t n_sizes, sizes_capacity;
    int64_t shape[MODEL_MAX_RANK]; /* of the entry that is read */
    bool has_metadata;
    uint64_t data_bytes;
    struct model_error *err;
};

static model_status refuse(const struct reading *reading, const char *name, const char *problem)
{
    return error_set(reading->err, MODEL_CORRUPT, "%s: tensor '%.*s': %s", reading->what,
                     MAX_NAME_SHOWN, name, problem);
}

/* ---- one tensor's members */

static model_status read_dtype(struct reading *reading, struct safetensors_entry *entry)
{
    const char *name = NULL;
    model_status status = json_scan_string(&reading->scan, &name);
    if (status != MODEL_OK)
        return status;
    entry->dtype = dtype_from_name(name);
    if (entry->dtype != 0)
        return MODEL_OK;
    return error_set(
        reading->err, MODEL_CORRUPT,
        "%s: tensor '%.*s': unknown dtype '%.*s', want one such as F32, F16, BF16 or I64",
        reading->what, MAX_NAME_SHOWN, entry->name, 40, name);
}

static model_status read_shape(struct reading *reading, struct safetensors_entry *entry)
{
    bool first = true, more = false;
    model_status status;
    while ((status = json_scan_array(&reading->scan, &first, &more)) == MODEL_OK && more) {
        uint64_t size = 0;
        status = json_scan_integer(&reading->scan, &size);
        if (status != MODEL_OK)
            return status;
        if (entry->rank == MODEL_MAX_RANK)
            return error_set(reading->err, MODEL_UNSUPPORTED,
                             "%s: tensor '%.*s': more than %d dimensions", reading->what,
                             MAX_NAME_SHOWN, entry->name, MODEL_MAX_RANK);
        reading->shape[entry->rank++] = (int64_t)size;
    }
    return status;
}

/* Into offset and, for the moment, the end into size_bytes. */
static model_status read_offsets(struct reading *reading, struct safetensors_entry *entry)
{
    uint64_t values[2] = {0};
    bool first = true, more = false;
    model_status status;
    size_t n = 0;
    while ((status = json_scan_array(&reading->scan, &first, &more)) == MODEL_OK && more) {
        if (n == 2)
            return refuse(reading, entry->name, "data_offsets of more than two numbers");
        status = json_scan_integer(&reading->scan, &values[n++]);
        if (status != MODEL_OK)
            return status;
    }
    if (status == MODEL_OK && n != 2)
        return refuse(reading, entry->name, "data_offsets of fewer than two numbers");
    entry->offset = values[0];
    entry->size_bytes = values[1];
    return status;
}

static model_status read_member(struct reading *reading, struct safetensors_entry *entry,
                                const char *key, unsigned *seen)
{
    static const struct {
        const char *key;
        unsigned bit;
        model_status (*read)(struct reading *reading, struct safetensors_entry *entry);
    } members[] = {{"dtype", SEEN_DTYPE, read_dtype},
                   {"shape", SEEN_SHAPE, read_shape},
                   {"data_offsets", SEEN_OFFSETS, read_offsets}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (strcmp(members[i].key, key) != 0)
            continue;
        if ((*seen & members[i].bit) != 0)
            return refuse(reading, entry->name, "a member stands twice");
        *seen |= members[i].bit;
        return members[i].read(reading, entry);
    }
    return json_scan_skip(&reading->scan);
}

/* ---- the checks of one tensor */

/* Bytes of the shape. The product leaves out sizes of 0, so that strides cannot overflow either. */
static bool bytes_of_shape(const struct safetensors_entry *entry, uint64_t *ret)
{
    uint64_t bytes = dtype_size_bytes(entry->dtype);
    bool is_empty = false;
    for (uint32_t i = 0; i < entry->rank; i++) {
        is_empty = is_empty || entry->shape[i] == 0;
        if (entry->shape[i] != 0 && !size_multiply(bytes, (uint64_t)entry->shape[i], &bytes))
            return false;
    }
    *ret = is_empty ? 0 : bytes;
    return bytes <= INT64_MAX;
}

static model_status check_entry(const struct reading *reading, struct safetensors_entry *entry)
{
    uint64_t begin = entry->offset, end = entry->size_bytes, wanted = 0;
    char problem[256], shape[192];
    if (end < begin)
        return refuse(reading, entry->name, "data_offsets that end before they begin");
    (void)shape_text(entry->shape, entry->rank, shape, sizeof shape);
    if (!bytes_of_shape(entry, &wanted)) {
        (void)snprintf(problem, sizeof problem, "the size of shape %s overflows", shape);
        return refuse(reading, entry->name, problem);
    }
    if (wanted != end - begin) {
        (void)snprintf(problem, sizeof problem,
                       "shape %s of %s takes %llu bytes, data_offsets %llu", shape,
                       dtype_name(entry->dtype), (unsigned long long)wanted,
                       (unsigned long long)(end - begin));
        return refuse(reading, entry->name, problem);
    }
    if (end > reading->data_bytes) {
        (void)snprintf(problem, sizeof problem,
                       "truncated: ends at data byte %llu, the file has %llu",
                       (unsigned long long)end, (unsigned long long)reading->data_bytes);
        return refuse(reading, entry->name, problem);
    }
    entry->size_bytes = wanted;
    return MODEL_OK;
}

static model_status read_entry(struct reading *reading, struct safetensors_entry *entry)
{
    unsigned seen = 0;
    bool first = true;
    const char *key = NULL;
    model_status status;
    while ((status = json_scan_object(&reading->scan, &first, &key)) == MODEL_OK && key != NULL) {
        status = read_member(reading, entry, key, &seen);
        if (status != MODEL_OK)
            return status;
    }
    if (status == MODEL_OK && seen != SEEN_ALL)
        return refuse(reading, entry->name, "want dtype, shape and data_offsets");
    return status == MODEL_OK ? check_entry(reading, entry) : status;
}

/* ---- the header */

static model_status read_metadata(struct reading *reading)
{
    struct string_map keys;
    if (string_map_init(&keys, 0) != MODEL_OK)
        return error_no_memory(reading->err, reading->what);
    bool first = true;
    const char *key = NULL, *value = NULL;
    model_status status;
    while ((status = json_scan_object(&reading->scan, &first, &key)) == MODEL_OK && key != NULL) {
        status = json_scan_string(&reading->scan, &value);
        if (status == MODEL_OK && string_map_add(&keys, key, strlen(key), 0) != MODEL_OK)
            status = json_scan_fail(&reading->scan, "a key of __metadata__ stands twice");
        if (status != MODEL_OK)
            break;
    }
    string_map_finish(&keys);
    return status;
}

/* Room for one more item; what is grown is freed by safetensors_parse_header(). */
static bool make_room(void **items, size_t item_bytes, size_t n_wanted, size_t *capacity)
{
    if (n_wanted <= *capacity)
        return true;
    size_t larger = *capacity > 0 ? *capacity * 2 : 64;
    void *grown = realloc(*items, larger * item_bytes);
    if (grown == NULL)
        return false;
    *items = grown;
    *capacity = larger;
    return true;
}

static model_status add_entry(struct reading *reading, const char *name)
{
    void *entries = reading->entries, *shapes = reading->shapes;
    if (reading->n_entries == SAFETENSORS_MAX_TENSORS)
        return error_set(reading->err, MODEL_UNSUPPORTED,
                         "%s: more than %u tensors in one file, the limit; have them put into "
                         "several (shards)",
                         reading->what, SAFETENSORS_MAX_TENSORS);
    bool has_room =
        make_room(&entries, sizeof *reading->entries, reading->n_entries + 1, &reading->capacity);
    has_room = make_room(&shapes, sizeof *reading->shapes, reading->n_sizes + MODEL_MAX_RANK,
                         &reading->sizes_capacity) &&
               has_room;
    reading->entries = entries;
    reading->shapes = shapes;
    if (!has_room)
        return error_no_memory(reading->err, reading->what);
    struct safetensors_entry *entry = &reading->entries[reading->n_entries++];
    *entry = (struct safetensors_entry){.name = name, .shape = reading->shape};
    model_status status = read_entry(reading, entry);
    memcpy(reading->shapes + reading->n_sizes, reading->shape, entry->rank * sizeof(int64_t));
    reading->n_sizes += entry->rank;
    return status;
}

/* The shapes lie still now. */
static void place_shapes(struct reading *reading)
{
    size_t at = 0;
    for (size_t i = 0; i < reading->n_entries; i++) {
        reading->entries[i].shape = reading->shapes + at;
        at += reading->entries[i].rank;
    }
}

static model_status read_header(struct reading *reading)
{
    bool first = true;
    const char *name = NULL;
    model_status status;
    while ((status = json_scan_object(&reading->scan, &first, &name)) == MODEL_OK && name != NULL) {
        const bool is_metadata = strcmp(name, SAFETENSORS_METADATA) == 0;
        if (is_metadata && reading->has_metadata)
            return refuse(reading, name, "the name stands twice");
        reading->has_metadata = reading->has_metadata || is_metadata;
        status = is_metadata ? read_metadata(reading) : add_entry(reading, name);
        if (status != MODEL_OK)
            return status;
    }
    if (status != MODEL_OK)
        return status;
    for (const char *at = reading->scan.at; at < reading->scan.end; at++)
        if (*at != ' ')
            return json_scan_fail(&reading->scan, "want only spaces behind the header");
    return MODEL_OK;
}

/* ---- all of them */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* By sorting, which takes a third of what a map would. */
static model_status check_names(const struct reading *reading)
{
    const char **names = malloc((reading->n_entries + 1) * sizeof *names);
    if (names == NULL)
        return error_no_memory(reading->err, reading->what);
    for (size_t i = 0; i < reading->n_entries; i++)
        names[i] = reading->entries[i].name;
    qsort(names, reading->n_entries, sizeof *names, compare_names);
    model_status status = MODEL_OK;
    for (size_t i = 1; i < reading->n_entries && status == MODEL_OK; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            status = refuse(reading, names[i], "the name stands twice");
    free(names);
    return status;
}

static int compare_offsets(const void *a, const void *b)
{
    const struct safetensors_entry *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->size_bytes != y->size_bytes)
        return x->size_bytes < y->size_bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Most files have them in order. */
static void sort_by_offset(struct reading *reading)
{
    for (size_t i = 1; i < reading->n_entries; i++) {
        if (compare_offsets(&reading->entries[i - 1], &reading->entries[i]) > 0) {
            qsort(reading->entries, reading->n_entries, sizeof *reading->entries, compare_offsets);
            return;
        }
    }
}

/* The tensors lie one behind the other and fill the data. */
static model_status check_layout(const struct reading *reading)
{
    uint64_t at = 0;
    char problem[160];
    for (size_t i = 0; i < reading->n_entries; i++) {
        const struct safetensors_entry *entry = &reading->entries[i];
        if (entry->offset != at) {
            (void)snprintf(problem, sizeof problem,
                           entry->offset < at
                               ? "starts at data byte %llu and overlaps the one that ends at %llu"
                               : "starts at data byte %llu, behind a hole that begins at %llu",
                           (unsigned long long)entry->offset, (unsigned long long)at);
            return refuse(reading, entry->name, problem);
        }
        at += entry->size_bytes;
    }
    if (at != reading->data_bytes)
        return error_set(reading->err, MODEL_CORRUPT,
                         "%s: %llu bytes behind the last tensor, want none", reading->what,
                         (unsigned long long)(reading->data_bytes - at));
    return MODEL_OK;
}

model_status safetensors_header_size(const uint8_t first[8], uint64_t file_bytes, const char *what,
                                     uint64_t *ret_header_bytes, struct model_error *err)
{
    if (file_bytes < LENGTH_BYTES)
        return error_set(err, MODEL_CORRUPT,
                         "%s: truncated: %llu bytes, a safetensors file has at least %d", what,
                         (unsigned long long)file_bytes, LENGTH_BYTES);
    uint64_t size = 0;
    for (int i = LENGTH_BYTES; i-- > 0;)
        size = size << 8 | first[i];
    if (size > SAFETENSORS_MAX_HEADER_BYTES)
        return error_set(err, MODEL_CORRUPT,
                         "%s: a header of %llu bytes, the limit is %u; is it a safetensors file?",
                         what, (unsigned long long)size, SAFETENSORS_MAX_HEADER_BYTES);
    if (size > file_bytes - LENGTH_BYTES)
        return error_set(err, MODEL_CORRUPT,
                         "%s: truncated: a header of %llu bytes in a file of %llu", what,
                         (unsigned long long)size, (unsigned long long)file_bytes);
    *ret_header_bytes = size;
    return MODEL_OK;
}

model_status safetensors_parse_header(char *header, size_t header_bytes, uint64_t file_bytes,
                                      const char *what, struct safetensors *ret,
                                      struct model_error *err)
{
    char what_header[1024];
    (void)snprintf(what_header, sizeof what_header, "%s: header", what);
    uint64_t data_start = LENGTH_BYTES + (uint64_t)header_bytes;
    struct reading reading = {.what = what, .err = err, .data_bytes = file_bytes - data_start};
    if (header_bytes == 0 || header[0] != '{')
        return error_set(err, MODEL_CORRUPT, "%s: the header does not start with '{'", what);
    model_status status = json_scan_init(&reading.scan, header, header_bytes, what_header, err);
    if (status == MODEL_OK)
        status = read_header(&reading);
    if (status == MODEL_OK)
        status = check_names(&reading);
    if (status == MODEL_OK) {
        place_shapes(&reading);
        sort_by_offset(&reading);
        status = check_layout(&reading);
    }
    if (status != MODEL_OK) {
        free(reading.shapes);
        free(reading.entries);
        return status;
    }
    for (size_t i = 0; i < reading.n_entries; i++)
        reading.entries[i].offset += data_start;
    *ret = (struct safetensors){reading.entries, reading.n_entries, reading.data_bytes, header,
                                reading.shapes};
    return MODEL_OK;
}

model_status safetensors_parse(const uint8_t *file, uint64_t file_bytes, const char *what,
                               struct safetensors *ret, struct model_error *err)
{
    uint64_t header_bytes = 0;
    model_status status = safetensors_header_size(file, file_bytes, what, &header_bytes, err);
    if (status != MODEL_OK)
        return status;
    char *header = malloc((size_t)header_bytes + 1);
    if (header == NULL)
        return error_no_memory(err, what);
    memcpy(header, file + LENGTH_BYTES, (size_t)header_bytes);
    status = safetensors_parse_header(header, (size_t)header_bytes, file_bytes, what, ret, err);
    if (status != MODEL_OK)
        free(header);
    return status;
}

void safetensors_finish(struct safetensors *file)
{
    free(file->shapes);
    free(file->entries);
    free(file->text);
    *file = (struct safetensors){0};
}
