/* model_creating.c - see model_creating.h. What a plugin gives is checked before it is used. */
#include "model_creating.h"
#include "compute_device.h"
#include "compute_dtype.h"
#include "errors.h"
#include "host.h"
#include "model_prepared.h"
#include "parallel.h"
#include "plugin_error.h"
#include "schema.h"
#include "thread_guard.h"

static model_status check_model(const struct model *model, struct model_error *err)
{
    if (model == NULL || !MODEL_HAS(struct model, model, destroy) || model->destroy == NULL ||
        model->create_instance == NULL)
        return error_set(
            err, MODEL_ABI_MISMATCH,
            "plugin: create_model() returned a struct model smaller than ABI 1.0's, or "
            "without its functions");
    return MODEL_OK;
}

model_status model_creating_instance(struct modelhost_model *model, struct hosted_instance **ret,
                                     struct model_error *err)
{
    struct model_instance *instance = NULL;
    err->message[0] = '\0';
    const bool is_in_worker = model->load.isolation == MODELHOST_WORKER; /* has done the same */
    thread_guard_enter("create_instance");
    model_status status = model->model->create_instance(model->model, &instance, err);
    thread_guard_enter(NULL);
    if (!is_in_worker)
        status = plugin_error_of_creating(status);
    plugin_error_tidy(err, status, "create_instance() failed without saying why");
    if (status != MODEL_OK)
        return status;
    if (instance == NULL || !MODEL_HAS(struct model_instance, instance, destroy) ||
        instance->run == NULL || instance->destroy == NULL)
        return error_set(err, MODEL_ABI_MISMATCH,
                         "plugin: create_instance() returned no usable struct model_instance");
    if (model->model->description->max_slots > 0 &&
        (!MODEL_HAS(struct model_instance, instance, keep) || instance->keep == NULL)) {
        instance->destroy(instance);
        return error_set(err, MODEL_ABI_MISMATCH,
                         "plugin: max_slots is %u, but the instance has no keep()",
                         model->model->description->max_slots);
    }
    status = hosted_instance_create(instance, model->model->description->max_slots, ret, err);
    if (status != MODEL_OK)
        return status;
    (*ret)->is_in_worker = is_in_worker;
    (*ret)->min_rows = compute_dtype_min_rows(model->model->description);
    return MODEL_OK;
}

struct creation {
    struct modelhost_model *model;
    struct prepared_ends *prepared; /* a worker's */
    uint32_t threads;
    bool has_ended; /* else the thread has, without a word */
    model_status status;
    struct model_error *err;
};

static void say_which(const struct modelhost_model *model, struct model_error *err)
{
    error_prefix(err, "plugin '%s' %s cannot run %s", model->plugin.file.name,
                 model->plugin.file.version, model->package.dir);
}

static void take_plan(struct modelhost_model *model)
{
    thread_guard_enter("get_extension");
    (void)device_plan_read(model->model, &model->plan);
    thread_guard_enter(NULL);
}

/* On the create-thread: create_model() and a first instance, so that the first request is as fast as
 * the others and a failure is the load's. */
static void create(void *argument)
{
    struct creation *creation = argument;
    struct modelhost_model *model = creation->model;
    struct model_error *err = creation->err;
    parallel_adopt_thread(creation->threads);
    model_prepared_begin(model, creation->prepared);
    struct model_create_args args = {
        .struct_size = sizeof args,
        .package_dir = model->package.dir,
        .backend_dir = model->package.backend_dir,
        .config_json = model->config_text,
        .config_json_bytes = model->config_bytes,
        .threads = creation->threads,
        .lanes = model->lanes,
        .compute_dtype = compute_dtype_asked(model->load.dtype),
        .device = model->package.device,
    };
    struct model *created = NULL;
    err->message[0] = '\0'; /* steps before have failed and been forgiven */
    thread_guard_enter("create_model");
    model_status said = model->plugin.create_model(&model->services.table, &args, &created, err);
    thread_guard_enter(NULL);
    model_status status = plugin_error_of_creating(said);
    plugin_error_tidy(err, status, "create_model() failed without saying why");
    if (said == MODEL_NOT_FOUND && model->no_weights != NULL) /* not just the first that it wants */
        (void)error_set(err, status, "%s", model->no_weights);
    if (status == MODEL_OK) {
        status = check_model(created, err);
        if (status == MODEL_OK) /* from here on it is destroyed, whatever else is wrong with it */
            model->model = created;
    }
    if (status == MODEL_OK)
        status = compute_dtype_check(model->load.dtype, created->description, err);
    if (status == MODEL_OK)
        status = compute_device_check(model->package.device, created->description, err);
    if (status == MODEL_OK)
        services_log_unused(&model->services);
    if (status == MODEL_OK)
        status = schema_check_description(created->description, err);
    if (status == MODEL_OK)
        status = weight_loading_check_instance(created->description, err);
    if (status == MODEL_OK)
        take_plan(model);
    if (status == MODEL_OK && model->host->model_created != NULL)
        model->host->model_created(model->host);
    if (status == MODEL_OK) {
        status = model_creating_instance(model, &model->idle[0], err);
        model->n_idle = status == MODEL_OK ? 1 : 0;
    }
    if (status != MODEL_OK)
        say_which(model, err);
    if (status == MODEL_UNSUPPORTED)
        error_advise(err, "'modelhost explain PKG' shows which plugins there are");
    services_release_scratch();
    creation->status = status;
    creation->has_ended = true;
}

/* What the plugin made before is left in memory. */
static void say_thread_ended(void *argument)
{
    struct creation *creation = argument;
    creation->status = thread_guard_say(loaded_model_name(creation->model), creation->err);
    say_which(creation->model, creation->err);
    services_release_scratch();
    creation->has_ended = true;
}

static void create_on_own_thread(void *creation)
{
    thread_guard_run(create, creation, say_thread_ended, creation);
}

model_status model_creating_run(struct modelhost_model *model, uint32_t threads,
                                struct prepared_ends *prepared, struct model_error *err)
{
    struct creation creation = {
        .model = model, .prepared = prepared, .threads = threads, .err = err};
    reaper_run_on_own_thread(create_on_own_thread, &creation);
    if (creation.has_ended)
        return creation.status;
    /* By the bare system call, which runs nothing of ours. */
    (void)error_set(err, MODELHOST_CRASHED, "the plugin ended the thread that creates the model");
    say_which(model, err);
    return MODELHOST_CRASHED;
}
