/* picture_harness.c - see picture_harness.h. */
#include "picture_harness.h"

#include "dtype.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define GUARD_BYTES 64

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

model_status picture_run(struct harness *h, const float *pixels, const int64_t *shape,
                         const char *const *names, struct harness_outputs *ret)
{
    struct model_tensor input;
    const struct model_tensor *inputs[] = {&input};
    struct model_tensor *outputs[HARNESS_MAX_OUTPUTS];
    struct model_cancel cancel = {sizeof cancel, &h->cancelled, INT64_MAX};
    uint8_t guard[GUARD_BYTES];
    tensor_init(&input, "pixel_values", MODEL_F32, 4, shape, (void *)(uintptr_t)pixels);
    memset(ret, 0, sizeof *ret);
    for (; names[ret->n] != NULL; ret->n++) {
        ret->tensors[ret->n].name = names[ret->n];
        outputs[ret->n] = &ret->tensors[ret->n];
    }
    const struct model_call call = {.struct_size = sizeof call,
                                    .inputs = inputs,
                                    .n_inputs = 1,
                                    .outputs = outputs,
                                    .n_outputs = ret->n,
                                    .allocate_output = allocate_output,
                                    .context = ret,
                                    .cancel = &cancel};
    h->err.message[0] = '\0';
    model_status status = h->instance->run(h->instance, &call, &h->err);
    memset(guard, 0xA5, sizeof guard);
    for (uint32_t i = 0; i < ret->n && status == MODEL_OK; i++) {
        assert_non_null(ret->tensors[i].data);
        assert_memory_equal((char *)ret->tensors[i].data + ret->tensors[i].size_bytes, guard,
                            GUARD_BYTES);
    }
    return status;
}

void picture_assert_close(const char *what, const struct model_tensor *found, const float *want,
                          double max_abs, double max_rms)
{
    const size_t n = found->size_bytes / sizeof(float);
    double max = 0, squares = 0, energy = 0;
    for (size_t i = 0; i < n; i++) {
        const double difference = fabs((double)((const float *)found->data)[i] - (double)want[i]);
        max = difference > max || !(difference == difference) ? difference : max;
        squares += difference * difference;
        energy += (double)want[i] * (double)want[i];
    }
    const double rms = sqrt(squares / (double)n), size = fmax(sqrt(energy / (double)n), 1);
    print_message("%-28s max %.2e  rms %.2e  of %.2g\n", what, max, rms, size);
    assert_true(max <= max_abs * size && rms <= max_rms * size);
}
