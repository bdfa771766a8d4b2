/* generation_config.json, config.json and the caller's wishes. */
#include "generation_config.h"
#include "buffer.h"
#include "files.h"
#include "testing.h"

#include <math.h>

/* Reads with `file` as generation_config.json (NULL: none) and `config` as config.json. */
static model_status read_config(const char *file, const char *config, struct generation_config *ret,
                                struct model_error *err)
{
    char *dir = scratch_dir();
    char *path = path_join(dir, "generation_config.json");
    json_node *tree = NULL;
    if (file != NULL)
        write_file(path, file, strlen(file));
    assert_int_equal(json_parse(config, strlen(config), "config.json", &tree, NULL), MODEL_OK);
    model_status status = generation_config_read(NULL, dir, dir, tree, ret, err);
    json_free(tree);
    free(path);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
    return status;
}

static struct generation_config config_of(const char *file)
{
    struct generation_config config;
    assert_int_equal(read_config(file, "{}", &config, NULL), MODEL_OK);
    return config;
}

static void fields_are_read_and_absent_ones_are_those_of_the_reference(void **state)
{
    (void)state;
    struct generation_config config = config_of(
        "{\"do_sample\": true, \"temperature\": 0.7, \"top_k\": 20, \"top_p\": 0.9, \"min_p\": 0.1,"
        " \"repetition_penalty\": 1.2, \"max_new_tokens\": 64, \"eos_token_id\": [5, 6],"
        " \"bos_token_id\": 1, \"unknown\": {}}");
    assert_true(config.sampling.do_sample);
    assert_true(config.sampling.temperature == 0.7 && config.sampling.top_p == 0.9);
    assert_true(config.sampling.min_p == 0.1 && config.sampling.repetition_penalty == 1.2);
    assert_int_equal(config.sampling.top_k, 20);
    assert_int_equal(config.max_new_tokens, 64);
    assert_int_equal(config.bos_token_id, 1);
    assert_int_equal(config.n_eos, 2);
    assert_int_equal(config.eos_token_ids[1], 6);
    config = config_of("{}");
    assert_false(config.sampling.do_sample);
    assert_true(config.sampling.temperature == 1 && config.sampling.top_p == 1);
    assert_int_equal(config.sampling.top_k, 50);
    assert_int_equal(config.bos_token_id, -1);
    assert_int_equal(config.n_eos, 0);
}

static void top_k_of_null_draws_from_all_tokens(void **state)
{
    (void)state;
    struct generation_config config = config_of("{\"top_k\": null, \"do_sample\": true}");
    assert_int_equal(config.sampling.top_k, 0);
    assert_true(config.sampling.do_sample);
}

static void without_the_file_config_json_speaks(void **state)
{
    (void)state;
    struct generation_config config;
    assert_int_equal(
        read_config(NULL, "{\"eos_token_id\": 7, \"bos_token_id\": null}", &config, NULL),
        MODEL_OK);
    assert_int_equal(config.n_eos, 1);
    assert_int_equal(config.eos_token_ids[0], 7);
    assert_int_equal(config.bos_token_id, -1);
    assert_int_equal(read_config("{}", "{\"eos_token_id\": 7}", &config, NULL), MODEL_OK);
    assert_int_equal(config.n_eos, 0);
}

static void a_field_of_another_kind_is_named(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {"{\"temperature\": \"hot\"}", "'temperature' is not a number"},
        {"{\"top_k\": 1.5}", "'top_k' is not a whole number from -1 to 2147483647"},
        {"{\"max_length\": 1e30}", "'max_length' is not a whole number from -1 to 2147483647"},
        {"{\"do_sample\": 1}", "'do_sample' is not true or false"},
        {"{\"eos_token_id\": [\"x\"]}",
         "'eos_token_id' is not a token id, or an array of at most 32"},
        {"{\"eos_token_id\": {}}", "'eos_token_id' is not a token id, or an array of at most 32"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct generation_config config;
        struct model_error err = {.struct_size = sizeof err};
        assert_int_equal(read_config(files[i][0], "{}", &config, &err), MODEL_CORRUPT);
        const char *at = strstr(err.message, "generation_config.json: ");
        assert_non_null(at);
        assert_string_equal(at + strlen("generation_config.json: "), files[i][1]);
    }
}

static struct generation_settings settings_of(const char *file,
                                              const struct modelhost_generation *wanted)
{
    const struct generation_config config = config_of(file);
    struct generation_settings settings;
    struct model_error err = {.struct_size = sizeof err};
    if (generation_settings_make(&config, wanted, &settings, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return settings;
}

static void wishes_come_before_the_package(void **state)
{
    (void)state;
    struct modelhost_generation wanted = MODELHOST_GENERATION_INIT;
    struct generation_settings settings =
        settings_of("{\"do_sample\": true, \"top_p\": 0.5, \"max_new_tokens\": 9}", &wanted);
    assert_true(settings.sampling.do_sample && settings.sampling.top_p == 0.5);
    assert_int_equal(generation_limit(&settings, 100), 9);
    wanted.top_p = 0.8;
    wanted.max_new_tokens = 3;
    wanted.do_sample = 0;
    settings = settings_of("{\"do_sample\": true, \"top_p\": 0.5, \"max_new_tokens\": 9}", &wanted);
    assert_true(!settings.sampling.do_sample && settings.sampling.top_p == 0.8);
    assert_int_equal(generation_limit(&settings, 100), 3);
}

static void a_number_of_sampling_turns_sampling_on(void **state)
{
    (void)state;
    struct modelhost_generation wanted = MODELHOST_GENERATION_INIT;
    assert_false(settings_of("{}", &wanted).sampling.do_sample);
    wanted.top_k = 5;
    assert_true(settings_of("{}", &wanted).sampling.do_sample);
    wanted.temperature = 0; /* but zero is greedy */
    assert_false(settings_of("{}", &wanted).sampling.do_sample);
}

static void the_length_may_be_said_with_or_without_the_prompt(void **state)
{
    (void)state;
    struct modelhost_generation wanted = MODELHOST_GENERATION_INIT;
    struct generation_settings settings = settings_of("{}", &wanted);
    assert_int_equal(generation_limit(&settings, 5), 128);
    settings = settings_of("{\"max_length\": 20}", &wanted);
    assert_int_equal(generation_limit(&settings, 5), 15);
    assert_int_equal(generation_limit(&settings, 50), 0);
    settings = settings_of("{\"max_new_tokens\": 2147483647}", &wanted);
    assert_int_equal(generation_limit(&settings, 5), 1 << 24);
    wanted.max_new_tokens = 7;
    settings = settings_of("{\"max_length\": 20}", &wanted);
    assert_int_equal(generation_limit(&settings, 50), 7);
}

static void hostile_numbers_of_the_package_are_refused_too(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {"{\"temperature\": -1}", "temperature is -1, want a number from 0 to 100"},
        {"{\"top_p\": 2}", "top_p is 2, want a number from 0 to 1"},
        {"{\"repetition_penalty\": 0}", "repetition_penalty is 0, want a number from 0.01 to 100"},
        {"{\"top_k\": -1}", "top_k is -1, want 0 (all) or more"},
    };
    const struct modelhost_generation wanted = MODELHOST_GENERATION_INIT;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const struct generation_config config = config_of(files[i][0]);
        struct generation_settings settings;
        struct model_error err = {.struct_size = sizeof err};
        assert_int_equal(generation_settings_make(&config, &wanted, &settings, &err),
                         MODEL_INVALID_ARGUMENT);
        static const char whose[] = "the package's settings of generating: ";
        assert_int_equal(strncmp(err.message, whose, sizeof whose - 1), 0);
        assert_string_equal(err.message + sizeof whose - 1, files[i][1]);
    }
}

static void a_field_that_changes_the_text_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {"{\"num_beams\": 4}", "num_beams"},
        {"{\"no_repeat_ngram_size\": 3}", "no_repeat_ngram_size"},
        {"{\"bad_words_ids\": [[5]]}", "bad_words_ids"},
        {"{\"suppress_tokens\": [1, 2]}", "suppress_tokens"},
        {"{\"force_words_ids\": [[1]]}", "force_words_ids"},
        {"{\"sequence_bias\": {\"a\": 1}}", "sequence_bias"},
        {"{\"penalty_alpha\": 0.6}", "penalty_alpha"},
        {"{\"typical_p\": 0.9}", "typical_p"},
        {"{\"epsilon_cutoff\": 0.1}", "epsilon_cutoff"},
        {"{\"eta_cutoff\": 0.1}", "eta_cutoff"},
        {"{\"encoder_repetition_penalty\": 1.5}", "encoder_repetition_penalty"},
        {"{\"num_return_sequences\": 2}", "num_return_sequences"},
        {"{\"min_new_tokens\": \"5\"}", "min_new_tokens"},
        {"{\"forced_eos_token_id\": 0}", "forced_eos_token_id"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct generation_config config;
        struct model_error err = {.struct_size = sizeof err};
        char *want = text_format("generation_config.json: '%s' changes the text and is not "
                                 "supported; take it out to have the text without it",
                                 files[i][1]);
        assert_int_equal(read_config(files[i][0], "{}", &config, &err), MODEL_UNSUPPORTED);
        const char *at = strstr(err.message, "generation_config.json: ");
        assert_non_null(at);
        assert_string_equal(at, want);
        free(want);
    }
}

static void neutral_values_and_what_changes_no_text_pass(void **state)
{
    (void)state;
    (void)config_of("{\"num_beams\": 1, \"no_repeat_ngram_size\": 0, \"bad_words_ids\": null,"
                    " \"suppress_tokens\": [], \"typical_p\": 1.0, \"penalty_alpha\": null,"
                    " \"num_return_sequences\": 1, \"encoder_repetition_penalty\": 1,"
                    " \"token_healing\": false, \"transformers_version\": \"4.30.0\","
                    " \"_from_model_config\": true, \"use_cache\": true, \"pad_token_id\": 0,"
                    " \"output_scores\": true, \"length_penalty\": 2, \"early_stopping\": true}");
}

static void stop_strings_are_one_or_several(void **state)
{
    (void)state;
    struct generation_config config = config_of("{\"stop_strings\": \"END\"}");
    assert_int_equal(config.n_stop_strings, 1);
    assert_string_equal(config.stop_strings[0], "END");
    config = config_of("{\"stop_strings\": [\"a\", \"\\n\\n\"]}");
    assert_int_equal(config.n_stop_strings, 2);
    assert_string_equal(config.stop_strings[1], "\n\n");
    static const char *const wrong[] = {"{\"stop_strings\": 5}", "{\"stop_strings\": \"\"}",
                                        "{\"stop_strings\": [\"a\", null]}",
                                        "{\"stop_strings\": {\"a\": \"b\"}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct model_error err = {.struct_size = sizeof err};
        assert_int_equal(read_config(wrong[i], "{}", &config, &err), MODEL_CORRUPT);
        assert_non_null(strstr(err.message, "'stop_strings' is not a text of 1 to 128 bytes"));
    }
}

static void a_file_that_is_no_object_is_corrupt(void **state)
{
    (void)state;
    static const char *const files[] = {"[]", "5", "\"x\"", "null", "[{\"top_k\": 1}]"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct generation_config config;
        struct model_error err = {.struct_size = sizeof err};
        assert_int_equal(read_config(files[i], "{}", &config, &err), MODEL_CORRUPT);
        assert_non_null(strstr(err.message, "generation_config.json: want a JSON object"));
    }
}

static void a_key_that_stands_twice_is_corrupt(void **state)
{
    (void)state;
    struct generation_config config;
    struct model_error err = {.struct_size = sizeof err};
    assert_int_equal(read_config("{\"top_k\": 5, \"top_k\": \"x\"}", "{}", &config, &err),
                     MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "the key 'top_k' stands twice"));
}

static void wishes_that_cannot_be_are_refused(void **state)
{
    (void)state;
    const struct generation_config config = config_of("{}");
    struct generation_settings settings;
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost_generation wanted = MODELHOST_GENERATION_INIT;
    wanted.n_stop_token_ids = 1;
    assert_int_equal(generation_settings_make(&config, &wanted, &settings, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "the list of 1 stop token ids is NULL");
    wanted.n_stop_token_ids = 0;
    wanted.do_sample = 7;
    assert_int_equal(generation_settings_make(&config, &wanted, &settings, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "do_sample is 7, want -1 (as configured), 0 or 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_and_absent_ones_are_those_of_the_reference),
        cmocka_unit_test(top_k_of_null_draws_from_all_tokens),
        cmocka_unit_test(without_the_file_config_json_speaks),
        cmocka_unit_test(a_field_of_another_kind_is_named),
        cmocka_unit_test(a_field_that_changes_the_text_is_refused_by_name),
        cmocka_unit_test(neutral_values_and_what_changes_no_text_pass),
        cmocka_unit_test(stop_strings_are_one_or_several),
        cmocka_unit_test(a_file_that_is_no_object_is_corrupt),
        cmocka_unit_test(a_key_that_stands_twice_is_corrupt),
        cmocka_unit_test(wishes_that_cannot_be_are_refused),
        cmocka_unit_test(wishes_come_before_the_package),
        cmocka_unit_test(a_number_of_sampling_turns_sampling_on),
        cmocka_unit_test(the_length_may_be_said_with_or_without_the_prompt),
        cmocka_unit_test(hostile_numbers_of_the_package_are_refused_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
