/* test_check_record.c - what a check's process says, and what it cannot make its parent believe. Covers
 * host/conformance/check_list.c. */
#include "check_record.h"
#include "testing.h"

#include <unistd.h>

static struct check_record read_text(const char *text)
{
    struct check_record record;
    check_record_read(text, strlen(text), &record);
    return record;
}

static void the_last_step_phase_and_verdict_count(void **state)
{
    (void)state;
    struct check_record record =
        read_text("Sfirst\nPrun()\nSsecond\nPdestroy()\nVfailed one\nVpassed two words\n");
    assert_string_equal(record.step, "second");
    assert_string_equal(record.phase, "destroy()");
    assert_true(record.has_verdict);
    assert_int_equal(record.verdict, CHECK_PASSED);
    assert_string_equal(record.reason, "two words");
}

static void without_a_whole_verdict_there_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",    "Sx\n",     "Vpassed cut off", "Vperhaps yes\n",
        "V\n", "passed\n", " Vpassed x\n",    "Vpassedpassedpassedpassed x\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(read_text(texts[i]).has_verdict);
    assert_true(read_text("Vskipped\n").has_verdict);
    assert_string_equal(read_text("Vskipped\n").reason, "");
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
    check_record_read(bytes, (size_t)n, &record);
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
        cmocka_unit_test(without_a_whole_verdict_there_is_none),
        cmocka_unit_test(text_becomes_printable_and_is_cut_at_a_character),
        cmocka_unit_test(a_newline_in_a_text_cannot_forge_a_line),
        cmocka_unit_test(verdicts_have_names_and_back),
        cmocka_unit_test(every_check_has_a_name_and_a_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
