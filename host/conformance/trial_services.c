/* trial_services.c - see subject.h: the table of services that a checked plugin sees. Each function goes
 * on to the host's own, which knows the package; the context is the trial. [any-thread], as
 * model_abi.h says for each. */
#include "errors.h"
#include "subject.h"

#include <string.h>

static void note_call(struct trial *trial)
{
    if (atomic_load(&trial->is_over))
        atomic_store(&trial->called_when_over, true);
}

bool trial_refuses(struct trial *trial)
{
    note_call(trial);
    const size_t number = atomic_fetch_add(&trial->n_allocated, 1) + 1;
    if (number != trial->options.fail_at)
        return false;
    atomic_store(&trial->has_failed, true);
    return true;
}

#define HOST(trial_) (&(trial_)->services.table)

static void *trial_allocate(void *context, size_t size_bytes)
{
    struct trial *trial = context;
    if (trial_refuses(trial))
        return NULL;
    void *memory = HOST(trial)->allocate(HOST(trial)->context, size_bytes);
    if (memory != NULL) {
        memset(memory, 0xA5, size_bytes < 65536 ? size_bytes : 65536); /* "not cleared" */
        (void)atomic_fetch_add(&trial->n_held, 1);
    }
    return memory;
}

static void trial_release(void *context, void *memory)
{
    struct trial *trial = context;
    note_call(trial);
    if (memory != NULL)
        (void)atomic_fetch_sub(&trial->n_held, 1);
    HOST(trial)->release(HOST(trial)->context, memory);
}

static void trial_log(void *context, int32_t level, const char *message)
{
    struct trial *trial = context;
    note_call(trial);
    if (!atomic_load(&trial->is_over))
        HOST(trial)->log(HOST(trial)->context, level, message);
}

static void trial_count(void *context, const char *name, uint64_t delta)
{
    struct trial *trial = context;
    note_call(trial);
    if (!atomic_load(&trial->is_over))
        HOST(trial)->count(HOST(trial)->context, name, delta);
}

static int64_t trial_now_ns(void *context)
{
    struct trial *trial = context;
    note_call(trial);
    return HOST(trial)->now_ns(HOST(trial)->context);
}

static void trial_parallel_for(void *context, size_t n_items,
                               void (*body)(void *argument, size_t index), void *argument)
{
    struct trial *trial = context;
    note_call(trial);
    HOST(trial)->parallel_for(HOST(trial)->context, n_items, body, argument);
}

static model_status trial_config_value(void *context, const char *path, struct model_value *ret)
{
    struct trial *trial = context;
    note_call(trial);
    return HOST(trial)->config_value(HOST(trial)->context, path, ret);
}

/* ---- weights */

/* Where the weight `name` stands, or the number of weights. */
static size_t index_of(struct trial *trial, const char *name)
{
    const size_t n = HOST(trial)->tensor_count(HOST(trial)->context);
    for (size_t i = 0; i < n; i++) {
        struct model_tensor view = {.struct_size = sizeof view};
        (void)HOST(trial)->tensor_at(HOST(trial)->context, i, &view);
        if (strcmp(view.name, name) == 0)
            return i;
    }
    return n;
}

/* The weight as it is told; its receiver's struct_size says what it can take. */
static void tell_lie(const struct trial *trial, struct model_tensor *ret)
{
    const size_t struct_size = ret->struct_size;
    const size_t n = struct_size < sizeof *ret ? struct_size : sizeof *ret;
    memcpy(ret, &trial->lie_view, n);
    ret->struct_size = struct_size;
}

static model_status trial_tensor_by_name(void *context, const char *name, struct model_tensor *ret)
{
    struct trial *trial = context;
    note_call(trial);
    model_status status = HOST(trial)->tensor_by_name(HOST(trial)->context, name, ret);
    if (status != MODEL_OK || trial->options.lie == LIE_NONE)
        return status;
    const size_t index = index_of(trial, name);
    trial->asked[index] = 1;
    if (index != trial->options.lie_index)
        return status;
    if (trial->options.lie == LIE_MISSING)
        return MODEL_NOT_FOUND;
    tell_lie(trial, ret);
    return MODEL_OK;
}

/* A missing weight leaves no hole: those behind it move up. */
static size_t real_index(const struct trial *trial, size_t index)
{
    return trial->options.lie == LIE_MISSING && index >= trial->options.lie_index ? index + 1
                                                                                  : index;
}

static size_t trial_tensor_count(void *context)
{
    struct trial *trial = context;
    note_call(trial);
    const size_t n = HOST(trial)->tensor_count(HOST(trial)->context);
    return trial->options.lie == LIE_MISSING && n > 0 ? n - 1 : n;
}

static model_status trial_tensor_at(void *context, size_t index, struct model_tensor *ret)
{
    struct trial *trial = context;
    note_call(trial);
    const size_t real = real_index(trial, index);
    model_status status = HOST(trial)->tensor_at(HOST(trial)->context, real, ret);
    if (status == MODEL_OK && trial->options.lie > LIE_MISSING && real == trial->options.lie_index)
        tell_lie(trial, ret); /* not counted as asked for: a walk over all is no use of one */
    return status;
}

static void trial_discard_tensor(void *context, const struct model_tensor *tensor)
{
    struct trial *trial = context;
    note_call(trial);
    if (trial->lie == NULL || tensor->data != trial->lie_view.data)
        HOST(trial)->discard_tensor(HOST(trial)->context, tensor);
}

/* ---- memory that the host keeps */

static model_status trial_packed_blob(void *context, const char *key, size_t size_bytes,
                                      model_status (*fill)(void *argument, void *destination),
                                      void *argument, const void **ret_data)
{
    struct trial *trial = context;
    if (trial_refuses(trial))
        return MODEL_OUT_OF_MEMORY;
    return HOST(trial)->packed_blob(HOST(trial)->context, key, size_bytes, fill, argument,
                                    ret_data);
}

static void *trial_scratch(void *context, size_t size_bytes)
{
    struct trial *trial = context;
    return trial_refuses(trial) ? NULL : HOST(trial)->scratch(HOST(trial)->context, size_bytes);
}

/* ---- files of the backend */

#define FILES(trial_) (&(trial_)->services.files.table)

static model_status trial_map(void *context, const char *name, const void **ret_data,
                              uint64_t *ret_bytes, struct model_error *err)
{
    struct trial *trial = context;
    if (trial_refuses(trial))
        return error_no_memory(err, name);
    return FILES(trial)->map(FILES(trial)->context, name, ret_data, ret_bytes, err);
}

static void trial_discard(void *context, const void *data, uint64_t size_bytes)
{
    struct trial *trial = context;
    note_call(trial);
    if (!atomic_load(&trial->is_over))
        FILES(trial)->discard(FILES(trial)->context, data, size_bytes);
}

static model_status trial_check_path(void *context, const char *name, struct model_error *err)
{
    struct trial *trial = context;
    note_call(trial);
    return FILES(trial)->check_path(FILES(trial)->context, name, err);
}

static const void *trial_get_extension(void *context, const char *id)
{
    struct trial *trial = context;
    note_call(trial);
    return id != NULL && strcmp(id, MODEL_BACKEND_FILES) == 0 ? &trial->files : NULL;
}

bool trial_make_services(struct trial *trial, struct model_error *err)
{
    const struct model_services table = {
        .struct_size = sizeof table,
        .context = trial,
        .allocate = trial_allocate,
        .release = trial_release,
        .log = trial_log,
        .count = trial_count,
        .now_ns = trial_now_ns,
        .parallel_for = trial_parallel_for,
        .config_value = trial_config_value,
        .tensor_by_name = trial_tensor_by_name,
        .tensor_count = trial_tensor_count,
        .tensor_at = trial_tensor_at,
        .discard_tensor = trial_discard_tensor,
        .packed_blob = trial_packed_blob,
        .scratch = trial_scratch,
        .get_extension = trial_get_extension,
    };
    const size_t size_bytes =
        trial->options.table_bytes > 0 ? trial->options.table_bytes : sizeof table;
    const struct subject *subject = trial->subject;
    const struct mapped_source source = {subject->package.archive, subject->package_dir,
                                         subject->backend_dir, 0};
    mapped_files_init(&trial->services.files, &source);
    trial->files = (struct model_backend_files){sizeof trial->files, trial, trial_map,
                                                trial_discard, trial_check_path};
    trial->table = guarded_create("struct", "model_services", size_bytes, 8, GUARDED_AT_END);
    if (trial->table == NULL)
        return error_no_memory(err, "a trial") == MODEL_OK;
    struct model_services *seen = guarded_data(trial->table);
    memcpy(seen, &table, size_bytes < sizeof table ? size_bytes : sizeof table);
    seen->struct_size = size_bytes;
    return true;
}
