/* test_file_selection.c - which files of a repository are taken. */
#include "testing.h"

#include "errors.h"
#include "file_selection.h"

#define MAX_FILES 32

/* Judges files named in a list; the taken ones come back as "a b c ". */
static model_status choose(const char *const *paths, struct selection_rules rules, char *ret_taken,
                           struct model_error *err)
{
    static struct hub_file list[MAX_FILES];
    enum file_verdict verdicts[MAX_FILES];
    struct hub_files files = {list, 0};
    for (; paths[files.n_files] != NULL; files.n_files++)
        list[files.n_files] = (struct hub_file){.path = (char *)(uintptr_t)paths[files.n_files]};
    model_status status = file_selection_judge(&files, &rules, "acme/tiny", verdicts, err);
    ret_taken[0] = '\0';
    for (size_t i = 0; i < files.n_files && status == MODEL_OK; i++)
        if (verdicts[i] == FILE_TAKEN) {
            size_t used = strlen(ret_taken);
            (void)snprintf(ret_taken + used, 1000 - used, "%s ", paths[i]);
        }
    return status;
}

static const char *const usual[] = {
    ".gitattributes",     "README.md",         "config.json",       "coreml/x.mlpackage/w.bin",
    "flax_model.msgpack", "model.onnx",        "model.safetensors", "onnx/model.json",
    "openvino/x.xml",     "pytorch_model.bin", "rust_model.ot",     "sub/model.tflite",
    "tf_model.h5",        "tokenizer.json",    "training_args.bin", NULL};

static void safetensors_make_other_weights_unnecessary(void **state)
{
    char taken[1000];
    (void)state;
    assert_int_equal(choose(usual, (struct selection_rules){0}, taken, NULL), MODEL_OK);
    assert_string_equal(taken, "README.md config.json model.safetensors tokenizer.json ");
    assert_int_equal(choose(usual, (struct selection_rules){.allow_pickle = true}, taken, NULL),
                     MODEL_OK);
    assert_string_equal(taken, "README.md config.json model.safetensors tokenizer.json ");
}

static void patterns_decide_alone_but_for_pickles(void **state)
{
    static const char *const includes[] = {"onnx/", "*.bin", "*.h5", "config.json"};
    static const char *const excludes[] = {"tf_*"};
    struct selection_rules rules = {includes, 4, excludes, 1, false};
    char taken[1000];
    (void)state;
    assert_int_equal(choose(usual, rules, taken, NULL), MODEL_OK);
    /* a Core ML model's weights are no pickle */
    assert_string_equal(taken, "config.json coreml/x.mlpackage/w.bin onnx/model.json ");
    rules.allow_pickle = true;
    assert_int_equal(choose(usual, rules, taken, NULL), MODEL_OK);
    assert_string_equal(taken, "config.json coreml/x.mlpackage/w.bin onnx/model.json "
                               "pytorch_model.bin training_args.bin ");
}

static void pickles_alone_are_refused_unless_asked_for(void **state)
{
    static const char *const paths[] = {"config.json", "pytorch_model.bin", "tf_model.h5", NULL};
    struct model_error err = MODEL_ERROR_INIT;
    char taken[1000];
    (void)state;
    assert_int_equal(choose(paths, (struct selection_rules){0}, taken, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "only pickles ('pytorch_model.bin')"));
    assert_non_null(strstr(err.message, "--allow-pickle"));
    assert_int_equal(choose(paths, (struct selection_rules){.allow_pickle = true}, taken, NULL),
                     MODEL_OK);
    assert_string_equal(taken, "config.json pytorch_model.bin ");
}

static void a_repository_without_weights_is_fine(void **state)
{
    static const char *const paths[] = {"tokenizer.json", "training_args.bin", NULL};
    char taken[1000];
    (void)state;
    assert_int_equal(choose(paths, (struct selection_rules){0}, taken, NULL), MODEL_OK);
    assert_string_equal(taken, "tokenizer.json ");
}

static void names_of_the_package_are_never_taken(void **state)
{
    static const char *const paths[] = {"Backends/cpu/libmodel.so",
                                        "METADATA.json",
                                        "METADATA.json.minisig",
                                        "metadata.json.minisig.old",
                                        ".metadata.json.1.1.tmp",
                                        "backends",
                                        "backends/cpu/libmodel.so",
                                        "config.json",
                                        "model_info.json",
                                        "sub/metadata.json",
                                        NULL};
    static const char *const all[] = {"*"};
    char taken[1000];
    (void)state;
    assert_int_equal(
        choose(paths, (struct selection_rules){.includes = all, .n_includes = 1}, taken, NULL),
        MODEL_OK);
    assert_string_equal(taken, "config.json sub/metadata.json ");
}

static void weights_that_a_package_keeps_are_not_silently_left_out(void **state)
{
    static const char *const paths[] = {"backends/cpu/config.json",
                                        "backends/cpu/model.safetensors", "metadata.json",
                                        "tokenizer.json", NULL};
    static const char *const pickled[] = {"BACKENDS/cpu/pytorch_model.bin", "config.json", NULL};
    static const char *const both[] = {"backends/cpu/model.safetensors", "model.safetensors", NULL};
    static const char *const mixed[] = {"backends/cpu/model.safetensors", "pytorch_model.bin",
                                        NULL};
    static const char *const out[] = {"backends/*"};
    struct model_error err = MODEL_ERROR_INIT;
    char taken[1000];
    (void)state;
    assert_int_equal(choose(paths, (struct selection_rules){0}, taken, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "('backends/cpu/model.safetensors')"));
    assert_int_equal(choose(pickled, (struct selection_rules){.allow_pickle = true}, taken, &err),
                     MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "('BACKENDS/cpu/pytorch_model.bin')"));
    assert_int_equal(choose(both, (struct selection_rules){0}, taken, NULL), MODEL_OK);
    assert_string_equal(taken, "model.safetensors ");
    assert_int_equal(choose(mixed, (struct selection_rules){0}, taken, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "only pickles")); /* those of the package stand for none */
    assert_int_equal(choose(mixed, (struct selection_rules){.allow_pickle = true}, taken, NULL),
                     MODEL_OK);
    assert_string_equal(taken, "pytorch_model.bin ");
    assert_int_equal(
        choose(paths, (struct selection_rules){.excludes = out, .n_excludes = 1}, taken, NULL),
        MODEL_OK);
    assert_string_equal(taken, "tokenizer.json ");
}

static void nothing_to_take_is_said(void **state)
{
    static const char *const none[] = {"*.nothing"}, *const bin[] = {"pytorch_model*"};
    struct model_error err = MODEL_ERROR_INIT;
    char taken[1000];
    (void)state;
    assert_int_equal(
        choose(usual, (struct selection_rules){.includes = none, .n_includes = 1}, taken, &err),
        MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "that --include and --exclude allow"));
    assert_int_equal(
        choose(usual, (struct selection_rules){.includes = bin, .n_includes = 1}, taken, &err),
        MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "only pickles"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_make_other_weights_unnecessary),
        cmocka_unit_test(patterns_decide_alone_but_for_pickles),
        cmocka_unit_test(pickles_alone_are_refused_unless_asked_for),
        cmocka_unit_test(a_repository_without_weights_is_fine),
        cmocka_unit_test(names_of_the_package_are_never_taken),
        cmocka_unit_test(weights_that_a_package_keeps_are_not_silently_left_out),
        cmocka_unit_test(nothing_to_take_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
