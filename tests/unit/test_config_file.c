/* test_config_file.c - files of options: host/api_config.c and host/config/config_fields.c. */
#include "config_file.h"
#include "config_fields.h"
#include "errors.h"
#include "files.h"
#include "testing.h"

#include <unistd.h>

static struct modelhost_config *parse(const char *text)
{
    struct modelhost_config *config = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (config_file_parse(text, strlen(text), "options.json", &config, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return config;
}

static void what_the_file_names_is_set_and_the_rest_is_left(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_config *config =
        parse("{\"host\":{\"lanes\":2,\"store_dir\":\"/s\",\"log_level\":\"debug\","
              "\"result_cache_bytes\":9007199254740992}}");
    options.threads = 7;
    modelhost_config_host(config, &options);
    assert_int_equal(options.lanes, 2);
    assert_int_equal(options.threads, 7);
    assert_string_equal(options.store_dir, "/s");
    assert_null(options.plugin_path);
    assert_int_equal(options.log_level, MODEL_LOG_DEBUG);
    assert_true(options.result_cache_bytes == (uint64_t)1 << 53);
    modelhost_config_destroy(config);
}

static void a_model_has_what_all_have_and_its_own_over_it(void **state)
{
    (void)state;
    struct modelhost_config *config =
        parse("{\"models\":{\"bert\":{\"workers\":3},"
              "\"*\":{\"isolation\":\"worker\",\"workers\":2,\"kill_grace_ms\":10}}}");
    struct modelhost_load_options bert = MODELHOST_LOAD_OPTIONS_INIT, other = bert;
    modelhost_config_model(config, "bert", &bert);
    modelhost_config_model(config, "other", &other);
    assert_int_equal(bert.isolation, MODELHOST_WORKER);
    assert_int_equal(bert.workers, 3);
    assert_int_equal(bert.kill_grace_ms, 10);
    assert_int_equal(other.isolation, MODELHOST_WORKER);
    assert_int_equal(other.workers, 2);
    modelhost_config_destroy(config);
}

static void bounds_and_no_bound_are_taken(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost_config *config = parse("{\"models\":{\"*\":{\"worker_memory_bytes\":67108864},"
                                            "\"bert\":{\"worker_memory_bytes\":0}},"
                                            "\"host\":{\"redis_url\":\"\",\"plugin_path\":\"\"}}");
    modelhost_config_model(config, "other", &options);
    assert_true(options.worker_memory_bytes == 67108864);
    modelhost_config_model(config, "bert", &options);
    assert_true(options.worker_memory_bytes == 0);
    modelhost_config_destroy(config);
}

static void an_empty_file_changes_nothing(void **state)
{
    (void)state;
    const struct modelhost_options before = MODELHOST_OPTIONS_INIT;
    struct modelhost_options options = before;
    struct modelhost_config *config = parse("{}");
    modelhost_config_host(config, &options);
    assert_memory_equal(&options, &before, sizeof options);
    modelhost_config_destroy(config);
}

static void a_struct_of_an_older_program_is_written_within_its_size(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_config *config =
        parse("{\"host\":{\"lanes\":2,\"result_cache_bytes\":5,\"redis_url\":\"redis://h\"}}");
    options.struct_size = offsetof(struct modelhost_options, result_cache_bytes);
    modelhost_config_host(config, &options);
    assert_int_equal(options.lanes, 2);
    assert_int_equal(options.result_cache_bytes, 0);
    assert_null(options.redis_url);
    modelhost_config_destroy(config);
}

static void what_is_wrong_is_named_by_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"[]", "options.json: not a JSON object"},
        {"{\"hosts\":{}}", "options.json: hosts is not known; there are host and models"},
        {"{\"host\":[]}", "options.json: host is not a JSON object"},
        {"{\"models\":1}", "options.json: models is not a JSON object"},
        {"{\"models\":{\"a\":1}}", "options.json: models.a is not a JSON object"},
        {"{\"host\":{\"lanes\":2,\"lanes\":3}}",
         "options.json: host: the key 'lanes' stands twice"},
        {"{\"host\":{\"lanes\":-1}}",
         "options.json: host.lanes: want a whole number from 0 to 1024"},
        {"{\"host\":{\"lanes\":1.5}}",
         "options.json: host.lanes: want a whole number from 0 to 1024"},
        {"{\"host\":{\"lanes\":\"2\"}}",
         "options.json: host.lanes: want a whole number from 0 to 1024"},
        {"{\"host\":{\"lanes\":null}}",
         "options.json: host.lanes: want a whole number from 0 to 1024"},
        {"{\"host\":{\"store_dir\":1}}",
         "options.json: host.store_dir: want a string that is not empty, without control characters"},
        {"{\"host\":{\"worker_path\":\"\"}}",
         "options.json: host.worker_path: want a string that is not empty, without control characters"},
        {"{\"host\":{\"plugin_path\":\"a\\u007fb\"}}",
         "options.json: host.plugin_path: want a string without control characters"},
        {"{\"models\":{\"*\":{\"name\":\"\\n\"}}}",
         "options.json: models.*.name: want a string without control characters"},
        {"{\"models\":{\"*\":{\"worker_memory_bytes\":1}}}",
         "options.json: models.*.worker_memory_bytes: want 0 or a whole number from 67108864 to 9007199254740992"},
        {"{\"models\":{\"*\":{\"isolation\":\"wroker\"}}}",
         "options.json: models.*.isolation: want one of \"inproc\", \"worker\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct modelhost_config *config = NULL;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(
            config_file_parse(rows[i].text, strlen(rows[i].text), "options.json", &config, &err),
            MODEL_INVALID_ARGUMENT);
        assert_null(config);
        assert_string_equal(err.message, rows[i].sentence);
    }
}

static void what_a_host_would_refuse_is_refused_before(void **state)
{
    (void)state;
    static const struct {
        const char *text, *beginning;
    } rows[] = {
        {"{\"host\":{\"redis_url\":\"cache:6379\"}}", "options.json: host.redis_url: "},
        {"{\"host\":{\"statsd_address\":\"nowhere\"}}", "options.json: host.statsd_address: "},
        {"{\"models\":{\"a\":{\"breaker_min_calls\":11,\"breaker_window\":10}}}",
         "options.json: models.a: breaker_min_calls is 11, want 0 to 10"},
        {"{\"models\":{\"a\":{\"breaker_min_calls\":11},\"*\":{\"breaker_window\":10}}}",
         "options.json: models.a: breaker_min_calls is 11, want 0 to 10"},
        {"{\"models\":{\"*\":{\"breaker_min_calls\":201}}}",
         "options.json: models.*: breaker_min_calls is 201, want 0 to 200"},
        {"{\"host\":{\"statsd_interval_ms\":9}}",
         "options.json: host: statsd_interval_ms is 9, want 10 to "},
        {"{\"models\":{\"a\":{\"backend\":\"../../etc\"}}}",
         "options.json: models.a: '../../etc' is no name of a backend"},
        {"{\"models\":{\"*\":{\"backend\":\"cpu,cpu\"}}}",
         "options.json: models.*: the backend 'cpu' is named twice"},
        {"{\"models\":{\"a\":{\"name\":\"\"}}}",
         "options.json: models.a: a model's name has 1 to 200 bytes"},
        {"{\"models\":{\"\":{}}}", "options.json: models has a model without a name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct modelhost_config *config = NULL;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(
            config_file_parse(rows[i].text, strlen(rows[i].text), "options.json", &config, &err),
            MODEL_INVALID_ARGUMENT);
        assert_null(config);
        if (strncmp(err.message, rows[i].beginning, strlen(rows[i].beginning)) != 0)
            fail_msg("%s", err.message);
    }
    modelhost_config_destroy(parse(
        "{\"host\":{\"redis_url\":\"\",\"statsd_address\":\"localhost:8125\","
        "\"statsd_interval_ms\":10},"
        "\"models\":{\"a\":{\"breaker_min_calls\":11,\"backend\":\"torch,cpu\"},\"*\":{\"breaker_window\":11}}}"));
}

static void an_unknown_key_is_refused_with_those_that_there_are(void **state)
{
    (void)state;
    struct modelhost_config *config = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    const char *text = "{\"models\":{\"bert\":{\"worker\":1}}}";
    assert_int_equal(config_file_parse(text, strlen(text), "options.json", &config, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message,
                           "options.json: models.bert.worker is not known; there are isolation, "));
    assert_non_null(strstr(err.message, "workers"));
}

static void what_is_shown_is_a_file_that_says_the_same(void **state)
{
    (void)state;
    struct modelhost_config *config =
        parse("{\"host\":{\"lanes\":2,\"redis_url\":\"redis://h\"},"
              "\"models\":{\"*\":{\"workers\":2},\"a\":{\"isolation\":\"worker\"}}}");
    char *shown = NULL, *again = NULL;
    assert_int_equal(modelhost_config_show(config, &shown, NULL), MODEL_OK);
    struct modelhost_config *copy = parse(shown);
    assert_int_equal(modelhost_config_show(copy, &again, NULL), MODEL_OK);
    assert_string_equal(shown, again);
    assert_non_null(strstr(shown, "\"redis_url\""));
    struct modelhost_load_options a = MODELHOST_LOAD_OPTIONS_INIT;
    modelhost_config_model(copy, "a", &a);
    assert_int_equal(a.workers, 2);
    assert_int_equal(a.isolation, MODELHOST_WORKER);
    free(shown);
    free(again);
    modelhost_config_destroy(config);
    modelhost_config_destroy(copy);
}

/* Marks the bytes of a struct that rows, or [from, to) by hand, stand for. */
static void cover(unsigned char *bytes, size_t from, size_t to)
{
    memset(bytes + from, 1, to - from);
}

static void assert_all_options_have_keys(const struct config_field *fields, unsigned char *bytes,
                                         size_t n)
{
    for (; fields->key != NULL; fields++)
        cover(bytes, fields->offset,
              fields->offset + (fields->kind == CONFIG_U32 || fields->kind == CONFIG_WORD ||
                                        fields->kind == CONFIG_BOOL
                                    ? 4
                                    : 8));
    for (size_t i = 0, run = 0; i < n; i++) { /* 4 bytes may be padding */
        run = bytes[i] != 0 ? 0 : run + 1;
        if (run == 8)
            fail_msg("no key for the field at offset %zu", i - 7);
    }
}

#define FIELD_END(T, field) (offsetof(T, field) + sizeof(((T *)NULL)->field))

static void every_option_of_the_c_interface_has_a_key(void **state)
{
    (void)state;
    unsigned char host[sizeof(struct modelhost_options)] = {0};
    unsigned char model[sizeof(struct modelhost_load_options)] = {0};
    cover(host, 0, sizeof(size_t));
    cover(host, offsetof(struct modelhost_options, log),
          FIELD_END(struct modelhost_options, log_context));
    cover(host, offsetof(struct modelhost_options, cache_reserved),
          FIELD_END(struct modelhost_options, cache_reserved));
    cover(host, offsetof(struct modelhost_options, log_record),
          FIELD_END(struct modelhost_options, log_record));
    cover(host, offsetof(struct modelhost_options, log_record),
          FIELD_END(struct modelhost_options, log_record));
    cover(model, 0, sizeof(size_t));
    cover(model, offsetof(struct modelhost_load_options, reserved),
          FIELD_END(struct modelhost_load_options, reserved));
    cover(model, offsetof(struct modelhost_load_options, passphrase),
          FIELD_END(struct modelhost_load_options, key)); /* secrets: in files of their own */
    assert_all_options_have_keys(config_host_fields, host, sizeof host);
    assert_all_options_have_keys(config_model_fields, model, sizeof model);
}

static void signatures_are_asked_for_by_true_and_false(void **state)
{
    (void)state;
    struct modelhost_config *config = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    char *dir = scratch_dir(), *path = path_join(dir, "config.json");
    static const char good[] =
        "{\"models\":{\"*\":{\"require_signature\":true,\"trusted_keys\":\"/k\"}}}";
    static const char wrong[] = "{\"models\":{\"*\":{\"require_signature\":1}}}";
    assert_int_equal(file_write_atomic(path, wrong, sizeof wrong - 1, &err), MODEL_OK);
    assert_int_equal(modelhost_config_read(path, &config, &err), MODEL_INVALID_ARGUMENT);
    assert_int_equal(file_write_atomic(path, good, sizeof good - 1, &err), MODEL_OK);
    assert_int_equal(modelhost_config_read(path, &config, &err), MODEL_OK);
    modelhost_config_model(config, "m", &options);
    assert_int_equal(options.require_signature, 1);
    assert_string_equal(options.trusted_keys, "/k");
    modelhost_config_destroy(config);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(path);
    free(dir);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct modelhost_config *config = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = scratch_dir(), *path = path_join(dir, "none.json");
    assert_int_equal(modelhost_config_read(path, &config, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, path));
    free(path);
    assert_int_equal(modelhost_config_read(NULL, &config, &err), MODEL_INVALID_ARGUMENT);
    assert_int_equal(rmdir(dir), 0);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_file_names_is_set_and_the_rest_is_left),
        cmocka_unit_test(a_model_has_what_all_have_and_its_own_over_it),
        cmocka_unit_test(bounds_and_no_bound_are_taken),
        cmocka_unit_test(an_empty_file_changes_nothing),
        cmocka_unit_test(a_struct_of_an_older_program_is_written_within_its_size),
        cmocka_unit_test(what_is_wrong_is_named_by_its_place),
        cmocka_unit_test(what_a_host_would_refuse_is_refused_before),
        cmocka_unit_test(an_unknown_key_is_refused_with_those_that_there_are),
        cmocka_unit_test(what_is_shown_is_a_file_that_says_the_same),
        cmocka_unit_test(every_option_of_the_c_interface_has_a_key),
        cmocka_unit_test(signatures_are_asked_for_by_true_and_false),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
