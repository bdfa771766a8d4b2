/* test_download_plan.c - what a download will do. */
#include "in_folder.h"

#include "download_plan.h"

#define SHA256 "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03" /* "hello\n" */

static struct hub_file list[] = {
    {(char *)"config.json", 10, {HUB_DIGEST_GIT_BLOB, "ce013625030ba8dba906f756967f9e9ca394464a"}},
    {(char *)"left.out", 1000, {HUB_DIGEST_NONE, ""}},
    {(char *)"model.safetensors", 6, {HUB_DIGEST_SHA256, SHA256}},
};
static const struct hub_files files = {list, 3};
static const enum file_verdict verdicts[] = {FILE_TAKEN, FILE_NOT_ASKED, FILE_TAKEN};

static void sizes_are_summed_and_places_named(void **state)
{
    struct download_plan plan;
    (void)state;
    assert_int_equal(download_plan_make(&files, verdicts, NULL, false, &plan, NULL), MODEL_OK);
    assert_int_equal(plan.n_files, 2);
    assert_string_equal(plan.files[0].package_path, "backends/cpu/config.json");
    assert_string_equal(plan.files[0].sha256, "");
    assert_string_equal(plan.files[1].package_path, "backends/cpu/model.safetensors");
    assert_string_equal(plan.files[1].sha256, SHA256);
    assert_int_equal(plan.total_bytes, 16);
    assert_int_equal(plan.fetch_bytes, 16);
    download_plan_finish(&plan);
}

static void what_the_store_has_is_not_fetched_unless_forced(void **state)
{
    struct download_plan plan;
    struct store *store;
    (void)state;
    assert_int_equal(store_open(in_folder("store"), 1, &store, NULL), MODEL_OK);
    write_file(in_folder("blob"), "hello\n", 6);
    assert_int_equal(store_add_blob(store, in_folder("blob"), SHA256, NULL), MODEL_OK);
    assert_int_equal(download_plan_make(&files, verdicts, store, false, &plan, NULL), MODEL_OK);
    assert_true(plan.files[1].in_store);
    assert_int_equal(plan.fetch_bytes, 10);
    download_plan_finish(&plan);
    assert_int_equal(download_plan_make(&files, verdicts, store, true, &plan, NULL), MODEL_OK);
    assert_false(plan.files[1].in_store);
    assert_int_equal(plan.fetch_bytes, 16);
    download_plan_finish(&plan);
    store_close(store);
}

static void a_package_satisfies_a_plan_with_the_same_content_only(void **state)
{
    struct download_plan plan;
    struct manifest manifest = {0};
    (void)state;
    assert_int_equal(download_plan_make(&files, verdicts, NULL, false, &plan, NULL), MODEL_OK);
    assert_int_equal(
        manifest_add(&manifest, "backends/cpu/config.json", "config.json", 10, SHA256, NULL),
        MODEL_OK);
    assert_false(download_plan_satisfied_by(&plan, &manifest));
    char other[] = SHA256;
    other[0] = '6';
    assert_int_equal(
        manifest_add(&manifest, "backends/cpu/model.safetensors", NULL, 6, other, NULL), MODEL_OK);
    assert_false(download_plan_satisfied_by(&plan, &manifest));
    assert_int_equal(
        manifest_add(&manifest, "backends/cpu/model.safetensors", NULL, 6, SHA256, NULL), MODEL_OK);
    assert_true(download_plan_satisfied_by(&plan, &manifest));
    manifest_finish(&manifest);
    download_plan_finish(&plan);
}

static void sizes_that_do_not_add_up_are_refused(void **state)
{
    static struct hub_file huge[] = {{(char *)"a", UINT64_MAX, {HUB_DIGEST_NONE, ""}},
                                     {(char *)"b", 2, {HUB_DIGEST_NONE, ""}}};
    const struct hub_files two = {huge, 2};
    const enum file_verdict taken[] = {FILE_TAKEN, FILE_TAKEN};
    struct download_plan plan;
    (void)state;
    assert_int_equal(download_plan_make(&two, taken, NULL, false, &plan, NULL), MODEL_CORRUPT);
}

static void a_disk_without_room_is_told_beforehand(void **state)
{
    struct download_plan plan = {.fetch_bytes = UINT64_MAX};
    struct model_error err = {.struct_size = sizeof err};
    (void)state;
    assert_int_equal(download_plan_check_room(&plan, 0, folder, &err), MODEL_IO);
    assert_non_null(strstr(err.message, "it takes 18.4 EB and the disk of '"));
    plan.fetch_bytes = 0;
    assert_int_equal(download_plan_check_room(&plan, 0, folder, &err), MODEL_OK);
}

static void names_that_differ_in_case_only_are_found(void **state)
{
    static struct hub_file twins[] = {{(char *)"Vocab.txt", 1, {HUB_DIGEST_NONE, ""}},
                                      {(char *)"b", 2, {HUB_DIGEST_NONE, ""}},
                                      {(char *)"vocab.txt", 2, {HUB_DIGEST_NONE, ""}}};
    const struct hub_files three = {twins, 3};
    const enum file_verdict taken[] = {FILE_TAKEN, FILE_TAKEN, FILE_TAKEN};
    const enum file_verdict one[] = {FILE_NOT_ASKED, FILE_TAKEN, FILE_TAKEN};
    struct download_plan plan;
    size_t first = 9, second = 9;
    (void)state;
    assert_int_equal(download_plan_make(&three, one, NULL, false, &plan, NULL), MODEL_OK);
    assert_false(download_plan_find_twins(&plan, &first, &second));
    download_plan_finish(&plan);
    assert_int_equal(download_plan_make(&three, taken, NULL, false, &plan, NULL), MODEL_OK);
    assert_true(download_plan_find_twins(&plan, &first, &second));
    assert_int_equal(first, 0);
    assert_int_equal(second, 2);
    download_plan_finish(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(sizes_are_summed_and_places_named),
        IN_FOLDER(what_the_store_has_is_not_fetched_unless_forced),
        IN_FOLDER(a_package_satisfies_a_plan_with_the_same_content_only),
        IN_FOLDER(sizes_that_do_not_add_up_are_refused),
        IN_FOLDER(a_disk_without_room_is_told_beforehand),
        IN_FOLDER(names_that_differ_in_case_only_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
