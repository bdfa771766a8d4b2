/* test_result_cache.c - equal inputs are computed once: host/results/result_cache.c and
 * host/results/result_key.c through modelhost.h, with the fixtures plugin_echo and plugin_stream. */
#include "dtype.h"
#include "echo_package.h"
#include "errors.h"

static struct modelhost *open_host(const char *dir, uint64_t cache_bytes)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    options.result_cache_bytes = cache_bytes;
    options.redis_url = "";
    if (modelhost_create(&options, &host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return host;
}

static struct modelhost_model *load(struct modelhost *host, const char *dir)
{
    struct modelhost_model *model = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (modelhost_load(host, dir, &model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return model;
}

/* Runs two numbers, which come back as they are; whether the answer is a cached one. */
static bool is_cached(struct modelhost_model *model, float a, float b,
                      const struct modelhost_run_options *options)
{
    float numbers[] = {a, b};
    struct model_tensor x;
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    tensor_init(&x, "x", MODEL_F32, 1, (const int64_t[]){2}, numbers);
    const struct model_tensor *inputs[] = {&x};
    if (modelhost_run(model, inputs, 1, options, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    const struct model_tensor *y = modelhost_result_find(result, "y");
    assert_int_equal(y->size_bytes, sizeof numbers);
    assert_memory_equal(y->data, numbers, sizeof numbers);
    bool cached = modelhost_result_is_cached(result) != 0;
    assert_true(modelhost_result_timing(result).run_ns == 0 || !cached);
    modelhost_result_destroy(result);
    return cached;
}

static void equal_inputs_are_computed_once(void **state)
{
    (void)state;
    char *dir = make_package("echo", "{}");
    struct modelhost *host = open_host(dir, 1 << 20);
    struct modelhost_model *model = load(host, dir);
    assert_false(is_cached(model, 1, 2, NULL));
    assert_true(is_cached(model, 1, 2, NULL));
    assert_false(is_cached(model, 2, 1, NULL));
    assert_false(is_cached(model, 0.0f, 2, NULL));
    assert_false(is_cached(model, -0.0f, 2, NULL)); /* other bits */
    assert_true(is_cached(model, 1, 2, NULL));
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
}

static void without_room_for_it_nothing_is_kept(void **state)
{
    (void)state;
    char *dir = make_package("echo", "{}");
    struct modelhost *host = open_host(dir, 0);
    struct modelhost_model *model = load(host, dir);
    assert_false(is_cached(model, 1, 2, NULL));
    assert_false(is_cached(model, 1, 2, NULL));
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
}

static void a_model_loaded_again_finds_its_results_until_it_is_changed(void **state)
{
    (void)state;
    char *dir = make_package("echo", "{}"), *config = path_join(dir, "backends/cpu/config.json");
    struct modelhost *host = open_host(dir, 1 << 20);
    struct modelhost_model *model = load(host, dir), *again = load(host, dir);
    assert_false(is_cached(model, 1, 2, NULL));
    assert_true(is_cached(again, 1, 2, NULL));
    write_file(config, "{ }", 3);
    struct modelhost_model *changed = load(host, dir);
    assert_false(is_cached(changed, 1, 2, NULL));
    assert_true(is_cached(model, 1, 2, NULL));
    modelhost_release(model);
    modelhost_release(again);
    modelhost_release(changed);
    modelhost_destroy(host);
    remove_package(dir);
    free(config);
}

static void hear_nothing(void *context, const struct model_tensor *const *tensors,
                         uint32_t n_tensors)
{
    (void)context, (void)tensors, (void)n_tensors;
}

static void what_is_streamed_is_computed_each_time(void **state)
{
    (void)state;
    char *dir = make_package("stream", "{}");
    struct modelhost *host = open_host(dir, 1 << 20);
    struct modelhost_model *model = load(host, dir);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.on_tensors = hear_nothing;
    assert_false(is_cached(model, 1, 2, NULL));
    assert_true(is_cached(model, 1, 2, NULL));
    assert_false(is_cached(model, 1, 2, &options));
    assert_false(is_cached(model, 1, 2, &options));
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
}

static void an_address_that_is_none_is_refused_at_once(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    options.result_cache_bytes = 1;
    options.redis_url = "cache:6379";
    assert_int_equal(modelhost_create(&options, &host, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "want redis://"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_inputs_are_computed_once),
        cmocka_unit_test(without_room_for_it_nothing_is_kept),
        cmocka_unit_test(a_model_loaded_again_finds_its_results_until_it_is_changed),
        cmocka_unit_test(what_is_streamed_is_computed_each_time),
        cmocka_unit_test(an_address_that_is_none_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
