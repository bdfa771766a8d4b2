/* services.c - see services.h. The functions behind the table; their threads are those that
 * model_abi.h states. Scratch is one block per thread: a lane runs one call at a time. */
#include "services.h"
#include "buffer.h"
#include "clock.h"
#include "errors.h"
#include "parallel.h"
#include "plugin_counters.h"
#include "weight_loading.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAMES       3 /* of unused weights in the log */
#define MAX_NAMES_BYTES 1024

/* The smallest struct model_value there is; what was appended later is written only where it fits. */
#define MODEL_VALUE_1_0_BYTES 32

/* Freed with its thread, which may be the application's (a direct call). */
static _Thread_local struct {
    void *data;
    size_t size_bytes;
} scratch_block;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static pthread_key_t scratch_key;
static int has_scratch_key;

static void make_scratch_key(void)
{
    has_scratch_key = pthread_key_create(&scratch_key, free) == 0;
}

static void *service_allocate(void *context, size_t size_bytes)
{
    (void)context;
    return packed_blobs_allocate(size_bytes);
}

static void service_release(void *context, void *memory)
{
    (void)context;
    free(memory);
}

static void service_log(void *context, int32_t level, const char *message)
{
    const struct services *services = context;
    struct log_subject subject = log_subject_now();
    subject.model = services->model_name;
    subject = log_set_subject(subject);
    log_write(services->log, level, "%s",
              message != NULL ? message : "the plugin logs NULL instead of a line");
    (void)log_set_subject(subject);
}

static void service_count(void *context, const char *name, uint64_t delta)
{
    const struct services *services = context;
    if (services->counters != NULL)
        plugin_counters_add(services->counters, name, delta);
}

static int64_t service_now_ns(void *context)
{
    (void)context;
    return clock_now_ns();
}

static void service_parallel_for(void *context, size_t n_items,
                                 void (*body)(void *argument, size_t index), void *argument)
{
    const struct services *services = context;
    parallel_run(services->threads, n_items, body, argument);
}

static model_status service_config_value(void *context, const char *path, struct model_value *ret)
{
    const struct services *services = context;
    const json_node *node = json_path(services->config, path);
    if (node == NULL || ret->struct_size < MODEL_VALUE_1_0_BYTES)
        return node == NULL ? MODEL_NOT_FOUND : MODEL_INVALID_ARGUMENT;
    ret->kind = MODEL_VALUE_NULL;
    ret->length = 0;
    ret->number = 0;
    ret->string = NULL;
    if (json_is_bool(node)) {
        ret->kind = MODEL_VALUE_BOOL;
        ret->number = json_bool_or(node, false) ? 1 : 0;
    } else if (json_is_number(node)) {
        ret->kind = MODEL_VALUE_NUMBER;
        ret->number = json_number_or(node, 0);
    } else if (json_is_string(node)) {
        ret->kind = MODEL_VALUE_STRING;
        ret->string = json_string_or(node, "");
    } else if (json_is_array(node) || json_is_object(node)) {
        ret->kind = json_is_array(node) ? MODEL_VALUE_ARRAY : MODEL_VALUE_OBJECT;
        ret->length = (uint32_t)json_count(node);
    }
    return MODEL_OK;
}

/* ret may be of another version; what is told is what the first one had. */
static model_status tell_loading(const struct services *services, const struct model_tensor *ret)
{
    const struct model_tensor view = {
        .struct_size = sizeof view, .data = ret->data, .size_bytes = ret->size_bytes};
    return services->loading != NULL ? weight_loading_use(services->loading, &view) : MODEL_OK;
}

static model_status service_tensor_by_name(void *context, const char *name,
                                           struct model_tensor *ret)
{
    const struct services *services = context;
    if (services->weights == NULL)
        return MODEL_NOT_FOUND;
    const model_status status = weights_find(services->weights, name, ret);
    if (status == MODEL_OK)
        atomic_store_explicit(&services->asked[weights_index(services->weights, name)], 1,
                              memory_order_relaxed);
    return status == MODEL_OK ? tell_loading(services, ret) : status;
}

static size_t service_tensor_count(void *context)
{
    const struct services *services = context;
    return services->weights != NULL ? weights_count(services->weights) : 0;
}

static model_status service_tensor_at(void *context, size_t index, struct model_tensor *ret)
{
    const struct services *services = context;
    if (index >= service_tensor_count(context))
        return MODEL_NOT_FOUND;
    if (!MODEL_HAS(struct model_tensor, ret, reserved))
        return MODEL_INVALID_ARGUMENT; /* below the layout of 1.0 */
    weights_at(services->weights, index, ret);
    atomic_store_explicit(&services->asked[index], 1, memory_order_relaxed);
    return MODEL_OK; /* a list; who reads the data asks by name */
}

static void service_discard_tensor(void *context, const struct model_tensor *tensor)
{
    const struct services *services = context;
    if (services->weights != NULL)
        weights_discard(services->weights, tensor);
}

static model_status service_packed_blob(void *context, const char *key, size_t size_bytes,
                                        model_status (*fill)(void *argument, void *destination),
                                        void *argument, const void **ret_data)
{
    struct services *services = context;
    return packed_blobs_get(&services->packed, key, size_bytes, fill, argument, ret_data);
}

static void *service_scratch(void *context, size_t size_bytes)
{
    (void)context;
    if (size_bytes <= scratch_block.size_bytes)
        return scratch_block.data;
    void *data = packed_blobs_allocate(size_bytes);
    if (data == NULL)
        return NULL;
    services_release_scratch();
    (void)pthread_once(&scratch_once, make_scratch_key);
    if (has_scratch_key)
        (void)pthread_setspecific(scratch_key, data);
    scratch_block.data = data;
    scratch_block.size_bytes = size_bytes;
    return data;
}

static const void *service_get_extension(void *context, const char *id)
{
    const struct services *services = context;
    if (id == NULL)
        return NULL;
    if (services->files.table.struct_size > 0 && strcmp(id, MODEL_BACKEND_FILES) == 0)
        return &services->files.table;
    return services->compiled.folder != NULL && strcmp(id, MODEL_COMPILED_MODELS) == 0
               ? &services->compiled
               : NULL;
}

model_status services_init(struct services *services, const struct log_sink *log,
                           const char *model_name, const json_node *config,
                           const struct weights *weights, uint32_t threads, struct model_error *err)
{
    *services =
        (struct services){.log = log, .config = config, .weights = weights, .threads = threads};
    services->model_name = text_format("%s", model_name);
    if (weights != NULL)
        services->asked = calloc(weights_count(weights) + 1, sizeof *services->asked);
    if (services->model_name == NULL || (weights != NULL && services->asked == NULL)) {
        free((void *)services->asked);
        free(services->model_name);
        services->model_name = NULL;
        return error_no_memory(err, "a model's services");
    }
    services->table = (struct model_services){
        .struct_size = sizeof services->table,
        .context = services,
        .allocate = service_allocate,
        .release = service_release,
        .log = service_log,
        .count = service_count,
        .now_ns = service_now_ns,
        .parallel_for = service_parallel_for,
        .config_value = service_config_value,
        .tensor_by_name = service_tensor_by_name,
        .tensor_count = service_tensor_count,
        .tensor_at = service_tensor_at,
        .discard_tensor = service_discard_tensor,
        .packed_blob = service_packed_blob,
        .scratch = service_scratch,
        .get_extension = service_get_extension,
    };
    return MODEL_OK;
}

void services_finish(struct services *services)
{
    if (services->model_name == NULL)
        return;
    packed_blobs_finish(&services->packed);
    mapped_files_finish(&services->files);
    free((void *)(uintptr_t)services->compiled.folder);
    services->compiled.folder = NULL;
    free((void *)services->asked);
    free(services->model_name);
    services->asked = NULL;
    services->model_name = NULL;
}

model_status services_offer_compiled(struct services *services, const char *folder,
                                     uint64_t max_bytes, struct model_error *err)
{
    const char *copy = text_format("%s", folder);
    if (copy == NULL)
        return error_no_memory(err, "a model's services");
    services->compiled = (struct model_compiled_models){sizeof services->compiled, copy, max_bytes};
    return MODEL_OK;
}

void services_log_unused(const struct services *services)
{
    const size_t n = services->weights != NULL ? weights_count(services->weights) : 0;
    struct buffer names = BUFFER_INIT(MAX_NAMES_BYTES);
    size_t n_unused = 0;
    for (size_t i = 0; i < n; i++) {
        struct model_tensor weight = {.struct_size = sizeof weight};
        if (atomic_load_explicit(&services->asked[i], memory_order_relaxed) != 0)
            continue;
        weights_at(services->weights, i, &weight);
        if (n_unused++ < MAX_NAMES)
            (void)buffer_printf(&names, "%s%.200s", n_unused > 1 ? ", " : "", weight.name);
    }
    const struct log_subject before =
        log_set_subject((struct log_subject){services->model_name, 0});
    if (n_unused > 0)
        log_write(services->log, MODEL_LOG_INFO,
                  "%zu of %zu weights are not used: %s%s; perhaps config.json does not fit them",
                  n_unused, n, names.data != NULL ? names.data : "",
                  n_unused > MAX_NAMES ? ", ..." : "");
    (void)log_set_subject(before);
    buffer_finish(&names);
}

uint64_t services_packed_bytes(const struct services *services)
{
    return services->packed.size_bytes;
}

void services_release_scratch(void)
{
    if (scratch_block.data != NULL && has_scratch_key)
        (void)pthread_setspecific(scratch_key, NULL);
    free(scratch_block.data);
    scratch_block.data = NULL;
    scratch_block.size_bytes = 0;
}
