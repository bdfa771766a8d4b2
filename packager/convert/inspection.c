/* inspection.c - see inspection.h. */
#include "inspection.h"
#include "dtype.h"
#include "errors.h"
#include "tensor_tree.h"

#include <stdlib.h>

#define MAX_DTYPES 32

static model_status add_statistics(json_node *item, const struct model_tensor *tensor,
                                   const struct inspection_options *options,
                                   struct model_error *err)
{
    struct tensor_statistics found;
    model_status status =
        tensor_statistics(tensor, options->cancelled, options->context, &found, err);
    if (status != MODEL_OK)
        return status;
    json_node *node = json_add_object(item, "statistics");
    const struct {
        const char *name;
        double value;
    } figures[] = {
        {"min", found.min},
        {"max", found.max},
        {"mean", found.mean},
        {"std", found.std},
        {"nan", (double)found.n_nan},
        {"infinite", (double)found.n_infinite},
        {"zero", (double)found.n_zero},
    };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        if (json_add_number(node, figures[i].name, figures[i].value) == NULL)
            return error_no_memory(err, "statistics");
    return MODEL_OK;
}

static model_status add_tensor(json_node *list, const struct tensor_table *table,
                               const struct model_tensor *tensor,
                               const struct inspection_options *options, struct model_error *err)
{
    json_node *item = json_add_object(list, NULL);
    bool complete = json_add_string(item, "name", tensor->name) != NULL &&
                    json_add_string(item, "dtype", dtype_name(tensor->dtype)) != NULL;
    json_node *shape = json_add_array(item, "shape");
    for (uint32_t d = 0; d < tensor->rank && complete; d++)
        complete = json_add_number(shape, NULL, (double)tensor->shape[d]) != NULL;
    complete = complete && shape != NULL &&
               json_add_number(item, "bytes", (double)tensor->size_bytes) != NULL;
    if (!complete)
        return error_no_memory(err, "the table of tensors");
    if (!options->statistics || tensor_elements(tensor) == 0)
        return MODEL_OK; /* no figure says anything of no elements */
    model_status status = add_statistics(item, tensor, options, err);
    tensor_table_discard(table, tensor);
    return status;
}

static bool add_sums(json_node *object, const struct tensor_table *table)
{
    uint64_t elements[MAX_DTYPES] = {0}, total = 0;
    bool seen[MAX_DTYPES] = {false};
    for (size_t i = 0; i < table->n_tensors; i++) {
        int32_t dtype = table->tensors[i].dtype;
        uint64_t n = tensor_elements(&table->tensors[i]);
        total += n;
        if (dtype > 0 && dtype < MAX_DTYPES) {
            elements[dtype] += n;
            seen[dtype] = true;
        }
    }
    bool complete = json_add_string(object, "form", table->form) != NULL &&
                    json_add_number(object, "parameters", (double)total) != NULL &&
                    json_add_number(object, "bytes", (double)tensor_table_bytes(table)) != NULL;
    json_node *dtypes = json_add_object(object, "dtypes");
    for (int32_t i = 1; i < MAX_DTYPES && complete; i++)
        if (seen[i])
            complete = json_add_number(dtypes, dtype_name(i), (double)elements[i]) != NULL;
    return complete && dtypes != NULL;
}

static bool add_aliases(json_node *object, const struct tensor_table *table)
{
    json_node *aliases = json_add_object(object, "aliases");
    bool complete = aliases != NULL;
    for (size_t i = 0; i < table->n_aliases && complete; i++)
        complete = json_add_string(aliases, table->aliases[i].name, table->aliases[i].of) != NULL;
    return complete;
}

const struct model_tensor **inspection_order(const struct tensor_table *table)
{
    const struct model_tensor **ordered = calloc(table->n_tensors + 1, sizeof *ordered);
    for (size_t i = 0; i < table->n_tensors && ordered != NULL; i++)
        ordered[i] = &table->tensors[i];
    if (ordered != NULL)
        qsort(ordered, table->n_tensors, sizeof *ordered, tensor_tree_compare);
    return ordered;
}

static model_status add_next(json_node *list, const struct tensor_table *table,
                             const struct model_tensor *tensor,
                             const struct inspection_options *options, struct model_error *err)
{
    return options->cancelled != NULL && options->cancelled(options->context)
               ? error_set(err, MODEL_CANCELLED, "interrupted")
               : add_tensor(list, table, tensor, options, err);
}

static model_status add_tensors(json_node *object, const struct tensor_table *table,
                                const struct model_tensor *const *ordered,
                                const struct inspection_options *options, struct model_error *err)
{
    json_node *list = json_add_array(object, "tensors");
    model_status status = list != NULL ? MODEL_OK : error_no_memory(err, "the table of tensors");
    for (size_t i = 0; i < table->n_tensors && status == MODEL_OK; i++)
        status = add_next(list, table, ordered[i], options, err);
    return status;
}

model_status inspection_each(const struct tensor_table *table,
                             const struct inspection_options *options,
                             model_status (*visit)(void *visitor, const json_node *tensor,
                                                   struct model_error *err),
                             void *visitor, struct model_error *err)
{
    const struct model_tensor **ordered = inspection_order(table);
    model_status status = ordered != NULL ? MODEL_OK : error_no_memory(err, "the table of tensors");
    for (size_t i = 0; i < table->n_tensors && status == MODEL_OK; i++) {
        json_node *list = json_new_array();
        status = list != NULL ? add_next(list, table, ordered[i], options, err)
                              : error_no_memory(err, "the table of tensors");
        if (status == MODEL_OK)
            status = visit(visitor, json_first(list), err);
        json_free(list);
    }
    free(ordered);
    return status;
}

model_status inspection_add(json_node *object, const struct tensor_table *table,
                            const struct inspection_options *options, struct model_error *err)
{
    const bool is_listed = !options->no_tensors || !options->no_tree;
    const struct model_tensor **ordered = is_listed ? inspection_order(table) : NULL;
    model_status status = (ordered != NULL || !is_listed) && add_sums(object, table)
                              ? MODEL_OK
                              : error_no_memory(err, "the table of tensors");
    if (status == MODEL_OK && !options->no_tensors)
        status = add_tensors(object, table, ordered, options, err);
    if (status == MODEL_OK && !add_aliases(object, table))
        status = error_no_memory(err, "the table of tensors");
    if (status == MODEL_OK && !options->no_tree)
        status = tensor_tree_add(object, ordered, table->n_tensors, err);
    free(ordered);
    return status;
}
