/* test_backend_files.c - which files of a backend's folder tell a model from another one. */
#include "backend_files.h"
#include "errors.h"
#include "files.h"
#include "in_folder.h"
#include "package.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct model_error err = MODEL_ERROR_INIT;

static void write_at(const char *path, const char *text, time_t at)
{
    const struct timespec times[] = {{.tv_sec = at}, {.tv_sec = at}};
    write_file(in_folder(path), text, strlen(text));
    assert_int_equal(utimensat(AT_FDCWD, in_folder(path), times, 0), 0);
}

static void stamp(char ret[SHA256_HEX_BYTES])
{
    if (backend_files_stamp(folder, ret, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

/* Those of a folder inside come where its name stands among the others. */
static void files_of_folders_inside_are_listed_in_order(void **state)
{
    (void)state;
    static const char *const wanted[] = {"a", "b.mlpackage/Data/w.bin", "b.mlpackage/Manifest.json",
                                         "config.json", "nowhere"};
    struct backend_files files = {0};
    assert_int_equal(dir_make_all(in_folder("b.mlpackage/Data"), NULL), MODEL_OK);
    assert_int_equal(dir_make_all(in_folder("empty"), NULL), MODEL_OK);
    write_at("config.json", "{}", 1000);
    write_at("b.mlpackage/Manifest.json", "{}", 1000);
    write_at("b.mlpackage/Data/w.bin", "123", 1000);
    write_at("a", "", 1000);
    write_at(".hidden", "", 1000);
    assert_int_equal(symlink("not-there", in_folder("nowhere")), 0);
    assert_int_equal(backend_files_list(folder, &files, &err), MODEL_OK);
    assert_int_equal(files.n_files, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < files.n_files; i++)
        assert_string_equal(files.files[i].name, wanted[i]);
    assert_int_equal(files.files[1].info.st_size, 3);
    assert_int_equal(files.files[4].info.st_ino, 0);
    backend_files_finish(&files);
}

static void a_folder_that_is_not_there_has_none(void **state)
{
    (void)state;
    struct backend_files files = {0};
    assert_int_equal(backend_files_list(in_folder("none"), &files, &err), MODEL_OK);
    assert_int_equal(files.n_files, 0);
    backend_files_finish(&files);
}

static void a_change_of_any_file_makes_another_stamp(void **state)
{
    (void)state;
    char first[SHA256_HEX_BYTES], other[SHA256_HEX_BYTES];
    assert_int_equal(dir_make_all(in_folder("m.mlpackage/Data"), NULL), MODEL_OK);
    write_at("m.mlpackage/Data/w.bin", "123", 1000);
    stamp(first);
    stamp(other);
    assert_string_equal(first, other);
    write_at("m.mlpackage/Data/w.bin", "124", 1001); /* written over */
    stamp(other);
    assert_string_not_equal(first, other);
    write_at("next", "123", 1000);
    write_at("m.mlpackage/Data/w.bin", "123", 1000);
    assert_int_equal(unlink(in_folder("next")), 0);
    stamp(other);
    assert_string_equal(first, other);
    write_at("next", "123", 1000); /* as large, as old, another file */
    assert_int_equal(rename(in_folder("next"), in_folder("m.mlpackage/Data/w.bin")), 0);
    stamp(other);
    assert_string_not_equal(first, other);
}

/* Whose contents are compared. */
static void config_and_plugin_are_no_part_of_a_stamp(void **state)
{
    (void)state;
    char first[SHA256_HEX_BYTES], other[SHA256_HEX_BYTES];
    stamp(first);
    write_at("config.json", "{}", 1000);
    write_at(PACKAGE_PLUGIN_NAME, "x", 1000);
    stamp(other);
    assert_string_equal(first, other);
    write_at("model.mlmodel", "x", 1000);
    stamp(other);
    assert_string_not_equal(first, other);
}

static void links_in_a_circle_end_with_a_sentence(void **state)
{
    (void)state;
    struct backend_files files = {0};
    assert_int_equal(symlink(".", in_folder("again")), 0);
    /* The system ends it where it counts links, else the walk does. */
    const model_status status = backend_files_list(folder, &files, &err);
    assert_true(status == MODEL_OK || status == MODEL_UNSUPPORTED);
    assert_true(files.n_files <= 1);
    backend_files_finish(&files);
    assert_int_equal(unlink(in_folder("again")), 0);
    char deep[200] = "d";
    for (int i = 0; i < BACKEND_FILES_MAX_DEPTH + 1; i++)
        (void)strncat(deep, "/d", sizeof deep - strlen(deep) - 1);
    assert_int_equal(dir_make_all(in_folder(deep), NULL), MODEL_OK);
    assert_int_equal(backend_files_list(folder, &files, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "more than 32 folders"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(files_of_folders_inside_are_listed_in_order),
        IN_FOLDER(a_folder_that_is_not_there_has_none),
        IN_FOLDER(a_change_of_any_file_makes_another_stamp),
        IN_FOLDER(config_and_plugin_are_no_part_of_a_stamp),
        IN_FOLDER(links_in_a_circle_end_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
