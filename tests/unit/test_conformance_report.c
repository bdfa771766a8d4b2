/* test_conformance_report.c - reports written and read again, and files that are none. */
#include "conformance_report.h"
#include "files.h"
#include "testing.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct conformance_report make_report(void)
{
    struct conformance_report report = {.sha256 = DIGEST,
                                        .plugin = "bert",
                                        .plugin_version = "1.0.0",
                                        .host_version = "0.1.0",
                                        .abi_major = 1,
                                        .abi_minor = 0,
                                        .created_s = 1795276800};
    for (size_t i = 0; i < CHECK_COUNT; i++)
        report.checks[i] = (struct conformance_result){true, CHECK_PASSED, (int64_t)i, "good"};
    return report;
}

static void a_report_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct conformance_report report = make_report(), again;
    report.checks[3].verdict = CHECK_FAILED;
    (void)snprintf(report.checks[3].reason, CHECK_REASON_BYTES, "grows by \"3\" bytes");
    char *text = conformance_report_print(&report);
    assert_int_equal(conformance_report_parse(text, strlen(text), "r", &again, NULL), MODEL_OK);
    assert_memory_equal(&again.checks[3], &report.checks[3], sizeof again.checks[3]);
    assert_string_equal(again.sha256, DIGEST);
    assert_int_equal(again.created_s, report.created_s);
    assert_int_equal(again.abi_major, 1);
    free(text);
}

static void all_twelve_must_have_passed(void **state)
{
    (void)state;
    struct conformance_report report = make_report();
    assert_true(conformance_report_is_conformant(&report));
    report.checks[5].verdict = CHECK_SKIPPED;
    assert_false(conformance_report_is_conformant(&report));
    report = make_report();
    report.checks[11].has_run = false;
    assert_false(conformance_report_is_conformant(&report));
}

static void numbers_of_a_verdict_are_listed(void **state)
{
    (void)state;
    struct conformance_report report = make_report();
    char text[64], little[8];
    assert_int_equal(conformance_report_list(&report, CHECK_FAILED, text, sizeof text), 0);
    assert_string_equal(text, "");
    report.checks[3].verdict = report.checks[10].verdict = CHECK_FAILED;
    assert_int_equal(conformance_report_list(&report, CHECK_FAILED, text, sizeof text), 2);
    assert_string_equal(text, "4, 11");
    assert_int_equal(conformance_report_list(&report, CHECK_PASSED, little, sizeof little), 10);
}

/* One place of a good report is another text: it is none any more. */
static void what_is_not_a_report_is_refused(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"\"format_version\":\t1", "\"format_version\":\t2"},
        {DIGEST, "0123"},
        {"89abcdef\"", "89ABCDEF\""},
        {"\"number\":\t1,", "\"number\":\t13,"},
        {"\"number\":\t1,", "\"number\":\t2,"},
        {"\"verdict\":\t\"passed\"", "\"verdict\":\t\"great\""},
        {"\"verdict\":\t\"passed\"",
         "\"verdict\":\t\"failed\""}, /* says "conformant" all the same */
        {"\"time_ms\":\t0", "\"time_ms\":\t-1"},
        {"\"abi\":\t\"1.0\"", "\"abi\":\t\"1\""},
        {"\"abi\":\t\"1.0\"", "\"abi\":\t\"1.0x\""},
        {"\"abi\":\t\"1.0\"", "\"abi\":\t\"99999.0\""},
        {"\"checks\"", "\"cheques\""},
        {"\"plugin\":\t\"bert\"", "\"plugin\":\t7"}};
    struct conformance_report report = make_report(), read = {.created_s = -7};
    char *good = conformance_report_print(&report);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const char *at = strstr(good, changes[i][0]);
        if (at == NULL)
            fail_msg("'%s' is not in %s", changes[i][0], good);
        char *bad = text_format("%.*s%s%s", (int)(at - good), good, changes[i][1],
                                at + strlen(changes[i][0]));
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(conformance_report_parse(bad, strlen(bad), "r", &read, &err),
                         MODEL_CORRUPT);
        assert_non_null(strstr(err.message, "check-plugin"));
        free(bad);
    }
    assert_int_equal(read.created_s, -7);
    free(good);
}

static void a_store_gives_back_what_it_was_given(void **state)
{
    (void)state;
    static const char other[] = "ff23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    struct conformance_report report = make_report(), again;
    char *store = scratch_dir(), *path = NULL;
    assert_int_equal(conformance_report_load(store, DIGEST, &again, NULL), MODEL_NOT_FOUND);
    assert_int_equal(conformance_report_save(store, &report, &path, NULL), MODEL_OK);
    assert_int_equal(conformance_report_load(store, DIGEST, &again, NULL), MODEL_OK);
    assert_true(conformance_report_is_conformant(&again));
    /* The report of one plugin under the name of another. */
    char *stolen = text_format("%s/conformance/%s.json", store, other);
    assert_int_equal(rename(path, stolen), 0);
    assert_int_equal(conformance_report_load(store, other, &again, NULL), MODEL_CORRUPT);
    assert_int_equal(dir_remove_all(store, NULL), MODEL_OK);
    free(stolen);
    free(path);
    free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_read_as_it_was_written),
        cmocka_unit_test(all_twelve_must_have_passed),
        cmocka_unit_test(numbers_of_a_verdict_are_listed),
        cmocka_unit_test(what_is_not_a_report_is_refused),
        cmocka_unit_test(a_store_gives_back_what_it_was_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
