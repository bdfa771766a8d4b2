/* test_model_memory.c - memory of the whole host stays flat: 1,000 loads and releases of a model of each
 * plugin, with a run in between, and 10,000 generated tokens. glibc counts the bytes in use; elsewhere, and
 * under sanitizers, which look for leaks themselves, only the work is done. */
#include "bert_reference_harness.h"
#include "gpt2_reference_harness.h"
#include "harness_package.h"
#include "lstm_harness.h"

#include "dtype.h"
#include "files.h"
#include "malloc_bytes.h"
#include "testing.h"

#define N_LOADS  1000
#define N_TOKENS 10000
#ifdef __SANITIZE_ADDRESS__
#define N_TEXTS 100 /* which finds what is lost without counting */
#else
#define N_TEXTS 1000
#endif

static struct modelhost *make_host(const char *dir)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost *host = NULL;
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    options.log_level = MODEL_LOG_ERROR;
    if (modelhost_create(&options, &host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return host;
}

static struct modelhost_model *load(struct modelhost *host, const char *dir)
{
    struct modelhost_model *model = NULL;
    struct model_error err = {.struct_size = sizeof err};
    if (modelhost_load(host, dir, &model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return model;
}

static int64_t some_size(const struct model_dimension *dimension)
{
    if (dimension->name == NULL || strcmp(dimension->name, "batch") == 0)
        return dimension->min;
    return dimension->max < 32 ? dimension->max : 32;
}

/* Runs the model on zeros: the first input, which no model here can do without. */
static void run_once(struct modelhost_model *model)
{
    const struct model_tensor_spec *spec = modelhost_description(model)->inputs[0];
    struct modelhost_result *result = NULL;
    struct model_error err = {.struct_size = sizeof err};
    int64_t shape[MODEL_MAX_RANK];
    struct model_tensor input;
    for (uint32_t i = 0; i < spec->rank; i++)
        shape[i] = some_size(&spec->shape[i]);
    tensor_init(&input, spec->name, spec->dtype, spec->rank, shape, NULL);
    const struct model_tensor *inputs[] = {&input};
    input.data = calloc(1, input.size_bytes);
    if (modelhost_run(model, inputs, 1, NULL, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    modelhost_result_destroy(result);
    free(input.data);
}

static void load_and_release(const char *dir, int n)
{
    struct modelhost *host = make_host(dir);
    for (int i = 0; i < n; i++) {
        struct modelhost_model *model = load(host, dir);
        run_once(model);
        modelhost_release(model);
    }
    modelhost_destroy(host);
}

/* What is left of 1,000 models is less than a tenth of a kilobyte of each. */
static void expect_flat(const char *plugin, struct harness *h)
{
    char *dir = harness_package(plugin, h);
    load_and_release(dir, 20);
    const size_t before = bytes_in_use();
    load_and_release(dir, N_LOADS);
    const size_t after = bytes_in_use();
    print_message("%s: %zu bytes in use, after %d loads %zu\n", plugin, before, N_LOADS, after);
    assert_true(after <= before + 100 * N_LOADS);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

static void loads_of_bert_leave_nothing(void **state)
{
    (void)state;
    expect_flat("bert", toy_create(&toy_default));
}

static void loads_of_gpt2_leave_nothing(void **state)
{
    (void)state;
    expect_flat("gpt2", gpt_create(&gpt_default));
}

static void loads_of_lstm_leave_nothing(void **state)
{
    (void)state;
    struct lstm_cases cases = lstm_cases_open();
    struct harness *h = lstm_case_load(&cases, "lstm", 1);
    expect_flat("lstm", h);
    lstm_cases_close(&cases);
}

static void loads_of_resnet_leave_nothing(void **state)
{
    (void)state;
    struct buffer config = {.max_bytes = 1 << 16};
    assert_int_equal(file_read("tests/plugins/resnet/hub-basic.json", 1 << 16, &config, NULL),
                     MODEL_OK);
    struct harness *h = harness_create("resnet", config.data, 1);
    harness_open(h, "tests/plugins/resnet/hub-basic.safetensors");
    expect_flat("resnet", h);
    buffer_finish(&config);
}

struct growth {
    int n_tokens;
    size_t early, late; /* bytes in use at a tenth and at the end */
};

static void watch(void *context, const struct modelhost_token *token)
{
    struct growth *growth = context;
    growth->n_tokens += token->token_id >= 0;
    if (growth->n_tokens == N_TOKENS / 10)
        growth->early = bytes_in_use();
    growth->late = bytes_in_use();
}

static void generate(struct modelhost_model *model, int64_t n_tokens, struct growth *growth)
{
    static const int64_t ids[] = {1, 2, 3};
    const struct modelhost_prompt prompt = {
        .struct_size = sizeof prompt, .token_ids = ids, .n_token_ids = 3};
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    struct modelhost_result *result = NULL;
    struct model_error err = {.struct_size = sizeof err};
    generation.max_new_tokens = n_tokens;
    generation.sliding_window = generation.ignore_eos = 1;
    generation.temperature = 1;
    generation.repetition_penalty = 1.1;
    generation.on_token = growth != NULL ? watch : NULL;
    generation.context = growth;
    if (modelhost_generate(model, &prompt, 1, &generation, NULL, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(modelhost_result_timing(result).new_tokens, n_tokens);
    modelhost_result_destroy(result);
}

/* What a token may leave is its id, in an array that doubles. The first round is for what libraries keep
 * of each length that a prompt has had: the second has the same ones. */
static void ten_thousand_tokens_leave_their_ids(void **state)
{
    (void)state;
    char *dir = harness_package("gpt2", gpt_create(&gpt_default));
    struct modelhost *host = make_host(dir);
    struct modelhost_model *model = load(host, dir);
    struct growth growth = {.n_tokens = 0};
    generate(model, N_TOKENS, NULL);
    generate(model, N_TOKENS, &growth);
    print_message("%zu bytes in use at %d tokens, %zu at %d\n", growth.early, N_TOKENS / 10,
                  growth.late, N_TOKENS);
    assert_int_equal(growth.n_tokens, N_TOKENS);
    assert_true(growth.late <= growth.early + 2 * sizeof(int64_t) * N_TOKENS);
    for (int i = 0; i < N_TEXTS / 5; i++) /* the slots that remember texts get theirs */
        generate(model, 5, NULL);
    const size_t before = bytes_in_use();
    for (int i = 0; i < N_TEXTS; i++)
        generate(model, 5, NULL);
    print_message("%zu bytes in use, %zu after %d texts more\n", before, bytes_in_use(), N_TEXTS);
    assert_true(bytes_in_use() <= before + N_TEXTS * 10);
    modelhost_release(model);
    modelhost_destroy(host);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_of_bert_leave_nothing),
        cmocka_unit_test(loads_of_gpt2_leave_nothing),
        cmocka_unit_test(loads_of_lstm_leave_nothing),
        cmocka_unit_test(loads_of_resnet_leave_nothing),
        cmocka_unit_test(ten_thousand_tokens_leave_their_ids),
    };
    return cmocka_run_group_tests(tests, count_everything, NULL);
}
