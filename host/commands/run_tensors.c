/* run_tensors.c - the raw form of `modelhost run`: safetensors in, safetensors out. The model reads the
 * mapped file; one that is truncated meanwhile is an error (page_guard.h). Main thread only. */
#include "cmd_run.h"
#include "errors.h"
#include "files.h"
#include "json_array.h"
#include "json_view.h"
#include "page_guard.h"
#include "safetensors.h"
#include "schema.h"
#include "weights.h"

#include <stdlib.h>
#include <string.h>

static model_status check_unique(char **names, uint32_t n, struct model_error *err)
{
    for (uint32_t i = 0; i < n; i++) {
        if (names[i][0] == '\0')
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "--output-names: name %u is empty; separate names by one comma",
                             i + 1);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                return error_set(err, MODEL_INVALID_ARGUMENT,
                                 "--output-names: output '%s' is named twice; name it once",
                                 names[i]);
    }
    return MODEL_OK;
}

/* Splits "a,b" into names; the array and its first string (owner of all) are to be freed. */
static model_status split_names(const char *text, char ***ret_names, uint32_t *ret_n,
                                struct model_error *err)
{
    char *copy = text_format("%s", text);
    char **names = calloc(strlen(text) + 2, sizeof *names);
    if (copy == NULL || names == NULL) {
        free(copy);
        free(names);
        return error_no_memory(err, "output names");
    }
    uint32_t n = 0;
    for (char *rest = copy; rest != NULL && n < SCHEMA_MAX_TENSORS; n++) {
        char *comma = strchr(rest, ',');
        names[n] = rest;
        rest = comma != NULL ? comma + 1 : NULL;
        if (comma != NULL)
            *comma = '\0';
    }
    model_status status = check_unique(names, n, err);
    if (status != MODEL_OK) {
        free(copy);
        free(names);
        return status;
    }
    *ret_names = names;
    *ret_n = n;
    return MODEL_OK;
}

static model_status write_result(const char *path, const struct modelhost_result *result,
                                 struct model_error *err)
{
    uint32_t n = modelhost_result_count(result);
    const struct model_tensor **tensors = calloc(n + 1u, sizeof *tensors);
    if (tensors == NULL)
        return error_no_memory(err, "outputs");
    for (uint32_t i = 0; i < n; i++)
        tensors[i] = modelhost_result_at(result, i);
    model_status status = safetensors_write(path, tensors, n, err);
    if (status == MODEL_NOT_FOUND)
        error_advise(err, "make the folder first, or give --outputs another place");
    else if (status != MODEL_OK)
        error_advise(err, "give --outputs another place");
    free(tensors);
    return status;
}

/* [{"outputs", "label", "index", "output"}]: where the tensors went, and what a classifier says. */
static model_status print_json(const struct modelhost_model *model, const char *path,
                               const struct modelhost_result *result, struct json_array *array,
                               struct model_error *err)
{
    struct modelhost_class class = {.struct_size = sizeof class};
    json_node *items = json_new_array(), *item = json_add_object(items, NULL);
    bool complete = json_add_string(item, "outputs", path) != NULL;
    if (modelhost_result_class(model, result, &class) == MODEL_OK)
        complete = json_add_string(item, "label", class.label) != NULL &&
                   json_add_number(item, "index", (double)class.index) != NULL &&
                   json_add_string(item, "output", class.output) != NULL && complete;
    char *text = complete ? json_print(items, false) : NULL;
    const model_status status =
        text != NULL ? json_array_print(array, text, err) : error_no_memory(err, "the answer");
    free(text);
    json_free(items);
    return status;
}

/* Hands over the file's tensors that the model knows as inputs, so that one file may hold more. */
static model_status run_file(const struct run_command *run, size_t pair,
                             struct modelhost_model *model, const struct weights *file,
                             const struct page_guard *guard,
                             const struct modelhost_run_options *options, struct json_array *array,
                             struct model_error *err)
{
    const char *inputs_path = run->inputs.values[pair];
    const struct model_description *description = modelhost_description(model);
    struct model_tensor tensors[SCHEMA_MAX_TENSORS];
    const struct model_tensor *inputs[SCHEMA_MAX_TENSORS];
    uint32_t n_inputs = 0;
    for (size_t i = 0; i < weights_count(file) && n_inputs < SCHEMA_MAX_TENSORS; i++) {
        tensors[n_inputs].struct_size = sizeof tensors[n_inputs];
        weights_at(file, i, &tensors[n_inputs]);
        if (schema_find(description->inputs, description->n_inputs, tensors[n_inputs].name) ==
            NULL) {
            if (run->verbosity >= 0)
                command_warn("%s: the model has no input '%s'; left out", inputs_path,
                             tensors[n_inputs].name);
            continue;
        }
        inputs[n_inputs] = &tensors[n_inputs];
        n_inputs++;
    }
    struct modelhost_result *result = NULL;
    model_status status = modelhost_run(model, inputs, n_inputs, options, &result, err);
    if (status == MODEL_INVALID_ARGUMENT || status == MODEL_NOT_FOUND)
        error_advise(err, "'modelhost run PKG --describe' shows what the model takes and gives");
    /* A deadline stays one; any other answer may come from zeros that were never in the file. */
    if (status != MODEL_DEADLINE) {
        model_status unharmed = page_guard_check(guard, inputs_path, err);
        if (unharmed == MODEL_CORRUPT)
            error_advise(err, "run again when nothing writes to it");
        status = unharmed != MODEL_OK ? unharmed : status;
    }
    if (status == MODEL_OK)
        status = write_result(run->outputs.values[pair], result, err);
    if (status == MODEL_OK && run->as_json)
        status = print_json(model, run->outputs.values[pair], result, array, err);
    if (status == MODEL_OK) {
        struct modelhost_timing timing = modelhost_result_timing(result);
        run_print_timing(run, &timing, modelhost_result_count(result), "tensor");
    }
    modelhost_result_destroy(result);
    return status;
}

static model_status run_pair(const struct run_command *run, size_t pair,
                             struct modelhost_model *model,
                             const struct modelhost_run_options *options, struct json_array *array,
                             struct model_error *err)
{
    struct weights *file = NULL;
    struct page_guard *guard = NULL;
    model_status status = weights_open_file(run->inputs.values[pair], &file, err);
    if (status != MODEL_OK)
        error_advise(err, "--inputs wants a whole safetensors file");
    if (status == MODEL_OK) {
        struct file_map map = weights_file(file, 0, NULL);
        status = page_guard_add(&map, &guard, err);
    }
    if (status == MODEL_OK)
        status = run_file(run, pair, model, file, guard, options, array, err);
    page_guard_remove(guard);
    weights_destroy(file);
    return status;
}

model_status run_tensors(const struct run_command *run, struct modelhost_model *model,
                         struct model_error *err)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    char **names = NULL;
    struct json_array array = {0};
    model_status status = MODEL_OK;
    if (run->output_names != NULL)
        status = split_names(run->output_names, &names, &options.n_output_names, err);
    options.output_names = (const char *const *)names;
    if (status == MODEL_OK && run->stateful)
        status = modelhost_session_create(model, &options.session, err);
    for (size_t i = 0; i < run->inputs.n_values && status == MODEL_OK; i++) {
        options.timeout_ms = i == 0 ? run_time_left_ms(run) : run->timeout_ms;
        status = run_pair(run, i, model, &options, &array, err);
    }
    struct model_error unheard = MODEL_ERROR_INIT;
    const model_status ended = json_array_end(&array, status == MODEL_OK ? err : &unheard);
    status = status == MODEL_OK ? ended : status;
    modelhost_session_release(options.session);
    if (names != NULL)
        free(names[0]);
    free(names);
    return status;
}
