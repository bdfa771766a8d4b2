/* backend_match.c - see backend_match.h. A backend that stands in may take fewer sizes: a call that it cannot take is
 * refused by its own schema, where it would have been refused anyway. One that is swapped in while calls come must take
 * all. */
#include "backend_match.h"
#include "dtype.h"
#include "errors.h"
#include "schema.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SIZES_BYTES 48

static model_status match_spec(const char *kind, const struct model_tensor_spec *wanted,
                               const struct model_tensor_spec *found, struct model_error *err)
{
    if (found == NULL)
        return error_set(err, MODEL_UNSUPPORTED, "it has no %s '%s'", kind, wanted->name);
    if (found->dtype != wanted->dtype || found->rank != wanted->rank)
        return error_set(err, MODEL_UNSUPPORTED, "its %s '%s' is %s of rank %u, want %s of rank %u",
                         kind, wanted->name, dtype_name(found->dtype), found->rank,
                         dtype_name(wanted->dtype), wanted->rank);
    return MODEL_OK;
}

model_status backend_match(const struct model_description *wanted,
                           const struct model_description *found, struct model_error *err)
{
    const char *task = wanted->task != NULL ? wanted->task : "none";
    const char *found_task = found->task != NULL ? found->task : "none";
    if (strcmp(task, found_task) != 0)
        return error_set(err, MODEL_UNSUPPORTED, "its task is %s, want %s", found_task, task);
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < wanted->n_inputs && status == MODEL_OK; i++)
        status =
            match_spec("input", wanted->inputs[i],
                       schema_find(found->inputs, found->n_inputs, wanted->inputs[i]->name), err);
    for (uint32_t i = 0; i < found->n_inputs && status == MODEL_OK; i++)
        if ((found->inputs[i]->flags & MODEL_SPEC_OPTIONAL) == 0 &&
            schema_find(wanted->inputs, wanted->n_inputs, found->inputs[i]->name) == NULL)
            status = error_set(err, MODEL_UNSUPPORTED, "it needs another input, '%s'",
                               found->inputs[i]->name);
    for (uint32_t i = 0; i < wanted->n_outputs && status == MODEL_OK; i++)
        status = match_spec("output", wanted->outputs[i],
                            schema_find(found->outputs, found->n_outputs, wanted->outputs[i]->name),
                            err);
    return status;
}

static void say_sizes(const struct model_dimension *dimension, char text[SIZES_BYTES])
{
    if (dimension->min == dimension->max)
        (void)snprintf(text, SIZES_BYTES, "%lld", (long long)dimension->min);
    else if (dimension->max == INT64_MAX)
        (void)snprintf(text, SIZES_BYTES, "%lld or more", (long long)dimension->min);
    else
        (void)snprintf(text, SIZES_BYTES, "%lld to %lld", (long long)dimension->min,
                       (long long)dimension->max);
}

/* A call of `wanted` is one of `found`: each size of an input is one that it takes, each of an output one that was
 * expected. Both have the rank. */
static model_status match_sizes(const struct model_tensor_spec *wanted,
                                const struct model_tensor_spec *found, bool is_input,
                                struct model_error *err)
{
    const char *kind = is_input ? "input" : "output";
    for (uint32_t i = 0; i < wanted->rank; i++) {
        const struct model_dimension *inner = is_input ? &wanted->shape[i] : &found->shape[i];
        const struct model_dimension *outer = is_input ? &found->shape[i] : &wanted->shape[i];
        char found_text[SIZES_BYTES], wanted_text[SIZES_BYTES];
        if (inner->min >= outer->min && inner->max <= outer->max)
            continue;
        say_sizes(&found->shape[i], found_text);
        say_sizes(&wanted->shape[i], wanted_text);
        return error_set(err, MODEL_UNSUPPORTED, "dimension %u of its %s '%s' is %s, want %s", i,
                         kind, wanted->name, found_text, wanted_text);
    }
    if ((wanted->flags & MODEL_SPEC_OPTIONAL & ~found->flags) != 0)
        return error_set(err, MODEL_UNSUPPORTED, "it needs its input '%s', which is optional",
                         wanted->name);
    if ((found->flags & MODEL_SPEC_ON_REQUEST & ~wanted->flags) != 0)
        return error_set(err, MODEL_UNSUPPORTED, "it gives its output '%s' on request only",
                         wanted->name);
    return MODEL_OK;
}

/* Of the calls that a model takes. */
static int64_t largest_batch(const struct model_description *description)
{
    int64_t largest = description->max_batch > 0 ? description->max_batch : INT64_MAX;
    bool has_batch = false;
    for (uint32_t i = 0; i < description->n_inputs; i++)
        for (uint32_t k = 0; k < description->inputs[i]->rank; k++) {
            const struct model_dimension *dimension = &description->inputs[i]->shape[k];
            if (dimension->name == NULL || strcmp(dimension->name, "batch") != 0)
                continue;
            has_batch = true;
            largest = dimension->max < largest ? dimension->max : largest;
        }
    return has_batch ? largest : 1;
}

static model_status match_abilities(const struct model_description *wanted,
                                    const struct model_description *found, struct model_error *err)
{
    const int64_t batch = largest_batch(wanted);
    if (wanted->max_slots > 0 && found->max_slots == 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "it remembers nothing between calls (max_slots is 0, want %u)",
                         wanted->max_slots);
    if ((wanted->capabilities & ~found->capabilities & MODEL_CAN_STREAM) != 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "it emits nothing before its answer (MODEL_CAN_STREAM)");
    if (found->max_batch > 0 && found->max_batch < batch)
        return error_set(err, MODEL_UNSUPPORTED, "its max_batch is %lld, want %lld",
                         (long long)found->max_batch, (long long)batch);
    return MODEL_OK;
}

model_status backend_match_fully(const struct model_description *wanted,
                                 const struct model_description *found, struct model_error *err)
{
    model_status status = backend_match(wanted, found, err);
    for (uint32_t i = 0; i < wanted->n_inputs && status == MODEL_OK; i++)
        status = match_sizes(wanted->inputs[i],
                             schema_find(found->inputs, found->n_inputs, wanted->inputs[i]->name),
                             true, err);
    for (uint32_t i = 0; i < wanted->n_outputs && status == MODEL_OK; i++)
        status = match_sizes(
            wanted->outputs[i],
            schema_find(found->outputs, found->n_outputs, wanted->outputs[i]->name), false, err);
    return status == MODEL_OK ? match_abilities(wanted, found, err) : status;
}
