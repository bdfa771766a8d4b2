/* kernels.c - the memory and the errors of a model; see kernels.h. */
#include "kernels_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_HEADER_BYTES 64 /* keeps the caller's part aligned */

struct kernels_block {
    struct kernels_block *next, **before; /* before: what points to it */
    size_t total_bytes;
};

model_status kernels_fail(struct model_error *err, model_status status, const char *format, ...)
{
    if (err == NULL)
        return status;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof err->message) { /* cut: not within a character */
        size_t end = sizeof err->message - 1;
        while (end > 0 && ((unsigned char)err->message[end - 1] & 0xC0u) == 0x80u)
            end--;
        if (end > 0 && ((unsigned char)err->message[end - 1] & 0xC0u) == 0xC0u)
            end--;
        err->message[end] = '\0';
    }
    return status;
}

model_status kernels_no_memory(struct model_error *err, const char *what)
{
    return kernels_fail(err, MODEL_OUT_OF_MEMORY, "no memory for %s", what);
}

static const char *const dtype_names[] = {[COMPUTE_F32] = "f32",
                                          [COMPUTE_BF16] = "bf16",
                                          [COMPUTE_INT8] = "int8",
                                          [COMPUTE_INT4] = "int4"};

/* Callers of ABI 1.0 ask for nothing. */
static model_status read_dtype(const struct model_create_args *args, enum compute_dtype *ret,
                               struct model_error *err)
{
    const char *asked =
        MODEL_HAS(struct model_create_args, args, compute_dtype) ? args->compute_dtype : NULL;
    if (asked == NULL)
        return MODEL_OK;
    for (size_t i = 0; i < sizeof dtype_names / sizeof *dtype_names; i++)
        if (strcmp(dtype_names[i], asked) == 0) {
            *ret = (enum compute_dtype)i;
            return MODEL_OK;
        }
    return kernels_fail(err, MODEL_UNSUPPORTED,
                        "these kernels do not compute in '%.16s', want f32, bf16, int8 or int4",
                        asked);
}

static model_status check_device(const struct model_create_args *args, struct model_error *err)
{
    const char *asked = MODEL_HAS(struct model_create_args, args, device) ? args->device : NULL;
    if (asked == NULL || strcmp(asked, "cpu") == 0)
        return MODEL_OK;
    return kernels_fail(err, MODEL_UNSUPPORTED,
                        "these kernels compute on device cpu, '%.16s' was asked for", asked);
}

const char *compute_dtype_name(enum compute_dtype dtype)
{
    return dtype_names[dtype];
}

const char *kernels_dtype_name(const struct kernels *kernels)
{
    return dtype_names[kernels->dtype];
}

model_status kernels_require_f32(const struct kernels *kernels, const char *what,
                                 struct model_error *err)
{
    return kernels->dtype == COMPUTE_F32
               ? MODEL_OK
               : kernels_fail(err, MODEL_UNSUPPORTED,
                              "%s are computed in f32 only, not in %s; leave the dtype out", what,
                              dtype_names[kernels->dtype]);
}

model_status kernels_create(const struct model_services *services,
                            const struct model_create_args *args, struct kernels **ret,
                            struct model_error *err)
{
    struct kernels *kernels = services->allocate(services->context, sizeof *kernels);
    if (kernels == NULL)
        return kernels_no_memory(err, "the kernels of a model");
    memset(kernels, 0, sizeof *kernels);
    kernels->services = services;
    kernels->threads = args->threads > 0 ? args->threads : 1;
    kernels->vector = vector_kernels_best();
    model_status status = read_dtype(args, &kernels->dtype, err);
    if (status == MODEL_OK)
        status = check_device(args, err);
    if (status == MODEL_OK)
        status = linear_backend_create(kernels, err);
    if (status != MODEL_OK) {
        kernels_destroy(kernels);
        return status;
    }
    *ret = kernels;
    return MODEL_OK;
}

void kernels_destroy(struct kernels *kernels)
{
    if (kernels == NULL)
        return;
    const struct model_services *services = kernels->services;
    linear_backend_destroy(kernels);
    for (struct kernels_block *block = kernels->blocks; block != NULL;) {
        struct kernels_block *next = block->next;
        services->release(services->context, block);
        block = next;
    }
    services->release(services->context, kernels);
}

const struct model_services *kernels_services(const struct kernels *kernels)
{
    return kernels->services;
}

void *kernels_allocate(struct kernels *kernels, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX - BLOCK_HEADER_BYTES)
        return NULL;
    size_t total = size_bytes + BLOCK_HEADER_BYTES;
    struct kernels_block *block = kernels->services->allocate(kernels->services->context, total);
    if (block == NULL)
        return NULL;
    memset(block, 0, total);
    *block = (struct kernels_block){kernels->blocks, &kernels->blocks, total};
    if (block->next != NULL)
        block->next->before = &block->next;
    kernels->blocks = block;
    kernels->memory_bytes += total;
    return (char *)block + BLOCK_HEADER_BYTES;
}

void kernels_release(struct kernels *kernels, void *memory)
{
    if (memory == NULL)
        return;
    struct kernels_block *block = (void *)((char *)memory - BLOCK_HEADER_BYTES);
    *block->before = block->next;
    if (block->next != NULL)
        block->next->before = block->before;
    kernels->memory_bytes -= block->total_bytes;
    kernels->services->release(kernels->services->context, block);
}

uint64_t kernels_memory_bytes(const struct kernels *kernels)
{
    return kernels->memory_bytes;
}

const char *kernels_build_key(const struct kernels *kernels)
{
    return kernels->build_key;
}
