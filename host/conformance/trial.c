/* trial.c - see subject.h: one model of the subject, from create_model() to destroy(). */
#include "dtype.h"
#include "errors.h"
#include "plugin_error.h"
#include "schema.h"
#include "subject.h"

#include <stdlib.h>
#include <string.h>

/* The weight's shape and dtype as the lie has it. False where that makes no other weight. */
static bool alter(enum weight_lie lie, struct model_tensor *view)
{
    int32_t dtype = view->dtype;
    uint32_t rank = view->rank;
    int64_t shape[MODEL_MAX_RANK];
    memcpy(shape, view->shape, sizeof shape);
    switch (lie) {
    case LIE_DTYPE:
        dtype = dtype == MODEL_I32 ? MODEL_F32 : MODEL_I32;
        break;
    case LIE_LONGER:
    case LIE_SHORTER:
        if (rank == 0 || (lie == LIE_SHORTER && shape[0] < 2))
            return false;
        shape[0] += lie == LIE_LONGER ? 1 : -1;
        break;
    case LIE_RANK:
        if (rank == MODEL_MAX_RANK)
            return false;
        memmove(shape + 1, shape, rank * sizeof *shape);
        shape[0] = 1;
        rank++;
        break;
    default:
        return false;
    }
    tensor_init(view, view->name, dtype, rank, shape, NULL);
    return true;
}

/* The memory of the lie is as large as it says, and ends at a guard page. */
static bool make_lie(struct trial *trial)
{
    const enum weight_lie lie = trial->options.lie;
    struct model_tensor view = {.struct_size = sizeof view};
    if (lie == LIE_NONE || lie == LIE_MISSING)
        return true;
    weights_at(trial->subject->weights, trial->options.lie_index, &view);
    if (!alter(lie, &view))
        return false;
    trial->lie = guarded_create("weight", view.name, (size_t)view.size_bytes,
                                dtype_size_bytes(view.dtype), GUARDED_AT_END);
    if (trial->lie == NULL)
        return false;
    view.data = guarded_data(trial->lie);
    memset(view.data, 0, (size_t)view.size_bytes);
    guarded_freeze(trial->lie);
    trial->lie_view = view;
    return true;
}

/* The arguments of create_model(), before a guard page. */
static bool make_args(struct trial *trial)
{
    const struct subject *subject = trial->subject;
    const char *text =
        trial->options.config_text != NULL ? trial->options.config_text : subject->config_text;
    const struct model_create_args args = {
        .struct_size = sizeof args,
        .package_dir = subject->package_dir,
        .backend_dir = subject->backend_dir,
        .config_json = text,
        .config_json_bytes = strlen(text),
        .threads = subject->threads,
        .lanes = 4,
    };
    const size_t size_bytes =
        trial->options.args_bytes > 0 ? trial->options.args_bytes : sizeof args;
    trial->args = guarded_create("struct", "model_create_args", size_bytes, 8, GUARDED_AT_END);
    if (trial->args == NULL)
        return false;
    struct model_create_args *seen = guarded_data(trial->args);
    memcpy(seen, &args, size_bytes < sizeof args ? size_bytes : sizeof args);
    seen->struct_size = size_bytes;
    return true;
}

struct trial *trial_create(struct subject *subject, const struct trial_options *options)
{
    struct trial *trial = calloc(1, sizeof *trial);
    if (trial == NULL)
        return NULL;
    trial->subject = subject;
    trial->options = *options;
    trial->err = (struct model_error)MODEL_ERROR_INIT;
    const size_t n_weights = subject->weights != NULL ? weights_count(subject->weights) : 0;
    trial->asked = calloc(n_weights + 1, 1);
    const json_node *config = options->config != NULL ? options->config : subject->config;
    if (trial->asked == NULL ||
        services_init(&trial->services, &subject->log, "plugin", config, subject->weights,
                      subject->threads, &trial->err) != MODEL_OK ||
        !trial_make_services(trial, &trial->err) || !make_args(trial) || !make_lie(trial)) {
        trial_destroy(trial);
        return NULL;
    }
    return trial;
}

/* After a failed call: a sentence that is text, and a status that is one. */
static model_status take_failure(struct trial *trial, model_status status, const char *what)
{
    if (status == MODEL_OK)
        return MODEL_OK;
    plugin_error_tidy(&trial->err, status, "");
    if (status < MODEL_OK || status > MODEL_ABI_MISMATCH)
        return error_set(&trial->err, MODEL_INTERNAL, "%s returned %d, which is no status", what,
                         (int)status);
    return status;
}

static model_status broke(struct trial *trial, const char *rule)
{
    return error_set(&trial->err, MODEL_INTERNAL, "%s", rule);
}

model_status trial_create_instance(struct trial *trial, struct model_instance **ret)
{
    struct model_instance *instance = NULL;
    trial->err.message[0] = '\0';
    subject_enter(trial->subject, "create_instance()");
    const model_status said = trial->model->create_instance(trial->model, &instance, &trial->err);
    subject_enter(trial->subject, "");
    model_status status = take_failure(trial, said, "create_instance()");
    if (status != MODEL_OK)
        return instance == NULL ? status : broke(trial, "create_instance() failed and set *ret");
    if (instance == NULL || !MODEL_HAS(struct model_instance, instance, destroy) ||
        instance->run == NULL || instance->destroy == NULL)
        return broke(trial, "create_instance() gave an instance smaller than ABI 1.0's, or without "
                            "its functions");
    if (trial->model->description->max_slots > 0 &&
        (!MODEL_HAS(struct model_instance, instance, keep) || instance->keep == NULL)) {
        instance->destroy(instance);
        return broke(trial, "the description has max_slots, the instance no keep()");
    }
    *ret = instance;
    return MODEL_OK;
}

model_status trial_load(struct trial *trial)
{
    struct model *model = NULL;
    trial->err.message[0] = '\0';
    subject_enter(trial->subject, "create_model()");
    const model_status said = trial->subject->plugin.create_model(
        guarded_data(trial->table), guarded_data(trial->args), &model, &trial->err);
    subject_enter(trial->subject, "");
    model_status status = take_failure(trial, said, "create_model()");
    if (status != MODEL_OK)
        return model == NULL ? status : broke(trial, "create_model() failed and set *ret");
    if (model == NULL || !MODEL_HAS(struct model, model, destroy) || model->destroy == NULL ||
        model->create_instance == NULL)
        return broke(trial, "create_model() gave a struct model smaller than ABI 1.0's, or without "
                            "its functions");
    trial->model = model;
    if (schema_check_description(model->description, &trial->err) != MODEL_OK)
        return MODEL_INTERNAL;
    return trial_create_instance(trial, &trial->instance);
}

void trial_end(struct trial *trial)
{
    subject_enter(trial->subject, "destroy()");
    if (trial->instance != NULL)
        trial->instance->destroy(trial->instance);
    if (trial->model != NULL)
        trial->model->destroy(trial->model);
    trial->instance = NULL;
    trial->model = NULL;
    subject_enter(trial->subject, "");
    services_release_scratch();
    atomic_store(&trial->is_over, true);
}

void trial_destroy(struct trial *trial)
{
    if (trial == NULL)
        return;
    services_finish(&trial->services);
    guarded_destroy(trial->table);
    guarded_destroy(trial->args);
    guarded_destroy(trial->lie);
    free(trial->asked);
    free(trial);
}

void trial_fail_at(struct trial *trial, size_t number)
{
    atomic_store(&trial->has_failed, false);
    atomic_store(&trial->n_allocated, 0);
    trial->options.fail_at = number;
}
