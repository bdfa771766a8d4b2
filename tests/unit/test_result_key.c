/* test_result_key.c - which models may answer for each other out of the result cache: those whose files are the same by
 * a manifest that is younger than they are, down to the last folder; and of a model that is opened, whether its files
 * are those that it was opened from (host/loaded_model.c). */
#include "errors.h"
#include "files.h"
#include "in_folder.h"
#include "result_key.h"

#include <fcntl.h>
#include <sys/stat.h>

#define INSIDE "backends/coreml/m.mlpackage/Data/weight.bin"

static const char one[] = "aa23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const char two[] = "bb23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static struct model_error err = MODEL_ERROR_INIT;

/* A package as a store has it, with this digest of the file inside a folder inside. */
static void make_package(const char *name, const char *sha256, struct modelhost_model *ret)
{
    char path[300];
    struct package *package = &ret->package;
    static const struct model_description description = {.struct_size = sizeof description};
    static struct model model = {.struct_size = sizeof model, .description = &description};
    *ret = (struct modelhost_model){.config_text = "{}", .config_bytes = 2, .model = &model};
    package->dir = strdup(in_folder(name));
    (void)snprintf(path, sizeof path, "%s/backends/coreml/m.mlpackage/Data", package->dir);
    assert_int_equal(dir_make_all(path, &err), MODEL_OK);
    (void)snprintf(path, sizeof path, "%s/" INSIDE, package->dir);
    write_file(path, "123", 3);
    (void)snprintf(path, sizeof path, "%s/metadata.json", package->dir);
    write_file(path, "{}", 2);
    package->backend = strdup("coreml");
    package->backend_dir = path_join(package->dir, "backends/coreml");
    package->has_manifest = true;
    assert_int_equal(manifest_add(&package->manifest, INSIDE, NULL, 3, sha256, &err), MODEL_OK);
}

static void key_of(const struct modelhost_model *model, char ret[RESULT_KEY_BYTES])
{
    if (result_key_of_model(model, ret, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static void packages_share_results_only_when_each_file_is_the_same(void **state)
{
    (void)state;
    struct modelhost_model a, b, c;
    char keys[3][RESULT_KEY_BYTES];
    make_package("a", one, &a);
    make_package("b", one, &b);
    make_package("c", two, &c);
    key_of(&a, keys[0]);
    key_of(&b, keys[1]);
    key_of(&c, keys[2]);
    assert_string_equal(keys[0], keys[1]);
    assert_string_not_equal(keys[0], keys[2]);
    package_finish(&a.package);
    package_finish(&b.package);
    package_finish(&c.package);
}

static void another_dtype_or_device_gives_other_results(void **state)
{
    (void)state;
    static const struct model_description bf16 = {.struct_size = sizeof bf16,
                                                  .compute_dtype = "bf16"};
    struct modelhost_model model;
    struct model other = {.struct_size = sizeof other, .description = &bf16};
    char before[RESULT_KEY_BYTES], after[RESULT_KEY_BYTES];
    make_package("d", one, &model);
    key_of(&model, before);
    struct model *usual = model.model;
    model.model = &other;
    key_of(&model, after);
    assert_string_not_equal(after, before);
    model.model = usual;
    key_of(&model, after);
    assert_string_equal(after, before);
    free(model.package.backend);
    model.package.backend = strdup("coreml:cpu");
    key_of(&model, after);
    assert_string_not_equal(after, before);
    package_finish(&model.package);
}

static void a_file_inside_that_is_younger_than_the_manifest_makes_another_key(void **state)
{
    (void)state;
    struct modelhost_model model;
    char before[RESULT_KEY_BYTES], after[RESULT_KEY_BYTES];
    make_package("a", one, &model);
    key_of(&model, before);
    const struct timespec old[] = {{.tv_sec = 1000}, {.tv_sec = 1000}}; /* the manifest's time */
    assert_int_equal(utimensat(AT_FDCWD, in_folder("a/metadata.json"), old, 0), 0);
    key_of(&model, after);
    assert_string_not_equal(before, after);
    package_finish(&model.package);
}

static void a_model_knows_whether_its_files_are_those_it_was_opened_from(void **state)
{
    (void)state;
    struct modelhost_model model;
    make_package("a", one, &model);
    assert_false(loaded_model_is_of_its_files(&model)); /* nobody has looked */
    loaded_model_note_files(&model);
    assert_true(loaded_model_is_of_its_files(&model));
    write_file(in_folder("a/tokenizer.json"), "{}", 2);
    write_file(in_folder("a/backends/coreml/config.json"), "{}", 2); /* whose text it has */
    assert_true(loaded_model_is_of_its_files(&model));
    write_file(in_folder("a/next"), "321", 3);
    assert_int_equal(rename(in_folder("a/next"), in_folder("a/" INSIDE)), 0);
    assert_false(loaded_model_is_of_its_files(&model));
    package_finish(&model.package);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(packages_share_results_only_when_each_file_is_the_same),
        IN_FOLDER(another_dtype_or_device_gives_other_results),
        IN_FOLDER(a_file_inside_that_is_younger_than_the_manifest_makes_another_key),
        IN_FOLDER(a_model_knows_whether_its_files_are_those_it_was_opened_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
