/* safetensors_write.c - writing a safetensors file; see safetensors.h. Data goes from the tensors, or from
 * their source, to the file without a copy. Any thread. */
#include "safetensors.h"
#include "dtype.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"
#include "size.h"
#include "string_map.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 8

static model_status check_tensor(const struct model_tensor *tensor, bool wants_data,
                                 struct string_map *names, struct model_error *err)
{
    if (tensor->name == NULL || strcmp(tensor->name, SAFETENSORS_METADATA) == 0)
        return error_set(err, MODEL_INVALID_ARGUMENT, "cannot write a tensor named '%s'",
                         tensor->name != NULL ? tensor->name : "");
    uint64_t bytes = dtype_size_bytes(tensor->dtype);
    if (bytes == 0 || tensor->rank > MODEL_MAX_RANK)
        return error_set(err, MODEL_INVALID_ARGUMENT, "tensor '%s': dtype %d, rank %u",
                         tensor->name, (int)tensor->dtype, (unsigned)tensor->rank);
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] < 0 || !size_multiply(bytes, (uint64_t)tensor->shape[i], &bytes))
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "tensor '%s': the size of its shape overflows", tensor->name);
    bool has_data = tensor->data != NULL || !wants_data;
    if (bytes != tensor->size_bytes || (bytes > 0 && !has_data))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "tensor '%s': its shape takes %llu bytes, it has %llu", tensor->name,
                         (unsigned long long)bytes,
                         has_data ? (unsigned long long)tensor->size_bytes : 0);
    model_status status = string_map_add(names, tensor->name, strlen(tensor->name), 0);
    if (status == MODEL_INVALID_ARGUMENT)
        return error_set(err, status, "tensor '%s' stands twice", tensor->name);
    return status == MODEL_OK ? status : error_no_memory(err, "a safetensors header");
}

static model_status check_tensors(const struct model_tensor *const *tensors, size_t n_tensors,
                                  bool want_data, struct model_error *err)
{
    struct string_map names;
    if (n_tensors > SAFETENSORS_MAX_TENSORS)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%zu tensors for one safetensors file, which has at most %u", n_tensors,
                         SAFETENSORS_MAX_TENSORS);
    if (string_map_init(&names, n_tensors) != MODEL_OK)
        return error_no_memory(err, "a safetensors header");
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n_tensors && status == MODEL_OK; i++)
        status = check_tensor(tensors[i], want_data, &names, err);
    string_map_finish(&names);
    return status;
}

/* Wide elements first: each tensor's size is then a multiple of every later alignment. */
static int compare_tensors(const void *a, const void *b)
{
    const struct model_tensor *x = *(const struct model_tensor *const *)a;
    const struct model_tensor *y = *(const struct model_tensor *const *)b;
    size_t x_bytes = dtype_size_bytes(x->dtype), y_bytes = dtype_size_bytes(y->dtype);
    if (x_bytes != y_bytes)
        return x_bytes > y_bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The header's text without its length and padding; NULL without memory. */
static char *print_header(const struct model_tensor *const *ordered, size_t n_tensors,
                          const struct safetensors_source *source)
{
    json_node *root = json_new_object();
    uint64_t at = 0;
    bool complete = root != NULL;
    json_node *metadata =
        source->n_metadata > 0 ? json_add_object(root, SAFETENSORS_METADATA) : NULL;
    for (size_t i = 0; i < source->n_metadata && complete; i++)
        complete =
            json_add_string(metadata, source->metadata[i][0], source->metadata[i][1]) != NULL;
    for (size_t i = 0; i < n_tensors && complete; i++) {
        json_node *entry = json_add_object(root, ordered[i]->name);
        complete = json_add_string(entry, "dtype", dtype_name(ordered[i]->dtype)) != NULL;
        json_node *shape = json_add_array(entry, "shape");
        for (uint32_t d = 0; d < ordered[i]->rank && complete; d++)
            complete = json_add_number(shape, NULL, (double)ordered[i]->shape[d]) != NULL;
        json_node *offsets = json_add_array(entry, "data_offsets");
        complete = complete && shape != NULL && json_add_number(offsets, NULL, (double)at) != NULL;
        at += ordered[i]->size_bytes;
        complete = complete && json_add_number(offsets, NULL, (double)at) != NULL;
    }
    char *text = complete ? json_print(root, false) : NULL;
    json_free(root);
    return text;
}

/* Length, text and padding. */
static model_status make_prefix(const char *header, struct buffer *ret, struct model_error *err)
{
    uint64_t length = strlen(header), padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (padded > SAFETENSORS_MAX_HEADER_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "too many tensors for a safetensors header");
    uint8_t little_endian[8];
    for (int i = 0; i < 8; i++)
        little_endian[i] = (uint8_t)(padded >> (8 * i));
    model_status status = buffer_append(ret, little_endian, sizeof little_endian);
    if (status == MODEL_OK)
        status = buffer_append(ret, header, (size_t)length);
    if (status == MODEL_OK)
        status = buffer_append(ret, "        ", (size_t)(padded - length));
    return status == MODEL_OK ? status : error_no_memory(err, "a safetensors header");
}

/* A file under way. */
struct writing {
    const struct buffer *prefix;
    const struct model_tensor *const *ordered; /* (n_tensors) */
    size_t n_tensors;
    const struct safetensors_source *source;
};

static model_status write_file(void *context, struct file_out *out, struct model_error *err)
{
    const struct writing *writing = context;
    model_status status = file_out_write(out, writing->prefix->data, writing->prefix->size, err);
    for (size_t i = 0; i < writing->n_tensors && status == MODEL_OK; i++)
        status = writing->source->write(writing->source->context, writing->ordered[i], out, err);
    return status;
}

static model_status write_checked(const char *path, const struct model_tensor *const *tensors,
                                  size_t n_tensors, const struct safetensors_source *source,
                                  struct model_error *err)
{
    model_status status;
    struct buffer prefix = BUFFER_INIT(SAFETENSORS_MAX_HEADER_BYTES + 16);
    const struct model_tensor **ordered = calloc(n_tensors + 1, sizeof *ordered);
    char *header = NULL;
    if (ordered != NULL) {
        for (size_t i = 0; i < n_tensors; i++)
            ordered[i] = tensors[i];
        qsort(ordered, n_tensors, sizeof *ordered, compare_tensors);
        header = print_header(ordered, n_tensors, source);
    }
    status = header != NULL ? make_prefix(header, &prefix, err)
                            : error_no_memory(err, "a safetensors header");
    if (status == MODEL_OK)
        status = file_write_made(path, write_file,
                                 &(struct writing){&prefix, ordered, n_tensors, source}, err);
    buffer_finish(&prefix);
    free(header);
    free(ordered);
    return status;
}

static model_status write_own_data(void *context, const struct model_tensor *tensor,
                                   struct file_out *out, struct model_error *err)
{
    (void)context;
    return file_out_write(out, tensor->data, (size_t)tensor->size_bytes, err);
}

model_status safetensors_write(const char *path, const struct model_tensor *const *tensors,
                               size_t n_tensors, struct model_error *err)
{
    const struct safetensors_source own = {.write = write_own_data};
    model_status status = check_tensors(tensors, n_tensors, true, err);
    return status == MODEL_OK ? write_checked(path, tensors, n_tensors, &own, err) : status;
}

model_status safetensors_write_from(const char *path, const struct model_tensor *const *tensors,
                                    size_t n_tensors, const struct safetensors_source *source,
                                    struct model_error *err)
{
    model_status status = check_tensors(tensors, n_tensors, false, err);
    return status == MODEL_OK ? write_checked(path, tensors, n_tensors, source, err) : status;
}
