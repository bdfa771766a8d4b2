/* result.h - the answer of a request: named tensors in memory of the host, and the text form's JSON. */
#ifndef RESULT_H
#define RESULT_H

#include "modelhost.h"

#include <stdatomic.h>
#include <stdbool.h>

#define RESULT_BACKEND_BYTES 64

/* Memory of somebody else that a tensor lies in. */
struct tensor_memory {
    void *data;
    void (*release)(void *owner); /* NULL: there is nothing to give back */
    void *owner;
};

/* Where a result's tensors get their memory, 64-byte aligned. */
struct result_source {
    model_status (*allocate)(void *context, uint32_t index, uint64_t size_bytes,
                             struct tensor_memory *ret, struct model_error *err);
    void *context;
};

struct modelhost_result {
    struct model_tensor *tensors;   /* (n_tensors) */
    struct model_tensor **pointers; /* (n_tensors), each to tensors[i]: what a plugin is handed */
    struct model_tensor *granted;   /* (n_tensors), the same again, out of a plugin's reach */
    const struct model_tensor_spec **specs; /* (n_tensors) */
    struct tensor_memory *memory;       /* (n_tensors); data NULL: the tensor's is from the heap */
    const struct result_source *source; /* NULL: the heap; set before the first is allocated */
    uint32_t n_tensors;
    char *json;           /* NULL: the tensor form */
    unsigned char *small; /* room for small outputs, that the result itself brings */
    size_t small_bytes;   /* left */
    bool is_cached;       /* the tensors were computed before */
    char backend[RESULT_BACKEND_BYTES];
    char *fallback_reason; /* NULL: the first backend served */
    struct modelhost_timing timing;
    _Atomic uint32_t references; /* its user, and those that borrow from it */
};

/* An empty result for the wanted outputs of a description: those named, or all that are not on request
 * only. MODEL_NOT_FOUND: no such output. */
model_status result_create(const struct model_description *description,
                           const char *const *output_names, uint32_t n_output_names,
                           struct modelhost_result **ret, struct model_error *err);

/* One without tensors, for jobs that fill in json and timing. */
model_status result_create_empty(struct modelhost_result **ret, struct model_error *err);

/* Gives tensor `index` its shape and 64-byte aligned memory, not cleared. */
model_status result_allocate(struct modelhost_result *result, uint32_t index, int32_t dtype,
                             uint32_t rank, const int64_t *shape, struct model_error *err);

/* The same for a tensor whose data is there already; on success the result gives the memory back. */
model_status result_adopt(struct modelhost_result *result, uint32_t index, int32_t dtype,
                          uint32_t rank, const int64_t *shape, const struct tensor_memory *memory,
                          struct model_error *err);

/* The same for a tensor that lies in that of another result, behind so many bytes of its data; the other one lives as
 * long as this one then, and must not change any more. */
model_status result_borrow(struct modelhost_result *result, uint32_t index, const int64_t *shape,
                           struct modelhost_result *lender, uint64_t offset_bytes,
                           struct model_error *err);

/* Behind a plugin's run(): MODEL_INTERNAL when it wrote to a tensor's fields instead of its data, or did not
 * have it allocated. The fields are what they were then, so that the result can be destroyed. */
model_status result_check_granted(struct modelhost_result *result, struct model_error *err);

/* Puts one tensor in the place of all, taking over `data` (from aligned_alloc or malloc). */
model_status result_replace(struct modelhost_result *result, const char *name, int32_t dtype,
                            uint32_t rank, const int64_t *shape, void *data,
                            struct model_error *err);

/* As result_create() left it: the tensors' memory is freed. */
void result_empty(struct modelhost_result *result);
/* Who served it; takes over `fallback_reason`, which may be NULL. */
void result_say_backend(struct modelhost_result *result, const char *backend,
                        char *fallback_reason);

/* Tensors whose data has been given. */
const struct model_tensor *result_find(const struct modelhost_result *result, const char *name);

#endif
