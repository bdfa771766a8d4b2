/* test_lstm_cases.c - every kind of LSTM and GRU against what torch computed (make_lstm_cases.py), by one
 * thread and by two. */
#include "lstm_harness.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ABS 3e-6
#define MAX_RMS 1e-6

/* The outputs that a case has. */
static void find_names(const struct lstm_cases *cases, const char *name, const char **names)
{
    static const char *const all[] = {"output", "h_n", "c_n", "logits"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char out[32];
        (void)snprintf(out, sizeof out, "out.%s", all[i]);
        if (lstm_case_tensor(cases, name, out) != NULL)
            names[n++] = all[i];
    }
    names[n] = NULL;
}

static void check(const struct lstm_cases *cases, const char *name, uint32_t threads)
{
    const char *names[8];
    struct harness_outputs outputs;
    struct harness *h = lstm_case_load(cases, name, threads);
    const struct lstm_call call = lstm_case_call(cases, name);
    find_names(cases, name, names);
    if (lstm_run_call(h, &call, names, &outputs) != MODEL_OK)
        fail_msg("%s: %s", name, h->err.message);
    for (uint32_t i = 0; i < outputs.n; i++) {
        char what[96], out[32];
        const struct model_tensor *found = &outputs.tensors[i];
        (void)snprintf(out, sizeof out, "out.%s", found->name);
        (void)snprintf(what, sizeof what, "%s %s", name, found->name);
        const struct model_tensor *want = lstm_case_tensor(cases, name, out);
        assert_int_equal(found->rank, want->rank);
        assert_memory_equal(found->shape, want->shape, found->rank * sizeof *found->shape);
        lstm_assert_close(what, found->data, want->data, found->size_bytes / sizeof(float), MAX_ABS,
                          MAX_RMS);
    }
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void all_cases_agree_with_torch(void **state)
{
    (void)state;
    struct lstm_cases cases = lstm_cases_open();
    int n = 0;
    for (const json_node *c = json_first(cases.cases); c != NULL; c = json_next(c), n++)
        for (uint32_t threads = 1; threads <= 2; threads++)
            check(&cases, json_key(c), threads);
    assert_true(n >= 27);
    lstm_cases_close(&cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_cases_agree_with_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
