/* trial_run.c - see trial_run.h. */
#include "trial_run.h"
#include "clock.h"
#include "dtype.h"
#include "errors.h"
#include "plugin_error.h"
#include "schema.h"
#include "size.h"

#include <dirent.h>
#include <pthread.h>
#include <string.h>

#define MAX_OUTPUT_BYTES ((uint64_t)1 << 30)

/* The context of a call. Its memory stays, for late calls, until many other calls have been made. */
struct running {
    atomic_bool is_taken;
    struct trial *trial;
    struct run_result *result;
    const struct model_tensor_spec *specs[SCHEMA_MAX_TENSORS];
    struct model_tensor granted[SCHEMA_MAX_TENSORS]; /* as they were handed out */
    struct schema_binding binding;
    enum guarded_place place;
    struct model_error broken; /* the first broken rule; "" */
    model_status refused;      /* what allocate_output() had to answer, MODEL_OK: nothing */
    struct model_cancel cancel;
    uint32_t token;
    struct model_stream_sink sink;
    atomic_bool is_over;
};

#define MAX_RUNNING 32
static struct running pool[MAX_RUNNING];
static _Atomic uint32_t next_in_pool;
static _Atomic uint32_t n_late_calls;

/* Touches all of it: pages that came with later runs would look like a plugin's growth. */
static void touch_pool(void)
{
    memset(pool, 0, sizeof pool);
}

/* The one that was given back the longest ago, or nearly; NULL: too many at once. */
static struct running *take_running(void)
{
    static pthread_once_t touched = PTHREAD_ONCE_INIT;
    (void)pthread_once(&touched, touch_pool);
    for (int tries = 0; tries < MAX_RUNNING; tries++) {
        struct running *running = &pool[atomic_fetch_add(&next_in_pool, 1) % MAX_RUNNING];
        if (!atomic_exchange(&running->is_taken, true)) {
            running->refused = MODEL_OK;
            running->broken = (struct model_error)MODEL_ERROR_INIT;
            return running;
        }
    }
    return NULL;
}

uint32_t late_calls(void)
{
    return atomic_load(&n_late_calls);
}

uint32_t process_threads(void)
{
    uint32_t n = 0;
    DIR *dir = opendir("/proc/self/task");
    for (const struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL;
         entry = readdir(dir))
        n += entry->d_name[0] != '.';
    if (dir != NULL)
        (void)closedir(dir);
    return n;
}

static void see_threads(struct run_result *result)
{
    const uint32_t n = process_threads();
    result->most_threads = n > result->most_threads ? n : result->most_threads;
}

static bool is_late(struct running *running)
{
    if (!atomic_load(&running->is_over))
        return false;
    (void)atomic_fetch_add(&n_late_calls, 1);
    return true;
}

/* Memory for output `index`; a sentence when the plugin may not have it. */
static model_status grant(struct running *running, uint32_t index, int32_t dtype, uint32_t rank,
                          const int64_t *shape, struct model_error *err)
{
    struct run_result *result = running->result;
    if (index >= result->n_outputs)
        return error_set(err, MODEL_INTERNAL, "allocate_output(): there is no output %u of %u",
                         index, result->n_outputs);
    if (result->blocks[index] != NULL)
        return error_set(err, MODEL_INTERNAL, "allocate_output(): '%s' was allocated twice",
                         running->specs[index]->name);
    model_status status =
        schema_check_output(running->specs[index], dtype, rank, shape, &running->binding, err);
    if (status != MODEL_OK)
        return status;
    uint64_t size_bytes = dtype_size_bytes(dtype);
    for (uint32_t i = 0; i < rank; i++)
        if (!size_multiply(size_bytes, (uint64_t)shape[i], &size_bytes) ||
            size_bytes > MAX_OUTPUT_BYTES)
            return error_set(err, MODEL_INTERNAL, "output '%s' is larger than 1 GiB",
                             running->specs[index]->name);
    struct guarded *block =
        guarded_create("output", running->specs[index]->name, (size_t)size_bytes,
                       dtype_size_bytes(dtype), running->place);
    if (block == NULL)
        return error_no_memory(err, "an output");
    result->blocks[index] = block;
    tensor_init(&result->outputs[index], running->specs[index]->name, dtype, rank, shape,
                guarded_data(block));
    running->granted[index] = result->outputs[index];
    return MODEL_OK;
}

static model_status allocate_output(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                                    const int64_t *shape, struct model_error *err)
{
    struct running *running = context;
    struct model_error own = MODEL_ERROR_INIT;
    if (is_late(running))
        return MODEL_CANCELLED;
    see_threads(running->result);
    model_status status = trial_refuses(running->trial)
                              ? error_set(&own, MODEL_OUT_OF_MEMORY, "out of memory for an output")
                              : grant(running, index, dtype, rank, shape, &own);
    if (status == MODEL_OK)
        return MODEL_OK;
    (void)error_set(err, status, "%s", own.message);
    if (running->refused == MODEL_OK)
        running->refused = status;
    if (status != MODEL_OUT_OF_MEMORY && running->broken.message[0] == '\0')
        running->broken = own;
    return status;
}

static model_status emit(void *context, const struct model_tensor *const *tensors,
                         uint32_t n_tensors)
{
    struct running *running = context;
    const struct trial *trial = running->trial;
    if (is_late(running))
        return MODEL_CANCELLED;
    running->result->n_emitted++;
    for (uint32_t i = 0; i < n_tensors && running->broken.message[0] == '\0'; i++)
        if (schema_check_emitted(trial->model->description, tensors[i], &running->broken) ==
            MODEL_OK)
            running->broken.message[0] = '\0';
    return MODEL_OK;
}

/* The outputs that are asked for: all of `specs` that this call wants. */
static void choose_outputs(struct running *running, const struct model_description *description,
                           const char *only)
{
    struct run_result *result = running->result;
    for (uint32_t i = 0; i < description->n_outputs; i++) {
        const struct model_tensor_spec *spec = description->outputs[i];
        if (only != NULL ? strcmp(only, spec->name) != 0
                         : (spec->flags & MODEL_SPEC_ON_REQUEST) != 0)
            continue;
        struct model_tensor *output = &result->outputs[result->n_outputs];
        *output = (struct model_tensor){.struct_size = sizeof *output, .name = spec->name};
        running->granted[result->n_outputs] = *output;
        running->specs[result->n_outputs] = spec;
        result->pointers[result->n_outputs++] = output;
    }
}

/* What holds after run() returned MODEL_OK. */
static bool check_success(const struct running *running, struct model_error *err)
{
    const struct run_result *result = running->result;
    if (running->refused != MODEL_OK)
        return error_set(err, MODEL_INTERNAL,
                         "run() returned MODEL_OK though allocate_output() failed") == MODEL_OK;
    for (uint32_t i = 0; i < result->n_outputs; i++) {
        const char *name = running->specs[i]->name;
        if (result->blocks[i] == NULL)
            return error_set(err, MODEL_INTERNAL, "output '%s' was not allocated", name) ==
                   MODEL_OK;
        if (memcmp(&running->granted[i], &result->outputs[i], sizeof running->granted[i]) != 0)
            return error_set(err, MODEL_INTERNAL, "run() changed the fields of output '%s'",
                             name) == MODEL_OK;
    }
    return true;
}

/* What holds after it returned something else. */
static bool check_failure(const struct running *running, struct run_result *result,
                          struct model_error *err)
{
    const model_status status = result->status;
    const uint32_t token = __atomic_load_n(running->cancel.cancelled, __ATOMIC_RELAXED);
    if (status < MODEL_OK || status > MODEL_ABI_MISMATCH)
        return error_set(err, MODEL_INTERNAL, "run() returned %d, which is no status",
                         (int)status) == MODEL_OK;
    if ((status == MODEL_CANCELLED || status == MODEL_DEADLINE) && token != 0)
        return true;
    if ((status == MODEL_CANCELLED || status == MODEL_DEADLINE) &&
        running->cancel.deadline_ns > clock_now_ns())
        return error_set(err, MODEL_INTERNAL,
                         "run() returned '%s' though nobody cancelled it and no deadline passed",
                         status_name(status)) == MODEL_OK;
    plugin_error_tidy(&result->err, status, "");
    if (result->err.message[0] == '\0')
        return error_set(err, MODEL_INTERNAL, "run() failed with '%s' and without a sentence",
                         status_name(status)) == MODEL_OK;
    return true;
}

static bool check_canaries(const struct run_result *result, struct model_error *err)
{
    for (uint32_t i = 0; i < result->n_outputs; i++)
        if (result->blocks[i] != NULL && !guarded_is_intact(result->blocks[i]))
            return error_set(err, MODEL_INTERNAL, "wrote memory beside output '%s' (%llu bytes)",
                             result->outputs[i].name,
                             (unsigned long long)result->outputs[i].size_bytes) == MODEL_OK;
    return true;
}

static struct guarded *make_call(struct running *running, const struct run_options *options)
{
    const struct model_call call = {
        .struct_size = sizeof call,
        .inputs = options->inputs->list,
        .n_inputs = options->inputs->n,
        .n_outputs = running->result->n_outputs,
        .outputs = running->result->pointers,
        .allocate_output = allocate_output,
        .context = running,
        .cancel = &running->cancel,
        .sink = options->streams ? &running->sink : NULL,
    };
    const size_t size_bytes = options->call_bytes > 0 ? options->call_bytes : sizeof call;
    struct guarded *block = guarded_create("struct", "model_call", size_bytes, 8, GUARDED_AT_END);
    if (block == NULL)
        return NULL;
    struct model_call *seen = guarded_data(block);
    memcpy(seen, &call, size_bytes < sizeof call ? size_bytes : sizeof call);
    seen->struct_size = size_bytes;
    return block;
}

bool trial_run(struct trial *trial, struct model_instance *instance,
               const struct run_options *options, struct run_result *ret, struct model_error *err)
{
    const struct model_description *description = trial->model->description;
    struct running *running = take_running();
    *ret = (struct run_result){.status = MODEL_INTERNAL, .err = MODEL_ERROR_INIT};
    if (running == NULL)
        return error_no_memory(err, "a run") == MODEL_OK;
    running->trial = trial;
    running->result = ret;
    running->place = options->place;
    running->token = options->cancelled;
    running->cancel = (struct model_cancel){
        sizeof running->cancel, options->token != NULL ? options->token : &running->token,
        options->deadline_ns > 0 ? options->deadline_ns : INT64_MAX};
    running->sink = (struct model_stream_sink){sizeof running->sink, running, emit};
    choose_outputs(running, description, options->output);
    struct guarded *call = NULL;
    bool good = schema_check_inputs(description, options->inputs->list, options->inputs->n,
                                    &running->binding, err) == MODEL_OK;
    if (good && (call = make_call(running, options)) == NULL)
        good = error_no_memory(err, "a call") == MODEL_OK;
    if (!good) {
        atomic_store(&running->is_taken, false);
        return false;
    }
    atomic_store(&running->is_over, false);
    instance = instance != NULL ? instance : trial->instance;
    subject_enter(trial->subject, "run()");
    const int64_t start_ns = clock_now_ns();
    ret->status = instance->run(instance, guarded_data(call), &ret->err);
    ret->elapsed_ns = clock_now_ns() - start_ns;
    subject_enter(trial->subject, "");
    atomic_store(&running->is_over, true);
    see_threads(ret);
    guarded_destroy(call);
    if (running->broken.message[0] != '\0')
        good = error_set(err, MODEL_INTERNAL, "%s", running->broken.message) == MODEL_OK;
    else
        good = ret->status == MODEL_OK ? check_success(running, err)
                                       : check_failure(running, ret, err);
    atomic_store(&running->is_taken, false);
    return good && check_canaries(ret, err);
}

void run_result_finish(struct run_result *result)
{
    for (uint32_t i = 0; i < result->n_outputs; i++) {
        guarded_destroy(result->blocks[i]);
        result->blocks[i] = NULL;
    }
    result->n_outputs = 0;
}
