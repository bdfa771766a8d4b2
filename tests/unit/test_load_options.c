/* test_load_options.c - what the options of a load mean, through the public functions. */
#include "load_options.h"
#include "fickle_package.h"

static void assert_option_refused(const struct modelhost_load_options *options,
                                  const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_model *model = NULL;
    char *dir = scratch_dir();
    add_backend(dir, "cpu", 1, "");
    struct modelhost *host = fickle_host(dir, NULL);
    assert_int_equal(modelhost_load_with(host, dir, options, &model, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, sentence);
    modelhost_destroy(host);
    remove_package(dir);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    options.breaker_window = 5000;
    assert_option_refused(&options, "breaker_window is 5000, want 0 to 4096");
    options.breaker_window = 10;
    options.breaker_min_calls = 11;
    assert_option_refused(&options, "breaker_min_calls is 11, want 0 to 10");
    options.breaker_min_calls = 0;
    options.breaker_success_rate = 1.5;
    assert_option_refused(&options, "breaker_success_rate is 1.5, want 0 to 1");
    options.breaker_success_rate = 0;
    options.sla_ms = -1;
    assert_option_refused(&options, "sla_ms is -1, want 0 to 86400000");
    options.sla_ms = 0;
    options.quarantine_after_crashes = 65;
    assert_option_refused(&options, "quarantine_after_crashes is 65, want 0 to 64");
    options.quarantine_after_crashes = 0;
    options.quarantine_ms = -1;
    assert_option_refused(&options, "quarantine_ms is -1, want 0 to 604800000");
    options.quarantine_ms = 0;
    options.load_timeout_ms = -1;
    assert_option_refused(&options, "load_timeout_ms is -1, want 0 (300000) to 86400000");
    options.load_timeout_ms = 0;
    options.timeout_ms = -1;
    assert_option_refused(&options, "timeout_ms is -1, want 0 to 86400000");
    options.timeout_ms = 0;
    options.accelerator_start = 3;
    assert_option_refused(&options, "accelerator_start is 3, want 0 to 2");
    options.accelerator_start = 0;
    options.demote_after_openings = 17;
    assert_option_refused(&options, "demote_after_openings is 17, want 0 to 16");
    options.demote_after_openings = 0;
    options.demotion_window_ms = -1;
    assert_option_refused(&options, "demotion_window_ms is -1, want 0 to 86400000");
    options.demotion_window_ms = 0;
    options.demotion_ms = 604800001;
    assert_option_refused(&options, "demotion_ms is 604800001, want 0 to 604800000");
}

static struct modelhost_model *load_one(const char *dir,
                                        const struct modelhost_load_options *options,
                                        struct modelhost **ret_host)
{
    add_backend(dir, "cpu", 1, "");
    *ret_host = fickle_host(dir, NULL);
    return fickle_load(*ret_host, dir, options);
}

static void the_only_backend_has_a_breaker_if_that_is_said(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    for (int said = 0; said < 2; said++) {
        struct modelhost *host = NULL;
        char *dir = scratch_dir();
        options.breaker_success_rate = said ? 0.9 : 0;
        struct modelhost_model *model = load_one(dir, &options, &host);
        command(dir, "cpu", "f");
        for (int i = 0; i < 20; i++)
            assert_int_equal(fickle_run(model, NULL, NULL, NULL, NULL), MODEL_INTERNAL);
        assert_int_equal(fickle_run(model, NULL, NULL, NULL, NULL),
                         said ? MODEL_BUSY : MODEL_INTERNAL);
        modelhost_release(model);
        modelhost_destroy(host);
        remove_package(dir);
    }
}

static void a_negative_rate_lets_errors_through(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    char *dir = scratch_dir();
    options.breaker_success_rate = -1;
    add_backend(dir, "torch", 2, "");
    struct modelhost *host = NULL;
    struct modelhost_model *model = load_one(dir, &options, &host);
    command(dir, "cpu", "f");
    for (int i = 0; i < 100; i++)
        assert_int_equal(fickle_run(model, NULL, NULL, NULL, NULL), MODEL_INTERNAL);
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
}

static void options_of_an_older_library_mean_the_defaults(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost *host = NULL;
    char *dir = scratch_dir();
    options.struct_size = offsetof(struct modelhost_load_options, backend);
    options.backend = "not/read";
    options.breaker_window = 99999;
    struct modelhost_model *model = load_one(dir, &options, &host);
    assert_int_equal(fickle_run(model, NULL, NULL, NULL, NULL), MODEL_OK);
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
}

static void one_secret_is_taken_as_bytes_or_from_a_file(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct archive_secret *secret = NULL;
    static const uint8_t key[32] = {1, 2, 3};
    char *dir = scratch_dir(), *file = path_join(dir, "secret");
    write_file(file, key, sizeof key);
    assert_int_equal(load_options_secret(&options, &secret, &err), MODEL_OK);
    assert_null(secret);
    options.passphrase = "\0a";
    options.passphrase_bytes = 2;
    assert_int_equal(load_options_secret(&options, &secret, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "NUL"));
    options.passphrase = "ab, of which two count";
    assert_int_equal(load_options_secret(&options, &secret, &err), MODEL_OK);
    assert_int_equal(secret->size_bytes, 2);
    assert_memory_equal(secret->bytes, "ab", 2);
    archive_secret_destroy(secret);
    options.key = key;
    assert_option_refused(&options,
                          "want one of passphrase_file, key_file, passphrase and key, not 2");
    options.passphrase = NULL;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(load_options_secret(&options, &secret, &err), MODEL_OK);
        assert_int_equal(secret->source, ARCHIVE_KEY_OF_FILE);
        assert_memory_equal(secret->bytes, key, sizeof key);
        archive_secret_destroy(secret);
        options.key = NULL;
        options.key_file = file;
    }
    options.key_file = NULL;
    options.passphrase_file = "/none";
    assert_int_equal(load_options_secret(&options, &secret, &err), MODEL_NOT_FOUND);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(file);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(the_only_backend_has_a_breaker_if_that_is_said),
        cmocka_unit_test(a_negative_rate_lets_errors_through),
        cmocka_unit_test(one_secret_is_taken_as_bytes_or_from_a_file),
        cmocka_unit_test(options_of_an_older_library_mean_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
