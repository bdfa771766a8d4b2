/* plugin_harness.c - see plugin_harness.h. */
#include "plugin_harness.h"

#include "dtype.h"
#include "errors.h"
#include "files.h"
#include "parallel.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GUARD_BYTES 64

#ifdef __SANITIZE_ADDRESS__
/* The leak checker stumbles over thread-local memory of libraries that came by dlopen (oneDNN's
 * libstdc++), so it does not look there, and then misses who holds the settings of OpenMP. What
 * plugins hold the harness counts by itself. */
MODEL_EXPORT const char *__lsan_default_options(void);
MODEL_EXPORT const char *__lsan_default_suppressions(void);

const char *__lsan_default_options(void)
{
    return "use_tls=0:print_suppressions=0";
}

const char *__lsan_default_suppressions(void)
{
    return "leak:libgomp";
}
#endif

#define MAX_THREADS 8

static char *join(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *join(const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return strdup(text);
}

/* ---- services */

static void *serve_allocate(void *context, size_t size_bytes)
{
    struct harness *h = context;
    if (++h->n_allocated == h->fail_at)
        return NULL;
    void *memory = aligned_alloc(64, (size_bytes + 63) / 64 * 64 + 64);
    memset(memory, 0xA5, size_bytes);
    h->held++;
    return memory;
}

static void serve_release(void *context, void *memory)
{
    struct harness *h = context;
    if (memory == NULL)
        return;
    h->held--;
    free(memory);
}

static void serve_log(void *context, int32_t level, const char *message)
{
    (void)context;
    (void)level;
    (void)message;
}

static void serve_count(void *context, const char *name, uint64_t delta)
{
    (void)context;
    (void)name;
    (void)delta;
}

static int64_t serve_now_ns(void *context)
{
    (void)context;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct parallel {
    void (*body)(void *argument, size_t index);
    void *argument;
    size_t n_items, first, step;
};

static void *parallel_thread(void *argument)
{
    const struct parallel *p = argument;
    for (size_t i = p->first; i < p->n_items; i += p->step)
        p->body(p->argument, i);
    return NULL;
}

static void serve_parallel_for(void *context, size_t n_items, void (*body)(void *, size_t),
                               void *argument)
{
    const struct harness *h = context;
    pthread_t threads[MAX_THREADS];
    struct parallel parts[MAX_THREADS];
    size_t n = h->args.threads < MAX_THREADS ? h->args.threads : MAX_THREADS;
    for (size_t i = 1; i < n; i++) {
        parts[i] = (struct parallel){body, argument, n_items, i, n};
        assert_int_equal(pthread_create(&threads[i], NULL, parallel_thread, &parts[i]), 0);
    }
    parts[0] = (struct parallel){body, argument, n_items, 0, n};
    (void)parallel_thread(&parts[0]);
    for (size_t i = 1; i < n; i++)
        (void)pthread_join(threads[i], NULL);
}

static model_status serve_config_value(void *context, const char *path, struct model_value *ret)
{
    const struct harness *h = context;
    const json_node *node = json_path(h->config, path);
    if (node == NULL)
        return MODEL_NOT_FOUND;
    *ret = (struct model_value){.struct_size = sizeof *ret, .kind = MODEL_VALUE_NULL};
    if (json_is_bool(node)) {
        ret->kind = MODEL_VALUE_BOOL;
        ret->number = json_bool_or(node, false);
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

const struct model_tensor *harness_tensor(const struct harness *h, const char *name)
{
    for (size_t i = 0; i < h->n_tensors; i++)
        if (strcmp(h->tensors[i].name, name) == 0)
            return &h->tensors[i];
    return NULL;
}

static model_status serve_tensor_by_name(void *context, const char *name, struct model_tensor *ret)
{
    const struct model_tensor *tensor = harness_tensor(context, name);
    if (tensor == NULL)
        return MODEL_NOT_FOUND;
    *ret = *tensor;
    return MODEL_OK;
}

static size_t serve_tensor_count(void *context)
{
    return ((struct harness *)context)->n_tensors;
}

static model_status serve_tensor_at(void *context, size_t index, struct model_tensor *ret)
{
    *ret = ((struct harness *)context)->tensors[index];
    return MODEL_OK;
}

static void serve_discard_tensor(void *context, const struct model_tensor *tensor)
{
    struct harness *h = context;
    h->n_discarded++;
    if (h->map.data != NULL)
        file_map_discard(&h->map, tensor->data, tensor->size_bytes);
}

static model_status serve_packed_blob(void *context, const char *key, size_t size_bytes,
                                      model_status (*fill)(void *argument, void *destination),
                                      void *argument, const void **ret_data)
{
    struct harness *h = context;
    assert_true(strlen(key) > 0 && h->n_blobs < HARNESS_MAX_TENSORS);
    if (++h->n_allocated == h->fail_at)
        return MODEL_OUT_OF_MEMORY;
    void *blob = aligned_alloc(64, (size_bytes + 63) / 64 * 64);
    model_status status = fill(argument, blob);
    if (status != MODEL_OK) {
        free(blob);
        return status;
    }
    h->blob_sizes[h->n_blobs] = size_bytes;
    h->blobs[h->n_blobs++] = blob;
    h->blob_bytes += size_bytes;
    *ret_data = blob;
    return MODEL_OK;
}

static void *serve_scratch(void *context, size_t size_bytes)
{
    struct harness *h = context;
    if (++h->n_allocated == h->fail_at)
        return NULL;
    if (size_bytes > h->scratch_bytes) {
        free(h->scratch);
        h->scratch = aligned_alloc(64, (size_bytes + 63) / 64 * 64);
        h->scratch_bytes = size_bytes;
    }
    memset(h->scratch, 0xA5, size_bytes);
    return h->scratch;
}

static const void *serve_get_extension(void *context, const char *id)
{
    const struct harness *h = context;
    return h->compiled.folder != NULL && strcmp(id, MODEL_COMPILED_MODELS) == 0 ? &h->compiled
                                                                                : NULL;
}

/* ---- life */

struct harness *harness_create(const char *plugin, const char *config_json, uint32_t threads)
{
    struct harness *h = calloc(1, sizeof *h);
    h->services = (struct model_services){sizeof h->services,
                                          h,
                                          serve_allocate,
                                          serve_release,
                                          serve_log,
                                          serve_count,
                                          serve_now_ns,
                                          serve_parallel_for,
                                          serve_config_value,
                                          serve_tensor_by_name,
                                          serve_tensor_count,
                                          serve_tensor_at,
                                          serve_discard_tensor,
                                          serve_packed_blob,
                                          serve_scratch,
                                          serve_get_extension};
    h->args = (struct model_create_args){.struct_size = sizeof h->args,
                                         .package_dir = "/",
                                         .backend_dir = "/",
                                         .threads = threads,
                                         .lanes = 1};
    h->err.struct_size = sizeof h->err;
    parallel_adopt_thread(threads);
    harness_configure(h, config_json);
    if (plugin == NULL)
        return h;
    const char *build = getenv("BUILD");
    char *path = join("%s/lib/modelhost/plugins/lib%s.so", build != NULL ? build : "build", plugin);
    h->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (h->library == NULL)
        fail_msg("%s", dlerror());
    free(path);
    *(void **)&h->create_model = dlsym(h->library, "create_model");
    assert_non_null(h->create_model);
    return h;
}

void harness_configure(struct harness *h, const char *config_json)
{
    json_free(h->config);
    h->config = NULL;
    free(h->config_text);
    h->config_text = strdup(config_json);
    h->args.config_json = h->config_text;
    h->args.config_json_bytes = strlen(config_json);
    if (json_parse(config_json, strlen(config_json), "config.json", &h->config, &h->err) != 0)
        fail_msg("%s", h->err.message);
}

model_status harness_load(struct harness *h)
{
    model_status status = h->create_model(&h->services, &h->args, &h->model, &h->err);
    if (status == MODEL_OK)
        status = h->model->create_instance(h->model, &h->instance, &h->err);
    return status;
}

size_t harness_destroy(struct harness *h)
{
    if (h->instance != NULL)
        h->instance->destroy(h->instance);
    if (h->model != NULL)
        h->model->destroy(h->model);
    size_t held = h->held;
    for (size_t i = 0; i < h->n_tensors; i++) {
        free(h->owned[i]);
        free(h->names[i]);
    }
    for (size_t i = 0; i < h->n_blobs; i++)
        free(h->blobs[i]);
    free(h->scratch);
    json_free(h->config);
    free(h->config_text);
    if (h->map.data != NULL)
        file_map_close(&h->map);
    free(h); /* the library stays mapped, as the host keeps it */
    return held;
}

/* ---- tensors */

static struct model_tensor *add(struct harness *h, const char *name, int32_t dtype, uint32_t rank,
                                const int64_t *shape, void *data)
{
    assert_true(h->n_tensors < HARNESS_MAX_TENSORS);
    size_t i = h->n_tensors++;
    h->names[i] = strdup(name);
    tensor_init(&h->tensors[i], h->names[i], dtype, rank, shape, data);
    h->tensors[i].flags = MODEL_TENSOR_READ_ONLY;
    return &h->tensors[i];
}

void harness_add(struct harness *h, const char *name, int32_t dtype, uint32_t rank,
                 const int64_t *shape, const void *data)
{
    struct model_tensor *tensor = add(h, name, dtype, rank, shape, NULL);
    tensor->data = malloc(tensor->size_bytes > 0 ? tensor->size_bytes : 1);
    memcpy(tensor->data, data, tensor->size_bytes);
    h->owned[h->n_tensors - 1] = tensor->data;
}

void harness_open(struct harness *h, const char *path)
{
    uint64_t header_bytes;
    json_node *header = NULL;
    if (file_map_open(path, &h->map, &h->err) != MODEL_OK)
        fail_msg("%s", h->err.message);
    memcpy(&header_bytes, h->map.data, sizeof header_bytes);
    const uint8_t *data = h->map.data + 8 + header_bytes;
    if (json_parse((const char *)h->map.data + 8, header_bytes, path, &header, &h->err) != MODEL_OK)
        fail_msg("%s", h->err.message);
    for (const json_node *node = json_first(header); node != NULL; node = json_next(node)) {
        if (strcmp(json_key(node), "__metadata__") == 0)
            continue;
        int64_t shape[MODEL_MAX_RANK], begin = 0;
        uint32_t rank = 0;
        const json_node *item = json_first(json_member(node, "shape"));
        for (; item != NULL; item = json_next(item))
            assert_true(json_integer(item, 0, INT32_MAX, &shape[rank++]));
        assert_true(json_integer(json_path(node, "data_offsets[0]"), 0, INT64_MAX, &begin));
        int32_t dtype = dtype_from_name(json_string_or(json_member(node, "dtype"), ""));
        (void)add(h, json_key(node), dtype, rank, shape, (void *)(uintptr_t)(data + begin));
    }
    json_free(header);
}

/* ---- runs */

static model_status allocate_output(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                                    const int64_t *shape, struct model_error *err)
{
    struct harness_outputs *outputs = context;
    struct model_tensor *tensor = &outputs->tensors[index];
    (void)err;
    assert_true(index < outputs->n && tensor->data == NULL);
    tensor_init(tensor, tensor->name, dtype, rank, shape, NULL);
    tensor->data = malloc(tensor->size_bytes + GUARD_BYTES);
    memset(tensor->data, 0xA5, tensor->size_bytes + GUARD_BYTES);
    return MODEL_OK;
}

model_status harness_run(struct harness *h, const struct harness_inputs *inputs,
                         const char *const *names, struct harness_outputs *ret)
{
    const struct {
        const char *name;
        const int64_t *data;
    } list[] = {{"input_ids", inputs->input_ids},
                {"attention_mask", inputs->attention_mask},
                {"token_type_ids", inputs->token_type_ids},
                {"position_ids", inputs->position_ids}};
    const int64_t shape[] = {inputs->batch, inputs->sequence};
    struct model_tensor in[4];
    const struct model_tensor *in_list[4];
    struct model_tensor *out_list[HARNESS_MAX_OUTPUTS];
    struct model_cancel cancel = {sizeof cancel, &h->cancelled, INT64_MAX};
    struct model_call call = {.struct_size = sizeof call,
                              .inputs = in_list,
                              .outputs = out_list,
                              .allocate_output = allocate_output,
                              .context = ret,
                              .cancel = &cancel,
                              .slots = h->slots,
                              .n_slots = h->slots != NULL ? (uint32_t)inputs->batch : 0};
    for (size_t i = 0; i < 4; i++) {
        if (list[i].data == NULL)
            continue;
        tensor_init(&in[i], list[i].name, MODEL_I64, 2, shape, (void *)(uintptr_t)list[i].data);
        in_list[call.n_inputs++] = &in[i];
    }
    memset(ret, 0, sizeof *ret);
    for (; names[ret->n] != NULL; ret->n++) {
        ret->tensors[ret->n].name = names[ret->n];
        out_list[ret->n] = &ret->tensors[ret->n];
    }
    call.n_outputs = ret->n;
    h->err.message[0] = '\0';
    model_status status = h->instance->run(h->instance, &call, &h->err);
    uint8_t guard[GUARD_BYTES];
    memset(guard, 0xA5, sizeof guard);
    for (uint32_t i = 0; i < ret->n && status == MODEL_OK; i++) {
        assert_non_null(ret->tensors[i].data);
        assert_memory_equal((char *)ret->tensors[i].data + ret->tensors[i].size_bytes, guard,
                            GUARD_BYTES);
    }
    return status;
}

void harness_outputs_free(struct harness_outputs *outputs)
{
    for (uint32_t i = 0; i < outputs->n; i++)
        free(outputs->tensors[i].data);
    memset(outputs, 0, sizeof *outputs);
}

/* ---- models of ../shared */

char *harness_shared_file(const char *name, const char *file)
{
    const char *shared = getenv("SHARED");
    char *path = join("%s/models/%s%s%s", shared != NULL ? shared : "../shared", name,
                      file[0] != '\0' ? "/" : "", file);
    if (path_is_file(path))
        return path;
    free(path);
    return NULL;
}

char *harness_synth_model(const char *name)
{
    char *script = harness_shared_file("synth.py", ""), *recipe = NULL;
    char *folder = join("build/models/%s", name), *weights = join("%s/model.safetensors", folder);
    if (script == NULL || (recipe = harness_shared_file(name, "recipe.json")) == NULL)
        goto absent;
    if (!path_is_file(weights)) {
        char *part = join("build/models/part-%d", (int)getpid());
        char *command =
            join("/usr/bin/python3 %s %s %s >/dev/null && { mv %s/%s build/models/ 2>/dev/null || "
                 "true; } && rm -rf %s",
                 script, part, name, part, name, part);
        int code = system(command);
        free(command);
        free(part);
        if (code != 0 || !path_is_file(weights))
            goto absent;
    }
    free(recipe);
    free(script);
    free(weights);
    return folder;
absent:
    free(recipe);
    free(script);
    free(weights);
    free(folder);
    return NULL;
}
