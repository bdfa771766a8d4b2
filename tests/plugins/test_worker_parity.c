/* test_worker_parity.c - the plugins of the tree in a worker process answer what they answer in this one, bit
 * for bit: tensors, generated text with forks and kept prompts, sessions. (host/workers/worker_call.c,
 * host/workers/served_instance.c) */
#include "bert_reference_harness.h"
#include "gpt2_reference_harness.h"
#include "harness_package.h"
#include "lstm_harness.h"

#include "dtype.h"

static struct model_error err = {.struct_size = sizeof err};

/* One package, opened here and in a worker. */
struct both {
    struct modelhost *host;
    struct modelhost_model *models[2];
    char *dir;
};

static struct both open_both(const char *plugin, struct harness *h)
{
    struct both both = {.dir = harness_package(plugin, h)};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    options.store_dir = options.plugin_path = both.dir;
    options.lanes = options.threads = 1;
    if (modelhost_create(&options, &both.host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    for (int i = 0; i < 2; i++) {
        struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
        load.isolation = i == 0 ? MODELHOST_INPROC : MODELHOST_WORKER;
        if (modelhost_load_with(both.host, both.dir, &load, &both.models[i], &err) != MODEL_OK)
            fail_msg("%s", err.message);
    }
    return both;
}

static void close_both(struct both *both)
{
    for (int i = 0; i < 2; i++)
        modelhost_release(both->models[i]);
    modelhost_destroy(both->host);
    assert_int_equal(dir_remove_all(both->dir, NULL), MODEL_OK);
    free(both->dir);
}

static void assert_same(const struct modelhost_result *a, const struct modelhost_result *b)
{
    assert_true(modelhost_result_count(a) > 0);
    assert_int_equal(modelhost_result_count(a), modelhost_result_count(b));
    for (uint32_t i = 0; i < modelhost_result_count(a); i++) {
        const struct model_tensor *s = modelhost_result_at(a, i);
        const struct model_tensor *t = modelhost_result_find(b, s->name);
        assert_non_null(t);
        assert_int_equal(s->rank, t->rank);
        assert_memory_equal(s->shape, t->shape, s->rank * sizeof *s->shape);
        assert_memory_equal(s->data, t->data, (size_t)s->size_bytes);
    }
}

static int64_t some_size(const struct model_dimension *dimension, int64_t wish)
{
    return dimension->name == NULL || dimension->max < wish ? dimension->max
           : dimension->min > wish                          ? dimension->min
                                                            : wish;
}

/* The first input, which no model here can do without, filled with small numbers. */
static model_status run(struct modelhost_model *model, int64_t size, int seed,
                        struct modelhost_session *session, struct modelhost_result **ret)
{
    const struct model_tensor_spec *spec = modelhost_description(model)->inputs[0];
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    int64_t shape[MODEL_MAX_RANK];
    struct model_tensor input;
    for (uint32_t i = 0; i < spec->rank; i++)
        shape[i] = some_size(&spec->shape[i], i == 0 && session != NULL ? 1 : size);
    tensor_init(&input, spec->name, spec->dtype, spec->rank, shape, NULL);
    const size_t n = (size_t)(input.size_bytes / dtype_size_bytes(spec->dtype));
    input.data = malloc((size_t)input.size_bytes);
    for (size_t i = 0; i < n; i++) {
        const int value = (int)((i * 7 + (size_t)seed) % 5);
        if (spec->dtype == MODEL_I64)
            ((int64_t *)input.data)[i] = value;
        else
            ((float *)input.data)[i] = (float)value * 0.25f;
    }
    const struct model_tensor *inputs[] = {&input};
    options.session = session;
    model_status status = modelhost_run(model, inputs, 1, &options, ret, &err);
    if (status != MODEL_OK)
        print_message("%s\n", err.message);
    free(input.data);
    return status;
}

static void compare_runs(struct both *both)
{
    for (int i = 1; i < 6; i++) {
        struct modelhost_result *results[2] = {NULL};
        for (int k = 0; k < 2; k++)
            assert_int_equal(run(both->models[k], i, i, NULL, &results[k]), MODEL_OK);
        assert_same(results[0], results[1]);
        modelhost_result_destroy(results[0]);
        modelhost_result_destroy(results[1]);
    }
}

static void compare_sessions(struct both *both)
{
    struct modelhost_session *sessions[2] = {NULL};
    for (int k = 0; k < 2; k++)
        assert_int_equal(modelhost_session_create(both->models[k], &sessions[k], &err), MODEL_OK);
    for (int i = 1; i < 5; i++) {
        struct modelhost_result *results[2] = {NULL};
        for (int k = 0; k < 2; k++)
            assert_int_equal(run(both->models[k], i, i, sessions[k], &results[k]), MODEL_OK);
        assert_same(results[0], results[1]);
        modelhost_result_destroy(results[0]);
        modelhost_result_destroy(results[1]);
    }
    for (int k = 0; k < 2; k++)
        modelhost_session_release(sessions[k]);
}

/* Prompts that begin alike, three sequences of each: kept, rewound and forked slots. */
static void compare_generated(struct both *both)
{
    static const int64_t ids[] = {1, 2, 3, 4, 2, 1, 3, 2};
    for (size_t n = 3; n <= 8; n++) {
        char *texts[2] = {NULL};
        int64_t n_cached[2];
        for (int k = 0; k < 2; k++) {
            const struct modelhost_prompt prompt = {
                .struct_size = sizeof prompt, .token_ids = ids, .n_token_ids = n};
            struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
            struct modelhost_result *result = NULL;
            generation.max_new_tokens = 6;
            generation.num_sequences = 3;
            generation.temperature = 1;
            generation.ignore_eos = 1;
            generation.logprobs = 2;
            if (modelhost_generate(both->models[k], &prompt, 1, &generation, NULL, &result, &err) !=
                MODEL_OK)
                fail_msg("%s", err.message);
            texts[k] = strdup(modelhost_result_json(result));
            n_cached[k] = modelhost_result_timing(result).cached_tokens;
            modelhost_result_destroy(result);
        }
        assert_string_equal(texts[0], texts[1]);
        assert_int_equal(n_cached[0], n_cached[1]);
        free(texts[0]);
        free(texts[1]);
    }
}

static void bert_is_the_same(void **state)
{
    (void)state;
    struct both both = open_both("bert", toy_create(&toy_default));
    compare_runs(&both);
    close_both(&both);
}

static void gpt2_is_the_same(void **state)
{
    (void)state;
    struct both both = open_both("gpt2", gpt_create(&gpt_default));
    compare_runs(&both);
    compare_generated(&both);
    compare_sessions(&both);
    close_both(&both);
}

static void lstm_is_the_same(void **state)
{
    (void)state;
    struct lstm_cases cases = lstm_cases_open();
    struct both both = open_both("lstm", lstm_case_load(&cases, "lstm", 1));
    compare_runs(&both);
    compare_sessions(&both);
    close_both(&both);
    lstm_cases_close(&cases);
}

static void resnet_is_the_same(void **state)
{
    (void)state;
    struct buffer config = {.max_bytes = 1 << 16};
    assert_int_equal(file_read("tests/plugins/resnet/hub-basic.json", 1 << 16, &config, NULL),
                     MODEL_OK);
    struct harness *h = harness_create("resnet", config.data, 1);
    harness_open(h, "tests/plugins/resnet/hub-basic.safetensors");
    struct both both = open_both("resnet", h);
    for (int64_t size = 32; size <= 64; size += 16) {
        struct modelhost_result *results[2] = {NULL};
        for (int k = 0; k < 2; k++)
            assert_int_equal(run(both.models[k], size, 3, NULL, &results[k]), MODEL_OK);
        assert_same(results[0], results[1]);
        modelhost_result_destroy(results[0]);
        modelhost_result_destroy(results[1]);
    }
    close_both(&both);
    buffer_finish(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bert_is_the_same),
        cmocka_unit_test(gpt2_is_the_same),
        cmocka_unit_test(lstm_is_the_same),
        cmocka_unit_test(resnet_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
