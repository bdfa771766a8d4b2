/* test_lstm_parity.c - full-size models against what torch computed from the same weights
 * (../shared/models); skipped where that folder is absent. */
#include "lstm_harness.h"

#include "files.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ABS 5e-5
#define MAX_RMS 5e-6

struct parity {
    struct harness *h, *reference;
};

static struct harness *open_folder(const char *config_path, const char *weights_path,
                                   uint32_t threads)
{
    struct buffer config = {.max_bytes = 1 << 20};
    assert_int_equal(file_read(config_path, 1 << 20, &config, NULL), MODEL_OK);
    struct harness *h = harness_create("lstm", config.data, threads);
    harness_open(h, weights_path);
    buffer_finish(&config);
    if (harness_load(h) != MODEL_OK)
        fail_msg("%s", h->err.message);
    return h;
}

/* false: skip. */
static bool open_model(const char *name, bool synthetic, uint32_t threads, struct parity *ret)
{
    char *folder = synthetic ? harness_synth_model(name) : NULL, weights[1024];
    char *config = harness_shared_file(name, "config.json");
    char *reference = harness_shared_file(name, "reference.safetensors");
    char *shared = synthetic ? NULL : harness_shared_file(name, "model.safetensors");
    const bool there = config != NULL && reference != NULL && (folder != NULL || shared != NULL);
    if (there) {
        (void)snprintf(weights, sizeof weights, "%s%s", synthetic ? folder : shared,
                       synthetic ? "/model.safetensors" : "");
        ret->h = open_folder(config, weights, threads);
        ret->reference = harness_create(NULL, "{}", 1);
        harness_open(ret->reference, reference);
    } else {
        print_message("skip: SHARED/models is absent: set SHARED to run the parity tests\n");
    }
    free(folder);
    free(config);
    free(reference);
    free(shared);
    return there;
}

static void close_model(struct parity *p)
{
    assert_int_equal(harness_destroy(p->h), 0);
    (void)harness_destroy(p->reference);
}

static void check(const struct parity *p, const struct harness_outputs *outputs, const char *name,
                  const char *reference_name)
{
    const struct model_tensor *want = harness_tensor(p->reference, reference_name);
    assert_non_null(want);
    lstm_assert_close(reference_name, lstm_output(outputs, name), want->data,
                      want->size_bytes / sizeof(float), MAX_ABS, MAX_RMS);
}

static void check_synth(uint32_t threads)
{
    static const char *const names[] = {"output", "h_n", "c_n", "logits", NULL};
    struct parity p;
    struct harness_outputs outputs;
    if (!open_model("lstm-2x512-synth", true, threads, &p))
        skip();
    assert_string_equal(p.h->model->description->architecture, "LSTM");
    assert_string_equal(p.h->model->description->task, "text-generation");
    struct lstm_call call = {.n_inputs = 0};
    lstm_input_tensor(&call, "input_ids", harness_tensor(p.reference, "input_ids"));
    assert_int_equal(lstm_run_call(p.h, &call, names, &outputs), MODEL_OK);
    check(&p, &outputs, "output", "output");
    check(&p, &outputs, "h_n", "h_n");
    check(&p, &outputs, "c_n", "c_n");
    check(&p, &outputs, "logits", "logits");
    harness_outputs_free(&outputs);
    lstm_input_tensor(&call, "h0", harness_tensor(p.reference, "h0"));
    lstm_input_tensor(&call, "c0", harness_tensor(p.reference, "c0"));
    assert_int_equal(lstm_run_call(p.h, &call, names, &outputs), MODEL_OK);
    check(&p, &outputs, "output", "output_with_state");
    check(&p, &outputs, "h_n", "h_n_with_state");
    check(&p, &outputs, "c_n", "c_n_with_state");
    harness_outputs_free(&outputs);
    close_model(&p);
}

static void the_large_lstm_agrees_with_torch(void **state)
{
    (void)state;
    check_synth(1);
}

static void the_large_lstm_agrees_with_torch_on_two_threads(void **state)
{
    (void)state;
    check_synth(2);
}

static void chars2vec_agrees_with_torch(void **state)
{
    (void)state;
    static const char *const names[] = {"output", "h_n", "c_n", NULL};
    struct parity p;
    struct harness_outputs outputs;
    if (!open_model("real/chars2vec-eng-50", false, 1, &p))
        skip();
    struct lstm_call call = {.n_inputs = 0};
    lstm_input_tensor(&call, "input", harness_tensor(p.reference, "one_hot"));
    assert_int_equal(lstm_run_call(p.h, &call, names, &outputs), MODEL_OK);
    check(&p, &outputs, "output", "output");
    check(&p, &outputs, "h_n", "h_n");
    check(&p, &outputs, "c_n", "c_n");
    harness_outputs_free(&outputs);
    close_model(&p);
}

static void one_hot_ids_are_rows_of_the_identity(void **state)
{
    (void)state;
    static const char *const names[] = {"output", NULL};
    enum { N = 13, WIDTH = 59 };
    static float rows[N * WIDTH];
    int64_t ids[N];
    const int64_t shape[] = {1, N, WIDTH};
    struct parity p;
    struct harness_outputs by_rows, by_ids;
    if (!open_model("real/chars2vec-eng-50", false, 1, &p))
        skip();
    for (int64_t i = 0; i < N; i++)
        rows[i * WIDTH + (ids[i] = (i * 23 + 58) % WIDTH)] = 1.0f;
    struct lstm_call call = {.n_inputs = 0}, ids_call = {.n_inputs = 0};
    lstm_input(&call, "input", MODEL_F32, 3, shape, rows);
    lstm_input(&ids_call, "input_ids", MODEL_I64, 2, shape, ids);
    assert_int_equal(lstm_run_call(p.h, &call, names, &by_rows), MODEL_OK);
    assert_int_equal(lstm_run_call(p.h, &ids_call, names, &by_ids), MODEL_OK);
    assert_memory_equal(by_rows.tensors[0].data, by_ids.tensors[0].data,
                        by_ids.tensors[0].size_bytes);
    harness_outputs_free(&by_rows);
    harness_outputs_free(&by_ids);
    close_model(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_large_lstm_agrees_with_torch),
        cmocka_unit_test(the_large_lstm_agrees_with_torch_on_two_threads),
        cmocka_unit_test(chars2vec_agrees_with_torch),
        cmocka_unit_test(one_hot_ids_are_rows_of_the_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
