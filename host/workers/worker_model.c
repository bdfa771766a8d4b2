/* worker_model.c - see worker_model.h. */
#include "worker_model.h"
#include "buffer.h"
#include "clock.h"
#include "errors.h"
#include "worker_description.h"
#include "worker_instance.h"

#include <stdlib.h>
#include <string.h>

/* What a model that goes at once gives its processes to send what they prepared. */
#define PREPARED_LAST_NS INT64_C(5000000000)

struct worker_model {
    struct model base;
    struct worker_config config;
    char *plugin; /* in the config */
    bool can_spin;
    struct model_description *description;
    struct model_device_plan plan; /* struct_size 0: none */
    uint32_t n_slots;
    struct worker_slot *slots[WORKER_MAX_PROCESSES];

    uv_mutex_t mutex; /* guards what follows */
    bool has_mutex;
    uint32_t n_instances[WORKER_MAX_PROCESSES]; /* of each slot */
    uint32_t n_created;
};

/* Others start when the first one has sent what it prepared, and have it in memory with it. */
static void wait_for_prepared(const struct worker_model *model, int64_t patience_ns,
                              const uint32_t *cancelled)
{
    prepared_share_wait(model->config.prepared, clock_now_ns() + patience_ns, cancelled);
}

static void destroy(struct model *self)
{
    struct worker_model *model = (struct worker_model *)self;
    wait_for_prepared(model, PREPARED_LAST_NS, NULL);
    for (uint32_t i = 0; i < model->n_slots; i++)
        worker_slot_say_goodbye(model->slots[i]);
    const int64_t until_ns = clock_now_ns() + WORKER_GOODBYE_NS;
    for (uint32_t i = 0; i < model->n_slots; i++)
        worker_slot_destroy(model->slots[i], until_ns);
    free(model->description);
    free(model->config.command);
    free(model->config.package_dir);
    free(model->config.model_name);
    free(model->config.backend);
    free(model->config.plugin_path);
    free(model->plugin);
    if (model->has_mutex)
        uv_mutex_destroy(&model->mutex);
    free(model);
}

static void end_instance(void *context, struct worker_slot *slot)
{
    struct worker_model *model = context;
    uv_mutex_lock(&model->mutex);
    for (uint32_t i = 0; i < model->n_slots; i++)
        model->n_instances[i] -= model->slots[i] == slot;
    uv_mutex_unlock(&model->mutex);
}

/* Under the mutex: the process that has the fewest instances, of those that can be had if there are any. */
static uint32_t emptiest(const struct worker_model *model)
{
    uint32_t best = 0;
    bool best_is_had = worker_slot_check(model->slots[0], NULL) == MODEL_OK;
    for (uint32_t i = 1; i < model->n_slots; i++) {
        const bool is_had = worker_slot_check(model->slots[i], NULL) == MODEL_OK;
        if (is_had != best_is_had ? is_had : model->n_instances[i] < model->n_instances[best]) {
            best = i;
            best_is_had = is_had;
        }
    }
    return best;
}

/* Where an instance shall live; it stays where it was if that process can be had. */
static struct worker_slot *settle(void *context, struct worker_slot *from)
{
    struct worker_model *model = context;
    if (from != NULL && (model->n_slots == 1 || worker_slot_check(from, NULL) == MODEL_OK))
        return from;
    uv_mutex_lock(&model->mutex);
    const uint32_t best = emptiest(model);
    for (uint32_t i = 0; i < model->n_slots; i++)
        model->n_instances[i] -= model->slots[i] == from;
    model->n_instances[best]++;
    uv_mutex_unlock(&model->mutex);
    return model->slots[best];
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    struct worker_model *model = (struct worker_model *)(uintptr_t)self;
    const uint32_t id = __atomic_add_fetch(&model->n_created, 1, __ATOMIC_RELAXED);
    const struct worker_instance_options options = {
        .description = model->description,
        .id = id,
        .cancelled = id == 1 ? model->config.cancelled : NULL,
        .kill_grace_ns = model->config.kill_grace_ns,
        .counters =
            model->config.metrics != NULL ? metrics_plugin_counters(model->config.metrics) : NULL,
        .can_spin = model->can_spin,
        .settle = settle,
        .ended = end_instance,
        .context = model,
    };
    return worker_instance_create(&options, ret, err);
}

static model_status fill_in(struct worker_model *model, const struct worker_model_options *options,
                            struct model_error *err)
{
    struct worker_config *config = &model->config;
    config->lanes = options->lanes;
    config->threads = options->threads;
    config->kill_grace_ns = options->kill_grace_ns;
    config->memory_bytes = options->memory_bytes;
    config->loading = options->loading;
    config->verification = options->verification;
    config->memory_budget_bytes = options->memory_budget_bytes;
    config->dtype = options->dtype;
    config->prepared = options->prepared;
    config->compiled = options->compiled;
    config->parts = options->parts;
    config->contents = options->contents;
    config->load_ns = options->load_ns;
    config->plugin = model->plugin = text_format("%s", options->plugin);
    config->log = options->log;
    config->metrics = options->metrics;
    config->guard = options->guard;
    config->cancelled = options->cancelled;
    config->command = text_format("%s", options->command);
    config->package_dir = text_format("%s", options->package_dir);
    config->model_name =
        options->model_name != NULL ? text_format("%s", options->model_name) : NULL;
    config->backend = options->backend != NULL ? text_format("%s", options->backend) : NULL;
    config->plugin_path =
        options->plugin_path != NULL ? text_format("%s", options->plugin_path) : NULL;
    model->can_spin = options->can_spin;
    model->has_mutex = uv_mutex_init(&model->mutex) == 0;
    return config->command != NULL && config->package_dir != NULL && model->plugin != NULL &&
                   (config->backend != NULL) == (options->backend != NULL) && model->has_mutex
               ? MODEL_OK
               : error_no_memory(err, "a model");
}

/* The first process says what the model is, and the others must say the same. */
static model_status start_processes(struct worker_model *model, uint32_t n, struct model_error *err)
{
    model_status status = worker_slot_create(&model->config, NULL, &model->slots[0], err);
    if (status != MODEL_OK)
        return status;
    model->n_slots = 1;
    const struct buffer *description = worker_slot_description(model->slots[0]);
    status = worker_description_read(description->data, description->size, &model->description,
                                     &model->plan, err);
    if (status == MODEL_OK && n > 1)
        wait_for_prepared(model, worker_slot_load_ns(model->slots[0]), model->config.cancelled);
    while (status == MODEL_OK && model->n_slots < n) {
        status =
            worker_slot_create(&model->config, description, &model->slots[model->n_slots], err);
        model->n_slots += status == MODEL_OK;
    }
    return status;
}

static const void *get_extension(const struct model *self, const char *id)
{
    const struct worker_model *model = (const struct worker_model *)self;
    return strcmp(id, MODEL_DEVICE_PLAN) == 0 && model->plan.struct_size > 0 ? &model->plan : NULL;
}

model_status worker_model_create(const struct worker_model_options *options, struct model **ret,
                                 struct model_error *err)
{
    const uint32_t n = options->n_processes > 0 ? options->n_processes : 1;
    if (n > WORKER_MAX_PROCESSES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%u worker processes, want at most %d", n,
                         WORKER_MAX_PROCESSES);
    if (options->command == NULL)
        return error_set(err, MODEL_NOT_FOUND,
                         "workers are run by the modelhost command, which is not beside this "
                         "library or program; set worker_path to it");
    struct worker_model *model = calloc(1, sizeof *model);
    if (model == NULL)
        return error_no_memory(err, "a model");
    model_status status = fill_in(model, options, err);
    if (status == MODEL_OK)
        status = start_processes(model, n, err);
    if (status != MODEL_OK) {
        destroy(&model->base);
        return status;
    }
    model->base = (struct model){.struct_size = sizeof model->base,
                                 .description = model->description,
                                 .create_instance = create_instance,
                                 .get_extension = get_extension,
                                 .destroy = destroy};
    *ret = &model->base;
    return MODEL_OK;
}

model_status worker_model_check(const struct model *self, struct model_error *err)
{
    const struct worker_model *model = (const struct worker_model *)self;
    model_status status = worker_slot_check(model->slots[0], err);
    for (uint32_t i = 1; i < model->n_slots && status != MODEL_OK; i++)
        if (worker_slot_check(model->slots[i], NULL) == MODEL_OK)
            status = MODEL_OK;
    return status;
}

uint32_t worker_model_ends(const struct model *self)
{
    const struct worker_model *model = (const struct worker_model *)self;
    uint32_t most = 0;
    for (uint32_t i = 0; i < model->n_slots; i++) {
        const uint32_t n = worker_slot_ends(model->slots[i]);
        most = n > most ? n : most;
    }
    return most;
}

uint32_t worker_model_pids(const struct model *self, int64_t ret[WORKER_MAX_PROCESSES])
{
    const struct worker_model *model = (const struct worker_model *)self;
    uint32_t n = 0;
    for (uint32_t i = 0; i < model->n_slots; i++) {
        ret[n] = worker_slot_pid(model->slots[i]);
        n += ret[n] > 0;
    }
    return n;
}
