/* bridge_entries.c - the seven functions: what they refuse, and structs of other versions. Plain C, any thread; see
 * coreml_bridge.h and, for what is behind them, bridge_calls.h. */
#include "bridge_calls.h"

#include <string.h>

static model_status refuse(char **ret_error, const char *sentence)
{
    if (ret_error != NULL)
        *ret_error = bridge_copy_string(sentence);
    return MODEL_INVALID_ARGUMENT;
}

/* The caller's as far as its struct goes, defaults behind that. */
static struct coreml_load_options whole_options(const struct coreml_load_options *options)
{
    struct coreml_load_options whole = {.struct_size = sizeof whole};
    if (options == NULL)
        return whole;
    const size_t room = options->struct_size;
    memcpy(&whole, options, room < sizeof whole ? room : sizeof whole);
    whole.struct_size = sizeof whole;
    return whole;
}

model_status coreml_compile_model(const char *source_path, const char *target_path, char **ret_path,
                                  char **ret_error)
{
    if (source_path == NULL || ret_path == NULL)
        return refuse(ret_error, "compiling wants a model's path, and a place for another");
    return bridge_compile_model(source_path, target_path, ret_path, ret_error);
}

model_status coreml_load_model(const char *compiled_path, const struct coreml_load_options *options,
                               struct coreml_handle **ret, char **ret_error)
{
    if (compiled_path == NULL || ret == NULL)
        return refuse(ret_error, "loading wants a path, and a place for the model");
    const struct coreml_load_options whole = whole_options(options);
    return bridge_load_model(compiled_path, &whole, ret, ret_error);
}

model_status coreml_model_schema(struct coreml_handle *model, const struct coreml_schema **ret,
                                 char **ret_error)
{
    if (model == NULL || ret == NULL)
        return refuse(ret_error, "a schema wants a model, and a place");
    return bridge_model_schema(model, ret, ret_error);
}

model_status coreml_predict(struct coreml_handle *model, const struct model_call *call,
                            struct model_error *err, char **ret_error)
{
    if (model == NULL || call == NULL || call->cancel == NULL)
        return refuse(ret_error, "predicting wants a model, and a call with a cancel token");
    return bridge_predict(model, call, err, ret_error);
}

void coreml_free_model(struct coreml_handle *model)
{
    if (model != NULL)
        bridge_free_model(model);
}

void coreml_free_string(char *text)
{
    if (text != NULL)
        bridge_free_string(text);
}

model_status coreml_plan(const char *compiled_path, const struct coreml_load_options *options,
                         struct coreml_plan_counts *ret, char **ret_error)
{
    if (compiled_path == NULL || ret == NULL || ret->struct_size < sizeof ret->struct_size)
        return refuse(ret_error, "planning wants a path, and counts that say their size");
    const struct coreml_load_options whole = whole_options(options);
    struct coreml_plan_counts counts = {.struct_size = sizeof counts};
    const model_status status = bridge_plan(compiled_path, &whole, &counts, ret_error);
    if (status != MODEL_OK)
        return status;
    const size_t room = ret->struct_size;
    counts.struct_size = room < sizeof counts ? room : sizeof counts;
    memcpy(ret, &counts, counts.struct_size);
    return MODEL_OK;
}
