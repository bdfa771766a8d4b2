/* test_api_host.c - making hosts and opening models: what is refused, and how it is said. Covers
 * host/model_opening.c, host/loaded_model.c and host/plugin_handle.c. */
#include "cpu_budget.h"
#include "echo_package.h"
#include "errors.h"

#include <sys/stat.h>

/* Loads a package with a fixture plugin that must be refused; *message receives the sentence. */
static model_status load_fixture(const char *plugin, char message[MODEL_ERROR_BYTES])
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    char *dir = make_package(plugin, "{\"model_type\":\"echo\"}");
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    assert_int_equal(modelhost_create(&options, &host, &err), MODEL_OK);
    model_status status = modelhost_load(host, dir, &model, &err);
    modelhost_release(model);
    modelhost_destroy(host);
    memcpy(message, err.message, MODEL_ERROR_BYTES);
    remove_package(dir);
    return status;
}

static void a_plugin_of_another_major_version_is_refused_with_both_versions(void **state)
{
    (void)state;
    char message[MODEL_ERROR_BYTES];
    assert_int_equal(load_fixture("wrong_major", message), MODEL_ABI_MISMATCH);
    assert_non_null(strstr(message, "was built for ABI 2.0, this host speaks 1.0"));
    assert_non_null(strstr(message, "rebuild the plugin"));
}

static void a_file_without_a_note_is_refused(void **state)
{
    (void)state;
    char message[MODEL_ERROR_BYTES];
    assert_int_equal(load_fixture("no_note", message), MODEL_UNSUPPORTED);
    assert_non_null(strstr(message, "carries no modelhost note"));
}

static void extra_exports_are_refused_by_name(void **state)
{
    (void)state;
    char message[MODEL_ERROR_BYTES];
    assert_int_equal(load_fixture("extra_exports", message), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(message, "exports"));
}

static void a_plugin_without_create_model_is_refused(void **state)
{
    (void)state;
    char message[MODEL_ERROR_BYTES];
    assert_int_equal(load_fixture("no_create_model", message), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(message, "create_model"));
}

static void more_threads_than_cpus_are_refused(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost *host = NULL;
    options.store_dir = options.plugin_path = ".";
    options.lanes = 1;
    options.threads = cpu_budget() + 1;
    char wanted[256];
    (void)snprintf(wanted, sizeof wanted,
                   "1 lanes of %u threads are more than the %u CPUs that this process may use",
                   options.threads, cpu_budget());
    assert_int_equal(modelhost_create(&options, &host, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, wanted);
    assert_null(host);
}

static void a_name_that_is_nowhere_says_how_to_get_it(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    char *dir = scratch_dir();
    options.store_dir = path_join(dir, "store");
    options.plugin_path = dir;
    options.lanes = options.threads = 1;
    assert_int_equal(modelhost_create(&options, &host, &err), MODEL_OK);
    assert_int_equal(modelhost_load(host, "ns/absent", &model, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "no such model: 'ns/absent'"));
    assert_non_null(strstr(err.message, "pkgmgr download ns/absent"));
    modelhost_destroy(host);
    free((char *)(uintptr_t)options.store_dir);
    remove_package(dir);
}

static void a_broken_config_names_the_file_and_the_byte(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    char *dir = make_package("echo", "{\"model_type\":");
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    assert_int_equal(modelhost_create(&options, &host, &err), MODEL_OK);
    assert_int_equal(modelhost_load(host, dir, &model, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "backends/cpu/config.json: not valid JSON at byte"));
    modelhost_destroy(host);
    remove_package(dir);
}

static void a_model_describes_itself(void **state)
{
    (void)state;
    struct echo echo = echo_open("{\"model_type\":\"echo\"}", 0);
    const struct model_description *description = modelhost_description(echo.model);
    assert_string_equal(description->architecture, "Echo");
    assert_non_null(strstr(modelhost_describe(echo.model), "\"inputs\""));
    assert_non_null(strstr(modelhost_describe(echo.model), "\"plugin_path\""));
    echo_close(&echo);
}

static void a_host_can_be_made_and_destroyed_many_times(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct echo echo = echo_open("{}", 0);
        echo_close(&echo);
    }
    modelhost_destroy(NULL);
    modelhost_release(NULL);
    modelhost_result_destroy(NULL);
    modelhost_request_release(NULL);
}

static model_status load(const char *dir, struct modelhost_options *options,
                         struct model_error *err)
{
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    options->store_dir = options->plugin_path = dir;
    options->lanes = options->threads = 1;
    assert_int_equal(modelhost_create(options, &host, err), MODEL_OK);
    model_status status = modelhost_load(host, dir, &model, err);
    modelhost_release(model);
    modelhost_destroy(host);
    return status;
}

static char warnings[2000];

static void keep_warning(void *context, int32_t level, const char *message)
{
    (void)context;
    size_t used = strlen(warnings);
    if (level <= MODEL_LOG_WARN)
        (void)snprintf(warnings + used, sizeof warnings - used, "%s\n", message);
}

/* Covers host/model_opening.c: what is not there, or not a file, is not "{}" without a word. */
static void a_config_that_is_no_file_is_refused_and_a_missing_one_told(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = make_package("echo", "{}"), *config = path_join(dir, "backends/cpu/config.json");
    for (int kind = 0; kind < 3; kind++) {
        assert_int_equal(remove(config), 0);
        assert_int_equal(kind == 0   ? mkfifo(config, 0600)
                         : kind == 1 ? symlink("nowhere", config)
                                     : mkdir(config, 0700),
                         0);
        assert_int_equal(load(dir, &options, &err), MODEL_CORRUPT);
        assert_memory_equal(err.message, "the model's configuration cannot be read: ", 42);
        assert_non_null(strstr(err.message, "backends/cpu/config.json"));
    }
    assert_int_equal(remove(config), 0);
    options.log = keep_warning;
    warnings[0] = '\0';
    assert_int_equal(load(dir, &options, &err), MODEL_OK);
    assert_non_null(strstr(warnings, "backends/cpu/config.json is missing: the plugin is given an "
                                     "empty configuration"));
    free(config);
    remove_package(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plugin_of_another_major_version_is_refused_with_both_versions),
        cmocka_unit_test(a_file_without_a_note_is_refused),
        cmocka_unit_test(extra_exports_are_refused_by_name),
        cmocka_unit_test(a_plugin_without_create_model_is_refused),
        cmocka_unit_test(more_threads_than_cpus_are_refused),
        cmocka_unit_test(a_name_that_is_nowhere_says_how_to_get_it),
        cmocka_unit_test(a_broken_config_names_the_file_and_the_byte),
        cmocka_unit_test(a_model_describes_itself),
        cmocka_unit_test(a_host_can_be_made_and_destroyed_many_times),
        cmocka_unit_test(a_config_that_is_no_file_is_refused_and_a_missing_one_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
