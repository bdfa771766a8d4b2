/* lstm_harness.h - calls of recurrent models in tests: any inputs, slots, outputs by name. */
#ifndef LSTM_HARNESS_H
#define LSTM_HARNESS_H

#include "plugin_harness.h"

#define LSTM_MAX_INPUTS 6

struct lstm_call {
    struct model_tensor inputs[LSTM_MAX_INPUTS];
    uint32_t n_inputs;
    const uint32_t *slots; /* (n_slots), or NULL */
    uint32_t n_slots;
};

/* Adds an input; the data stays the caller's. */
void lstm_input(struct lstm_call *call, const char *name, int32_t dtype, uint32_t rank,
                const int64_t *shape, const void *data);
/* The same from a tensor of any name. */
void lstm_input_tensor(struct lstm_call *call, const char *name, const struct model_tensor *tensor);
/* Runs it; names end with NULL. Free the outputs with harness_outputs_free(). */
model_status lstm_run_call(struct harness *h, const struct lstm_call *call,
                           const char *const *names, struct harness_outputs *ret);
/* Output `name`, which must be there. */
const float *lstm_output(const struct harness_outputs *outputs, const char *name);

/* Fails unless the n numbers agree: largest difference and root mean square. */
void lstm_assert_close(const char *what, const float *found, const float *want, size_t n,
                       double max_abs, double max_rms);

/* tests/plugins/lstm_cases.json, .safetensors: models that make_lstm_cases.py made and torch ran. */
struct lstm_cases {
    struct harness *tensors;
    json_node *cases;
    char *text;
};
struct lstm_cases lstm_cases_open(void);
void lstm_cases_close(struct lstm_cases *cases);
/* The model of a case, loaded. */
struct harness *lstm_case_load(const struct lstm_cases *cases, const char *name, uint32_t threads);
/* Its inputs as a call, and tensor `name` ("out.h_n"). */
struct lstm_call lstm_case_call(const struct lstm_cases *cases, const char *name);
const struct model_tensor *lstm_case_tensor(const struct lstm_cases *cases, const char *name,
                                            const char *tensor);

#endif
