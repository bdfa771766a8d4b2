/* Text up to a stop string, whatever pieces it comes in. */
#include "stop_strings.h"
#include "testing.h"

/* Feeds `text` in pieces of piece_bytes and compares what is shown in all. */
static void expect(const char *const *stops, uint32_t n_stops, const char *text, size_t piece_bytes,
                   const char *want, bool want_stopped)
{
    struct stop_strings strings;
    struct buffer shown = BUFFER_INIT(1000);
    bool stopped = false;
    stop_strings_init(&strings, stops, n_stops);
    const size_t n_bytes = strlen(text);
    for (size_t at = 0; at < n_bytes; at += piece_bytes) {
        const size_t rest = n_bytes - at;
        assert_int_equal(stop_strings_push(&strings, text + at,
                                           rest < piece_bytes ? rest : piece_bytes, &shown,
                                           &stopped),
                         MODEL_OK);
        assert_true(strncmp(shown.data != NULL ? shown.data : "", want, shown.size) == 0);
    }
    assert_int_equal(stop_strings_end(&strings, &shown), MODEL_OK);
    assert_string_equal(shown.data != NULL ? shown.data : "", want);
    assert_int_equal(stopped, want_stopped);
    stop_strings_finish(&strings);
    buffer_finish(&shown);
}

static void text_ends_before_a_stop_string_in_any_pieces(void **state)
{
    (void)state;
    static const char *const stops[] = {"\n\n", "END"};
    for (size_t piece_bytes = 1; piece_bytes < 12; piece_bytes++) {
        expect(stops, 2, "one\ntwo\n\nthree", piece_bytes, "one\ntwo", true);
        expect(stops, 2, "the ENEND of it", piece_bytes, "the EN", true);
        expect(stops, 2, "no stop here\n", piece_bytes, "no stop here\n", false);
        expect(stops, 2, "E", piece_bytes, "E", false);
        expect(stops, 2, "END", piece_bytes, "", true);
    }
}

static void a_stop_string_longer_than_the_text_holds_nothing_back_at_the_end(void **state)
{
    (void)state;
    static const char *const stops[] = {"a very long stop string that never comes"};
    expect(stops, 1, "a very long", 3, "a very long", false);
    expect(stops, 1, "a", 1, "a", false);
}

static void a_whole_stop_string_counts_before_one_that_only_began_earlier(void **state)
{
    (void)state;
    static const char *const stops[] = {"abcdef", "bc"};
    for (size_t piece_bytes = 1; piece_bytes < 6; piece_bytes++)
        expect(stops, 2, "xabcxyz", piece_bytes, "xa", true);
}

static void starts_that_overlap_are_found(void **state)
{
    (void)state;
    static const char *const stops[] = {"aab"};
    for (size_t piece_bytes = 1; piece_bytes < 6; piece_bytes++)
        expect(stops, 1, "aaaab!", piece_bytes, "aa", true);
}

static void without_stop_strings_all_is_shown_at_once(void **state)
{
    (void)state;
    expect(NULL, 0, "everything", 4, "everything", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_ends_before_a_stop_string_in_any_pieces),
        cmocka_unit_test(a_stop_string_longer_than_the_text_holds_nothing_back_at_the_end),
        cmocka_unit_test(a_whole_stop_string_counts_before_one_that_only_began_earlier),
        cmocka_unit_test(starts_that_overlap_are_found),
        cmocka_unit_test(without_stop_strings_all_is_shown_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
