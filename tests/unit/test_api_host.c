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
    assert_non_null(strstr(message, "was built for ABI 2.3, this host speaks 1.3"));
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
    assert_int_equal(modelhost_load(host, NULL, &model, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "the model's name is NULL; give a name in the store or a folder");
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

/* Loads a package with the echo plugin and this config; NULL: without one. */
static model_status load_config(const char *config, struct model_error *err)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    char *dir = make_package("echo", config != NULL ? config : "");
    char *path = path_join(dir, "backends/cpu/config.json");
    if (config == NULL)
        assert_int_equal(unlink(path), 0);
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    assert_int_equal(modelhost_create(&options, &host, err), MODEL_OK);
    model_status status = modelhost_load(host, dir, &model, err);
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
    free(path);
    return status;
}

static void assert_bad_config(const char *config, const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(load_config(config, &err), MODEL_CORRUPT);
    if (strstr(err.message, sentence) == NULL)
        fail_msg("'%s' is not in '%s'", sentence, err.message);
}

static void a_config_that_is_missing_or_ambiguous_is_refused(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(load_config("{}", &err), MODEL_OK);
    assert_int_equal(load_config("{\"a\":{\"b\":1},\"b\":[{\"b\":1},{\"b\":1}]}", &err), MODEL_OK);
    assert_bad_config(NULL, "config.json is missing; a model without a configuration has one that "
                            "says {}");
    assert_bad_config("{\"a\":1,\"b\":2,\"a\":3}", "the key 'a' stands twice");
    assert_bad_config("{\"a\":[{\"b\":1},{\"c\":2,\"c\":2}]}", "the key 'c' stands twice");
    assert_bad_config("{\"architectures\":\"BertModel\"}",
                      "architectures is not a list of strings; want one such as");
    assert_bad_config("{\"architectures\":[1]}", "architectures is not a list of strings");
    assert_bad_config("{\"model_type\":5}", "model_type is not a string");
}

static void a_short_error_of_the_caller_is_not_overrun(void **state)
{
    (void)state;
    struct {
        struct model_error err;
        char behind[8];
    } caller;
    memset(&caller, '#', sizeof caller);
    caller.err.struct_size = offsetof(struct model_error, message) + 20;
    assert_int_equal(load_config("{\"model_type\":5}", &caller.err), MODEL_CORRUPT);
    assert_true(memchr(caller.err.message, '\0', 20) != NULL);
    for (size_t i = 20; i < sizeof caller.err.message; i++)
        assert_int_equal(caller.err.message[i], '#');
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

/* Covers host/model_opening.c. */
static void a_config_that_is_no_file_is_refused(void **state)
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
        assert_non_null(
            strstr(err.message, kind == 1 ? "backends/cpu/config.json is missing; a model without"
                                          : "backends/cpu/config.json is not a regular file"));
    }
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
        cmocka_unit_test(a_config_that_is_missing_or_ambiguous_is_refused),
        cmocka_unit_test(a_short_error_of_the_caller_is_not_overrun),
        cmocka_unit_test(a_model_describes_itself),
        cmocka_unit_test(a_host_can_be_made_and_destroyed_many_times),
        cmocka_unit_test(a_config_that_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
