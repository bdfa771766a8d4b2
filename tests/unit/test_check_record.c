/* test_check_record.c - what a check's process says, and what it cannot make its parent believe. Covers
 * host/conformance/check_list.c. */
#include "check_record.h"
#include "testing.h"

#include <unistd.h>

#define TOKEN "00112233445566778899aabbccddeeff"

static struct check_record read_text(const char *text)
{
    struct check_record record;
    check_record_read(text, strlen(text), TOKEN, &record);
    return record;
}

static void the_last_step_phase_and_verdict_count(void **state)
{
    (void)state;
    struct check_record record = read_text("Sfirst\nPrun()\nSsecond\nPdestroy()\nVfailed one\n");
    assert_string_equal(record.step, "second");
    assert_string_equal(record.phase, "destroy()");
    assert_true(record.has_verdict);
    assert_int_equal(record.verdict, CHECK_FAILED);
    assert_string_equal(record.reason, "one");
    record = read_text("Sfirst\nPrun()\nP\nV" TOKEN " passed two words\n");
    assert_true(record.has_verdict);
    assert_int_equal(record.verdict, CHECK_PASSED);
    assert_string_equal(record.reason, "two words");
}

static void a_verdict_without_the_token_is_a_failure(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "P\nVpassed all is well\n",
        "Vskipped nothing to see\n",
        "V\n",
        "V0\n",
        "V" TOKEN "\n",
        "Vffeeddccbbaa99887766554433221100 passed x\n",
        "Vpassed x\nV" TOKEN " passed all is well\n",
        "V" TOKEN " passed all is well\nVpassed x\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct check_record record = read_text(texts[i]);
        assert_true(record.has_verdict);
        assert_int_equal(record.verdict, CHECK_FAILED);
        assert_string_equal(record.reason, "the plugin wrote a verdict of its own");
    }
}

static void a_verdict_from_inside_of_the_plugin_is_a_failure(void **state)
{
    (void)state;
    struct check_record record = read_text("Prun()\nV" TOKEN " passed x\n");
    assert_int_equal(record.verdict, CHECK_FAILED);
    assert_non_null(strstr(record.reason, "was not back from a call"));
    record = read_text("Prun()\nV" TOKEN " skipped\n");
    assert_int_equal(record.verdict, CHECK_FAILED);
    record = read_text("Prun()\nV" TOKEN " failed its own\n");
    assert_string_equal(record.reason, "its own");
}

static void what_failed_stays_so(void **state)
{
    (void)state;
    const struct check_record record = read_text("Vfailed wrote too far\nP\nV" TOKEN " passed x\n");
    assert_int_equal(record.verdict, CHECK_FAILED);
    assert_string_equal(record.reason, "wrote too far");
}

static void what_cannot_be_checked_is_no_verdict(void **state)
{
    (void)state;
    struct check_record record = read_text("V" TOKEN " cannot no such call\n");
    assert_true(record.cannot);
    assert_false(record.has_verdict);
    assert_string_equal(record.reason, "no such call");
    record = read_text("Vcannot no such call\n");
    assert_false(record.cannot);
    assert_int_equal(record.verdict, CHECK_FAILED);
    record = read_text("V" TOKEN " cannot x\nVfailed y\n");
    assert_false(record.cannot);
    assert_string_equal(record.reason, "y");
}

static void what_is_concluded_is_read(void **state)
{
    (void)state;
    int ends[2];
    char bytes[256];
    assert_int_equal(pipe(ends), 0);
    check_record_conclude(ends[1], TOKEN, CHECK_SKIPPED, "no\nmodel");
    (void)close(ends[1]);
    const ssize_t n = read(ends[0], bytes, sizeof bytes);
    assert_true(n > 0);
    struct check_record record;
    check_record_read(bytes, (size_t)n, TOKEN, &record);
    assert_true(record.has_verdict);
    assert_int_equal(record.verdict, CHECK_SKIPPED);
    assert_string_equal(record.reason, "no model");
    (void)close(ends[0]);
}

static void without_a_whole_verdict_there_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "Sx\n",
                                        "V" TOKEN " passed cut off",
                                        "V" TOKEN " perhaps yes\n",
                                        "passed\n",
                                        " V" TOKEN " passed x\n",
                                        "V" TOKEN " passedpassedpassedpassed x\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(read_text(texts[i]).has_verdict);
    assert_true(read_text("V" TOKEN " skipped\n").has_verdict);
    assert_string_equal(read_text("V" TOKEN " skipped\n").reason, "");
}

static void text_becomes_printable_and_is_cut_at_a_character(void **state)
{
    (void)state;
    char text[2000] = "Vfailed ";
    for (size_t i = 8; i < 1500; i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    text[1500] = '\n';
    text[1501] = '\0';
    struct check_record record = read_text(text);
    assert_true(strlen(record.reason) < CHECK_REASON_BYTES);
    assert_int_equal(strlen(record.reason) % 2, 0);
    assert_string_equal(read_text("Vfailed a\x1b[31mb\tc\n").reason, "a [31mb c");
    assert_string_equal(read_text("Vfailed good\xff bad\n").reason, "good");
}

static void a_newline_in_a_text_cannot_forge_a_line(void **state)
{
    (void)state;
    int ends[2];
    char bytes[256];
    assert_int_equal(pipe(ends), 0);
    check_record_write(ends[1], 'S', "a step\nVpassed forged");
    (void)close(ends[1]);
    const ssize_t n = read(ends[0], bytes, sizeof bytes);
    assert_true(n > 0);
    struct check_record record;
    check_record_read(bytes, (size_t)n, TOKEN, &record);
    assert_false(record.has_verdict);
    assert_string_equal(record.step, "a step Vpassed forged");
    (void)close(ends[0]);
}

static void verdicts_have_names_and_back(void **state)
{
    (void)state;
    for (int i = CHECK_PASSED; i <= CHECK_SKIPPED; i++)
        assert_int_equal(check_verdict_of(check_verdict_name((enum check_verdict)i)), i);
    assert_int_equal(check_verdict_of("Passed"), -1);
}

static void every_check_has_a_name_and_a_function(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        assert_non_null(check_list[i].run);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(check_list[i].name, check_list[k].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_step_phase_and_verdict_count),
        cmocka_unit_test(a_verdict_without_the_token_is_a_failure),
        cmocka_unit_test(a_verdict_from_inside_of_the_plugin_is_a_failure),
        cmocka_unit_test(what_failed_stays_so),
        cmocka_unit_test(what_cannot_be_checked_is_no_verdict),
        cmocka_unit_test(what_is_concluded_is_read),
        cmocka_unit_test(without_a_whole_verdict_there_is_none),
        cmocka_unit_test(text_becomes_printable_and_is_cut_at_a_character),
        cmocka_unit_test(a_newline_in_a_text_cannot_forge_a_line),
        cmocka_unit_test(verdicts_have_names_and_back),
        cmocka_unit_test(every_check_has_a_name_and_a_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
