/* test_command.c - what modelhost and pkgmgr share: dispatch, options, messages, interrupts. */
#include "command.h"
#include "errors.h"
#include "in_folder.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- standard output and error, caught in files */

static int kept[3] = {-1, -1, -1};

static void catch_stream(int fd, const char *name)
{
    (void)fflush(fd == 1 ? stdout : stderr);
    kept[fd] = dup(fd);
    int file = open(in_folder(name), O_CREAT | O_TRUNC | O_RDWR, 0600);
    assert_true(kept[fd] >= 0 && file >= 0);
    assert_int_equal(dup2(file, fd), fd);
    (void)close(file);
}

static void release_stream(int fd)
{
    (void)fflush(fd == 1 ? stdout : stderr);
    (void)dup2(kept[fd], fd);
    (void)close(kept[fd]);
}

static void expect_text(const char *name, const char *want)
{
    struct buffer text = BUFFER_INIT(10000);
    assert_int_equal(file_read(in_folder(name), 10000, &text, NULL), MODEL_OK);
    assert_string_equal(text.data, want);
    buffer_finish(&text);
}

/* ---- dispatch */

static int n_runs;

static int run_sum(int argc, char **argv)
{
    n_runs++;
    assert_string_equal(argv[0], "sum");
    return argc;
}

static const struct command commands[] = {
    {"sum", run_sum, "adds", "usage: tool sum\n"},
    {NULL, NULL, NULL, NULL},
};
static const struct program tool = {"tool", "A tool.", commands, NULL};

/* Runs `tool WORDS`, split at blanks; expects the code and, unless NULL, what it printed. */
static void expect_main(const char *words, int code, const char *out, const char *err)
{
    char line[200], *argv[10] = {(char *)(uintptr_t) "tool"};
    int argc = 1;
    (void)snprintf(line, sizeof line, "%s", words);
    for (char *word = line; *word != '\0' && argc < 9;) {
        argv[argc++] = word;
        word += strcspn(word, " ");
        if (*word != '\0')
            *word++ = '\0';
    }
    catch_stream(1, "out");
    catch_stream(2, "err");
    int found = command_main(&tool, argc, argv);
    release_stream(2);
    release_stream(1);
    assert_int_equal(found, code);
    if (out != NULL)
        expect_text("out", out);
    if (err != NULL)
        expect_text("err", err);
}

static void main_runs_the_subcommand_with_its_own_arguments(void **state)
{
    (void)state;
    n_runs = 0;
    expect_main("sum a b", 3, "", "");
    assert_int_equal(n_runs, 1);
}

static void main_prints_version_and_help_on_standard_output(void **state)
{
    (void)state;
    n_runs = 0;
    expect_main("--version", 0, "tool " MODELHOST_VERSION "\n", "");
    expect_main("help sum", 0, "usage: tool sum\n", "");
    expect_main("sum --help", 0, "usage: tool sum\n", "");
    expect_main("sum -h", 0, "usage: tool sum\n", "");
    expect_main("--help", 0, NULL, "");
    assert_int_equal(n_runs, 0);
    expect_main("sum -- --help", 3, "", "");
}

static void main_refuses_no_command_and_unknown_ones(void **state)
{
    (void)state;
    expect_main("", COMMAND_USAGE, "", NULL);
    expect_main("add", COMMAND_USAGE, "",
                "tool: unknown command 'add'; there are: sum; see 'tool --help'\n");
    expect_main("help add", COMMAND_USAGE, "", NULL);
}

/* ---- options */

static const struct option options[] = {
    {"name", required_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'}, {0}};

/* The options that `sum WORDS...` gives, as a string of characters; messages go to "err". */
static void expect_options(const char *const *words, const char *want, const char *err)
{
    char *argv[10] = {(char *)(uintptr_t) "sum"}, found[10];
    int argc = 1, c = 0;
    size_t n = 0;
    while (words[argc - 1] != NULL && argc < 9) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
        argc++;
    }
    catch_stream(2, "err");
    optind = 0; /* begin again */
    while (n < sizeof found - 1 && c != '?' &&
           (c = command_next_option(argc, argv, ":n:j", options)) != -1)
        found[n++] = (char)c;
    found[n] = '\0';
    release_stream(2);
    assert_string_equal(found, want);
    expect_text("err", err);
}

static void options_are_taken_in_both_forms(void **state)
{
    (void)state;
    expect_options((const char *[]){"--name", "x", "-j", "rest", NULL}, "nj", "");
    expect_options((const char *[]){"-nx", "--name=y", "--json", NULL}, "nnj", "");
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    expect_options((const char *[]){"--bogus", NULL}, "?",
                   "tool sum: unknown option '--bogus'; see 'tool help sum'\n");
    expect_options((const char *[]){"--json", "-zj", NULL}, "j?",
                   "tool sum: unknown option '-z'; see 'tool help sum'\n");
    expect_options((const char *[]){"--name", NULL}, "?",
                   "tool sum: option '--name' wants a value; see 'tool help sum'\n");
    expect_options((const char *[]){"--json=1", NULL}, "?",
                   "tool sum: option '--json' takes no value; see 'tool help sum'\n");
}

/* Reads WORDS by a table; false when refused, with the sentence in "err". */
static bool read_table(const char *const *words, const char **name, bool *json, int *ret_rest)
{
    const struct command_option table[] = {
        {"name", .text = name, .letter = 'n'}, {"json", .flag = json}, {.name = NULL}};
    char *argv[10] = {(char *)(uintptr_t) "sum"};
    int argc = 1;
    for (; words[argc - 1] != NULL && argc < 9; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    catch_stream(2, "err");
    optind = 0; /* begin again */
    bool taken = command_read_options(argc, argv, table);
    release_stream(2);
    *ret_rest = argc - optind;
    return taken;
}

static void a_table_sets_its_variables(void **state)
{
    (void)state;
    const char *name = "before";
    bool json = false;
    int n_rest = 0;
    assert_true(read_table((const char *[]){"a", "b", NULL}, &name, &json, &n_rest));
    assert_string_equal(name, "before");
    assert_false(json);
    assert_int_equal(n_rest, 2);
    assert_true(
        read_table((const char *[]){"a", "--json", "-nx", "b", NULL}, &name, &json, &n_rest));
    assert_string_equal(name, "x");
    assert_true(json);
    assert_int_equal(n_rest, 2);
    assert_true(
        read_table((const char *[]){"--name=y", "--", "--json", NULL}, &name, &json, &n_rest));
    assert_string_equal(name, "y");
    assert_int_equal(n_rest, 1);
}

static void a_table_refuses_what_it_lacks(void **state)
{
    (void)state;
    const char *name = NULL;
    bool json = false;
    int n_rest = 0;
    assert_false(read_table((const char *[]){"-j", NULL}, &name, &json, &n_rest));
    expect_text("err", "tool sum: unknown option '-j'; see 'tool help sum'\n");
    assert_false(read_table((const char *[]){"--name", NULL}, &name, &json, &n_rest));
    expect_text("err", "tool sum: option '--name' wants a value; see 'tool help sum'\n");
    assert_false(read_table((const char *[]){"--json=1", NULL}, &name, &json, &n_rest));
    expect_text("err", "tool sum: option '--json' takes no value; see 'tool help sum'\n");
    assert_null(name);
    assert_false(json);
}

static void integers_are_whole_and_in_range(void **state)
{
    (void)state;
    int64_t value = 42;
    assert_true(command_integer("sum", "--n", "7", 1, 10, &value));
    assert_int_equal(value, 7);
    static const char *const bad[] = {"", "0", "11", "x", "7x", "7.5", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        catch_stream(2, "err");
        bool taken = command_integer("sum", "--n", bad[i], 1, 10, &value);
        release_stream(2);
        assert_false(taken);
        char want[200];
        (void)snprintf(want, sizeof want,
                       "tool sum: --n is '%s', want a whole number from 1 to 10; see 'tool help "
                       "sum'\n",
                       bad[i]);
        expect_text("err", want);
    }
    assert_int_equal(value, 7);
}

static void times_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"500ms", 500}, {"2s", 2000}, {"1.5s", 1500}, {"1m", 60000}, {"2h", 7200000}};
    static const char *const bad[] = {"",    "s",  "0",   "5",   "250",   "-1s",
                                      "5 s", "5d", "nan", "inf", "1e300s"};
    int64_t ms = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(command_duration_ms("sum", "--timeout", good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
    ms = 42;
    catch_stream(2, "err");
    int n_taken = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        n_taken += command_duration_ms("sum", "--timeout", bad[i], &ms);
    release_stream(2);
    assert_int_equal(n_taken, 0);
    assert_int_equal(ms, 42);
}

/* ---- messages */

static void fail_prints_the_sentence_and_gives_the_exit_code(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    (void)error_set(&err, MODEL_NOT_FOUND, "no package 'x'");
    catch_stream(2, "err");
    int code = command_fail(MODEL_NOT_FOUND, &err);
    command_warn("%d left", 3);
    release_stream(2);
    assert_int_equal(code, 3);
    expect_text("err", "tool: no package 'x'\ntool: warning: 3 left\n");
}

static void print_to_a_full_disk_is_an_error(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    int full = open("/dev/full", O_WRONLY);
    if (full < 0)
        SKIP_BECAUSE("no /dev/full");
    (void)fflush(stdout);
    int before = dup(1);
    assert_int_equal(dup2(full, 1), 1);
    model_status status = command_print("text\n", &err);
    (void)dup2(before, 1);
    clearerr(stdout);
    (void)close(before);
    (void)close(full);
    assert_int_equal(status, MODEL_IO);
    assert_string_equal(err.message, "cannot write the result to standard output: No space left on "
                                     "device; what came out is incomplete: send it to a place that "
                                     "takes it all");
}

/* 1: the process told itself of a lost terminal and went on; 2: it went on without noticing. */
static int hang_up(bool ignored)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGHUP, ignored ? SIG_IGN : SIG_DFL);
        command_catch_interrupts();
        (void)raise(SIGHUP);
        _exit(command_interrupted(NULL) ? 1 : 2);
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    return WIFEXITED(result) ? WEXITSTATUS(result) : -1;
}

/* Runs before the flag is set for good. */
static void a_lost_terminal_is_an_interrupt_unless_nohup_said_otherwise(void **state)
{
    (void)state;
    assert_int_equal(hang_up(false), 1);
    assert_int_equal(hang_up(true), 2);
}

static void an_interrupt_sets_the_flag_and_the_exit_code(void **state)
{
    (void)state;
    assert_false(command_interrupted(NULL));
    command_catch_interrupts();
    assert_int_equal(raise(SIGTERM), 0);
    assert_true(command_interrupted(NULL));
    struct model_error err = MODEL_ERROR_INIT;
    catch_stream(2, "err");
    int code = command_fail(MODEL_CANCELLED, &err);
    release_stream(2);
    assert_int_equal(code, 130);
    expect_text("err", "tool: interrupted\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(main_runs_the_subcommand_with_its_own_arguments),
        IN_FOLDER(main_prints_version_and_help_on_standard_output),
        IN_FOLDER(main_refuses_no_command_and_unknown_ones),
        IN_FOLDER(options_are_taken_in_both_forms),
        IN_FOLDER(wrong_options_are_named),
        IN_FOLDER(a_table_sets_its_variables),
        IN_FOLDER(a_table_refuses_what_it_lacks),
        IN_FOLDER(integers_are_whole_and_in_range),
        IN_FOLDER(times_have_units),
        IN_FOLDER(fail_prints_the_sentence_and_gives_the_exit_code),
        IN_FOLDER(print_to_a_full_disk_is_an_error),
        IN_FOLDER(a_lost_terminal_is_an_interrupt_unless_nohup_said_otherwise),
        IN_FOLDER(an_interrupt_sets_the_flag_and_the_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
