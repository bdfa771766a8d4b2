/* test_quarantine.c - entries that are added, found, expire, are cleared; and damaged ones. */
#include "errors.h"
#include "files.h"
#include "quarantine.h"
#include "testing.h"

#include <unistd.h>

#define A "aaaa456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define B "bbbb456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct fixture {
    char *store;
};

static int make_store(void **state)
{
    static struct fixture fixture;
    fixture.store = scratch_dir();
    *state = &fixture;
    return 0;
}

static int remove_store(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(dir_remove_all(fixture->store, NULL), MODEL_OK);
    free(fixture->store);
    return 0;
}

static void add(const struct fixture *fixture, const char *sha256, int64_t expires_s)
{
    struct quarantine_entry entry = {
        .plugin = "bert 1.0.0", .path = "/x/libmodel.so", .since_s = 100, .expires_s = expires_s};
    (void)snprintf(entry.sha256, sizeof entry.sha256, "%s", sha256);
    (void)snprintf(entry.reason, sizeof entry.reason, "failed check 8 (bounds): \"x\"");
    assert_int_equal(quarantine_add(fixture->store, &entry, NULL), MODEL_OK);
}

static void an_entry_is_found_until_it_expires(void **state)
{
    const struct fixture *fixture = *state;
    struct quarantine_entry entry;
    assert_false(quarantine_is_used(fixture->store));
    assert_int_equal(quarantine_find(fixture->store, A, 150, &entry, NULL), MODEL_NOT_FOUND);
    add(fixture, A, 200);
    assert_true(quarantine_is_used(fixture->store));
    assert_int_equal(quarantine_find(fixture->store, A, 199, &entry, NULL), MODEL_OK);
    assert_string_equal(entry.reason, "failed check 8 (bounds): \"x\"");
    assert_string_equal(entry.plugin, "bert 1.0.0");
    assert_int_equal(entry.since_s, 100);
    assert_false(entry.is_broken);
    assert_int_equal(quarantine_find(fixture->store, A, 200, &entry, NULL), MODEL_NOT_FOUND);
    assert_int_equal(quarantine_find(fixture->store, B, 150, &entry, NULL), MODEL_NOT_FOUND);
}

static void one_without_expiry_stays(void **state)
{
    const struct fixture *fixture = *state;
    struct quarantine_entry entry;
    add(fixture, A, 0);
    assert_int_equal(quarantine_find(fixture->store, A, (int64_t)1 << 39, &entry, NULL), MODEL_OK);
}

static void a_newer_entry_takes_the_place_of_an_older(void **state)
{
    const struct fixture *fixture = *state;
    struct quarantine_entry entry;
    add(fixture, A, 200);
    add(fixture, A, 300);
    assert_int_equal(quarantine_find(fixture->store, A, 250, &entry, NULL), MODEL_OK);
    assert_int_equal(entry.expires_s, 300);
}

static void all_are_listed_and_cleared_one_by_one(void **state)
{
    const struct fixture *fixture = *state;
    struct quarantine_list list;
    assert_int_equal(quarantine_list(fixture->store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 0);
    quarantine_list_finish(&list);
    add(fixture, B, 0);
    add(fixture, A, 150);
    assert_int_equal(quarantine_list(fixture->store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 2);
    assert_string_equal(list.entries[0].sha256, A);
    assert_string_equal(list.entries[1].sha256, B);
    quarantine_list_finish(&list);
    assert_int_equal(quarantine_clear(fixture->store, A, NULL), MODEL_OK);
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(quarantine_clear(fixture->store, A, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "aaaa456789ab"));
    assert_int_equal(quarantine_list(fixture->store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 1);
    quarantine_list_finish(&list);
}

static void a_damaged_entry_keeps_its_plugin_out(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const texts[] = {"", "{", "{}", "[1]",
                                        "{\"format_version\":1,\"sha256\":\"" B
                                        "\",\"plugin\":\"\",\"path\":"
                                        "\"\",\"reason\":\"\",\"since_s\":1,\"expires_s\":2}"};
    char *path = text_format("%s/quarantine/" A ".json", fixture->store);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct quarantine_entry entry;
        struct quarantine_list list;
        add(fixture, A, 200);
        write_file(path, texts[i], strlen(texts[i]));
        assert_int_equal(quarantine_find(fixture->store, A, 1000, &entry, NULL), MODEL_OK);
        assert_true(entry.is_broken);
        assert_string_equal(entry.sha256, A);
        assert_int_equal(quarantine_list(fixture->store, &list, NULL), MODEL_OK);
        assert_int_equal(list.n_entries, 1);
        quarantine_list_finish(&list);
        assert_int_equal(quarantine_clear(fixture->store, A, NULL), MODEL_OK);
    }
    free(path);
}

static void an_entry_that_cannot_be_removed_is_told(void **state)
{
    const struct fixture *fixture = *state;
    struct model_error err = MODEL_ERROR_INIT;
    struct quarantine_entry entry;
    char *folder = text_format("%s/quarantine/" A ".json", fixture->store);
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    assert_int_equal(quarantine_find(fixture->store, A, 1, &entry, NULL), MODEL_OK);
    assert_int_equal(quarantine_clear(fixture->store, A, &err), MODEL_IO);
    assert_non_null(strstr(err.message, "cannot remove "));
    free(folder);
}

static void what_is_no_folder_may_hold_any_entry(void **state)
{
    const struct fixture *fixture = *state;
    struct model_error err = MODEL_ERROR_INIT;
    struct quarantine_entry entry;
    struct quarantine_list list;
    char *path = path_join(fixture->store, "quarantine");
    write_file(path, "x", 1);
    assert_true(quarantine_is_used(fixture->store));
    assert_int_equal(quarantine_find(fixture->store, A, 1, &entry, &err), MODEL_IO);
    assert_non_null(strstr(err.message, "should be the folder of plugins in quarantine"));
    assert_int_equal(quarantine_list(fixture->store, &list, &err), MODEL_IO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("quarantine", path), 0); /* that leads nowhere */
    assert_true(quarantine_is_used(fixture->store));
    assert_int_equal(quarantine_find(fixture->store, A, 1, &entry, &err), MODEL_IO);
    assert_int_equal(unlink(path), 0);
    assert_false(quarantine_is_used(fixture->store));
    free(path);
}

static void other_files_are_not_entries(void **state)
{
    const struct fixture *fixture = *state;
    struct quarantine_list list;
    add(fixture, A, 0);
    char *path = text_format("%s/quarantine/README", fixture->store);
    write_file(path, "x", 1);
    assert_int_equal(quarantine_list(fixture->store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 1);
    quarantine_list_finish(&list);
    free(path);
}

static void what_is_no_digest_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    const struct quarantine_entry entry = {.sha256 = "../../etc/passwd"};
    assert_int_equal(quarantine_add(fixture->store, &entry, NULL), MODEL_INVALID_ARGUMENT);
}

static void texts_that_are_no_utf8_are_cut(void **state)
{
    const struct fixture *fixture = *state;
    struct quarantine_entry entry = {.sha256 = A, .reason = "ends \xff here"}, found;
    assert_int_equal(quarantine_add(fixture->store, &entry, NULL), MODEL_OK);
    assert_int_equal(quarantine_find(fixture->store, A, 1, &found, NULL), MODEL_OK);
    assert_false(found.is_broken);
    assert_string_equal(found.reason, "ends ");
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_store, remove_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_entry_is_found_until_it_expires),
        TEST(one_without_expiry_stays),
        TEST(a_newer_entry_takes_the_place_of_an_older),
        TEST(all_are_listed_and_cleared_one_by_one),
        TEST(a_damaged_entry_keeps_its_plugin_out),
        TEST(an_entry_that_cannot_be_removed_is_told),
        TEST(what_is_no_folder_may_hold_any_entry),
        TEST(other_files_are_not_entries),
        TEST(what_is_no_digest_is_refused),
        TEST(texts_that_are_no_utf8_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
