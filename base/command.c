/* command.c - see command.h. Main thread only, but for the signal handler. */
#include "command.h"
#include "command_completion.h"
#include "command_listing.h"
#include "errors.h"
#include "printable_text.h"
#include "standard_descriptors.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SENTENCE_BYTES 8192
#define LONG_ONLY          256 /* values of options without a letter begin here */

static const char *program_name = "modelhost"; /* set once by command_main() */
static volatile sig_atomic_t interrupted;
static const char *interrupt_advice; /* NULL: there is none */
static struct {                      /* while a command is asked for its options */
    void (*take)(void *context, const char *letters, const struct option *options);
    void *context;
} listing;

static void print_help(const struct program *program, FILE *stream)
{
    fprintf(stream, "usage: %s COMMAND [OPTION]... [ARGUMENT]...\n\n%s\n\n", program->name,
            program->summary);
    for (const struct command *c = program->commands; c->name != NULL; c++)
        if (c->summary != NULL)
            fprintf(stream, "  %-10s %s\n", c->name, c->summary);
    fprintf(stream,
            "\n'%s help COMMAND' tells more about one; '%s --version' prints the version;\n"
            "'%s completion bash' (or zsh) prints what completes command lines.\n"
            "Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 not authorised or gated,\n"
            "5 network, 6 rate-limited, 7 integrity, 8 disk or permission, 9 offline and\n"
            "incomplete, 10 busy, 124 deadline passed, 130 interrupted.\n",
            program->name, program->name, program->name);
}

static const struct command *find_command(const struct program *program, const char *name)
{
    for (const struct command *c = program->commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    fprintf(stderr, "%s: unknown command '%s'; there are:", program->name, name);
    for (const struct command *c = program->commands; c->name != NULL; c++)
        if (c->summary != NULL)
            fprintf(stderr, " %s", c->name);
    fprintf(stderr, "; see '%s --help'\n", program->name);
    return NULL;
}

static int help(const struct program *program, const char *name)
{
    if (name == NULL) {
        print_help(program, stdout);
        return 0;
    }
    if (strcmp(name, "completion") == 0) {
        printf("usage: %s %s", program->name, command_completion_help);
        return 0;
    }
    const struct command *command = find_command(program, name);
    if (command == NULL)
        return COMMAND_USAGE;
    (void)fputs(command->help, stdout);
    return 0;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int dispatch(const struct program *program, int argc, char **argv)
{
    if (argc < 2) {
        print_help(program, stderr);
        return COMMAND_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("%s " MODELHOST_VERSION "\n", program->name);
        return 0;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return help(program, argc > 2 ? argv[2] : NULL);
    if (strcmp(name, "completion") == 0)
        return asks_for_help(argc - 1, argv + 1) ? help(program, name)
                                                 : command_completion(program, argc - 1, argv + 1);
    const struct command *command = find_command(program, name);
    if (command == NULL)
        return COMMAND_USAGE;
    if (asks_for_help(argc - 1, argv + 1))
        return help(program, name);
    return command->run(argc - 1, argv + 1);
}

/* A result that did not reach standard output must not end with 0, whatever a command looked at. */
int command_main(const struct program *program, int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    program_name = program->name;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ,
                 SIG_IGN); /* so that a write past `ulimit -f` is an error with a sentence */
    (void)standard_descriptors_fill();
    int code = dispatch(program, argc, argv);
    if (code == 0 && command_flush(&err) != MODEL_OK)
        code = command_fail(MODEL_IO, &err);
    return code;
}

/* Sentences name files, refs and servers' words: what a terminal would obey is escaped. */
static void put_sentence(const char *format, va_list arguments)
{
    char text[MAX_SENTENCE_BYTES];
    (void)vsnprintf(text, sizeof text, format, arguments);
    char *shown = printable_copy(text);
    fputs(shown != NULL ? shown : "out of memory", stderr);
    free(shown);
}

int command_fail(model_status status, const struct model_error *err)
{
    if (status == MODEL_CANCELLED && command_interrupted(NULL))
        command_note("interrupted%s%s", interrupt_advice != NULL ? "; " : "",
                     interrupt_advice != NULL ? interrupt_advice : "");
    else
        command_note("%s", err->message[0] != '\0' ? err->message : "failed");
    return status_exit_code(status);
}

void command_warn(const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s: warning: ", program_name);
    va_start(arguments, format);
    put_sentence(format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

void command_note(const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s: ", program_name);
    va_start(arguments, format);
    put_sentence(format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

int command_usage(const char *command, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s %s: ", program_name, command);
    va_start(arguments, format);
    put_sentence(format, arguments);
    va_end(arguments);
    fprintf(stderr, "; see '%s help %s'\n", program_name, command);
    return COMMAND_USAGE;
}

int command_next_option(int argc, char **argv, const char *short_options,
                        const struct option *options)
{
    if (listing.take != NULL) {
        listing.take(listing.context, short_options, options);
        return '?';
    }
    opterr = 0;
    int c = getopt_long(argc, argv, short_options, options, NULL);
    if (c != ':' && c != '?')
        return c;
    const char *given = optind > 0 && optind <= argc ? argv[optind - 1] : "";
    if (c == ':')
        (void)command_usage(argv[0], "option '%s' wants a value", given);
    else if (optopt != 0 && strncmp(given, "--", 2) == 0 && strchr(given, '=') != NULL)
        (void)command_usage(argv[0], "option '%.*s' takes no value", (int)strcspn(given, "="),
                            given);
    else if (optopt != 0)
        (void)command_usage(argv[0], "unknown option '-%c'", optopt);
    else
        (void)command_usage(argv[0], "unknown option '%s'", given);
    return '?';
}

void command_list_options(const struct command *command,
                          void (*take)(void *context, const char *letters,
                                       const struct option *options),
                          void *context)
{
    char name[64];
    char *argv[] = {name, NULL};
    (void)snprintf(name, sizeof name, "%s", command->name);
    listing.take = take;
    listing.context = context;
    (void)command->run(1, argv);
    listing.take = NULL;
}

static bool has_value(const struct command_option *option)
{
    return option->flag == NULL;
}

/* Puts a value where its row says; false after printing what is wrong. */
static bool take_value(const char *command, const struct command_option *option, const char *value)
{
    char name[64];
    (void)snprintf(name, sizeof name, "--%s", option->name);
    if (option->integer != NULL)
        return command_integer(command, name, value, option->min, option->max, option->integer);
    if (option->number != NULL)
        return command_number(command, name, value, option->number);
    if (option->duration_ms != NULL)
        return command_duration_ms(command, name, value, option->duration_ms);
    if (option->list != NULL)
        option->list->values[option->list->n_values++] = value;
    else if (option->text != NULL)
        *option->text = value;
    else
        *option->flag = true;
    return true;
}

bool command_read_options(int argc, char **argv, const struct command_option *table)
{
    uint64_t given = 0;
    return command_read_options_given(argc, argv, table, &given);
}

bool command_read_options_given(int argc, char **argv, const struct command_option *table,
                                uint64_t *ret_given)
{
    struct option options[COMMAND_MAX_OPTIONS + 1] = {{0}};
    char letters[2 * COMMAND_MAX_OPTIONS + 2] = ":";
    size_t n = 0, n_letters = 1;
    for (; table[n].name != NULL; n++) {
        assert(n < COMMAND_MAX_OPTIONS);
        options[n].name = table[n].name;
        options[n].has_arg = has_value(&table[n]) ? required_argument : no_argument;
        options[n].val = table[n].letter != 0 ? table[n].letter : LONG_ONLY + (int)n;
        if (table[n].letter != 0)
            letters[n_letters++] = table[n].letter;
        if (table[n].letter != 0 && has_value(&table[n]))
            letters[n_letters++] = ':';
    }
    for (int c; (c = command_next_option(argc, argv, letters, options)) != -1;) {
        size_t i = 0;
        while (i < n && options[i].val != c)
            i++;
        if (i == n || !take_value(argv[0], &table[i], optarg))
            return false;
        *ret_given |= (uint64_t)1 << i;
    }
    return true;
}

bool command_number(const char *command, const char *option, const char *text, double *ret)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || strpbrk(text, "xX") != NULL) { /* not 0x1p-3 */
        (void)command_usage(command, "%s is '%s', want a number", option, text);
        return false;
    }
    *ret = value;
    return true;
}

bool command_integer(const char *command, const char *option, const char *text, int64_t min,
                     int64_t max, int64_t *ret)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < min || value > max) {
        (void)command_usage(command, "%s is '%s', want a whole number from %lld to %lld", option,
                            text, (long long)min, (long long)max);
        return false;
    }
    *ret = value;
    return true;
}

bool command_duration_ms(const char *command, const char *option, const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end = NULL;
    errno = 0;
    double value = strtod(text, &end);
    for (size_t i = 0; end != text && errno == 0 && i < sizeof units / sizeof units[0]; i++) {
        double ms = value * units[i].ms;
        if (strcmp(end, units[i].unit) == 0 && ms >= 1 && ms <= 1e12) {
            *ret_ms = (int64_t)ms;
            return true;
        }
    }
    (void)command_usage(command, "%s is '%s', want a time such as 500ms, 2s or 1m", option, text);
    return false;
}

model_status command_flush(struct model_error *err)
{
    static int first_reason; /* an earlier write may have failed, and errno changed since */
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return MODEL_OK;
    if (first_reason == 0)
        first_reason = errno != 0 ? errno : EIO;
    (void)error_set_errno(err, first_reason, "cannot write the result to standard output");
    error_advise(err, "what came out is incomplete: send it to a place that takes it all");
    return MODEL_IO;
}

model_status command_print(const char *text, struct model_error *err)
{
    (void)fputs(text, stdout);
    return command_flush(err);
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

void command_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        (void)sigaction(SIGHUP, &action, NULL);
}

void command_advise_interrupted(const char *advice)
{
    interrupt_advice = advice;
}

bool command_interrupted(void *unused)
{
    (void)unused;
    return interrupted != 0;
}
