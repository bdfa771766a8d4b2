/* api_host.c - the public functions that make hosts and open models; see include/modelhost.h. */
#include "backend_order.h"
#include "batch_policy.h"
#include "buffer.h"
#include "clock.h"
#include "cpu_budget.h"
#include "environment.h"
#include "errors.h"
#include "host.h"
#include "loaded_model.h"
#include "model_describing.h"
#include "model_load.h"
#include "model_route.h"
#include "package_locate.h"
#include "result_cache.h"
#include "services.h"
#include "worker_model.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX_QUEUE 1024
#define MAX_LANES         1024
#define DEFAULT_GRACE_MS  100
#define MAX_GRACE_MS      (24 * 3600 * 1000)
#define MAX_KILL_GRACE_MS 3600000
#define MAX_DELAY_US      60000000
#define MAX_LOAD_MS       (24 * 3600 * 1000)
#define DESTROY_NS        (10 * NS_PER_S) /* for all models that are being freed */

/* A copy of the option, or the environment's default. */
static model_status take_path(const char *option,
                              model_status (*fallback)(char **ret, struct model_error *err),
                              char **ret, struct model_error *err)
{
    if (option == NULL)
        return fallback(ret, err);
    *ret = text_format("%s", option);
    return *ret != NULL ? MODEL_OK : error_no_memory(err, "a path");
}

static model_status share_out_threads(struct modelhost *host, uint32_t lanes, uint32_t threads,
                                      struct model_error *err)
{
    const uint32_t cpus = host->cpus = cpu_budget();
    host->lanes = lanes > 0 ? lanes : 1;
    host->threads = threads > 0 ? threads : cpus / host->lanes;
    if (host->threads == 0 && threads == 0)
        host->threads = 1;
    if (host->lanes > MAX_LANES || (uint64_t)host->lanes * host->threads > cpus)
        return error_set(
            err, MODEL_INVALID_ARGUMENT,
            "%u lanes of %u threads are more than the %u CPUs that this process may use",
            host->lanes, host->threads, cpus);
    return MODEL_OK;
}

/* A plugin that does not come back from destroy() keeps its thread, and what that may use. */
static void free_host(struct modelhost *host)
{
    model_cache_close(host->cache);
    if (host->has_background)
        background_finish(&host->background);
    model_cache_drop(host->cache);
    if (host->reaper != NULL && !reaper_stop(host->reaper, clock_now_ns() + DESTROY_NS))
        return;
    result_cache_destroy(host->results);
    reaper_drop(host->reaper);
    host_metrics_finish(&host->metrics);
    free(host->store_dir);
    free(host->plugin_path);
    free(host->worker_path);
    free(host);
}

static model_status start_scheduler(struct modelhost *host, const struct modelhost_options *options,
                                    struct model_error *err)
{
    int64_t grace_ms = 0;
    if (MODEL_HAS(struct modelhost_options, options, abandon_grace_ms))
        grace_ms = options->abandon_grace_ms;
    if (grace_ms < 0 || grace_ms > MAX_GRACE_MS)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "abandon_grace_ms is %lld, want 0 (100) to %d", (long long)grace_ms,
                         MAX_GRACE_MS);
    struct scheduler_options wanted = {
        .n_lanes = host->lanes,
        .threads = host->threads,
        .n_cpus = host->cpus,
        .max_queue = options->max_queue > 0 ? options->max_queue : DEFAULT_MAX_QUEUE,
        .abandon_grace_ns = (grace_ms > 0 ? grace_ms : DEFAULT_GRACE_MS) * NS_PER_MS,
        .log = reaper_log(host->reaper),
    };
    if (MODEL_HAS(struct modelhost_options, options, pin_threads))
        wanted.pins_threads = options->pin_threads != 0;
    if (wanted.pins_threads && !parallel_cpus_get(&wanted.cpus))
        return error_set(err, MODEL_UNSUPPORTED,
                         "pin_threads: this system does not say which processors a thread may run "
                         "on; leave it out");
    return scheduler_create(&wanted, &host->scheduler, err);
}

static model_status make_result_cache(struct modelhost *host,
                                      const struct modelhost_options *options,
                                      struct model_error *err)
{
    if (!MODEL_HAS(struct modelhost_options, options, redis_url) ||
        options->result_cache_bytes == 0)
        return MODEL_OK;
    const char *redis_url =
        options->redis_url != NULL ? options->redis_url : environment_value("MODELHOST_REDIS_URL");
    return result_cache_create(options->result_cache_bytes, redis_url, reaper_log(host->reaper),
                               &host->results, err);
}

model_status host_create(const struct modelhost_options *options, int64_t (*now_ns)(void),
                         struct modelhost **ret_host, struct model_error *err)
{
    static const struct modelhost_options defaults = MODELHOST_OPTIONS_INIT;
    if (options == NULL)
        options = &defaults;
    if (!MODEL_HAS(struct modelhost_options, options, log_context))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "modelhost_options: struct_size is %zu, want at least %zu; start from "
                         "MODELHOST_OPTIONS_INIT",
                         options->struct_size, sizeof *options);
    const int32_t policy = MODEL_HAS(struct modelhost_options, options, load_policy)
                               ? options->load_policy
                               : MODELHOST_LOAD_ANY;
    if (policy != MODELHOST_LOAD_ANY && policy != MODELHOST_LOAD_CONFORMANT)
        return error_set(err, MODEL_INVALID_ARGUMENT, "load_policy %d is not known, want %d or %d",
                         policy, MODELHOST_LOAD_ANY, MODELHOST_LOAD_CONFORMANT);
    struct modelhost *host = calloc(1, sizeof *host);
    if (host == NULL)
        return error_no_memory(err, "a host");
    host->load_policy = policy;
    if (MODEL_HAS(struct modelhost_options, options, prepared_max_bytes))
        host->prepared_max_bytes = options->prepared_max_bytes;
    if (MODEL_HAS(struct modelhost_options, options, compiled_max_bytes))
        host->compiled_max_bytes = options->compiled_max_bytes;
    host->now_ns = now_ns;
    host->has_core_ml = BACKEND_ORDER_CORE_ML;
    const struct log_sink log = {.level = options->log_level,
                                 .write = options->log,
                                 .context = options->log_context,
                                 .record = MODEL_HAS(struct modelhost_options, options, log_record)
                                               ? options->log_record
                                               : NULL};
    model_status status =
        take_path(options->store_dir, environment_store_dir, &host->store_dir, err);
    if (status == MODEL_OK)
        status = take_path(options->plugin_path, environment_plugin_path, &host->plugin_path, err);
    const char *worker_path =
        MODEL_HAS(struct modelhost_options, options, worker_path) ? options->worker_path : NULL;
    if (status == MODEL_OK)
        status = take_path(worker_path, environment_worker_path, &host->worker_path, err);
    if (status == MODEL_OK)
        status = share_out_threads(host, options->lanes, options->threads, err);
    if (status == MODEL_OK)
        status = host_metrics_init(&host->metrics, err);
    if (status == MODEL_OK)
        status = reaper_create(&log, &host->reaper, err);
    if (status == MODEL_OK)
        status = background_init(&host->background, err);
    host->has_background = status == MODEL_OK;
    if (status == MODEL_OK)
        status = model_load_create_cache(host, options, err);
    if (status == MODEL_OK)
        status = make_result_cache(host, options, err);
    if (status == MODEL_OK)
        status = start_scheduler(host, options, err);
    if (status != MODEL_OK) {
        free_host(host);
        return status;
    }
    status = host_metrics_start(host, options, err);
    if (status != MODEL_OK)
        modelhost_destroy(host);
    else
        *ret_host = host;
    return status;
}

model_status modelhost_create(const struct modelhost_options *options, struct modelhost **ret_host,
                              struct model_error *err)
{
    return host_create(options, clock_now_ns, ret_host, err);
}

int32_t modelhost_ready(struct modelhost *host, struct model_error *err)
{
    return scheduler_is_ready(host->scheduler, err);
}

int32_t modelhost_model_ready(struct modelhost_model *model, struct model_error *err)
{
    return model_route_is_ready(model, err);
}

void modelhost_destroy(struct modelhost *host)
{
    if (host == NULL)
        return;
    host_metrics_stop(host);
    model_cache_close(host->cache);
    background_stop(&host->background);
    if (scheduler_destroy(host->scheduler) == 0)
        free_host(host);
    services_release_scratch(); /* of direct calls on this thread */
}

/* The folder of a package by name or path. */
static model_status find_package(const struct modelhost *host, const char *name, char **ret,
                                 struct model_error *err)
{
    struct store *store = NULL;
    struct package_place place = {0};
    model_status status = store_open(host->store_dir, 0, &store, err);
    if (status == MODEL_OK || status == MODEL_NOT_FOUND)
        status = package_locate(store, name, &place, err);
    store_close(store);
    if (status == MODEL_OK)
        *ret = place.dir;
    return status;
}

static model_status check_accuracy(const struct modelhost_load_options *options,
                                   struct model_error *err)
{
    if (MODEL_HAS(struct modelhost_load_options, options, dtype) &&
        (options->dtype < MODELHOST_F32 || options->dtype > MODELHOST_AUTO))
        return error_set(err, MODEL_UNSUPPORTED,
                         "dtype %d is not known, want %d (f32) to %d (auto)", options->dtype,
                         MODELHOST_F32, MODELHOST_AUTO);
    if (!MODEL_HAS(struct modelhost_load_options, options, max_cosine_loss))
        return MODEL_OK;
    if (options->accuracy_policy < MODELHOST_ACCURACY_MEASURED ||
        options->accuracy_policy > MODELHOST_ACCURACY_REQUIRED)
        return error_set(err, MODEL_UNSUPPORTED,
                         "accuracy_policy %d is not known, want %d (measured) to %d (required)",
                         options->accuracy_policy, MODELHOST_ACCURACY_MEASURED,
                         MODELHOST_ACCURACY_REQUIRED);
    if (!(options->max_cosine_loss >= 0 && options->max_cosine_loss <= 2))
        return error_set(err, MODEL_INVALID_ARGUMENT, "max_cosine_loss is %g, want 0 to 2",
                         options->max_cosine_loss);
    if (MODEL_HAS(struct modelhost_load_options, options, min_top1_agreement) &&
        !(options->min_top1_agreement >= 0 && options->min_top1_agreement <= 1))
        return error_set(err, MODEL_INVALID_ARGUMENT, "min_top1_agreement is %g, want 0 to 1",
                         options->min_top1_agreement);
    return MODEL_OK;
}

static model_status check_load_options(const struct modelhost_load_options *options,
                                       struct model_error *err)
{
    if (!MODEL_HAS(struct modelhost_load_options, options, reserved))
        return error_set(
            err, MODEL_INVALID_ARGUMENT,
            "modelhost_load_options: struct_size is %zu, want at least %zu; start from "
            "MODELHOST_LOAD_OPTIONS_INIT",
            options->struct_size, sizeof *options);
    if (options->isolation != MODELHOST_INPROC && options->isolation != MODELHOST_WORKER)
        return error_set(err, MODEL_UNSUPPORTED,
                         "isolation %d is not known, want %d (inproc) or %d (worker)",
                         options->isolation, MODELHOST_INPROC, MODELHOST_WORKER);
    if (options->kill_grace_ms < 0 || options->kill_grace_ms > MAX_KILL_GRACE_MS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "kill_grace_ms is %lld, want 0 to %d",
                         (long long)options->kill_grace_ms, MAX_KILL_GRACE_MS);
    if (MODEL_HAS(struct modelhost_load_options, options, name) && options->name != NULL &&
        model_names_check(options->name, err) != MODEL_OK)
        return MODEL_INVALID_ARGUMENT;
    if (!MODEL_HAS(struct modelhost_load_options, options, max_batch_tokens))
        return MODEL_OK;
    if (options->max_batch > BATCH_MAX_ITEMS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "max_batch is %u, want 0 to %d",
                         options->max_batch, BATCH_MAX_ITEMS);
    if (options->max_delay_us > MAX_DELAY_US)
        return error_set(err, MODEL_INVALID_ARGUMENT, "max_delay_us is %u, want 0 to %d",
                         options->max_delay_us, MAX_DELAY_US);
    if (!MODEL_HAS(struct modelhost_load_options, options, load_timeout_ms))
        return MODEL_OK;
    if (options->load_timeout_ms < 0 || options->load_timeout_ms > MAX_LOAD_MS)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "load_timeout_ms is %lld, want 0 (300000) to %d",
                         (long long)options->load_timeout_ms, MAX_LOAD_MS);
    if (!MODEL_HAS(struct modelhost_load_options, options, memory_budget_bytes))
        return MODEL_OK;
    if (options->loading < MODELHOST_MAPPED || options->loading > MODELHOST_LAZY)
        return error_set(err, MODEL_UNSUPPORTED,
                         "loading %d is not known, want %d (mapped) to %d (lazy)", options->loading,
                         MODELHOST_MAPPED, MODELHOST_LAZY);
    if (options->verification < MODELHOST_CHECKSUM || options->verification > MODELHOST_PARANOID)
        return error_set(err, MODEL_UNSUPPORTED,
                         "verification %d is not known, want %d (checksum) to %d (paranoid)",
                         options->verification, MODELHOST_CHECKSUM, MODELHOST_PARANOID);
    return check_accuracy(options, err);
}

model_status modelhost_load_with(struct modelhost *host, const char *name_or_folder,
                                 const struct modelhost_load_options *options,
                                 struct modelhost_model **ret_model, struct model_error *err)
{
    static const struct modelhost_load_options defaults = MODELHOST_LOAD_OPTIONS_INIT;
    options = options != NULL ? options : &defaults;
    model_status status = check_load_options(options, err);
    if (status != MODEL_OK)
        return status;
    if (name_or_folder == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the model's name is NULL; give a name in the store or a folder");
    char *dir = NULL;
    struct model_error own =
        MODEL_ERROR_INIT; /* plugins write to it; the caller's may be shorter */
    status = find_package(host, name_or_folder, &dir, &own);
    if (status != MODEL_OK)
        host_metrics_load_failed(host);
    if (status == MODEL_OK)
        status = model_load(host, dir, options, ret_model, &own);
    if (status != MODEL_OK)
        (void)error_set(err, status, "%s", own.message);
    free(dir);
    return status;
}

model_status modelhost_load(struct modelhost *host, const char *name_or_folder,
                            struct modelhost_model **ret_model, struct model_error *err)
{
    return modelhost_load_with(host, name_or_folder, NULL, ret_model, err);
}

void modelhost_release(struct modelhost_model *model)
{
    loaded_model_drop(model);
}

const struct model_description *modelhost_description(const struct modelhost_model *model)
{
    return model->model->description;
}

const char *modelhost_describe(const struct modelhost_model *model)
{
    return model_describing_text((struct modelhost_model *)(uintptr_t)model);
}
