/* test_model_load.c - models that stay open in a host's cache, through the public functions, with the clock
 * in the test's hands. */
#include "model_load.h"
#include "fickle_package.h"
#include "loaded_model.h"

#include <uv.h>

static char *make_two_backends(const char *cpu_fields)
{
    char *dir = scratch_dir();
    add_backend(dir, "cpu", 1, cpu_fields);
    add_backend(dir, "torch", 2, "");
    return dir;
}

static struct modelhost *caching_host(const char *dir, uint32_t items, uint64_t bytes,
                                      int64_t idle_ms)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    options.cache_items = items;
    options.cache_bytes = bytes;
    options.cache_idle_ms = idle_ms;
    return fickle_host(dir, &options);
}

static struct model_cache_counters counters_of(const struct modelhost *host)
{
    return model_cache_counters(host->cache);
}

static void a_released_model_is_there_at_once(void **state)
{
    (void)state;
    char *dir = make_two_backends("");
    struct modelhost *host = caching_host(dir, 1, 0, 0);
    struct modelhost_model *first = fickle_load(host, dir, NULL);
    modelhost_release(first);
    struct modelhost_model *second = fickle_load(host, dir, NULL);
    assert_ptr_equal(first, second);
    assert_int_equal(fickle_run(second, NULL, NULL, NULL, NULL), MODEL_OK);
    modelhost_release(second);
    assert_int_equal(counters_of(host).hits, 1);
    assert_int_equal(counters_of(host).misses, 1);
    modelhost_destroy(host);
    remove_package(dir);
}

static void without_a_cache_models_go(void **state)
{
    (void)state;
    char *dir = make_two_backends("");
    struct modelhost *host = fickle_host(dir, NULL);
    assert_null(host->cache);
    modelhost_release(fickle_load(host, dir, NULL));
    modelhost_destroy(host);
    remove_package(dir);
}

static void other_options_are_another_model(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    char *dir = make_two_backends("");
    struct modelhost *host = caching_host(dir, 2, 0, 0);
    struct modelhost_model *usual = fickle_load(host, dir, NULL);
    struct modelhost_model *same = fickle_load(host, dir, &options);
    options.backend = "torch";
    struct modelhost_model *torch = fickle_load(host, dir, &options);
    assert_ptr_equal(usual, same);
    assert_ptr_not_equal(usual, torch);
    modelhost_release(usual);
    modelhost_release(same);
    modelhost_release(torch);
    modelhost_destroy(host);
    remove_package(dir);
}

static void a_replaced_backend_is_loaded_anew(void **state)
{
    (void)state;
    char *dir = make_two_backends("");
    char *cpu = path_join(dir, "backends/cpu");
    struct modelhost *host = caching_host(dir, 2, 0, 0);
    modelhost_release(fickle_load(host, dir, NULL));
    assert_int_equal(dir_remove_all(cpu, NULL), MODEL_OK);
    add_backend(dir, "cpu", 7, "");
    struct modelhost_model *model = fickle_load(host, dir, NULL);
    float y = 0;
    assert_int_equal(fickle_run(model, NULL, &y, NULL, NULL), MODEL_OK);
    assert_int_equal((int)y, 7);
    modelhost_release(model);
    assert_int_equal(counters_of(host).hits, 0);
    modelhost_destroy(host);
    free(cpu);
    remove_package(dir);
}

static void idle_models_go_by_themselves(void **state)
{
    (void)state;
    char *dir = make_two_backends("");
    struct modelhost *host = caching_host(dir, 5, 0, 4); /* looked at each millisecond */
    modelhost_release(fickle_load(host, dir, NULL));
    assert_int_equal(counters_of(host).items, 1); /* the test's clock stands still */
    pass_ms(4);
    while (counters_of(host).items > 0)
        continue;
    assert_int_equal(counters_of(host).evictions, 1);
    modelhost_destroy(host);
    remove_package(dir);
}

static void backends_that_stand_in_count_as_bytes(void **state)
{
    (void)state;
    char *dir = make_two_backends("");
    struct modelhost *host = caching_host(dir, 5, 1500, 0); /* each says that it takes 1000 */
    struct modelhost_model *model = fickle_load(host, dir, NULL);
    assert_int_equal(counters_of(host).bytes, 1000);
    command(dir, "cpu", "f");
    for (int i = 0; i < 20; i++)
        assert_int_equal(fickle_run(model, NULL, NULL, NULL, NULL), MODEL_INTERNAL);
    assert_int_equal(fickle_run(model, NULL, NULL, NULL, NULL), MODEL_OK); /* on torch */
    assert_int_equal(counters_of(host).bytes, 2000);
    modelhost_release(model);
    while (counters_of(host).items > 0) /* until the lane has dropped its last request */
        continue;
    modelhost_destroy(host);
    remove_package(dir);
}

static void a_running_request_keeps_its_model(void **state)
{
    (void)state;
    struct modelhost_run_options run = MODELHOST_RUN_OPTIONS_INIT;
    char *dir = make_two_backends(""), *other = make_two_backends("");
    struct modelhost *host = caching_host(dir, 1, 0, 0);
    struct modelhost_model *model = fickle_load(host, dir, NULL);
    struct modelhost_session *session = NULL;
    assert_int_equal(modelhost_session_create(model, &session, NULL), MODEL_OK);
    modelhost_release(model);
    struct modelhost_model *second = fickle_load(host, other, NULL);
    assert_int_equal(counters_of(host).items, 2); /* the session holds one, we the other */
    assert_ptr_equal(fickle_load(host, dir, NULL), model);
    run.session = session;
    assert_int_equal(fickle_run(model, &run, NULL, NULL, NULL), MODEL_OK);
    modelhost_release(model);
    modelhost_session_release(session);
    modelhost_release(second);
    assert_int_equal(counters_of(host).items, 1);
    modelhost_destroy(host);
    remove_package(dir);
    remove_package(other);
}

static void a_load_that_fails_is_tried_again(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_model *model = NULL;
    char *dir = scratch_dir();
    add_backend(dir, "cpu", 1, ",\"create_fails\":true");
    struct modelhost *host = caching_host(dir, 1, 0, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(modelhost_load(host, dir, &model, &err), MODEL_INTERNAL);
    assert_non_null(strstr(err.message, "fickle: told not to open"));
    assert_int_equal(counters_of(host).misses, 2);
    modelhost_destroy(host);
    remove_package(dir);
}

struct loader {
    struct modelhost *host;
    const char *dir;
    struct modelhost_model *model;
    uv_thread_t thread;
};

static void load(void *argument)
{
    struct loader *loader = argument;
    loader->model = fickle_load(loader->host, loader->dir, NULL);
}

static void loads_at_once_are_one_model(void **state)
{
    (void)state;
    enum { N = 4 };
    struct loader loaders[N];
    char *dir = make_two_backends("");
    struct modelhost *host = caching_host(dir, 1, 0, 0);
    for (int i = 0; i < N; i++) {
        loaders[i] = (struct loader){.host = host, .dir = dir};
        assert_int_equal(uv_thread_create(&loaders[i].thread, load, &loaders[i]), 0);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(uv_thread_join(&loaders[i].thread), 0);
    for (int i = 0; i < N; i++) {
        assert_ptr_equal(loaders[i].model, loaders[0].model);
        modelhost_release(loaders[i].model);
    }
    const struct model_cache_counters counters = counters_of(host);
    assert_int_equal(counters.misses, 1);
    assert_int_equal(counters.hits + counters.shared_loads, N - 1);
    modelhost_destroy(host);
    remove_package(dir);
}

static void assert_refused(struct modelhost_options options, const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost *host = NULL;
    options.store_dir = options.plugin_path = ".";
    options.lanes = options.threads = 1;
    assert_int_equal(modelhost_create(&options, &host, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, sentence);
    assert_null(host);
}

static void bounds_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    options.cache_bytes = 1;
    assert_refused(options, "cache_bytes and cache_idle_ms want cache_items too: how many models "
                            "stay open at most");
    options.cache_items = 1;
    options.cache_idle_ms = -1;
    assert_refused(options, "cache_idle_ms is -1, want 0 to 9223372036854");
}

static void options_of_an_older_library_mean_no_cache(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    options.struct_size = offsetof(struct modelhost_options, cache_items);
    options.cache_items = 77;
    char *dir = make_two_backends("");
    struct modelhost *host = fickle_host(dir, &options);
    assert_null(host->cache);
    modelhost_destroy(host);
    remove_package(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_released_model_is_there_at_once),
        cmocka_unit_test(without_a_cache_models_go),
        cmocka_unit_test(other_options_are_another_model),
        cmocka_unit_test(a_replaced_backend_is_loaded_anew),
        cmocka_unit_test(idle_models_go_by_themselves),
        cmocka_unit_test(backends_that_stand_in_count_as_bytes),
        cmocka_unit_test(a_running_request_keeps_its_model),
        cmocka_unit_test(a_load_that_fails_is_tried_again),
        cmocka_unit_test(loads_at_once_are_one_model),
        cmocka_unit_test(bounds_that_mean_nothing_are_refused),
        cmocka_unit_test(options_of_an_older_library_mean_no_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
