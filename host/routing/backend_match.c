/* backend_match.c - see backend_match.h. Sizes are not compared: a call whose shapes a backend does not
 * take is refused by that backend's own schema. */
#include "backend_match.h"
#include "dtype.h"
#include "errors.h"
#include "schema.h"

#include <string.h>

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
