/* test_import_source.c - what a folder holds that is to be imported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "import_source.h"
#include "store_packages.h"

#include <sys/stat.h>

static struct import_source look(const char *path, const char *revision, model_status want)
{
    struct import_source source = {0};
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = import_source_read(path, revision, &source, &err);
    if (status != want)
        fail_msg("%d, want %d: %s", status, want, err.message);
    return source;
}

static void a_folder_s_files_are_listed_by_name(void **state)
{
    put_text(in_folder(*state, "m/b.txt"), "bb");
    put_text(in_folder(*state, "m/a/c.txt"), "c");
    put_text(in_folder(*state, "m/.git/x"), "x");
    struct import_source source = look(in_folder(*state, "m"), NULL, MODEL_OK);
    assert_int_equal(source.files.n_files, 2);
    assert_string_equal(source.files.files[0].path, "a/c.txt");
    assert_int_equal(source.files.files[1].size_bytes, 2);
    assert_null(source.id);
    assert_false(source.is_cache);
    import_source_finish(&source);
}

static void links_may_stay_inside_only(void **state)
{
    put_text(in_folder(*state, "m/a.txt"), "a");
    put_text(in_folder(*state, "secret"), "s");
    assert_int_equal(symlink("a.txt", in_folder(*state, "m/b.txt")), 0);
    struct import_source source = look(in_folder(*state, "m"), NULL, MODEL_OK);
    assert_int_equal(source.files.n_files, 2);
    import_source_finish(&source);
    assert_int_equal(symlink("../secret", in_folder(*state, "m/c.txt")), 0);
    (void)look(in_folder(*state, "m"), NULL, MODEL_CORRUPT);
    assert_int_equal(unlink(in_folder(*state, "m/c.txt")), 0);
    assert_int_equal(symlink(".", in_folder(*state, "m/loop")), 0);
    (void)look(in_folder(*state, "m"), NULL, MODEL_CORRUPT);
}

static void make_cache(const char *folder)
{
    put_text(in_folder(folder, "models--x--m/blobs/1"), "one");
    put_text(in_folder(folder, "models--x--m/snapshots/" COMMIT_A "/own.txt"), "own");
    assert_int_equal(
        symlink("../../blobs/1", in_folder(folder, "models--x--m/snapshots/" COMMIT_A "/a.txt")),
        0);
}

static void a_cache_s_repository_knows_its_id_and_commit(void **state)
{
    make_cache(*state);
    put_text(in_folder(*state, "models--x--m/refs/main"), COMMIT_A);
    struct import_source source = look(in_folder(*state, "models--x--m"), NULL, MODEL_OK);
    assert_string_equal(source.id, "x/m");
    assert_string_equal(source.commit, COMMIT_A);
    assert_string_equal(source.revision, "main");
    assert_int_equal(source.files.n_files, 2);
    assert_true(source.is_cache);
    import_source_finish(&source);
    source = look(in_folder(*state, "models--x--m/snapshots/" COMMIT_A), NULL, MODEL_OK);
    assert_string_equal(source.id, "x/m");
    assert_null(source.revision);
    import_source_finish(&source);
    (void)look(in_folder(*state, "models--x--m"), "v2", MODEL_NOT_FOUND);
    (void)look(in_folder(*state, "models--x--m"), "../../x", MODEL_NOT_FOUND);
    (void)look(in_folder(*state, "models--x--m"), COMMIT_B, MODEL_NOT_FOUND);
}

static void the_only_snapshot_is_meant_when_there_is_no_main(void **state)
{
    make_cache(*state);
    struct import_source source = look(in_folder(*state, "models--x--m"), NULL, MODEL_OK);
    assert_string_equal(source.commit, COMMIT_A);
    import_source_finish(&source);
}

static void what_is_no_folder_of_files_is_refused(void **state)
{
    put_text(in_folder(*state, "file"), "x");
    assert_int_equal(dir_make_all(in_folder(*state, "empty"), NULL), MODEL_OK);
    (void)look(in_folder(*state, "file"), NULL, MODEL_INVALID_ARGUMENT);
    (void)look(in_folder(*state, "none"), NULL, MODEL_NOT_FOUND);
    (void)look(in_folder(*state, "empty"), NULL, MODEL_NOT_FOUND);
    put_text(in_folder(*state, "bad/a\\b"), "x");
    (void)look(in_folder(*state, "bad"), NULL, MODEL_CORRUPT);
}

static void a_compiled_model_goes_below_its_backend_with_all_its_files(void **state)
{
    put_text(in_folder(*state, "Net.mlmodelc/coremldata.bin"), "d");
    put_text(in_folder(*state, "Net.mlmodelc/weights/weight.bin"), "w");
    struct import_source source = look(in_folder(*state, "Net.mlmodelc"), NULL, MODEL_OK);
    assert_int_equal(source.files.n_files, 2);
    assert_string_equal(source.id, "Net");
    char *place = import_source_place(&source, "weights/weight.bin");
    assert_string_equal(place, "backends/coreml/model.mlmodelc/weights/weight.bin");
    free(place);
    import_source_finish(&source);
}

static void refuse_compiled(const char *path, model_status status, const char *part)
{
    struct import_source source = {0};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(import_source_read(path, NULL, &source, &err), status);
    if (strstr(err.message, part) == NULL)
        fail_msg("'%s' is not in: %s", part, err.message);
}

static void a_compiled_model_that_is_none_or_has_links_or_devices_is_refused(void **state)
{
    char *folder = text_format("%s", in_folder(*state, "x.mlmodelc"));
    refuse_compiled(folder, MODEL_NOT_FOUND, "is no folder; want one that Core ML has compiled");
    put_text(in_folder(*state, "x.mlmodelc/model.mil"), "m");
    refuse_compiled(folder, MODEL_CORRUPT, "has no coremldata.bin: it is no compiled model");
    put_text(in_folder(*state, "x.mlmodelc/coremldata.bin"), "d");
    assert_int_equal(symlink("model.mil", in_folder(*state, "x.mlmodelc/link")), 0);
    refuse_compiled(folder, MODEL_CORRUPT, "'link' is a link, which a Core ML model has none of");
    assert_int_equal(unlink(in_folder(*state, "x.mlmodelc/link")), 0);
    assert_int_equal(symlink("/etc/passwd", in_folder(*state, "x.mlmodelc/out")), 0);
    refuse_compiled(folder, MODEL_CORRUPT, "'out' is a link to /etc/passwd, out of ");
    assert_int_equal(unlink(in_folder(*state, "x.mlmodelc/out")), 0);
    assert_int_equal(mkfifo(in_folder(*state, "x.mlmodelc/pipe"), 0600), 0);
    refuse_compiled(folder, MODEL_CORRUPT, "'pipe' is no regular file; remove it");
    assert_int_equal(unlink(in_folder(*state, "x.mlmodelc/pipe")), 0);
    put_text(in_folder(*state, "y.mlmodelc"), "a file");
    refuse_compiled(in_folder(*state, "y.mlmodelc"), MODEL_CORRUPT, "is no folder");
    struct import_source source = look(folder, NULL, MODEL_OK);
    import_source_finish(&source);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_folder_s_files_are_listed_by_name),
        FOLDER_TEST(links_may_stay_inside_only),
        FOLDER_TEST(a_cache_s_repository_knows_its_id_and_commit),
        FOLDER_TEST(the_only_snapshot_is_meant_when_there_is_no_main),
        FOLDER_TEST(what_is_no_folder_of_files_is_refused),
        FOLDER_TEST(a_compiled_model_goes_below_its_backend_with_all_its_files),
        FOLDER_TEST(a_compiled_model_that_is_none_or_has_links_or_devices_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
