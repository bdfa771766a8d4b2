/* test_model_info.c - what is counted from a package's files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model_info.h"
#include "store_packages.h"

#define CPU "backends/cpu/"

static void open_package(const char *dir, struct package *ret)
{
    struct model_error err = MODEL_ERROR_INIT;
    put_text(in_folder(dir, "metadata.json"),
             "{\"format_version\":1,\"id\":\"a/b\",\"revision\":\"r\",\"files\":[]}");
    if (package_open(dir, NULL, ret, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static void assert_info_is(const char *dir, const struct model_description *description,
                           const char *wanted)
{
    struct package package;
    struct model_error err = MODEL_ERROR_INIT;
    json_node *info = NULL;
    open_package(dir, &package);
    if (model_info_collect(&package, description, &info, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    char *text = json_print(info, false);
    assert_string_equal(text, wanted);
    free(text);
    json_free(info);
    package_finish(&package);
}

static void counts_parameters_without_integer_buffers(void **state)
{
    const char *dir = *state;
    put_text(in_folder(dir, CPU "config.json"),
             "{\"model_type\":\"bert\",\"architectures\":[\"BertModel\"],\"vocab_size\":30522,"
             "\"max_position_embeddings\":512,\"hidden_size\":768}");
    put_safetensors(
        in_folder(dir, CPU "model.safetensors"),
        "{\"embeddings.position_ids\":{\"dtype\":\"I64\",\"shape\":[1,4],\"data_offsets\":[0,32]},"
        "\"bn.num_batches_tracked\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[32,36]},"
        "\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[36,60]},"
        "\"q\":{\"dtype\":\"I8\",\"shape\":[5],\"data_offsets\":[60,65]},"
        "\"mask\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[65,66]},"
        "\"h\":{\"dtype\":\"F16\",\"shape\":[7],\"data_offsets\":[66,80]}}",
        80);
    assert_info_is(
        dir, NULL,
        "{\"format_version\":1,\"model_type\":\"bert\",\"architectures\":[\"BertModel\"],"
        "\"max_position_embeddings\":512,\"vocab_size\":30522,\"backends\":[\"cpu\"],"
        "\"parameters\":18,\"weights_bytes\":80,\"dtypes\":{\"BOOL\":1,\"I8\":5,"
        "\"I32\":1,\"I64\":4,\"F16\":7,\"F32\":6},\"memory_bytes\":80}");
}

static void a_package_without_weights_or_config_is_fine(void **state)
{
    const char *dir = *state;
    put_text(in_folder(dir, CPU "notes.txt"), "");
    put_text(in_folder(dir, "backends/torch/x"), "");
    assert_info_is(dir, NULL,
                   "{\"format_version\":1,\"backends\":[\"cpu\",\"torch\"],\"parameters\":0,"
                   "\"weights_bytes\":0,\"dtypes\":{},\"memory_bytes\":0}");
}

static void broken_weights_and_config_are_errors(void **state)
{
    const char *dir = *state;
    struct package package;
    struct model_error err = MODEL_ERROR_INIT;
    json_node *info = NULL;
    put_text(in_folder(dir, CPU "model.safetensors.index.json"),
             "{\"weight_map\":{\"a\":\"model-1.safetensors\"}}");
    open_package(dir, &package);
    assert_int_equal(model_info_collect(&package, NULL, &info, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "shard 'model-1.safetensors' is missing"));
    put_text(in_folder(dir, CPU "config.json"), "{");
    assert_int_equal(model_info_collect(&package, NULL, &info, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "config.json: not valid JSON at byte "));
    assert_null(info);
    package_finish(&package);
}

static void the_plugin_is_named_by_its_note(void **state)
{
    const char *dir = *state;
    struct package package;
    struct model_error err = MODEL_ERROR_INIT;
    json_node *info = NULL;
    char sha256[SHA256_HEX_BYTES];
    uint64_t size_bytes = 0;
    put_text(in_folder(dir, CPU "config.json"), "{\"model_type\":\"echo\"}");
    assert_int_equal(
        symlink(beside_program("plugin_echo.so"), in_folder(dir, CPU PACKAGE_PLUGIN_NAME)), 0);
    open_package(dir, &package);
    if (model_info_collect(&package, NULL, &info, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(json_string_or(json_path(info, "plugin.name"), ""), "echo");
    assert_string_equal(json_string_or(json_path(info, "plugin.version"), ""), "1.0.0");
    assert_string_equal(json_string_or(json_path(info, "plugin.abi"), ""), "1.3");
    assert_int_equal(digest_file_sha256(package.plugin, sha256, &size_bytes, NULL), MODEL_OK);
    assert_string_equal(json_string_or(json_path(info, "plugin.sha256"), ""), sha256);
    json_free(info);
    package_finish(&package);
}

static void the_description_adds_specs_task_and_memory(void **state)
{
    static const struct model_dimension shape[] = {
        {"batch", 1, INT64_MAX}, {"sequence", 1, 512}, {NULL, 768, 768}, {NULL, 2, 9}};
    static const struct model_tensor_spec ids = {sizeof ids, "input_ids",         MODEL_I64, 2,
                                                 shape,      MODEL_SPEC_OPTIONAL, 0};
    static const struct model_tensor_spec hidden = {
        sizeof hidden, "hidden", MODEL_F32, 4, shape, MODEL_SPEC_ON_REQUEST, 0};
    static const struct model_tensor_spec picture = {sizeof picture, "picture",        MODEL_F32, 1,
                                                     shape + 2,      MODEL_SPEC_BYTES, 0};
    static const struct model_tensor_spec *const inputs[] = {&ids, &picture}, *const outputs[] = {
                                                                                  &hidden};
    const struct model_description description = {.struct_size = sizeof description,
                                                  .architecture = "BertModel",
                                                  .task = "fill-mask",
                                                  .inputs = inputs,
                                                  .outputs = outputs,
                                                  .n_inputs = 2,
                                                  .n_outputs = 1,
                                                  .memory_bytes = 1000,
                                                  .instance_bytes = 10};
    const char *dir = *state;
    put_text(in_folder(dir, CPU "config.json"), "{\"n_positions\":1024,\"vocab_size\":1.5}");
    assert_info_is(
        dir, &description,
        "{\"format_version\":1,\"max_position_embeddings\":1024,\"backends\":[\"cpu\"],"
        "\"parameters\":0,\"weights_bytes\":0,\"dtypes\":{},\"memory_bytes\":1010,"
        "\"task\":\"fill-mask\",\"inputs\":[{\"name\":\"input_ids\",\"dtype\":\"I64\",\"shape\":["
        "\"batch\",{\"name\":\"sequence\",\"max\":512}],\"optional\":true},{\"name\":\"picture\","
        "\"dtype\":\"F32\",\"shape\":[768],\"takes_u8\":true}],\"outputs\":[{\"name\":"
        "\"hidden\",\"dtype\":\"F32\",\"shape\":[\"batch\",{\"name\":\"sequence\",\"max\":512},768,"
        "{\"min\":2,\"max\":9}],\"on_request\":true}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(counts_parameters_without_integer_buffers),
        FOLDER_TEST(a_package_without_weights_or_config_is_fine),
        FOLDER_TEST(broken_weights_and_config_are_errors),
        FOLDER_TEST(the_plugin_is_named_by_its_note),
        FOLDER_TEST(the_description_adds_specs_task_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
