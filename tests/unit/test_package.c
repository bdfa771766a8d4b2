/* test_package.c - opening a package's folder, and where a repository's files go in one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "package.h"
#include "store_fixture.h"

#define PLUGIN   PACKAGE_PLUGIN_NAME
#define METADATA "{\"format_version\":1,\"id\":\"a/b\",\"revision\":\"r\",\"files\":[]}"

static const char *after_folder(const struct model_error *err, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(err->message, folder, length) == 0 ? err->message + length : err->message;
}

static void opens_a_package_with_and_without_plugin(void **state)
{
    const char *dir = *state;
    struct package package;
    struct model_error err = MODEL_ERROR_INIT;
    put_text(in_folder(dir, "metadata.json"), METADATA);
    put_text(in_folder(dir, "backends/cpu/config.json"), "{}");
    char *indirect = text_format("%s/backends/..", dir);
    assert_int_equal(package_open(indirect, NULL, &package, &err), MODEL_OK);
    free(indirect);
    assert_string_equal(package.dir, dir);
    assert_string_equal(package.backend, "cpu");
    assert_string_equal(package.backend_dir, in_folder(dir, "backends/cpu"));
    assert_null(package.plugin);
    assert_true(package.has_manifest);
    assert_string_equal(package.manifest.id, "a/b");
    package_finish(&package);

    put_text(in_folder(dir, "backends/cpu/" PLUGIN), "x");
    assert_int_equal(package_open(dir, "cpu", &package, &err), MODEL_OK);
    assert_string_equal(package.plugin, in_folder(dir, "backends/cpu/" PLUGIN));
    package_finish(&package);
}

static void opens_an_authors_folder_without_manifest(void **state)
{
    const char *dir = *state;
    struct package package;
    struct model_error err = MODEL_ERROR_INIT;
    put_text(in_folder(dir, "backends/cpu/" PLUGIN), "x");
    assert_int_equal(package_open(dir, NULL, &package, &err), MODEL_OK);
    assert_false(package.has_manifest);
    assert_non_null(package.plugin);
    package_finish(&package);
}

static void refuses_folders_that_are_no_packages(void **state)
{
    const char *dir = *state;
    struct package package;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(package_open(dir, NULL, &package, &err), MODEL_NOT_FOUND);
    assert_string_equal(after_folder(&err, dir),
                        " is not a package: no metadata.json and no "
                        "backends/cpu/" PLUGIN
                        "; give the folder that 'pkgmgr download' made, or put a plugin there");
    assert_int_equal(package_open(in_folder(dir, "absent"), NULL, &package, &err), MODEL_NOT_FOUND);
    put_text(in_folder(dir, "file"), "x");
    assert_int_equal(package_open(in_folder(dir, "file"), NULL, &package, &err), MODEL_CORRUPT);
    assert_string_equal(after_folder(&err, dir),
                        "/file is no package archive: it does not begin with the bytes of one; "
                        "'pkgmgr pack' makes them");
    put_text(in_folder(dir, "metadata.json"), "{}");
    assert_int_equal(package_open(dir, NULL, &package, &err), MODEL_CORRUPT);
    assert_string_equal(
        after_folder(&err, dir),
        "/metadata.json: format_version 0, this program reads 1; get the package's files again, or "
        "mend them");
}

static void files_that_are_whole_are_not_to_be_got_again(void **state)
{
    (void)state;
    char id[] = "a/b";
    const struct package package = {.has_manifest = true, .manifest = {.id = id}};
    struct model_error err = MODEL_ERROR_INIT;
    error_set(&err, MODEL_CORRUPT, "the file is cut short");
    package_advise(&package, MODEL_CORRUPT, &err);
    assert_string_equal(err.message,
                        "the file is cut short; 'pkgmgr verify a/b' finds what is damaged; import "
                        "it again from files that are whole");
    error_set(&err, MODEL_CORRUPT, "5 of 4 numbers; " MODEL_CONTRADICTS);
    package_advise(&package, MODEL_CORRUPT, &err);
    assert_string_equal(err.message, "5 of 4 numbers; " MODEL_CONTRADICTS);
}

static void a_value_of_a_configuration_that_was_made_here_is_corrected_there(void **state)
{
    (void)state;
    char id[] = "a/b", dir[] = "/p", backend_dir[] = "/p/backends/coreml",
         path[] = "backends/coreml/config.json", source[] = "coreml/config.json";
    struct manifest_file file = {.path = path};
    const struct package package = {.has_manifest = true,
                                    .dir = dir,
                                    .backend_dir = backend_dir,
                                    .manifest = {.id = id, .files = &file, .n_files = 1}};
    struct model_error err = MODEL_ERROR_INIT;
    error_set(&err, MODEL_CORRUPT, "config.json: 'x' is 3, want a string");
    package_advise(&package, MODEL_CORRUPT, &err);
    assert_string_equal(err.message, "config.json: 'x' is 3, want a string; correct it in "
                                     "/p/backends/coreml/config.json");
    file.source = source; /* what a repository brings is not to be changed */
    error_set(&err, MODEL_CORRUPT, "config.json: 'x' is 3, want a string");
    package_advise(&package, MODEL_CORRUPT, &err);
    assert_non_null(strstr(err.message, "; 'pkgmgr verify a/b' finds what is damaged"));
}

static void chooses_the_backend(void **state)
{
    const char *dir = *state;
    struct package package;
    struct model_error err = MODEL_ERROR_INIT;
    put_text(in_folder(dir, "metadata.json"), METADATA);
    assert_int_equal(package_open(dir, NULL, &package, &err),
                     MODEL_OK); /* a tokenizer alone, say */
    assert_null(package.plugin);
    package_finish(&package);
    assert_int_equal(package_open(dir, "cpu", &package, &err), MODEL_NOT_FOUND);
    assert_string_equal(after_folder(&err, dir), " has no backend 'cpu'; it has: none");
    put_text(in_folder(dir, "backends/torch/config.json"), "{}");
    assert_int_equal(package_open(dir, NULL, &package, &err), MODEL_OK);
    assert_string_equal(package.backend, "torch");
    assert_null(package.device);
    package_finish(&package);
    put_text(in_folder(dir, "backends/coreml/config.json"), "{}");
    assert_int_equal(package_open(dir, NULL, &package, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(after_folder(&err, dir),
                        " has no backend 'cpu' but several others (coreml, torch); say which");
    assert_int_equal(package_open(dir, "cpu", &package, &err), MODEL_NOT_FOUND);
    assert_string_equal(after_folder(&err, dir), " has no backend 'cpu'; it has: coreml, torch");
    assert_int_equal(package_open(dir, "coreml", &package, &err), MODEL_OK);
    package_finish(&package);
    assert_int_equal(package_open(dir, "../x", &package, &err), MODEL_INVALID_ARGUMENT);
    assert_ptr_equal(strstr(err.message, "'../x' is no name of a backend; want "), err.message);
    assert_int_equal(package_open(dir, "coreml:cpu", &package, &err), MODEL_OK);
    assert_string_equal(package.backend, "coreml:cpu");
    assert_string_equal(package.device, "cpu");
    assert_string_equal(strrchr(package.backend_dir, '/'), "/coreml");
    package_finish(&package);
    assert_int_equal(package_open(dir, "onnx:cpu", &package, &err), MODEL_NOT_FOUND);
    assert_string_equal(after_folder(&err, dir), " has no backend 'onnx'; it has: coreml, torch");
    put_text(in_folder(dir, "backends/cpu/config.json"), "{}");
    assert_int_equal(package_open(dir, NULL, &package, &err), MODEL_OK);
    assert_string_equal(package.backend, "cpu");
    package_finish(&package);
}

static void repository_files_go_where_they_belong(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"config.json", "backends/cpu/config.json"},
        {"model.safetensors", "backends/cpu/model.safetensors"},
        {"model-00001-of-00002.safetensors", "backends/cpu/model-00001-of-00002.safetensors"},
        {"model.safetensors.index.json", "backends/cpu/model.safetensors.index.json"},
        {"pytorch_model.bin", "backends/cpu/pytorch_model.bin"},
        {"pytorch_model.bin.index.json", "backends/cpu/pytorch_model.bin.index.json"},
        {"tokenizer.json", "tokenizer.json"},
        {"generation_config.json", "generation_config.json"},
        {"1_Pooling/config.json", "1_Pooling/config.json"},
        {"onnx/model.safetensors", "onnx/model.safetensors"},
        {"README.md", "README.md"},
        /* A repository cannot put things where a package means something by them. */
        {"metadata.json", "repository/metadata.json"},
        {"model_info.json", "repository/model_info.json"},
        {"backends/cpu/libmodel.so", "repository/backends/cpu/libmodel.so"},
        {"backends", "repository/backends"},
        {"backends.md", "backends.md"},
        {"repository/metadata.json", "repository/repository/metadata.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = package_path_of(cases[i][0]);
        assert_string_equal(path, cases[i][1]);
        free(path);
    }
}

static void the_blobs_of_a_folder_are_those_of_its_store(void **state)
{
    (void)state;
    static const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const struct {
        const char *folder; /* with a digest behind it, if it ends in '/' */
        bool is_of_store;
    } cases[] = {{"/s/packages/ns--name/", true}, {"/s/packages/gpt2/", true},
                 {"/s/tmp/Ab3xYz/view", true},    {"/tmp/Qq1wEr/tmp/Ab3xYz/view", true},
                 {"/s/tmp/Ab3xYz/views", false},  {"/s/tmp/Ab3xYz/view/more", false},
                 {"/s/tmp/view", false},          {"/s/tmp/other-name/view", false},
                 {"/s/Ab3xYz/view", false},       {"/s/packages/gpt2/main", false},
                 {"/s/package/gpt2/", false},     {"folder", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *folder = cases[i].folder;
        char *dir = text_format("%s%s", folder, folder[strlen(folder) - 1] == '/' ? digest : "");
        char *found = package_blobs_of_folder(dir);
        char *want = cases[i].is_of_store ? text_format("%s/../../../blobs", dir) : NULL;
        if ((found == NULL) != (want == NULL) || (want != NULL && strcmp(found, want) != 0))
            fail_msg("%s: %s", dir, found != NULL ? found : "none");
        free(want);
        free(found);
        free(dir);
    }
}

#define FOLDER_TEST(test_) cmocka_unit_test_setup_teardown(test_, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(opens_a_package_with_and_without_plugin),
        FOLDER_TEST(opens_an_authors_folder_without_manifest),
        FOLDER_TEST(refuses_folders_that_are_no_packages),
        FOLDER_TEST(chooses_the_backend),
        cmocka_unit_test(files_that_are_whole_are_not_to_be_got_again),
        cmocka_unit_test(a_value_of_a_configuration_that_was_made_here_is_corrected_there),
        cmocka_unit_test(repository_files_go_where_they_belong),
        cmocka_unit_test(the_blobs_of_a_folder_are_those_of_its_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
