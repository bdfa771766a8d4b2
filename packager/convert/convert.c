/* convert.c - see convert.h. Tensors stream through two blocks: one gathered from the mapped source, one in
 * the new type. */
#include "convert.h"
#include "dtype.h"
#include "errors.h"
#include "float_convert.h"
#include "printable_text.h"
#include "safetensors.h"
#include "tensor_blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_ELEMENTS 131072u
#define BLOCKS_KEPT    32u

struct converting {
    const struct tensor_table *table;
    const struct convert_options *options;
    struct convert_report *report;
    const char *path;
    uint8_t *gathered, *converted; /* a block each */
};

static int32_t new_dtype(const struct model_tensor *tensor, const struct convert_options *options)
{
    return options->dtype != 0 && float_is_convertible(tensor->dtype) ? options->dtype
                                                                      : tensor->dtype;
}

static void note_infinite(const struct converting *converting, const struct model_tensor *tensor,
                          uint64_t n)
{
    struct convert_report *report = converting->report;
    char shown[PRINTABLE_TEXT_BYTES];
    if (n > 0 && report->n_infinite_tensors++ == 0)
        (void)snprintf(report->infinite_tensor, sizeof report->infinite_tensor, "%s",
                       printable(tensor->name, shown));
    report->n_infinite += n;
}

/* Streams the tensor with this one's name; out NULL: looks at it only. */
static model_status stream_tensor(struct converting *converting, const struct model_tensor *written,
                                  struct file_out *out, struct model_error *err)
{
    const struct convert_options *options = converting->options;
    const struct model_tensor *tensor = tensor_table_find(converting->table, written->name);
    int32_t dtype = new_dtype(tensor, options);
    struct tensor_blocks blocks;
    uint64_t n_infinite = 0;
    size_t n = 1;
    model_status status = MODEL_OK;
    tensor_blocks_init(&blocks, tensor);
    for (unsigned round = 1; n > 0 && status == MODEL_OK; round++) {
        if (options->cancelled != NULL && options->cancelled(options->context))
            return error_set(err, MODEL_CANCELLED, "interrupted while %s was written",
                             converting->path);
        const uint8_t *data = tensor_blocks_next(&blocks, BLOCK_ELEMENTS, converting->gathered, &n);
        if (dtype != tensor->dtype) {
            n_infinite += float_convert(data, tensor->dtype, n, converting->converted, dtype);
            data = converting->converted;
        }
        if (out != NULL)
            status = file_out_write(out, data, n * dtype_size_bytes(dtype), err);
        if (round % BLOCKS_KEPT == 0)
            tensor_table_discard(converting->table, tensor);
    }
    note_infinite(converting, tensor, n_infinite);
    tensor_table_discard(converting->table, tensor);
    return status;
}

static model_status write_tensor(void *context, const struct model_tensor *tensor,
                                 struct file_out *out, struct model_error *err)
{
    return stream_tensor(context, tensor, out, err);
}

/* What the conversion would count, without a file. */
static model_status look_only(struct converting *converting, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < converting->table->n_tensors && status == MODEL_OK; i++)
        if (new_dtype(&converting->table->tensors[i], converting->options) !=
            converting->table->tensors[i].dtype)
            status = stream_tensor(converting, &converting->table->tensors[i], NULL, err);
    return status;
}

/* The tensors as they will be written, and the table of pointers to them. */
static void plan(const struct converting *converting, struct model_tensor *written,
                 const struct model_tensor **list)
{
    const struct tensor_table *table = converting->table;
    struct convert_report *report = converting->report;
    for (size_t i = 0; i < table->n_tensors; i++) {
        const struct model_tensor *tensor = &table->tensors[i];
        tensor_init(&written[i], tensor->name, new_dtype(tensor, converting->options), tensor->rank,
                    tensor->shape, NULL);
        list[i] = &written[i];
        report->n_converted += written[i].dtype != tensor->dtype;
        report->from_bytes += tensor->size_bytes;
        report->to_bytes += written[i].size_bytes;
    }
    report->n_tensors += table->n_tensors;
    report->n_aliases += table->n_aliases;
}

static model_status write_list(struct converting *converting,
                               const struct model_tensor *const *list, struct model_error *err)
{
    const struct tensor_table *table = converting->table;
    const char *(*metadata)[2] = calloc(table->n_aliases + 1, sizeof *metadata);
    if (metadata == NULL)
        return error_no_memory(err, converting->path);
    size_t n = 0;
    metadata[n][0] = "format";
    metadata[n++][1] = "pt";
    for (size_t i = 0; i < table->n_aliases; i++) {
        if (strcmp(table->aliases[i].name, "format") == 0)
            continue; /* the key is taken: what the file is goes before */
        metadata[n][0] = table->aliases[i].name;
        metadata[n++][1] = table->aliases[i].of;
    }
    const struct safetensors_source source = {
        .write = write_tensor,
        .context = converting,
        .metadata = (const char *const(*)[2])metadata,
        .n_metadata = n,
    };
    model_status status =
        safetensors_write_from(converting->path, list, table->n_tensors, &source, err);
    free(metadata);
    return status;
}

/* What no safetensors file can hold, and a dry run should say, too. */
static model_status check_table(const struct tensor_table *table, struct model_error *err)
{
    if (table->n_tensors == 0)
        return error_set(err, MODEL_NOT_FOUND,
                         "%s has no tensor, so there is nothing to convert; 'pkgmgr inspect' shows "
                         "what is in a file",
                         table->path);
    if (table->n_tensors > SAFETENSORS_MAX_TENSORS)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s has %zu tensors, and one safetensors file at most %u: convert its "
                         "shards one by one",
                         table->path, table->n_tensors, SAFETENSORS_MAX_TENSORS);
    if (tensor_table_find(table, SAFETENSORS_METADATA) != NULL)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s has a tensor named '" SAFETENSORS_METADATA "', which in safetensors "
                         "is no tensor; have it saved under another name",
                         table->path);
    return MODEL_OK;
}

model_status convert_weights(const struct tensor_table *table, const char *path,
                             const struct convert_options *options, struct convert_report *report,
                             struct model_error *err)
{
    struct converting converting = {table, options, report, path, NULL, NULL};
    model_status status = check_table(table, err);
    if (status == MODEL_OK)
        status = tensor_table_check(table, err);
    if (status != MODEL_OK)
        return status;
    struct model_tensor *written = calloc(table->n_tensors + 1, sizeof *written);
    const struct model_tensor **list = calloc(table->n_tensors + 1, sizeof *list);
    converting.gathered = malloc(BLOCK_ELEMENTS * sizeof(double));
    converting.converted = malloc(BLOCK_ELEMENTS * sizeof(double));
    if (written == NULL || list == NULL || converting.gathered == NULL ||
        converting.converted == NULL) {
        status = error_no_memory(err, path);
    } else {
        plan(&converting, written, list);
        status =
            options->dry_run ? look_only(&converting, err) : write_list(&converting, list, err);
    }
    free(converting.converted);
    free(converting.gathered);
    free(list);
    free(written);
    return status;
}
