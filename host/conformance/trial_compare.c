/* trial_compare.c - see trial_run.h: sizes that a model accepts, and how far results are apart. */
#include "dtype.h"
#include "errors.h"
#include "trial_run.h"

#include <math.h>
#include <string.h>

/* One attempt: false when a rule was broken; *ret_status is the plugin's. */
static bool try_options(struct trial *trial, const struct made_options *options,
                        model_status *ret_status, struct model_error *ret_said,
                        struct model_error *err)
{
    struct run_result result;
    struct made_inputs *inputs =
        made_inputs_create(trial->model->description, trial->subject->config, options, err);
    if (inputs == NULL)
        return false;
    const bool good = trial_run(trial, NULL, &(struct run_options){.inputs = inputs}, &result, err);
    *ret_status = result.status;
    *ret_said = result.err;
    run_result_finish(&result);
    made_inputs_destroy(inputs);
    return good;
}

/* Optional inputs may exclude each other: all of them, none, each alone, all but each. False: no more. */
static bool choose_absent(const struct model_description *description, uint32_t attempt,
                          uint64_t *ret)
{
    uint64_t optional = 0;
    const uint32_t n = description->n_inputs < 64 ? description->n_inputs : 64;
    for (uint32_t i = 0; i < n; i++)
        if ((description->inputs[i]->flags & MODEL_SPEC_OPTIONAL) != 0)
            optional |= (uint64_t)1 << i;
    if (attempt < 2)
        *ret = attempt == 0 ? 0 : optional;
    else if (attempt - 2 < 2 * n)
        *ret = attempt - 2 < n ? optional & ~((uint64_t)1 << (attempt - 2))
                               : optional & ((uint64_t)1 << (attempt - 2 - n));
    return attempt == 0 || (optional != 0 && attempt < 2 + 2 * n);
}

bool trial_find_sizes(struct trial *trial, struct made_options *ret, struct model_error *err)
{
    static const int64_t sizes[][2] = {{6, 32}, {16, 64}, {1, 224}, {32, 33}, {64, 128}, {3, 16}};
    struct model_error first = MODEL_ERROR_INIT, said = MODEL_ERROR_INIT;
    uint64_t absent = 0;
    for (uint32_t attempt = 0; choose_absent(trial->model->description, attempt, &absent);
         attempt++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            const struct made_options options = {.batch = 1,
                                                 .other = sizes[i][0],
                                                 .picture = sizes[i][1],
                                                 .seed = 1,
                                                 .absent = absent};
            model_status status = MODEL_OK;
            if (!try_options(trial, &options, &status, &said, err))
                return false;
            if (status == MODEL_OK) {
                *ret = options;
                return true;
            }
            if (first.message[0] == '\0')
                first = said;
        }
    return error_set(err, MODEL_INVALID_ARGUMENT,
                     "run() refuses inputs that its description allows: %s",
                     first.message) == MODEL_OK;
}

struct trial *trial_start(struct subject *subject, struct made_options *ret_sizes,
                          struct model_error *err)
{
    struct trial *trial = trial_create(subject, &(struct trial_options){.fail_at = 0});
    if (trial == NULL) {
        (void)error_no_memory(err, "a trial");
        return NULL;
    }
    bool good = trial_load(trial) == MODEL_OK;
    if (!good)
        (void)error_set(err, MODEL_INTERNAL, "create: %s", trial->err.message);
    if (good && trial_find_sizes(trial, ret_sizes, err))
        return trial;
    trial_stop(trial);
    return NULL;
}

void trial_stop(struct trial *trial)
{
    if (trial != NULL)
        trial_end(trial);
    trial_destroy(trial);
}

static double number_of(const struct model_tensor *tensor, uint64_t i)
{
    const unsigned char *at =
        (const unsigned char *)tensor->data + i * dtype_size_bytes(tensor->dtype);
    double value = 0;
    float single = 0;
    uint16_t half = 0;
    uint32_t bits = 0;
    switch (tensor->dtype) {
    case MODEL_F64:
        memcpy(&value, at, sizeof value);
        return value;
    case MODEL_F32:
        memcpy(&single, at, sizeof single);
        return (double)single;
    case MODEL_BF16:
        memcpy(&half, at, sizeof half);
        bits = (uint32_t)half << 16;
        memcpy(&single, &bits, sizeof single);
        return (double)single;
    default: /* F16 */
        memcpy(&half, at, sizeof half);
        value = (half >> 10 & 31) == 0    ? ldexp(half & 0x3FF, -24)
                : (half >> 10 & 31) == 31 ? ((half & 0x3FF) != 0 ? NAN : INFINITY)
                                          : ldexp((half & 0x3FF) | 0x400, (half >> 10 & 31) - 25);
        return (half & 0x8000) != 0 ? -value : value;
    }
}

static bool have_same_shape(const struct model_tensor *a, const struct model_tensor *b)
{
    return a->dtype == b->dtype && a->rank == b->rank && a->size_bytes == b->size_bytes &&
           memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0;
}

double tensors_differ_by(const struct model_tensor *a, const struct model_tensor *b)
{
    double difference = 0, largest = 0;
    if (!have_same_shape(a, b))
        return INFINITY;
    if (a->size_bytes == 0 || memcmp(a->data, b->data, (size_t)a->size_bytes) == 0)
        return 0;
    if (a->dtype < MODEL_F16 || a->dtype > MODEL_F64)
        return INFINITY;
    const uint64_t n = tensor_elements(a);
    for (uint64_t i = 0; i < n; i++) {
        const double x = number_of(a, i), y = number_of(b, i);
        if (isnan(x) && isnan(y))
            continue;
        if (x != y)
            difference = fmax(difference, isfinite(x) && isfinite(y) ? fabs(x - y) : INFINITY);
        if (isfinite(y))
            largest = fmax(largest, fabs(y));
    }
    return difference / (1 + largest);
}

bool results_are_equal(const struct run_result *a, const struct run_result *b,
                       const char **ret_name)
{
    for (uint32_t i = 0; i < a->n_outputs; i++) {
        *ret_name = a->outputs[i].name;
        if (i >= b->n_outputs || !have_same_shape(&a->outputs[i], &b->outputs[i]) ||
            (a->outputs[i].size_bytes > 0 &&
             memcmp(a->outputs[i].data, b->outputs[i].data, (size_t)a->outputs[i].size_bytes) != 0))
            return false;
    }
    return a->n_outputs == b->n_outputs;
}
