/* test_hub_environment.c - the hub's settings out of the environment. */
#include "in_folder.h"

#include "hub_environment.h"

static const char *const names[] = {"HF_ENDPOINT",     "HF_TOKEN",
                                    "HF_TOKEN_PATH",   "HF_HOME",
                                    "HF_HUB_OFFLINE",  "HF_HUB_DOWNLOAD_TIMEOUT",
                                    "MODELHOST_STORE", "MODELHOST_PLUGIN_PATH",
                                    "XDG_CACHE_HOME"};

static int start(void **state)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    int failed = make_folder(state);
    setenv("HOME", folder, 1);
    return failed;
}

static model_status read_all(struct hub_environment *ret, struct model_error *err)
{
    model_status status = hub_environment_read(ret, err);
    if (status != MODEL_OK)
        return status;
    status = hub_environment_read_token(ret, err);
    if (status != MODEL_OK)
        hub_environment_finish(ret);
    return status;
}

static void nothing_set_means_defaults(void **state)
{
    struct hub_environment environment;
    (void)state;
    assert_int_equal(read_all(&environment, NULL), MODEL_OK);
    assert_null(environment.endpoint);
    assert_null(environment.token);
    assert_false(environment.offline);
    assert_int_equal(environment.stall_timeout_ms, 0);
    assert_string_equal(environment.store_dir, in_folder(".cache/modelhost"));
    hub_environment_finish(&environment);
}

static void what_is_set_is_read(void **state)
{
    struct hub_environment environment;
    (void)state;
    setenv("HF_ENDPOINT", "http://h", 1);
    setenv("HF_TOKEN", "t", 1);
    setenv("HF_HUB_OFFLINE", "1", 1);
    setenv("HF_HUB_DOWNLOAD_TIMEOUT", "2.5", 1);
    setenv("MODELHOST_STORE", "s", 1);
    setenv("MODELHOST_PLUGIN_PATH", "p", 1);
    assert_int_equal(read_all(&environment, NULL), MODEL_OK);
    assert_string_equal(environment.endpoint, "http://h");
    assert_string_equal(environment.token, "t");
    assert_true(environment.offline);
    assert_int_equal(environment.stall_timeout_ms, 2500);
    assert_string_equal(environment.store_dir, "s");
    assert_string_equal(environment.plugin_path, "p");
    hub_environment_finish(&environment);
}

static void tokens_are_found_where_the_hubs_own_client_keeps_them(void **state)
{
    struct hub_environment environment;
    (void)state;
    assert_int_equal(dir_make_all(in_folder(".cache/huggingface"), NULL), MODEL_OK);
    write_file(in_folder(".cache/huggingface/token"), "home\n", 5);
    assert_int_equal(read_all(&environment, NULL), MODEL_OK);
    assert_string_equal(environment.token, "home");
    hub_environment_finish(&environment);
    write_file(in_folder("token"), " \tmine \n", 8);
    setenv("HF_HOME", folder, 1);
    assert_int_equal(read_all(&environment, NULL), MODEL_OK);
    assert_string_equal(environment.token, "mine");
    hub_environment_finish(&environment);
    write_file(in_folder("other"), "\n", 1);
    setenv("HF_TOKEN_PATH", in_folder("other"), 1);
    assert_int_equal(read_all(&environment, NULL), MODEL_OK);
    assert_null(environment.token);
    hub_environment_finish(&environment);
}

static void blanks_around_a_token_do_not_matter(void **state)
{
    struct hub_environment environment;
    (void)state;
    setenv("HF_TOKEN", " \thf_right\r\n", 1);
    assert_int_equal(read_all(&environment, NULL), MODEL_OK);
    assert_string_equal(environment.token, "hf_right");
    hub_environment_finish(&environment);
    /* nothing but blanks: the file counts, as for the hub's own client */
    setenv("HF_TOKEN", " \n", 1);
    write_file(in_folder("token"), "mine", 4);
    setenv("HF_HOME", folder, 1);
    assert_int_equal(read_all(&environment, NULL), MODEL_OK);
    assert_string_equal(environment.token, "mine");
    hub_environment_finish(&environment);
}

static void an_unusable_token_file_matters_only_where_a_token_does(void **state)
{
    struct hub_environment environment;
    struct model_error err = {.struct_size = sizeof err};
    (void)state;
    setenv("HF_TOKEN_PATH", folder, 1);
    assert_int_equal(hub_environment_read(&environment, &err), MODEL_OK);
    assert_int_equal(hub_environment_read_token(&environment, &err), MODEL_INVALID_ARGUMENT);
    assert_null(environment.token);
    char *want = text_format("%s is not a regular file; this is the token file by HF_TOKEN_PATH: "
                             "name another with HF_TOKEN_PATH, or give the token with HF_TOKEN or "
                             "--token ('--token \"\"' for none)",
                             folder);
    assert_string_equal(err.message, want);
    free(want);
    setenv("HF_TOKEN", "t", 1);
    assert_int_equal(hub_environment_read_token(&environment, &err), MODEL_OK);
    assert_string_equal(environment.token, "t");
    hub_environment_finish(&environment);
}

static void what_is_no_token_is_named(void **state)
{
    struct hub_environment environment;
    struct model_error err = {.struct_size = sizeof err};
    (void)state;
    setenv("HF_TOKEN", "a b", 1);
    assert_int_equal(read_all(&environment, &err), MODEL_INVALID_ARGUMENT);
    assert_memory_equal(err.message, "HF_TOKEN: the hub's token is not one", 36);
    unsetenv("HF_TOKEN");
    setenv("HF_HOME", folder, 1);
    write_file(in_folder("token"), "\x01", 1);
    assert_int_equal(read_all(&environment, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "this is the token file by HF_HOME"));
}

static void bad_settings_are_named(void **state)
{
    static const char *const bad[] = {"soon", "-1", "0", "1s", "nan", "1e9"};
    struct hub_environment environment;
    struct model_error err = {.struct_size = sizeof err};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("HF_HUB_DOWNLOAD_TIMEOUT", bad[i], 1);
        assert_int_equal(hub_environment_read(&environment, &err), MODEL_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "HF_HUB_DOWNLOAD_TIMEOUT"));
    }
    assert_string_equal(err.message, "HF_HUB_DOWNLOAD_TIMEOUT is '1e9', want seconds, more than 0 "
                                     "and at most 86400");
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, start, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(nothing_set_means_defaults),
        HERE(what_is_set_is_read),
        HERE(tokens_are_found_where_the_hubs_own_client_keeps_them),
        HERE(blanks_around_a_token_do_not_matter),
        HERE(an_unusable_token_file_matters_only_where_a_token_does),
        HERE(what_is_no_token_is_named),
        HERE(bad_settings_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
