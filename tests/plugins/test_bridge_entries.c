/* test_bridge_entries.c - the bridge's seven functions (plugins/coreml-ane/bridge/bridge_entries.c), with a mock behind them: what
 * they refuse of NULL, and structs of other versions. */
#include "coreml_bridge.h"
#include "coreml_subject.h"

/* A model that was brought along, in `dir`. */
static struct coreml_handle *open_model(char **ret_dir, char **ret_path)
{
    struct coreml_handle *model = NULL;
    char *error = NULL;
    *ret_dir = scratch_dir();
    *ret_path = path_join(*ret_dir, "made.mlmodelc");
    assert_int_equal(dir_make_all(*ret_path, NULL), MODEL_OK);
    assert_int_equal(coreml_load_model(*ret_path, NULL, &model, &error), MODEL_OK);
    assert_null(error);
    assert_non_null(model);
    return model;
}

static void close_model(struct coreml_handle *model, char *dir, char *path)
{
    coreml_free_model(model);
    assert_int_equal(mock_bridge_held(), 0);
    free(path);
    remove_package(dir);
}

/* The answer to a NULL where none is allowed, with its sentence, which is given back. */
static void assert_refused(model_status status, char **error, const char *sentence)
{
    assert_int_equal(status, MODEL_INVALID_ARGUMENT);
    assert_non_null(*error);
    assert_string_equal(*error, sentence);
    coreml_free_string(*error);
    *error = NULL;
}

static void a_null_where_none_is_allowed_is_refused_with_a_sentence(void **state)
{
    (void)state;
    const struct model_cancel cancel = {.struct_size = sizeof cancel};
    const struct model_call call = {.struct_size = sizeof call, .cancel = &cancel}, endless = {0};
    struct coreml_plan_counts counts = {.struct_size = sizeof counts}, odd = {.struct_size = 3};
    const struct coreml_schema *schema = NULL;
    struct coreml_handle *none = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    char *dir, *path, *made = NULL, *error = NULL;
    struct coreml_handle *model = open_model(&dir, &path);

    static const char compiling[] = "compiling wants a model's path, and a place for another";
    assert_refused(coreml_compile_model(NULL, NULL, &made, &error), &error, compiling);
    assert_refused(coreml_compile_model(path, NULL, NULL, &error), &error, compiling);
    assert_null(made);
    static const char loading[] = "loading wants a path, and a place for the model";
    assert_refused(coreml_load_model(NULL, NULL, &none, &error), &error, loading);
    assert_refused(coreml_load_model(path, NULL, NULL, &error), &error, loading);
    assert_null(none);
    static const char describing[] = "a schema wants a model, and a place";
    assert_refused(coreml_model_schema(NULL, &schema, &error), &error, describing);
    assert_refused(coreml_model_schema(model, NULL, &error), &error, describing);
    assert_null(schema);
    static const char predicting[] = "predicting wants a model, and a call with a cancel token";
    assert_refused(coreml_predict(NULL, &call, &err, &error), &error, predicting);
    assert_refused(coreml_predict(model, NULL, &err, &error), &error, predicting);
    assert_refused(coreml_predict(model, &endless, &err, &error), &error, predicting);
    static const char planning[] = "planning wants a path, and counts that say their size";
    assert_refused(coreml_plan(NULL, NULL, &counts, &error), &error, planning);
    assert_refused(coreml_plan(path, NULL, NULL, &error), &error, planning);
    assert_refused(coreml_plan(path, NULL, &odd, &error), &error, planning);
    assert_int_equal(counts.n_operators, 0);
    coreml_free_model(NULL);
    coreml_free_string(NULL);
    close_model(model, dir, path);
}

static void nobody_needs_to_ask_why(void **state)
{
    (void)state;
    struct coreml_plan_counts counts = {.struct_size = 0};
    char *dir, *path;
    struct coreml_handle *model = open_model(&dir, &path);
    assert_int_equal(coreml_compile_model(NULL, NULL, NULL, NULL), MODEL_INVALID_ARGUMENT);
    assert_int_equal(coreml_load_model(NULL, NULL, NULL, NULL), MODEL_INVALID_ARGUMENT);
    assert_int_equal(coreml_model_schema(model, NULL, NULL), MODEL_INVALID_ARGUMENT);
    assert_int_equal(coreml_predict(model, NULL, NULL, NULL), MODEL_INVALID_ARGUMENT);
    assert_int_equal(coreml_plan(path, NULL, &counts, NULL), MODEL_INVALID_ARGUMENT);
    close_model(model, dir, path);
}

/* What the caller's struct has no room for stays as it was. */
static void counts_are_written_as_far_as_their_struct_goes(void **state)
{
    (void)state;
    struct coreml_plan_counts counts;
    char *dir, *path;
    struct coreml_handle *model = open_model(&dir, &path);
    memset(&counts, 0x5A, sizeof counts);
    counts.struct_size = offsetof(struct coreml_plan_counts, n_cpu);
    assert_int_equal(coreml_plan(path, NULL, &counts, NULL), MODEL_OK);
    assert_int_equal(counts.struct_size, offsetof(struct coreml_plan_counts, n_cpu));
    assert_int_equal(counts.n_operators, 4);
    assert_int_equal(counts.n_neural_engine, 3);
    assert_int_equal(counts.n_cpu, 0x5A5A5A5A);
    close_model(model, dir, path);
}

/* Of an older version the first field alone; of a newer one with more than there is here. */
static void options_of_other_versions_are_read_as_far_as_they_go(void **state)
{
    (void)state;
    struct {
        struct coreml_load_options options;
        char more[64];
    } newer = {.options = {.struct_size = sizeof newer, .units = COREML_UNITS_CPU_ONLY}};
    struct coreml_load_options older = {.struct_size = offsetof(struct coreml_load_options, units),
                                        .units = COREML_UNITS_CPU_ONLY};
    const struct coreml_load_options *options[] = {&older, &newer.options, NULL};
    static const uint32_t n_cpu[] = {1, 4, 1}; /* all of 4 with COREML_UNITS_CPU_ONLY */
    char *dir, *path;
    struct coreml_handle *model = open_model(&dir, &path);
    for (size_t i = 0; i < 3; i++) {
        struct coreml_plan_counts counts = {.struct_size = sizeof counts};
        assert_int_equal(coreml_plan(path, options[i], &counts, NULL), MODEL_OK);
        assert_int_equal(counts.n_cpu, n_cpu[i]);
    }
    close_model(model, dir, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_null_where_none_is_allowed_is_refused_with_a_sentence),
        cmocka_unit_test(nobody_needs_to_ask_why),
        cmocka_unit_test(counts_are_written_as_far_as_their_struct_goes),
        cmocka_unit_test(options_of_other_versions_are_read_as_far_as_they_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
