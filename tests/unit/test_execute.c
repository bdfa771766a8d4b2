/* test_execute.c - plugins that break their word while they run: the fixture tests/abi/plugin_rude.c.
 * Covers host/result.c and host/plugin_error.c where a request meets them. */
#include "dtype.h"
#include "echo_package.h"
#include "errors.h"

static float values[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

/* Runs a batch of `batch` through the fixture with this config; the sentence goes to err. */
static model_status run_rude(const char *config, int64_t batch, struct model_error *err)
{
    struct echo rude = echo_open_plugin("rude", config, 0);
    struct modelhost_result *result = NULL;
    const int64_t shape[] = {batch, 4};
    struct model_tensor x;
    tensor_init(&x, "x", MODEL_F32, 2, shape, values);
    const struct model_tensor *inputs[] = {&x};
    model_status status = modelhost_run(rude.model, inputs, 1, NULL, &result, err);
    assert_int_equal(status == MODEL_OK, result != NULL);
    if (status == MODEL_OK)
        assert_true(((const float *)modelhost_result_at(result, 0)->data)[3] == 6.0f);
    modelhost_result_destroy(result);
    echo_close(&rude);
    return status;
}

static void assert_fails(const char *config, model_status wanted, const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(run_rude(config, 1, &err), wanted);
    assert_string_equal(err.message, sentence);
}

static void a_plugin_that_keeps_its_word_is_heard(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(run_rude("{}", 2, &err), MODEL_OK);
}

static void fields_of_an_output_are_not_the_plugins_to_write(void **state)
{
    (void)state;
    static const char sentence[] =
        "plugin 'rude' 2.1.0: run() changed the fields of output 'y'; its data alone, where "
        "allocate_output() put it, is to be written";
    assert_fails("{\"mode\":\"write_fields\"}", MODEL_INTERNAL, sentence);
    assert_fails("{\"mode\":\"own_memory\"}", MODEL_INTERNAL, sentence);
    assert_fails("{\"mode\":\"skip_output\"}", MODEL_INTERNAL,
                 "plugin 'rude' 2.1.0: run() did not produce output 'y'");
}

static void an_output_without_a_shape_is_an_error(void **state)
{
    (void)state;
    assert_fails("{\"mode\":\"null_shape\"}", MODEL_INTERNAL,
                 "plugin 'rude' 2.1.0: output: 'y': its shape is NULL");
    assert_fails("{\"mode\":\"wrong_dtype\"}", MODEL_INTERNAL,
                 "plugin 'rude' 2.1.0: output: 'y': dtype F64, want F32");
    assert_fails("{\"mode\":\"unheard\"}", MODEL_INTERNAL,
                 "plugin 'rude' 2.1.0: output: 'y': dtype F64, want F32");
}

static void a_batch_beyond_max_batch_never_reaches_the_plugin(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(run_rude("{}", 3, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "a batch of 3 items, the model takes at most 2 at once; split it");
}

static void what_a_run_cannot_mean_is_the_plugins_bug(void **state)
{
    (void)state;
    assert_fails("{\"run_status\":2,\"says\":\"nothing here\"}", MODEL_INTERNAL,
                 "plugin 'rude' 2.1.0: nothing here");
    assert_fails("{\"run_status\":7}", MODEL_INTERNAL,
                 "plugin 'rude' 2.1.0: run() failed with status 7 (cancelled) and no sentence");
    assert_fails("{\"run_status\":8}", MODEL_INTERNAL,
                 "plugin 'rude' 2.1.0: run() failed with status 8 (deadline) and no sentence");
    assert_fails("{\"run_status\":9999}", MODEL_INTERNAL,
                 "plugin 'rude' 2.1.0: run() failed with status 9999 (unknown) and no sentence");
    assert_fails("{\"run_status\":-3}", MODEL_INTERNAL,
                 "plugin 'rude' 2.1.0: run() failed with status -3 (unknown) and no sentence");
    assert_fails("{\"run_status\":1,\"says\":\"x holds a 7\"}", MODEL_INVALID_ARGUMENT,
                 "plugin 'rude' 2.1.0: x holds a 7");
}

/* What modelhost_load() says of a package with this config; %s in the sentence is its folder. */
static void assert_not_loaded(const char *config, model_status wanted, const char *sentence)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    char *dir = make_package("rude", config);
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    assert_int_equal(modelhost_create(&options, &host, &err), MODEL_OK);
    assert_int_equal(modelhost_load(host, dir, &model, &err), wanted);
    if (strstr(err.message, sentence) == NULL)
        fail_msg("'%s' is not in '%s'", sentence, err.message);
    modelhost_destroy(host);
    remove_package(dir);
}

static void a_plugin_that_finds_its_package_wrong_says_it_is_broken(void **state)
{
    (void)state;
    static const int broken[] = {MODEL_INVALID_ARGUMENT, MODEL_NOT_FOUND, MODEL_CORRUPT};
    static const char *const keys[] = {"create_status", "instance_status"};
    for (size_t i = 0; i < 6; i++) {
        char *config =
            text_format("{\"%s\":%d,\"says\":\"hidden_size is 0\"}", keys[i / 3], broken[i % 3]);
        assert_not_loaded(config, MODEL_CORRUPT,
                          i == 1 ? "no model.safetensors" : "hidden_size is 0");
        free(config);
    }
    assert_not_loaded("{\"create_status\":3,\"says\":\"no fp4\"}", MODEL_UNSUPPORTED, "no fp4");
    assert_not_loaded("{\"create_status\":7}", MODEL_INTERNAL, "without saying why");
    assert_not_loaded("{\"create_status\":-1}", MODEL_INTERNAL, "without saying why");
}

static void names_that_are_no_text_are_refused(void **state)
{
    (void)state;
    assert_not_loaded("{\"mode\":\"broken_name\"}", MODEL_INVALID_ARGUMENT,
                      "the name of an output is not text in UTF-8 without control characters");
    assert_not_loaded("{\"mode\":\"broken_text\"}", MODEL_INVALID_ARGUMENT,
                      "what its description says is not text in UTF-8 without control characters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plugin_that_keeps_its_word_is_heard),
        cmocka_unit_test(fields_of_an_output_are_not_the_plugins_to_write),
        cmocka_unit_test(an_output_without_a_shape_is_an_error),
        cmocka_unit_test(a_batch_beyond_max_batch_never_reaches_the_plugin),
        cmocka_unit_test(what_a_run_cannot_mean_is_the_plugins_bug),
        cmocka_unit_test(a_plugin_that_finds_its_package_wrong_says_it_is_broken),
        cmocka_unit_test(names_that_are_no_text_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
