/* weights_difference.c - see weights_difference.h. Both tables are in the order of names, so one walk over both
 * finds all pairs. */
#include "weights_difference.h"
#include "dtype.h"
#include "errors.h"

#include <string.h>

struct comparing {
    const struct tensor_table *a, *b;
    const struct difference_options *options;
    json_node *added, *removed, *changed;
    size_t n_same, n_different;
    struct model_error *err;
};

/* The tensor behind a second name. */
static const struct model_tensor *find_alias(const struct tensor_table *table, const char *name)
{
    size_t low = 0, high = table->n_aliases;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(table->aliases[middle].name, name);
        if (order == 0)
            return tensor_table_find(table, table->aliases[middle].of);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool add_kind(json_node *item, const struct model_tensor *tensor)
{
    bool complete = json_add_string(item, "dtype", dtype_name(tensor->dtype)) != NULL;
    json_node *shape = json_add_array(item, "shape");
    for (uint32_t d = 0; d < tensor->rank && complete; d++)
        complete = json_add_number(shape, NULL, (double)tensor->shape[d]) != NULL;
    return complete && shape != NULL;
}

static model_status add_one(struct comparing *comparing, json_node *list,
                            const struct model_tensor *tensor)
{
    json_node *item = json_add_object(list, NULL);
    comparing->n_different++;
    return json_add_string(item, "name", tensor->name) != NULL && add_kind(item, tensor)
               ? MODEL_OK
               : error_no_memory(comparing->err, "the differences");
}

static bool have_same_shape(const struct model_tensor *a, const struct model_tensor *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) == 0;
}

static bool add_figures(json_node *item, const struct tensor_difference *found)
{
    return json_add_number(item, "different", (double)found->n_different) != NULL &&
           json_add_number(item, "unlike", (double)found->n_unlike) != NULL &&
           json_add_number(item, "max", found->max) != NULL &&
           json_add_number(item, "mean", found->mean) != NULL &&
           json_add_number(item, "relative", found->relative) != NULL;
}

static model_status compare_pair(struct comparing *comparing, const char *name,
                                 const struct model_tensor *a, const struct model_tensor *b)
{
    struct tensor_difference found = {0};
    bool same_shape = have_same_shape(a, b);
    model_status status = MODEL_OK;
    if (same_shape)
        status = tensor_difference(a, b, comparing->options->cancelled, comparing->options->context,
                                   &found, comparing->err);
    tensor_table_discard(comparing->a, a);
    tensor_table_discard(comparing->b, b);
    if (status != MODEL_OK)
        return status;
    if (same_shape && found.n_different == 0 && a->dtype == b->dtype) {
        comparing->n_same++;
        return MODEL_OK;
    }
    comparing->n_different++;
    json_node *item = json_add_object(comparing->changed, NULL);
    bool complete = json_add_string(item, "name", name) != NULL &&
                    add_kind(json_add_object(item, "a"), a) &&
                    add_kind(json_add_object(item, "b"), b);
    if (same_shape)
        complete = complete && add_figures(item, &found);
    return complete ? MODEL_OK : error_no_memory(comparing->err, "the differences");
}

/* A name that stands in one list only: perhaps the other side has it as a second name. */
static model_status compare_single(struct comparing *comparing, const struct model_tensor *tensor,
                                   bool is_in_a)
{
    const struct model_tensor *other =
        find_alias(is_in_a ? comparing->b : comparing->a, tensor->name);
    if (other == NULL)
        return add_one(comparing, is_in_a ? comparing->removed : comparing->added, tensor);
    return compare_pair(comparing, tensor->name, is_in_a ? tensor : other,
                        is_in_a ? other : tensor);
}

static model_status compare_all(struct comparing *comparing)
{
    const struct tensor_table *a = comparing->a, *b = comparing->b;
    size_t i = 0, j = 0;
    model_status status = MODEL_OK;
    while ((i < a->n_tensors || j < b->n_tensors) && status == MODEL_OK) {
        int order = i == a->n_tensors   ? 1
                    : j == b->n_tensors ? -1
                                        : strcmp(a->tensors[i].name, b->tensors[j].name);
        if (order == 0)
            status = compare_pair(comparing, a->tensors[i].name, &a->tensors[i], &b->tensors[j]);
        else
            status =
                compare_single(comparing, order < 0 ? &a->tensors[i] : &b->tensors[j], order < 0);
        i += order <= 0;
        j += order >= 0;
    }
    return status;
}

model_status weights_difference(const struct tensor_table *a, const struct tensor_table *b,
                                const struct difference_options *options, json_node *object,
                                size_t *ret_n, struct model_error *err)
{
    struct comparing comparing = {.a = a, .b = b, .options = options, .err = err};
    comparing.added = json_add_array(object, "added");
    comparing.removed = json_add_array(object, "removed");
    comparing.changed = json_add_array(object, "changed");
    if (comparing.added == NULL || comparing.removed == NULL || comparing.changed == NULL)
        return error_no_memory(err, "the differences");
    model_status status = compare_all(&comparing);
    if (status == MODEL_OK && json_add_number(object, "same", (double)comparing.n_same) == NULL)
        status = error_no_memory(err, "the differences");
    if (status == MODEL_OK)
        *ret_n = comparing.n_different;
    return status;
}
