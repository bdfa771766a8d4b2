/* lstm_harness.c - see lstm_harness.h. */
#include "lstm_harness.h"

#include "dtype.h"
#include "files.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD_BYTES 64

void lstm_input(struct lstm_call *call, const char *name, int32_t dtype, uint32_t rank,
                const int64_t *shape, const void *data)
{
    assert_true(call->n_inputs < LSTM_MAX_INPUTS);
    tensor_init(&call->inputs[call->n_inputs++], name, dtype, rank, shape, (void *)(uintptr_t)data);
}

void lstm_input_tensor(struct lstm_call *call, const char *name, const struct model_tensor *tensor)
{
    assert_non_null(tensor);
    lstm_input(call, name, tensor->dtype, tensor->rank, tensor->shape, tensor->data);
}

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

model_status lstm_run_call(struct harness *h, const struct lstm_call *call,
                           const char *const *names, struct harness_outputs *ret)
{
    const struct model_tensor *inputs[LSTM_MAX_INPUTS];
    struct model_tensor *outputs[HARNESS_MAX_OUTPUTS];
    const struct model_cancel cancel = {sizeof cancel, &h->cancelled, INT64_MAX};
    memset(ret, 0, sizeof *ret);
    for (uint32_t i = 0; i < call->n_inputs; i++)
        inputs[i] = &call->inputs[i];
    for (; names[ret->n] != NULL; ret->n++) {
        ret->tensors[ret->n].name = names[ret->n];
        outputs[ret->n] = &ret->tensors[ret->n];
    }
    const struct model_call plugin_call = {.struct_size = sizeof plugin_call,
                                           .inputs = inputs,
                                           .n_inputs = call->n_inputs,
                                           .outputs = outputs,
                                           .n_outputs = ret->n,
                                           .allocate_output = allocate_output,
                                           .context = ret,
                                           .cancel = &cancel,
                                           .slots = call->slots,
                                           .n_slots = call->n_slots};
    h->err.message[0] = '\0';
    model_status status = h->instance->run(h->instance, &plugin_call, &h->err);
    uint8_t guard[GUARD_BYTES];
    memset(guard, 0xA5, sizeof guard);
    for (uint32_t i = 0; i < ret->n && status == MODEL_OK; i++) {
        assert_non_null(ret->tensors[i].data);
        assert_memory_equal((char *)ret->tensors[i].data + ret->tensors[i].size_bytes, guard,
                            GUARD_BYTES);
    }
    return status;
}

const float *lstm_output(const struct harness_outputs *outputs, const char *name)
{
    for (uint32_t i = 0; i < outputs->n; i++)
        if (strcmp(outputs->tensors[i].name, name) == 0)
            return outputs->tensors[i].data;
    fail_msg("no output '%s'", name);
    return NULL;
}

void lstm_assert_close(const char *what, const float *found, const float *want, size_t n,
                       double max_abs, double max_rms)
{
    double max = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)found[i] - (double)want[i]);
        max = difference > max || !(difference == difference) ? difference : max;
        squares += difference * difference;
    }
    double rms = sqrt(squares / (double)n);
    if (!(max <= max_abs && rms <= max_rms))
        fail_msg("%s: max %.2e, rms %.2e", what, max, rms);
    print_message("%-40s max %.2e  rms %.2e\n", what, max, rms);
}

/* ---- the cases */

#define CASES "tests/plugins/lstm_cases"

struct lstm_cases lstm_cases_open(void)
{
    struct buffer text = {.max_bytes = 1 << 20};
    struct lstm_cases cases = {.tensors = harness_create(NULL, "{}", 1)};
    harness_open(cases.tensors, CASES ".safetensors");
    assert_int_equal(file_read(CASES ".json", 1 << 20, &text, NULL), MODEL_OK);
    assert_int_equal(json_parse(text.data, strlen(text.data), CASES ".json", &cases.cases, NULL),
                     MODEL_OK);
    buffer_finish(&text);
    return cases;
}

void lstm_cases_close(struct lstm_cases *cases)
{
    json_free(cases->cases);
    (void)harness_destroy(cases->tensors);
}

const struct model_tensor *lstm_case_tensor(const struct lstm_cases *cases, const char *name,
                                            const char *tensor)
{
    char full[256];
    (void)snprintf(full, sizeof full, "%s/%s", name, tensor);
    return harness_tensor(cases->tensors, full);
}

/* Calls with each tensor "<name>/<kind>.<rest>" and the rest of its name. */
static void each(const struct lstm_cases *cases, const char *name, const char *kind,
                 void (*take)(void *context, const char *rest, const struct model_tensor *tensor),
                 void *context)
{
    char start[256];
    int length = snprintf(start, sizeof start, "%s/%s.", name, kind);
    for (size_t i = 0; i < cases->tensors->n_tensors; i++) {
        const struct model_tensor *tensor = &cases->tensors->tensors[i];
        if (strncmp(tensor->name, start, (size_t)length) == 0)
            take(context, tensor->name + length, tensor);
    }
}

static void take_weight(void *context, const char *rest, const struct model_tensor *tensor)
{
    harness_add(context, rest, tensor->dtype, tensor->rank, tensor->shape, tensor->data);
}

static void take_input(void *context, const char *rest, const struct model_tensor *tensor)
{
    lstm_input_tensor(context, rest, tensor);
}

struct harness *lstm_case_load(const struct lstm_cases *cases, const char *name, uint32_t threads)
{
    const char *config = json_string_or(json_member(cases->cases, name), NULL);
    assert_non_null(config);
    struct harness *h = harness_create("lstm", config, threads);
    each(cases, name, "weight", take_weight, h);
    if (harness_load(h) != MODEL_OK)
        fail_msg("%s: %s", name, h->err.message);
    return h;
}

struct lstm_call lstm_case_call(const struct lstm_cases *cases, const char *name)
{
    struct lstm_call call = {.n_inputs = 0};
    each(cases, name, "in", take_input, &call);
    return call;
}
