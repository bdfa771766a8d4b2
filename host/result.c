/* result.c - see result.h, and the public modelhost_result_ functions. A result belongs to one thread
 * at a time. Names are
 * copied, so that a result may outlive its model. */
#include "result.h"
#include "buffer.h"
#include "dtype.h"
#include "errors.h"
#include "schema.h"
#include "size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT        64
#define LARGE_PAGE_BYTES (2u << 20)
/* The address sanitizer sees who writes behind an output only if each has memory of its own. */
#ifdef __SANITIZE_ADDRESS__
#define HAS_SMALL_DATA 0
#else
#define HAS_SMALL_DATA 1
#endif
#define SMALL_BYTES 320 /* a few names, and a few numbers behind a cache line's boundary */

static uint32_t count_usual(const struct model_description *description)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < description->n_outputs; i++)
        n += (description->outputs[i]->flags & MODEL_SPEC_ON_REQUEST) == 0;
    return n;
}

static model_status choose_specs(struct modelhost_result *result,
                                 const struct model_description *description,
                                 const char *const *output_names, struct model_error *err)
{
    if (output_names == NULL) {
        for (uint32_t i = 0, n = 0; i < description->n_outputs; i++)
            if ((description->outputs[i]->flags & MODEL_SPEC_ON_REQUEST) == 0)
                result->specs[n++] = description->outputs[i];
        return MODEL_OK;
    }
    for (uint32_t i = 0; i < result->n_tensors; i++) {
        result->specs[i] =
            schema_find(description->outputs, description->n_outputs, output_names[i]);
        for (uint32_t k = 0; k < i; k++)
            if (result->specs[k] == result->specs[i])
                return error_set(err, MODEL_INVALID_ARGUMENT, "the output '%s' is named twice",
                                 output_names[i]);
        if (result->specs[i] != NULL)
            continue;
        struct buffer known = BUFFER_INIT(600);
        for (uint32_t k = 0; k < description->n_outputs; k++)
            (void)buffer_printf(&known, "%s%s", k > 0 ? ", " : "", description->outputs[k]->name);
        model_status status =
            error_set(err, MODEL_INVALID_ARGUMENT, "the model has no output '%s'; it has %s",
                      output_names[i], known.data != NULL ? known.data : "none");
        buffer_finish(&known);
        return status;
    }
    return MODEL_OK;
}

/* A result and its lists in one block: a short call would spend most of its time on allocating. */
static struct modelhost_result *make_result(uint32_t n)
{
    struct modelhost_result *result = NULL;
    const size_t lists_bytes = n * (2 * sizeof *result->tensors + sizeof *result->pointers +
                                    sizeof *result->specs + sizeof *result->memory);
    result = malloc(sizeof *result + lists_bytes + SMALL_BYTES);
    if (result == NULL)
        return NULL;
    *result = (struct modelhost_result){.n_tensors = n};
    atomic_init(&result->references, 1);
    result->timing.struct_size = sizeof result->timing;
    result->tensors = (struct model_tensor *)(result + 1);
    result->granted = result->tensors + n;
    result->pointers = (struct model_tensor **)(result->granted + n);
    result->specs = (const struct model_tensor_spec **)(result->pointers + n);
    result->memory = (struct tensor_memory *)(result->specs + n);
    memset(result->memory, 0, n * sizeof *result->memory);
    result->small = (unsigned char *)(result->memory + n);
    result->small_bytes = SMALL_BYTES;
    return result;
}

/* Takes some of the result's own room; NULL: there is not enough. */
static void *take_small(struct modelhost_result *result, uint64_t size_bytes, size_t alignment)
{
    const size_t skipped = (alignment - (uintptr_t)result->small % alignment) % alignment;
    if (skipped > result->small_bytes || size_bytes > result->small_bytes - skipped)
        return NULL;
    unsigned char *data = result->small + skipped;
    result->small = data + size_bytes;
    result->small_bytes -= skipped + (size_t)size_bytes;
    return data;
}

static bool is_small(const struct modelhost_result *result, const void *data)
{
    const uintptr_t begin = (uintptr_t)result, end = (uintptr_t)result->small;
    return (uintptr_t)data >= begin && (uintptr_t)data <= end;
}

static void free_data(struct modelhost_result *result, uint32_t index)
{
    struct tensor_memory *memory = &result->memory[index];
    if (memory->data != NULL && memory->release != NULL)
        memory->release(memory->owner);
    else if (memory->data == NULL && !is_small(result, result->tensors[index].data))
        free(result->tensors[index].data);
    *memory = (struct tensor_memory){.data = NULL};
}

/* Names are copied: the caller may keep the result longer than the model. */
static model_status name_tensors(struct modelhost_result *result, struct model_error *err)
{
    for (uint32_t i = 0; i < result->n_tensors; i++) {
        const size_t name_bytes = strlen(result->specs[i]->name) + 1;
        char *name = take_small(result, name_bytes, 1);
        if (name == NULL && (name = malloc(name_bytes)) == NULL) {
            result->n_tensors = i;
            return error_no_memory(err, "a result");
        }
        memcpy(name, result->specs[i]->name, name_bytes);
        result->tensors[i] =
            (struct model_tensor){.struct_size = sizeof(struct model_tensor), .name = name};
        result->granted[i] = result->tensors[i];
        result->pointers[i] = &result->tensors[i];
    }
    return MODEL_OK;
}

model_status result_create(const struct model_description *description,
                           const char *const *output_names, uint32_t n_output_names,
                           struct modelhost_result **ret, struct model_error *err)
{
    uint32_t n = output_names != NULL ? n_output_names : count_usual(description);
    if (n == 0 || n > SCHEMA_MAX_TENSORS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%u outputs wanted, want 1 to %d", n,
                         SCHEMA_MAX_TENSORS);
    struct modelhost_result *result = make_result(n);
    if (result == NULL)
        return error_no_memory(err, "a result");
    model_status status = choose_specs(result, description, output_names, err);
    if (status != MODEL_OK)
        result->n_tensors = 0;
    else
        status = name_tensors(result, err);
    if (status != MODEL_OK)
        modelhost_result_destroy(result);
    else
        *ret = result;
    return status;
}

model_status result_create_empty(struct modelhost_result **ret, struct model_error *err)
{
    struct modelhost_result *result = calloc(1, sizeof *result);
    if (result == NULL)
        return error_no_memory(err, "a result");
    atomic_init(&result->references, 1);
    result->timing.struct_size = sizeof result->timing;
    *ret = result;
    return MODEL_OK;
}

static model_status size_of(const struct modelhost_result *result, uint32_t index, int32_t dtype,
                            uint32_t rank, const int64_t *shape, uint64_t *ret,
                            struct model_error *err)
{
    uint64_t size_bytes = dtype_size_bytes(dtype);
    for (uint32_t i = 0; i < rank; i++)
        if (!size_multiply(size_bytes, (uint64_t)shape[i], &size_bytes))
            return error_set(err, MODEL_INVALID_ARGUMENT, "output '%s': its shape overflows",
                             result->granted[index].name);
    *ret = size_bytes;
    return MODEL_OK;
}

static void grant(struct modelhost_result *result, uint32_t index, int32_t dtype, uint32_t rank,
                  const int64_t *shape, void *data)
{
    tensor_init(&result->granted[index], result->granted[index].name, dtype, rank, shape, data);
    result->tensors[index] = result->granted[index];
}

/* Large memory comes in large pages where the system has them: half of the time of a run with 30 MB of logits
 * was spent on first touching 4,096 bytes after 4,096 bytes. NULL when there is none. */
static void *allocate_from_heap(uint64_t size_bytes)
{
    const uint64_t alignment = size_bytes >= 2 * LARGE_PAGE_BYTES ? LARGE_PAGE_BYTES : ALIGNMENT;
    uint64_t padded = 0;
    if (!size_add(size_bytes, alignment, &padded) || padded >= SIZE_MAX)
        return NULL;
    const size_t room_bytes = (size_t)(padded / alignment * alignment);
    void *data = aligned_alloc((size_t)alignment, room_bytes);
#ifdef MADV_HUGEPAGE
    if (data != NULL && alignment == LARGE_PAGE_BYTES)
        (void)madvise(data, room_bytes, MADV_HUGEPAGE);
#endif
    return data;
}

/* From the result's own room, or from the heap. */
static void *allocate_data(struct modelhost_result *result, uint64_t size_bytes)
{
    void *data = HAS_SMALL_DATA ? take_small(result, size_bytes, ALIGNMENT) : NULL;
    return data != NULL ? data : allocate_from_heap(size_bytes);
}

model_status result_allocate(struct modelhost_result *result, uint32_t index, int32_t dtype,
                             uint32_t rank, const int64_t *shape, struct model_error *err)
{
    uint64_t size_bytes = 0;
    struct tensor_memory memory = {.data = NULL};
    model_status status = size_of(result, index, dtype, rank, shape, &size_bytes, err);
    if (status == MODEL_OK && result->source != NULL) {
        status = result->source->allocate(result->source->context, index, size_bytes, &memory, err);
        return status == MODEL_OK ? result_adopt(result, index, dtype, rank, shape, &memory, err)
                                  : status;
    }
    void *data = status == MODEL_OK ? allocate_data(result, size_bytes) : NULL;
    if (status == MODEL_OK && data == NULL)
        return error_set(err, MODEL_OUT_OF_MEMORY, "out of memory for output '%s' of %llu bytes",
                         result->granted[index].name, (unsigned long long)size_bytes);
    if (status == MODEL_OK)
        grant(result, index, dtype, rank, shape, data);
    return status;
}

model_status result_adopt(struct modelhost_result *result, uint32_t index, int32_t dtype,
                          uint32_t rank, const int64_t *shape, const struct tensor_memory *memory,
                          struct model_error *err)
{
    uint64_t size_bytes = 0;
    model_status status = size_of(result, index, dtype, rank, shape, &size_bytes, err);
    if (status != MODEL_OK)
        return status;
    grant(result, index, dtype, rank, shape, memory->data);
    result->memory[index] = *memory;
    return MODEL_OK;
}

static void give_back_loan(void *lender)
{
    modelhost_result_destroy(lender);
}

model_status result_borrow(struct modelhost_result *result, uint32_t index, const int64_t *shape,
                           struct modelhost_result *lender, uint64_t offset_bytes,
                           struct model_error *err)
{
    const struct model_tensor *lent = &lender->tensors[index];
    const struct tensor_memory memory = {(char *)lent->data + offset_bytes, give_back_loan, lender};
    model_status status = result_adopt(result, index, lent->dtype, lent->rank, shape, &memory, err);
    if (status == MODEL_OK)
        (void)atomic_fetch_add(&lender->references, 1);
    return status;
}

model_status result_check_granted(struct modelhost_result *result, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < result->n_tensors; i++) {
        const struct model_tensor *granted = &result->granted[i];
        bool changed = memcmp(&result->tensors[i], granted, sizeof *granted) != 0;
        result->tensors[i] = *granted;
        if (status == MODEL_OK && changed)
            status = error_set(err, MODEL_INTERNAL,
                               "run() changed the fields of output '%s'; its data alone, where "
                               "allocate_output() put it, is to be written",
                               granted->name);
        else if (status == MODEL_OK && granted->data == NULL)
            status =
                error_set(err, MODEL_INTERNAL, "run() did not produce output '%s'", granted->name);
    }
    return status;
}

static void free_tensors(struct modelhost_result *result)
{
    for (uint32_t i = 0; i < result->n_tensors; i++) {
        free_data(result, i);
        if (!is_small(result, result->tensors[i].name))
            free((char *)(uintptr_t)result->tensors[i].name);
    }
    result->n_tensors = 0;
}

model_status result_replace(struct modelhost_result *result, const char *name, int32_t dtype,
                            uint32_t rank, const int64_t *shape, void *data,
                            struct model_error *err)
{
    char *copy = text_format("%s", name);
    if (copy == NULL)
        return error_no_memory(err, "a result");
    free_tensors(result); /* there was at least one, so there is room for one */
    tensor_init(&result->tensors[0], copy, dtype, rank, shape, data);
    result->n_tensors = 1;
    return MODEL_OK;
}

void result_empty(struct modelhost_result *result)
{
    for (uint32_t i = 0; i < result->n_tensors; i++) {
        free_data(result, i);
        result->tensors[i] = (struct model_tensor){.struct_size = sizeof(struct model_tensor),
                                                   .name = result->tensors[i].name};
        result->granted[i] = result->tensors[i];
    }
}

const struct model_tensor *result_find(const struct modelhost_result *result, const char *name)
{
    for (uint32_t i = 0; i < result->n_tensors; i++)
        if (strcmp(result->tensors[i].name, name) == 0)
            return &result->tensors[i];
    return NULL;
}

void result_say_backend(struct modelhost_result *result, const char *backend, char *fallback_reason)
{
    const size_t n = strnlen(backend, sizeof result->backend - 1);
    memcpy(result->backend, backend, n); /* on the hot path: no format is read */
    result->backend[n] = '\0';
    free(result->fallback_reason);
    result->fallback_reason = fallback_reason;
}

void modelhost_result_destroy(struct modelhost_result *result)
{
    if (result == NULL || atomic_fetch_sub(&result->references, 1) != 1)
        return;
    free_tensors(result);
    free(result->json);
    free(result->fallback_reason);
    free(result);
}

uint32_t modelhost_result_count(const struct modelhost_result *result)
{
    return result->n_tensors;
}

const struct model_tensor *modelhost_result_at(const struct modelhost_result *result,
                                               uint32_t index)
{
    return index < result->n_tensors ? &result->tensors[index] : NULL;
}

const struct model_tensor *modelhost_result_find(const struct modelhost_result *result,
                                                 const char *name)
{
    return result_find(result, name);
}

const char *modelhost_result_json(const struct modelhost_result *result)
{
    return result->json != NULL ? result->json : "[]";
}

uint32_t modelhost_result_is_cached(const struct modelhost_result *result)
{
    return result->is_cached;
}

struct modelhost_timing modelhost_result_timing(const struct modelhost_result *result)
{
    return result->timing;
}

const char *modelhost_result_backend(const struct modelhost_result *result)
{
    return result->backend;
}

const char *modelhost_result_fallback_reason(const struct modelhost_result *result)
{
    return result->fallback_reason;
}
