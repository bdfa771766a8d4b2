/* test_signed_path.c - what lies at a path of a signed folder is what its manifest lists: no byte of it another, no file less and none
 * more. */
#include "signed_path.h"
#include "digest.h"
#include "errors.h"
#include "files.h"
#include "manifest.h"
#include "testing.h"

#include <sys/stat.h>
#include <unistd.h>

static const char *const listed[] = {"m.mlmodelc/coremldata.bin", "m.mlmodelc/weights/weight.bin",
                                     "m.mlmodelc.txt"};
static const char big[] = "numbers and numbers";

static char *dir;
static struct archive *archive; /* of the folder */

static char *at(const char *name)
{
    static char path[4200];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void put(const char *name, const char *text)
{
    write_file(at(name), text, strlen(text));
}

static int set_up(void **state)
{
    (void)state;
    char id[] = "ns/name", revision[] = "1234", nothing[] = "", hex[SHA256_HEX_BYTES];
    struct manifest manifest = {id, id, revision, revision, nothing, nothing, NULL, 0};
    char *made = scratch_dir();
    dir = realpath(made, NULL);
    free(made);
    assert_int_equal(dir_make_all(at("m.mlmodelc/weights"), NULL), MODEL_OK);
    for (size_t i = 0; i < 3; i++) {
        uint64_t n = 0;
        put(listed[i], big + i);
        assert_int_equal(digest_file_sha256(at(listed[i]), hex, &n, NULL), MODEL_OK);
        assert_int_equal(manifest_add(&manifest, listed[i], NULL, n, hex, NULL), MODEL_OK);
    }
    assert_int_equal(archive_open_folder(dir, &manifest, ARCHIVE_CHECKSUM, &archive, NULL),
                     MODEL_OK);
    manifest = (struct manifest){.files = manifest.files, .n_files = manifest.n_files};
    manifest_finish(&manifest);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    archive_close(archive);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
    return 0;
}

/* `part` is in the sentence; "": there is none. */
static void expect(const char *name, model_status status, const char *part)
{
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(signed_path_check(archive, at(name), &err), status);
    if (strstr(err.message, part) == NULL || (part[0] == '\0') != (err.message[0] == '\0'))
        fail_msg("'%s' is not: %s", part, err.message);
}

static void a_folder_and_a_file_that_are_as_they_were_signed_pass(void **state)
{
    (void)state;
    expect("m.mlmodelc", MODEL_OK, "");
    expect("m.mlmodelc/weights", MODEL_OK, "");
    expect("m.mlmodelc.txt", MODEL_OK, "");
}

static void another_byte_in_any_file_there_is_refused(void **state)
{
    (void)state;
    put(listed[2], "other and as long");
    expect("m.mlmodelc", MODEL_OK, ""); /* it is elsewhere */
    expect("m.mlmodelc.txt", MODEL_CORRUPT, "m.mlmodelc.txt is not the file that was signed");
    put(listed[1], "UMBERS and numbers");
    expect("m.mlmodelc", MODEL_CORRUPT, "weights/weight.bin is not the file that was signed");
    put(listed[1], "umbers and number");
    expect("m.mlmodelc", MODEL_CORRUPT,
           "weights/weight.bin is not the file that metadata.json lists");
}

static void a_file_that_is_missing_is_refused(void **state)
{
    (void)state;
    assert_int_equal(unlink(at(listed[0])), 0);
    expect("m.mlmodelc", MODEL_CORRUPT, "coremldata.bin, which metadata.json lists, is missing");
    expect("m.mlmodelc/weights", MODEL_OK, "");
}

static void a_file_that_nobody_signed_is_refused(void **state)
{
    (void)state;
    put("m.mlmodelc/weights/more", "");
    expect("m.mlmodelc", MODEL_CORRUPT, "weights/more is not among the files that were signed");
    assert_int_equal(unlink(at("m.mlmodelc/weights/more")), 0);
    assert_int_equal(symlink("nowhere", at("m.mlmodelc/link")), 0);
    expect("m.mlmodelc", MODEL_CORRUPT, "m.mlmodelc/link is not among the files");
}

static void a_path_of_which_nothing_was_signed_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at("other"), 0700), 0);
    expect("other", MODEL_NOT_FOUND, "no file at ");
    expect("m.mlmodel", MODEL_NOT_FOUND, "/m.mlmodel was signed"); /* the beginning of a name */
}

static void a_path_that_is_not_in_the_folder_is_refused(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    char *beside = text_format("%s.txt", dir); /* the folder's name is its beginning */
    const char *const others[] = {beside, dir, "m.mlmodelc", ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(signed_path_check(archive, others[i], &err), MODEL_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, " is not in the signed folder "));
    }
    free(beside);
}

static void what_tools_leave_in_a_folder_is_no_part_of_it(void **state)
{
    (void)state;
    put("m.mlmodelc/.DS_Store", "a view");
    expect("m.mlmodelc", MODEL_OK, "");
}

static void what_is_no_signed_folder_is_not_looked_at(void **state)
{
    (void)state;
    assert_int_equal(signed_path_check(NULL, "/nowhere/at/all", NULL), MODEL_OK);
}

#define SIGNED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGNED(a_folder_and_a_file_that_are_as_they_were_signed_pass),
        SIGNED(another_byte_in_any_file_there_is_refused),
        SIGNED(a_file_that_is_missing_is_refused),
        SIGNED(a_file_that_nobody_signed_is_refused),
        SIGNED(a_path_of_which_nothing_was_signed_is_not_found),
        SIGNED(a_path_that_is_not_in_the_folder_is_refused),
        SIGNED(what_tools_leave_in_a_folder_is_no_part_of_it),
        SIGNED(what_is_no_signed_folder_is_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
