/* test_errors.c - error sentences, prefixes, words and exit codes. */
#include "errors.h"
#include "testing.h"
#include "utf8.h"

#include <errno.h>

#define LONGEST (MODEL_ERROR_BYTES - 1)

static void set_writes_the_sentence_and_returns_the_status(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(err.struct_size, 1024);
    assert_int_equal(
        error_set(&err, MODEL_CORRUPT, "weight '%s': shape [%d], want [%d]", "h.3", 512, 768),
        MODEL_CORRUPT);
    assert_string_equal(err.message, "weight 'h.3': shape [512], want [768]");
}

static void what_a_terminal_would_obey_is_not_in_a_sentence(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    error_set(&err, MODEL_CORRUPT, "a %s",
              "\x1b[31m\r\x7f\xC2\x9b"
              "2J \xC3\x9B\xC2\xA0\n\tz");
    assert_string_equal(err.message, "a ?[31m????"
                                     "2J \xC3\x9B\xC2\xA0\n\tz");
    error_set_errno(&err, ENOENT, "cannot open %s", "\x1b]0;x\a");
    assert_string_equal(err.message, "cannot open ?]0;x?: No such file or directory");
}

static void set_without_a_receiver_returns_the_status(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, MODEL_BUSY, "busy"), MODEL_BUSY);
    assert_int_equal(error_set_errno(NULL, ENOENT, "gone"), MODEL_NOT_FOUND);
    assert_int_equal(error_no_memory(NULL, "it"), MODEL_OUT_OF_MEMORY);
    error_prefix(NULL, "nothing");
}

static void nothing_is_written_behind_the_struct_of_the_caller(void **state)
{
    (void)state;
    struct model_error err;
    for (size_t room = 0; room < 30; room++) {
        memset(&err, '#', sizeof err);
        err.struct_size = offsetof(struct model_error, message) + room;
        (void)error_set(&err, MODEL_IO, "cannot read it");
        error_prefix(&err, "%s", "a long prefix that does not fit");
        (void)error_set_errno(&err, EACCES, "a long sentence that is cut");
        assert_true(room == 0 || memchr(err.message, '\0', room) != NULL);
        for (size_t i = room; i < sizeof err.message; i++)
            assert_int_equal(err.message[i], '#');
    }
    err.struct_size = 0; /* forgotten */
    (void)error_set(&err, MODEL_IO, "cannot read this");
    assert_string_equal(err.message, "cannot read this");
    err.struct_size = SIZE_MAX; /* of a later version */
    (void)error_set(&err, MODEL_IO, "cannot read it");
    assert_string_equal(err.message, "cannot read it");
}

static void set_cuts_a_long_sentence_at_the_array(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(error_set(&err, MODEL_IO, "%s", text), MODEL_IO);
    assert_int_equal(strlen(err.message), LONGEST);
}

/* A character of n bytes that begins `over` bytes before the end of the array. */
static void expect_cut(const char *character, size_t over, size_t want_length)
{
    struct model_error err = MODEL_ERROR_INIT;
    char text[MODEL_ERROR_BYTES + 8];
    size_t start = LONGEST - over;
    memset(text, 'x', start);
    (void)snprintf(text + start, sizeof text - start, "%s", character);
    (void)error_set(&err, MODEL_IO, "%s", text);
    assert_int_equal(strlen(err.message), want_length);
    assert_int_equal(utf8_valid_prefix(err.message, want_length), want_length);
}

static void set_never_ends_inside_a_character(void **state)
{
    (void)state;
    expect_cut("\xC3\xA9", 1, LONGEST - 1);
    expect_cut("\xE2\x82\xAC", 1, LONGEST - 1);
    expect_cut("\xE2\x82\xAC", 2, LONGEST - 2);
    expect_cut("\xF0\x9F\x98\x80", 1, LONGEST - 1);
    expect_cut("\xF0\x9F\x98\x80", 2, LONGEST - 2);
    expect_cut("\xF0\x9F\x98\x80", 3, LONGEST - 3);
}

static void set_keeps_a_character_that_just_fits(void **state)
{
    (void)state;
    expect_cut("\xC3\xA9", 2, LONGEST);
    expect_cut("\xE2\x82\xAC", 3, LONGEST);
    expect_cut("\xF0\x9F\x98\x80", 4, LONGEST);
}

static void errno_adds_the_system_s_reason(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(error_set_errno(&err, EACCES, "cannot open %s", "a/b"), MODEL_IO);
    assert_string_equal(err.message, "cannot open a/b: Permission denied");
}

static void advice_comes_last_and_is_never_cut(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    error_set(&err, MODEL_IO, "no room");
    error_advise(&err, "free %d bytes", 3);
    assert_string_equal(err.message, "no room; free 3 bytes");
    memset(err.message, 'x', sizeof err.message - 1);
    err.message[sizeof err.message - 1] = '\0';
    error_advise(&err, "free some");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_string_equal(err.message + strlen(err.message) - 12, "x; free some");
    error_advise(NULL, "nobody listens");
}

static void errno_becomes_the_status_that_it_means(void **state)
{
    (void)state;
    static const struct {
        int errnum;
        model_status status;
    } cases[] = {
        {ENOENT, MODEL_NOT_FOUND},     {ENOTDIR, MODEL_NOT_FOUND}, {ENOSPC, MODEL_IO},
        {ENOMEM, MODEL_OUT_OF_MEMORY}, {EROFS, MODEL_IO},          {EIO, MODEL_IO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(error_set_errno(NULL, cases[i].errnum, "x"), cases[i].status);
}

static void no_memory_names_what_it_was_for(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(error_no_memory(&err, "the vocabulary"), MODEL_OUT_OF_MEMORY);
    assert_string_equal(err.message, "out of memory for the vocabulary");
}

static void prefix_stands_before_the_sentence(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    (void)error_set(&err, MODEL_CORRUPT, "no header");
    error_prefix(&err, "package %s", "a/b");
    error_prefix(&err, "load");
    assert_string_equal(err.message, "load: package a/b: no header");
}

static void prefix_of_a_full_sentence_cuts_its_end(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    char text[MODEL_ERROR_BYTES];
    memset(text, 'y', LONGEST);
    text[LONGEST] = '\0';
    (void)error_set(&err, MODEL_IO, "%s", text);
    error_prefix(&err, "p");
    assert_int_equal(strlen(err.message), LONGEST);
    assert_memory_equal(err.message, "p: yyy", 6);
}

/* The sanitizer sees a read beyond it. */
static void prefix_of_a_sentence_without_an_end_stays_inside(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    memset(err.message, 'y', sizeof err.message);
    error_prefix(&err, "p");
    assert_int_equal(strnlen(err.message, sizeof err.message), LONGEST);
    assert_memory_equal(err.message, "p: yyy", 6);
}

static void each_status_has_its_word_and_exit_code(void **state)
{
    (void)state;
    static const struct {
        model_status status;
        const char *name;
        int exit_code;
    } cases[] = {
        {MODEL_OK, "ok", 0},
        {MODEL_INVALID_ARGUMENT, "invalid_argument", 1},
        {MODEL_NOT_FOUND, "not_found", 3},
        {MODEL_UNSUPPORTED, "unsupported", 1},
        {MODEL_CORRUPT, "corrupt", 7},
        {MODEL_OUT_OF_MEMORY, "out_of_memory", 1},
        {MODEL_IO, "io", 8},
        {MODEL_CANCELLED, "cancelled", 130},
        {MODEL_DEADLINE, "deadline", 124},
        {MODEL_BUSY, "busy", 10},
        {MODEL_INTERNAL, "internal", 1},
        {MODEL_ABI_MISMATCH, "abi_mismatch", 1},
        {MODELHOST_UNAUTHORIZED, "unauthorized", 4},
        {MODELHOST_NETWORK, "network", 5},
        {MODELHOST_RATE_LIMITED, "rate_limited", 6},
        {MODELHOST_OFFLINE, "offline", 9},
        {MODELHOST_CRASHED, "crashed", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(status_name(cases[i].status), cases[i].name);
        assert_int_equal(status_exit_code(cases[i].status), cases[i].exit_code);
    }
}

static void a_status_out_of_a_plugin_s_head_is_a_plain_failure(void **state)
{
    (void)state;
    assert_string_equal(status_name(12345), "unknown");
    assert_string_equal(status_name(-1), "unknown");
    assert_int_equal(status_exit_code(12345), 1);
    assert_int_equal(status_exit_code(-1), 1);
}

static void the_cause_is_that_of_the_last_sentence(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT, other = MODEL_ERROR_INIT;
    (void)error_set_errno(&err, ENOSPC, "cannot write %s", "x");
    assert_int_equal(error_cause(&err), ENOSPC);
    assert_int_equal(error_cause(&other), 0);
    assert_int_equal(error_cause(NULL), 0);
    (void)error_set_errno(NULL, EIO, "clearing up");
    (void)error_set(NULL, MODEL_IO, "clearing up");
    error_prefix(&err, "package");
    assert_int_equal(error_cause(&err), ENOSPC);
    (void)error_set(&err, MODEL_IO, "No space left on device");
    assert_int_equal(error_cause(&err), 0);
}

/* Whoever called knows a remedy for a bad disk or network, which this is not. */
static void advice_is_given_once(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    (void)error_set(&err, MODEL_CORRUPT, "it is damaged");
    error_advise(&err, "get %s again", "it");
    error_advise(&err, "look");
    error_advise(&err, "get %s again", "it");
    assert_string_equal(err.message, "it is damaged; get it again; look");
}

static void a_limit_of_the_process_is_what_the_advice_is_about(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(error_set_errno(&err, EMFILE, "cannot write x"), MODEL_IO);
    error_advise(&err, "choose another --store");
    assert_string_equal(err.message, "cannot write x: Too many open files; raise the limit of open "
                                     "files (ulimit -n)");
    error_prefix(&err, "y");
    error_advise(&err, "choose another --store");
    assert_int_equal(error_cause(&err), EMFILE);
    assert_null(strstr(err.message, "--store"));
    (void)error_set_errno(&err, EFBIG, "cannot write x");
    assert_non_null(strstr(err.message, "; raise the limit of file sizes (ulimit -f)"));
    (void)error_set_errno(&err, EACCES, "cannot write x");
    error_advise(&err, "choose another --store");
    assert_non_null(strstr(err.message, "; choose another --store"));
    (void)error_set(&err, MODEL_IO, "another one");
    error_advise(&err, "look");
    assert_string_equal(err.message, "another one; look");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_writes_the_sentence_and_returns_the_status),
        cmocka_unit_test(what_a_terminal_would_obey_is_not_in_a_sentence),
        cmocka_unit_test(set_without_a_receiver_returns_the_status),
        cmocka_unit_test(nothing_is_written_behind_the_struct_of_the_caller),
        cmocka_unit_test(set_cuts_a_long_sentence_at_the_array),
        cmocka_unit_test(set_never_ends_inside_a_character),
        cmocka_unit_test(set_keeps_a_character_that_just_fits),
        cmocka_unit_test(errno_adds_the_system_s_reason),
        cmocka_unit_test(advice_comes_last_and_is_never_cut),
        cmocka_unit_test(advice_is_given_once),
        cmocka_unit_test(errno_becomes_the_status_that_it_means),
        cmocka_unit_test(no_memory_names_what_it_was_for),
        cmocka_unit_test(prefix_stands_before_the_sentence),
        cmocka_unit_test(prefix_of_a_full_sentence_cuts_its_end),
        cmocka_unit_test(prefix_of_a_sentence_without_an_end_stays_inside),
        cmocka_unit_test(each_status_has_its_word_and_exit_code),
        cmocka_unit_test(a_status_out_of_a_plugin_s_head_is_a_plain_failure),
        cmocka_unit_test(the_cause_is_that_of_the_last_sentence),
        cmocka_unit_test(a_limit_of_the_process_is_what_the_advice_is_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
