/* test_model_key.c - what makes another model of a package, and what does not. */
#include "model_key.h"
#include "errors.h"
#include "files.h"
#include "load_options.h"
#include "testing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char *dir, *package, *plugins;
    struct modelhost_load_options options;
    const char *backend;
};

static void put(const struct fixture *f, const char *name, const char *content)
{
    char *path = path_join(f->dir, name);
    char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    write_file(path, content, strlen(content));
    free(folder);
    free(path);
}

static struct fixture make(void)
{
    struct fixture f = {.dir = scratch_dir()};
    f.package = path_join(f.dir, "package");
    f.plugins = text_format("%s/absent:%s/plugins", f.dir, f.dir);
    f.options = load_options_complete(NULL);
    put(&f, "package/metadata.json", "{}");
    put(&f, "package/tokenizer.json", "{}");
    put(&f, "package/backends/cpu/config.json", "{}");
    put(&f, "package/backends/cpu/libmodel.so", "code");
    put(&f, "plugins/libbert.so", "code");
    return f;
}

static void finish(struct fixture *f)
{
    assert_int_equal(dir_remove_all(f->dir, NULL), MODEL_OK);
    free(f->package);
    free(f->plugins);
    free(f->dir);
}

static void key_of(const struct fixture *f, char key[SHA256_HEX_BYTES])
{
    struct model_error err = MODEL_ERROR_INIT;
    if (model_key_make(f->package, f->plugins, f->dir, f->backend, &f->options, key, &err) !=
        MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(strlen(key), SHA256_HEX_BYTES - 1);
}

/* Puts a new file in the old one's place, as installing does. */
static void replace(const struct fixture *f, const char *name)
{
    char *path = path_join(f->dir, name);
    char *beside = text_format("%s.new", path);
    write_file(beside, "code", 4);
    assert_int_equal(rename(beside, path), 0);
    free(beside);
    free(path);
}

static void nothing_new_is_the_same_key(void **state)
{
    (void)state;
    char first[SHA256_HEX_BYTES], second[SHA256_HEX_BYTES];
    struct fixture f = make();
    char *link = path_join(f.dir, "link"), *package = f.package;
    key_of(&f, first);
    key_of(&f, second);
    assert_string_equal(first, second);
    assert_int_equal(symlink(package, link), 0);
    f.package = link;
    key_of(&f, second); /* another way to the same folder */
    assert_string_equal(first, second);
    f.package = package;
    free(link);
    finish(&f);
}

static void replaced_files_are_another_key(void **state)
{
    (void)state;
    static const char *const names[] = {"package/backends/cpu/libmodel.so", "plugins/libbert.so",
                                        "package/tokenizer.json",
                                        "package/backends/cpu/config.json"};
    struct fixture f = make();
    char before[SHA256_HEX_BYTES], after[SHA256_HEX_BYTES];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        key_of(&f, before);
        replace(&f, names[i]);
        key_of(&f, after);
        assert_string_not_equal(before, after);
    }
    key_of(&f, before);
    put(&f, "package/backends/torch/config.json", "{}");
    key_of(&f, after);
    assert_string_not_equal(before, after);
    finish(&f);
}

static void a_file_written_over_is_another_key(void **state)
{
    (void)state;
    struct fixture f = make();
    char before[SHA256_HEX_BYTES], after[SHA256_HEX_BYTES];
    char *path = path_join(f.package, "backends/cpu/libmodel.so");
    const struct timespec times[] = {{1, 0}, {1, 5}};
    key_of(&f, before);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    key_of(&f, after);
    assert_string_not_equal(before, after);
    free(path);
    finish(&f);
}

static void the_manifest_counts_by_its_content(void **state)
{
    (void)state;
    struct fixture f = make();
    char before[SHA256_HEX_BYTES], after[SHA256_HEX_BYTES];
    char *path = path_join(f.package, "metadata.json");
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    const struct timespec times[] = {file.st_atim, file.st_mtim};
    key_of(&f, before);
    write_file(path, "[]", 2); /* the same file, size and time */
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    key_of(&f, after);
    assert_string_not_equal(before, after);
    free(path);
    finish(&f);
}

static void options_are_part_of_it(void **state)
{
    (void)state;
    struct fixture f = make();
    char before[SHA256_HEX_BYTES], after[SHA256_HEX_BYTES];
    key_of(&f, before);
    f.options.isolation = MODELHOST_WORKER;
    key_of(&f, after);
    assert_string_not_equal(before, after);
    f.options.isolation = MODELHOST_INPROC;
    f.options.backend = "here or there"; /* where the text lies does not matter */
    key_of(&f, after);
    assert_string_equal(before, after);
    f.backend = "torch";
    key_of(&f, after);
    assert_string_not_equal(before, after);
    finish(&f);
}

/* A model that is open says nothing of a passphrase that was not tried. */
static void what_opens_it_is_part_of_it(void **state)
{
    (void)state;
    struct fixture f = make();
    char keys[5][SHA256_HEX_BYTES], again[SHA256_HEX_BYTES];
    char first[] = "first", same[] = "first";
    put(&f, "pass", "first");
    char *file = path_join(f.dir, "pass");
    key_of(&f, keys[0]);
    f.options.passphrase = first;
    f.options.passphrase_bytes = 5;
    key_of(&f, keys[1]);
    f.options.passphrase = same;
    key_of(&f, again);
    assert_string_equal(keys[1], again);
    f.options.passphrase = "other";
    key_of(&f, keys[2]);
    f.options.passphrase = NULL;
    f.options.passphrase_bytes = 0;
    f.options.passphrase_file = file;
    key_of(&f, keys[3]);
    replace(&f, "pass");
    key_of(&f, keys[4]);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(keys[i], keys[j]);
    free(file);
    finish(&f);
}

/* Whether a report that appears in the store, and one that is written anew, are another key. */
static void expect_reports_count(int32_t dtype, int32_t policy, bool count)
{
    char keys[3][SHA256_HEX_BYTES];
    struct fixture f = make();
    f.options.dtype = dtype;
    f.options.accuracy_policy = policy;
    key_of(&f, keys[0]);
    put(&f, "accuracy/0123.json", "{}");
    key_of(&f, keys[1]);
    replace(&f, "accuracy/0123.json");
    key_of(&f, keys[2]);
    assert_int_equal(strcmp(keys[0], keys[1]) != 0, count);
    assert_int_equal(strcmp(keys[1], keys[2]) != 0, count);
    finish(&f);
}

static void reports_are_part_of_it_where_they_decide_about_the_dtype(void **state)
{
    (void)state;
    expect_reports_count(MODELHOST_F32, MODELHOST_ACCURACY_MEASURED, false);
    expect_reports_count(MODELHOST_AUTO, MODELHOST_ACCURACY_MEASURED, true);
    expect_reports_count(MODELHOST_AUTO, MODELHOST_ACCURACY_ANY, true);
    expect_reports_count(MODELHOST_INT8, MODELHOST_ACCURACY_MEASURED, true);
    expect_reports_count(MODELHOST_INT8, MODELHOST_ACCURACY_REQUIRED, true);
    expect_reports_count(MODELHOST_INT8, MODELHOST_ACCURACY_ANY, false);
}

static void a_package_that_is_nowhere_is_said(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    const struct modelhost_load_options options = load_options_complete(NULL);
    char key[SHA256_HEX_BYTES] = "as it was";
    assert_int_equal(model_key_make("/absent/package", "", NULL, NULL, &options, key, &err),
                     MODEL_NOT_FOUND);
    assert_string_equal(err.message,
                        "cannot open package /absent/package: No such file or directory");
    assert_string_equal(key, "as it was");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_new_is_the_same_key),
        cmocka_unit_test(replaced_files_are_another_key),
        cmocka_unit_test(a_file_written_over_is_another_key),
        cmocka_unit_test(the_manifest_counts_by_its_content),
        cmocka_unit_test(options_are_part_of_it),
        cmocka_unit_test(what_opens_it_is_part_of_it),
        cmocka_unit_test(reports_are_part_of_it_where_they_decide_about_the_dtype),
        cmocka_unit_test(a_package_that_is_nowhere_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
