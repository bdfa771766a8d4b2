/* test_pooling.c - sentence vectors by hand-made numbers. */
#include "errors.h"
#include "files.h"
#include "pooling.h"
#include "testing.h"

#include <math.h>

/* Three tokens of two values; the middle one is hidden by the mask. */
static const float hidden[] = {1, -2, 100, 100, 3, 6};
static const int64_t mask[] = {1, 0, 1};

static void assert_pooled(enum pooling_mode mode, float first, float second)
{
    struct pooling pooling = {.normalize = false};
    float out[2];
    pooling.modes[mode] = true;
    pooling_apply(&pooling, hidden, mask, 3, 2, out);
    assert_true(fabsf(out[0] - first) < 1e-6f);
    assert_true(fabsf(out[1] - second) < 1e-6f);
}

static void each_mode_looks_at_visible_tokens_only(void **state)
{
    (void)state;
    assert_pooled(POOLING_CLS, 1, -2);
    assert_pooled(POOLING_LAST_TOKEN, 3, 6);
    assert_pooled(POOLING_MAX, 3, 6);
    assert_pooled(POOLING_MEAN, 2, 2);
    assert_pooled(POOLING_MEAN_SQRT_LEN, 4 / sqrtf(2), 4 / sqrtf(2));
    assert_pooled(POOLING_WEIGHTED_MEAN, (1 + 3 * 3) / 4.0f, (-2 + 3 * 6) / 4.0f);
}

static void several_modes_stand_one_after_the_other(void **state)
{
    (void)state;
    struct pooling pooling = {.modes = {[POOLING_CLS] = true, [POOLING_MEAN] = true}};
    float out[4];
    assert_int_equal(pooling_size(&pooling, 2), 4);
    pooling_apply(&pooling, hidden, mask, 3, 2, out);
    assert_true(out[0] == 1 && out[1] == -2 && out[2] == 2 && out[3] == 2);
}

static void normalised_vectors_have_length_one(void **state)
{
    (void)state;
    struct pooling pooling = {.modes = {[POOLING_LAST_TOKEN] = true}, .normalize = true};
    float out[2];
    pooling_apply(&pooling, hidden, mask, 3, 2, out);
    assert_true(fabsf(out[0] - 3 / sqrtf(45)) < 1e-6f && fabsf(out[1] - 6 / sqrtf(45)) < 1e-6f);
}

static void a_text_without_visible_tokens_gives_zeros(void **state)
{
    (void)state;
    const int64_t nothing[] = {0, 0, 0};
    for (int mode = 0; mode < POOLING_N_MODES; mode++) {
        struct pooling pooling = {.normalize = true};
        float out[2] = {9, 9};
        pooling.modes[mode] = true;
        pooling_apply(&pooling, hidden, nothing, 3, 2, out);
        assert_true(out[0] == 0 && out[1] == 0);
    }
}

static const char *sentence_config; /* sentence_bert_config.json; NULL: none */

static model_status read_modules(const char *modules, const char *pooling_config,
                                 struct pooling *ret, struct model_error *err)
{
    char *dir = scratch_dir(), *list = path_join(dir, "modules.json");
    char *folder = path_join(dir, "1_Pooling"), *config = path_join(folder, "config.json");
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    if (modules != NULL)
        write_file(list, modules, strlen(modules));
    char *limit = path_join(dir, "sentence_bert_config.json");
    if (sentence_config != NULL)
        write_file(limit, sentence_config, strlen(sentence_config));
    free(limit);
    if (pooling_config != NULL)
        write_file(config, pooling_config, strlen(pooling_config));
    model_status status = pooling_read(NULL, dir, ret, err);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
    free(list);
    free(folder);
    free(config);
    return status;
}

#define MODULE(type_, path_)                                                                       \
    "{\"type\":\"sentence_transformers.models." type_ "\",\"path\":\"" path_ "\"}"

static void modules_json_chooses_mode_and_normalisation(void **state)
{
    (void)state;
    struct pooling pooling;
    assert_int_equal(
        read_modules("[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "," MODULE(
                         "Normalize", "2_Normalize") "]",
                     "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}",
                     &pooling, NULL),
        MODEL_OK);
    assert_true(pooling.modes[POOLING_CLS] && !pooling.modes[POOLING_MEAN] && pooling.normalize);
    assert_int_equal(read_modules(NULL, NULL, &pooling, NULL), MODEL_OK);
    assert_true(pooling.modes[POOLING_MEAN] && !pooling.normalize);
}

static void unknown_modules_and_paths_out_of_the_package_are_refused(void **state)
{
    (void)state;
    struct pooling pooling;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(read_modules("[" MODULE("Dense", "2_Dense") "]", NULL, &pooling, &err),
                     MODEL_UNSUPPORTED);
    assert_string_equal(err.message, "modules.json: module 'Dense' is not supported; known are "
                                     "Transformer, Pooling and Normalize");
    assert_int_equal(read_modules("[" MODULE("Pooling", "../x") "]", NULL, &pooling, &err),
                     MODEL_CORRUPT);
    assert_string_equal(err.message, "modules.json: the path '../x' leaves the package");
    assert_int_equal(read_modules("{}", NULL, &pooling, &err), MODEL_CORRUPT);
    assert_int_equal(read_modules("[" MODULE("Pooling", "1_Pooling") "]", "{}", &pooling, &err),
                     MODEL_CORRUPT);
}

static void a_module_without_a_type_is_corrupt(void **state)
{
    (void)state;
    struct pooling pooling;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(read_modules("[1,2]", NULL, &pooling, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "modules.json: a module has no \"type\"; want one such as "
                                     "sentence_transformers.models.Pooling");
    assert_int_equal(read_modules("[{\"path\":\"1_Pooling\"}]", NULL, &pooling, &err),
                     MODEL_CORRUPT);
    assert_int_equal(read_modules("[{\"type\":7}]", NULL, &pooling, &err), MODEL_CORRUPT);
    assert_int_equal(read_modules("[]", NULL, &pooling, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "modules.json lists no module; want Transformer and"));
}

static void more_modules_than_anyone_has_are_refused(void **state)
{
    (void)state;
    struct pooling pooling;
    struct model_error err = MODEL_ERROR_INIT;
    char modules[2000] = "[" MODULE("Transformer", "");
    size_t n = strlen(modules);
    for (int i = 0; i < 16; i++)
        n += (size_t)snprintf(modules + n, sizeof modules - n, "," MODULE("Transformer", ""));
    (void)snprintf(modules + n, sizeof modules - n, "]");
    assert_int_equal(read_modules(modules, NULL, &pooling, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "modules.json: 17 modules, at most 16 are read"));
}

static void normalize_is_supported_behind_pooling_only(void **state)
{
    (void)state;
    struct pooling pooling;
    struct model_error err = MODEL_ERROR_INIT;
    const char *modes = "{\"pooling_mode_mean_tokens\":true}";
    assert_int_equal(read_modules("[" MODULE("Transformer", "") "," MODULE("Normalize", "2") "]",
                                  modes, &pooling, &err),
                     MODEL_UNSUPPORTED);
    assert_string_equal(err.message, "modules.json: Normalize stands before Pooling or without it; "
                                     "it is supported behind Pooling only");
    assert_int_equal(
        read_modules("[" MODULE("Normalize", "2") "," MODULE("Pooling", "1_Pooling") "]", modes,
                     &pooling, &err),
        MODEL_UNSUPPORTED);
}

static void sentence_bert_config_bounds_the_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        model_status status;
        int64_t max_tokens;
    } rows[] = {{NULL, MODEL_OK, 0},
                {"{}", MODEL_OK, 0},
                {"{\"max_seq_length\":null}", MODEL_OK, 0},
                {"{\"max_seq_length\":256,\"do_lower_case\":false}", MODEL_OK, 256},
                {"{\"max_seq_length\":0}", MODEL_CORRUPT, 0},
                {"{\"max_seq_length\":-1}", MODEL_CORRUPT, 0},
                {"{\"max_seq_length\":1.5}", MODEL_CORRUPT, 0},
                {"{\"max_seq_length\":\"256\"}", MODEL_CORRUPT, 0},
                {"{\"max_seq", MODEL_CORRUPT, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pooling pooling = {.max_tokens = 7};
        sentence_config = rows[i].config;
        assert_int_equal(read_modules("[" MODULE("Transformer", "") "]", NULL, &pooling, NULL),
                         rows[i].status);
        if (rows[i].status == MODEL_OK)
            assert_int_equal(pooling.max_tokens, rows[i].max_tokens);
    }
    sentence_config = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mode_looks_at_visible_tokens_only),
        cmocka_unit_test(several_modes_stand_one_after_the_other),
        cmocka_unit_test(normalised_vectors_have_length_one),
        cmocka_unit_test(a_text_without_visible_tokens_gives_zeros),
        cmocka_unit_test(modules_json_chooses_mode_and_normalisation),
        cmocka_unit_test(unknown_modules_and_paths_out_of_the_package_are_refused),
        cmocka_unit_test(a_module_without_a_type_is_corrupt),
        cmocka_unit_test(more_modules_than_anyone_has_are_refused),
        cmocka_unit_test(normalize_is_supported_behind_pooling_only),
        cmocka_unit_test(sentence_bert_config_bounds_the_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
