/* result.c - see result.h, and the public modelhost_result_ functions. A result belongs to one thread
 * at a time. Names are
 * copied, so that a result may outlive its model. */
#include "result.h"
#include "buffer.h"
#include "dtype.h"
#include "errors.h"
#include "schema.h"
#include "size.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT        64
#define LARGE_PAGE_BYTES (2u << 20)

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

model_status result_create(const struct model_description *description,
                           const char *const *output_names, uint32_t n_output_names,
                           struct modelhost_result **ret, struct model_error *err)
{
    uint32_t n = output_names != NULL ? n_output_names : count_usual(description);
    if (n == 0 || n > SCHEMA_MAX_TENSORS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%u outputs wanted, want 1 to %d", n,
                         SCHEMA_MAX_TENSORS);
    struct modelhost_result *result = calloc(1, sizeof *result);
    if (result == NULL)
        return error_no_memory(err, "a result");
    result->n_tensors = n;
    atomic_init(&result->references, 1);
    result->timing.struct_size = sizeof result->timing;
    result->tensors = calloc(n, sizeof *result->tensors);
    result->pointers = calloc(n, sizeof *result->pointers);
    result->specs = calloc(n, sizeof *result->specs);
    result->granted = calloc(n, sizeof *result->granted);
    model_status status = result->tensors && result->pointers && result->specs && result->granted
                              ? choose_specs(result, description, output_names, err)
                              : error_no_memory(err, "a result");
    for (uint32_t i = 0; status == MODEL_OK && i < n; i++) {
        char *name = text_format("%s", result->specs[i]->name);
        result->tensors[i] =
            (struct model_tensor){.struct_size = sizeof(struct model_tensor), .name = name};
        result->granted[i] = result->tensors[i];
        result->pointers[i] = &result->tensors[i];
        if (name == NULL)
            status = error_no_memory(err, "a result");
    }
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

/* Large memory comes in large pages where the system has them: half of the time of a run with 30 MB of logits
 * was spent on first touching 4,096 bytes after 4,096 bytes. NULL when there is none. */
static void *allocate_data(uint64_t size_bytes)
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

model_status result_allocate(struct modelhost_result *result, uint32_t index, int32_t dtype,
                             uint32_t rank, const int64_t *shape, struct model_error *err)
{
    uint64_t size_bytes = dtype_size_bytes(dtype);
    for (uint32_t i = 0; i < rank; i++)
        if (!size_multiply(size_bytes, (uint64_t)shape[i], &size_bytes))
            return error_set(err, MODEL_INVALID_ARGUMENT, "output '%s': its shape overflows",
                             result->granted[index].name);
    void *data = allocate_data(size_bytes);
    if (data == NULL)
        return error_set(err, MODEL_OUT_OF_MEMORY, "out of memory for output '%s' of %llu bytes",
                         result->granted[index].name, (unsigned long long)size_bytes);
    tensor_init(&result->granted[index], result->granted[index].name, dtype, rank, shape, data);
    result->tensors[index] = result->granted[index];
    return MODEL_OK;
}

void result_borrow(struct modelhost_result *result, uint32_t index, const int64_t *shape,
                   struct modelhost_result *lender, uint64_t offset_bytes)
{
    const struct model_tensor *lent = &lender->tensors[index];
    tensor_init(&result->granted[index], result->granted[index].name, lent->dtype, lent->rank,
                shape, (char *)lent->data + offset_bytes);
    result->tensors[index] = result->granted[index];
    if (result->lender == NULL)
        (void)atomic_fetch_add(&lender->references, 1);
    result->lender = lender;
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

/* Gives a tensor's memory back unless it is the lender's. */
static void free_data(const struct modelhost_result *result, uint32_t index)
{
    const char *data = result->tensors[index].data;
    const struct model_tensor *lent =
        result->lender != NULL ? &result->lender->tensors[index] : NULL;
    if (lent == NULL || data < (const char *)lent->data ||
        data >= (const char *)lent->data + lent->size_bytes)
        free(result->tensors[index].data);
}

static void free_tensors(struct modelhost_result *result)
{
    for (uint32_t i = 0; result->tensors != NULL && i < result->n_tensors; i++) {
        free_data(result, i);
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

void modelhost_result_destroy(struct modelhost_result *result)
{
    if (result == NULL || atomic_fetch_sub(&result->references, 1) != 1)
        return;
    free_tensors(result);
    free(result->tensors);
    free(result->pointers);
    free(result->specs);
    free(result->granted);
    free(result->json);
    modelhost_result_destroy(result->lender);
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
