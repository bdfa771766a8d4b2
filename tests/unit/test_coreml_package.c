/* test_coreml_package.c - which file of a .mlmodel or .mlpackage is the model; hostile manifests. Where a package has
 * its Core ML models (store/package.c). */
#include "coreml_package.h"
#include "coreml_disk.h"
#include "errors.h"
#include "in_folder.h"
#include "package.h"

#include <unistd.h>

#define MANIFEST(root_, path_)                                                                     \
    "{\"fileFormatVersion\": \"1.0.0\", \"itemInfoEntries\": {\"A\": {\"path\": \"" path_          \
    "\"}, \"B\": {\"path\": \"x/weights\"}}, \"rootModelIdentifier\": \"" root_ "\"}"

static model_status read_root(const char *text, char **ret, struct model_error *err)
{
    return coreml_manifest_root(text, strlen(text), "Manifest.json", ret, err);
}

static void follows_the_root_identifier(void **state)
{
    (void)state;
    char *root = NULL;
    assert_int_equal(read_root(MANIFEST("A", "com.example/m.mlmodel"), &root, NULL), MODEL_OK);
    assert_string_equal(root, "com.example/m.mlmodel");
    free(root);
}

static void refuses_manifests_that_lead_elsewhere(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        model_status status;
    } bad[] = {
        {MANIFEST("A", "../../etc/passwd"), MODEL_CORRUPT},
        {MANIFEST("A", "/etc/passwd"), MODEL_CORRUPT},
        {"{\"fileFormatVersion\": \"1.0.0\", \"rootModelIdentifier\": \"A\", "
         "\"rootModelIdentifier\": \"B\", "
         "\"itemInfoEntries\": {\"A\": {\"path\": \"a\"}, \"B\": {\"path\": \"b\"}}}",
         MODEL_CORRUPT}, /* readers differ in which of the two counts */
        {MANIFEST("A", ""), MODEL_CORRUPT},
        {MANIFEST("C", "x/m.mlmodel"), MODEL_CORRUPT},
        {"{\"fileFormatVersion\": \"2.0.0\"}", MODEL_UNSUPPORTED},
        {"{\"fileFormatVersion\": \"1.0.0\"}", MODEL_CORRUPT},
        {"[]", MODEL_UNSUPPORTED},
        {"{", MODEL_CORRUPT},
        {"", MODEL_CORRUPT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        char *root = NULL;
        assert_int_equal(read_root(bad[i].text, &root, &err), bad[i].status);
        assert_true(err.message[0] != '\0');
        assert_null(root);
    }
}

static model_status locate(const char *name, char *ret_name, struct model_error *err)
{
    struct coreml_disk disk;
    struct coreml_located found = {.name = NULL};
    coreml_disk_init(&disk);
    const model_status status = coreml_locate(&disk.files, in_folder(name), &found, err);
    if (status == MODEL_OK)
        (void)snprintf(ret_name, PATH_MAX, "%s", found.name);
    free(found.name);
    coreml_disk_finish(&disk);
    return status;
}

static void finds_the_model_of_a_folder(void **state)
{
    (void)state;
    char *path = NULL, name[PATH_MAX] = "";
    struct model_error err = MODEL_ERROR_INIT;
    const char *text = MANIFEST("A", "x/m.mlmodel");
    assert_int_equal(locate("p.mlpackage", name, &err), MODEL_NOT_FOUND);
    assert_int_equal(dir_make_all(in_folder("p.mlpackage/Data/x"), NULL), MODEL_OK);
    assert_int_equal(locate("p.mlpackage", name, &err), MODEL_NOT_FOUND);
    assert_non_null(
        strstr(err.message, "is no file, and has no Manifest.json: it is no Core ML package"));
    write_file(in_folder("p.mlpackage/Manifest.json"), text, strlen(text));
    assert_int_equal(locate("p.mlpackage", name, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "its model 'Data/x/m.mlmodel' is not there"));
    write_file(in_folder("p.mlpackage/Data/x/m.mlmodel"), "", 0);
    assert_int_equal(locate("p.mlpackage", name, &err), MODEL_OK);
    assert_string_equal(name, in_folder("p.mlpackage/Data/x/m.mlmodel"));
    assert_int_equal(locate("p.mlpackage/Data/x/m.mlmodel", name, &err), MODEL_OK);
    assert_string_equal(name, in_folder("p.mlpackage/Data/x/m.mlmodel"));
    assert_int_equal(
        truncate(in_folder("p.mlpackage/Manifest.json"), COREML_MAX_MANIFEST_BYTES + 1), 0);
    assert_int_equal(locate("p.mlpackage", name, &err), MODEL_CORRUPT);
    assert_int_equal(dir_make_all(in_folder("a.mlmodelc"), NULL), MODEL_OK);
    assert_int_equal(locate("a.mlmodelc", name, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "compiled model"));
    assert_int_equal(coreml_find_in(folder, &path, &err), MODEL_OK);
    assert_string_equal(path, in_folder("p.mlpackage")); /* before the compiled one */
    free(path);
}

static void tells_containers_by_their_endings(void **state)
{
    (void)state;
    assert_true(coreml_is_model_path("a/B.MLModel"));
    assert_true(coreml_is_model_path("b.mlpackage/"));
    assert_false(coreml_is_model_path(".mlmodel"));
    assert_true(coreml_is_compiled_path("b.MLModelC/"));
    assert_false(coreml_is_compiled_path("b.mlmodel"));
    assert_false(coreml_is_model_path("a.mlmodel/b"));
    assert_int_equal(coreml_container_length("a/x.mlpackage/Data/y.mlmodel"), 13);
    assert_int_equal(coreml_container_length("a/x.mlmodel"), 11);
    assert_int_equal(coreml_container_length("a.mlmodel/x"), 0);
    assert_int_equal(coreml_container_length("x.mlpackage"), 0); /* a file */
    assert_int_equal(coreml_container_length(""), 0);
}

static void a_repository_has_them_below_the_backend(void **state)
{
    (void)state;
    static const char *const places[][2] = {
        {"coreml/a/x.mlpackage/Data/w.bin", "backends/coreml/a/x.mlpackage/Data/w.bin"},
        {"x.mlmodel", "backends/coreml/x.mlmodel"},
        {"x.mlmodelc/model.mil", "backends/coreml/x.mlmodelc/model.mil"},
        {"coreml/libmodel.so", "coreml/libmodel.so"},
        {"backends/x.mlmodel", "repository/backends/x.mlmodel"},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char *place = package_path_of(places[i][0]);
        assert_string_equal(place, places[i][1]);
        free(place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_root_identifier),
        cmocka_unit_test(refuses_manifests_that_lead_elsewhere),
        IN_FOLDER(finds_the_model_of_a_folder),
        cmocka_unit_test(tells_containers_by_their_endings),
        cmocka_unit_test(a_repository_has_them_below_the_backend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
