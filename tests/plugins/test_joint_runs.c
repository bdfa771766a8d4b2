/* test_joint_runs.c - the project's plugins in joint runs: each request gets what it got alone. The models are
 * small ones of random weights; requests differ in length where the model has a mask. */
#include "bert_reference_harness.h"
#include "gpt2_reference_harness.h"
#include "lstm_harness.h"
#include "harness_package.h"

#include "dtype.h"
#include "files.h"
#include "testing.h"

#include <math.h>
#include <uv.h>

#define N_REQUESTS 5
#define MAX_INPUTS 2

/* The matrix product of oneDNN adds in another order for another number of rows: a few last bits. All else
 * is the same to the bit. */
#define LAST_BITS 4e-6

/* One request: its inputs, what it got alone, and what it got in company. */
struct joint_request {
    struct model_tensor inputs[MAX_INPUTS];
    const struct model_tensor *pointers[MAX_INPUTS];
    uint32_t n_inputs;
    struct modelhost_result *alone, *joint;
    uv_sem_t answered;
};

static struct modelhost_model *load(struct modelhost *host, const char *dir, uint32_t max_batch)
{
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost_model *model = NULL;
    struct model_error err = {.struct_size = sizeof err};
    options.max_batch = max_batch;
    options.max_delay_us = 60000000; /* never waited for: the batch is full with the last request */
    if (modelhost_load_with(host, dir, &options, &model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return model;
}

/* Request `index` has one item or two, and a length of its own. */
static int64_t size_of(const struct model_dimension *dimension, int64_t index, bool same_length)
{
    if (dimension->name == NULL)
        return dimension->min;
    if (strcmp(dimension->name, "batch") == 0)
        return 1 + index % 2;
    if (strcmp(dimension->name, "sequence") == 0)
        return same_length ? 6 : 2 + index * 3 % 7;
    return 24;
}

static void add_input(struct joint_request *request, const struct model_tensor_spec *spec,
                      int64_t index, bool same_length, uint64_t *seed)
{
    struct model_tensor *input = &request->inputs[request->n_inputs];
    int64_t shape[MODEL_MAX_RANK];
    for (uint32_t i = 0; i < spec->rank; i++)
        shape[i] = size_of(&spec->shape[i], index, same_length);
    tensor_init(input, spec->name, spec->dtype, spec->rank, shape, NULL);
    input->data = calloc(1, input->size_bytes);
    assert_non_null(input->data);
    for (uint64_t i = 0; i < tensor_elements(input); i++) {
        const double random = toy_random(seed);
        if (spec->dtype == MODEL_I64)
            ((int64_t *)input->data)[i] = (int64_t)((random + 1) * 3);
        else
            ((float *)input->data)[i] = (float)random;
    }
    request->pointers[request->n_inputs++] = input;
}

/* All inputs that the model cannot do without. */
static void make_request(struct joint_request *request, const struct modelhost_model *model,
                         int64_t index, bool same_length, uint64_t *seed)
{
    const struct model_description *description = modelhost_description(model);
    memset(request, 0, sizeof *request);
    assert_int_equal(uv_sem_init(&request->answered, 0), 0);
    for (uint32_t i = 0; i < description->n_inputs; i++)
        if ((description->inputs[i]->flags & MODEL_SPEC_OPTIONAL) == 0)
            add_input(request, description->inputs[i], index, same_length, seed);
}

static void take_answer(void *user, model_status status, struct modelhost_result *result,
                        const struct model_error *err)
{
    struct joint_request *request = user;
    if (status != MODEL_OK)
        print_message("%s\n", err->message);
    request->joint = result;
    uv_sem_post(&request->answered);
}

/* The largest difference; shapes must be equal. */
static double difference(const struct model_tensor *a, const struct model_tensor *b)
{
    double most = 0;
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->rank, b->rank);
    assert_memory_equal(a->shape, b->shape, a->rank * sizeof *a->shape);
    assert_int_equal(a->dtype, MODEL_F32);
    for (uint64_t i = 0; i < tensor_elements(a); i++)
        most = fmax(
            most, fabs((double)((const float *)a->data)[i] - (double)((const float *)b->data)[i]));
    return most;
}

static double compare(const struct joint_request *request)
{
    double most = 0;
    assert_non_null(request->joint);
    const uint32_t n = modelhost_result_count(request->alone);
    assert_int_equal(modelhost_result_count(request->joint), n);
    for (uint32_t i = 0; i < n; i++)
        most = fmax(most, difference(modelhost_result_at(request->alone, i),
                                     modelhost_result_at(request->joint, i)));
    return most;
}

static void finish_request(struct joint_request *request)
{
    for (uint32_t i = 0; i < request->n_inputs; i++)
        free(request->inputs[i].data);
    modelhost_result_destroy(request->alone);
    modelhost_result_destroy(request->joint);
    uv_sem_destroy(&request->answered);
}

/* Runs requests alone and together; returns the largest difference. */
static double run_both(struct modelhost *host, const char *dir, bool same_length)
{
    struct joint_request requests[N_REQUESTS];
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost_model *plain = load(host, dir, 0), *batching = load(host, dir, 7);
    uint64_t seed = 42;
    for (int64_t i = 0; i < N_REQUESTS; i++) { /* 1 + 2 + 1 + 2 + 1 items are 7 */
        make_request(&requests[i], plain, i, same_length, &seed);
        if (modelhost_run(plain, requests[i].pointers, requests[i].n_inputs, NULL,
                          &requests[i].alone, &err) != MODEL_OK ||
            modelhost_run_async(batching, requests[i].pointers, requests[i].n_inputs, NULL,
                                take_answer, &requests[i], NULL, &err) != MODEL_OK)
            fail_msg("%s", err.message);
    }
    double most = 0;
    for (int i = 0; i < N_REQUESTS; i++) {
        uv_sem_wait(&requests[i].answered);
        most = fmax(most, compare(&requests[i]));
        assert_true(modelhost_result_timing(requests[i].joint).run_ns ==
                    modelhost_result_timing(requests[0].joint).run_ns);
    }
    for (int i = 0; i < N_REQUESTS; i++)
        finish_request(&requests[i]);
    modelhost_release(plain);
    modelhost_release(batching);
    return most;
}

/* Results are the same, but for `tolerance`. */
static void check(const char *what, char *dir, bool same_length, double tolerance)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost *host = NULL;
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    if (modelhost_create(&options, &host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    const double most = run_both(host, dir, same_length);
    print_message("%s: largest difference %g\n", what, most);
    assert_true(most <= tolerance);
    modelhost_destroy(host);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

static void texts_of_bert(void **state)
{
    (void)state;
    check("bert", harness_package("bert", toy_create(&toy_default)), false, LAST_BITS);
}

static void texts_of_gpt2(void **state)
{
    (void)state;
    check("gpt2", harness_package("gpt2", gpt_create(&gpt_default)), false, LAST_BITS);
}

static void sequences_of_lstm(void **state)
{
    (void)state;
    static const char *const names[] = {"lstm", "lstm_time_first", "lstm_embedding",
                                        "lstm_bidirectional", "gru"};
    struct lstm_cases cases = lstm_cases_open();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check(names[i], harness_package("lstm", lstm_case_load(&cases, names[i], 1)), false, 0);
    lstm_cases_close(&cases);
}

static void pictures_of_resnet(void **state)
{
    (void)state;
    struct buffer config = {.max_bytes = 1 << 16};
    assert_int_equal(file_read("tests/plugins/resnet/hub-basic.json", 1 << 16, &config, NULL),
                     MODEL_OK);
    struct harness *h = harness_create("resnet", config.data, 1);
    harness_open(h, "tests/plugins/resnet/hub-basic.safetensors");
    check("resnet", harness_package("resnet", h), true, 0);
    buffer_finish(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_bert),
        cmocka_unit_test(texts_of_gpt2),
        cmocka_unit_test(sequences_of_lstm),
        cmocka_unit_test(pictures_of_resnet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
