/* command.h - what the commands modelhost and pkgmgr share: a table of subcommands, messages, options,
 * interrupts. The one part of base/ that prints. Main thread only.
 *
 * A subcommand is one file cmd_<name>.c with a function that gets its own arguments (argv[0] is the
 * subcommand's name) and returns the exit code, and a help text that ends with a newline. Results go to
 * stdout, everything else to stderr. */
#ifndef COMMAND_H
#define COMMAND_H

#include "modelhost.h"

#include <stdbool.h>

#define COMMAND_USAGE 2 /* the exit code of a wrong command line */

struct option;

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* NULL: not listed; nobody calls it by hand */
    const char *help;    /* ends with a newline */
};

/* The words that an option takes, of whatever command, for completion. */
struct command_choice {
    const char *option, *words; /* "dtype", "f32 f16 bf16" */
};

struct program {
    const char *name;                     /* "pkgmgr" */
    const char *summary;                  /* a line or two under "usage" */
    const struct command *commands;       /* ends with a row whose name is NULL */
    const struct command_choice *choices; /* likewise; NULL: none */
};

/* main() of a program: finds the subcommand and runs it; --help, help NAME, --version and completion
 * SHELL. */
int command_main(const struct program *program, int argc, char **argv);

/* Prints "<program>: <sentence>" and returns the exit code of the status. */
int command_fail(model_status status, const struct model_error *err);
/* A line on stderr, "<program>: warning: ..." */
void command_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "pkgmgr: <sentence>". These three escape what a terminal would obey in the sentence. */
void command_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints "<program> <command>: <sentence>" and where help is; returns COMMAND_USAGE. */
int command_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* An option that sets a variable: --name or -letter. Exactly one of flag and text is given. */
struct command_option {
    const char *name;
    bool *flag;        /* becomes true; or the option wants a value, which goes to one of */
    const char **text; /* the last value given, a part of argv */
    struct command_list *list;
    int64_t *integer; /* in [min, max] */
    double *number;
    int64_t *duration_ms;
    int64_t min, max;
    char letter;    /* 0: none */
    unsigned group; /* for the command's own use */
};
#define COMMAND_MAX_OPTIONS 60

/* All values of an option that may come several times. */
struct command_list {
    const char **values; /* (n_values), with room for argc */
    size_t n_values;
};

/* Reads the options into the variables of a table, which ends with a row without a name; argv[optind] is
 * then the first argument. False after printing what is wrong (return COMMAND_USAGE then). */
bool command_read_options(int argc, char **argv, const struct command_option *table);
/* The same; bit i of *ret_given says that row i was there. */
bool command_read_options_given(int argc, char **argv, const struct command_option *table,
                                uint64_t *ret_given);
/* For options that do more: getopt_long() with our own messages: the option's character, -1 at the end, '?' after it has printed
 * what is wrong (return COMMAND_USAGE then). short_options must begin with ':'. */
int command_next_option(int argc, char **argv, const char *short_options,
                        const struct option *options);
/* A whole number in [min, max]; false after printing what is wrong. */
bool command_integer(const char *command, const char *option, const char *text, int64_t min,
                     int64_t max, int64_t *ret);
/* A decimal number; false after printing what is wrong. Whether it makes sense is the reader's to say. */
bool command_number(const char *command, const char *option, const char *text, double *ret);
/* "500ms", "2s", "1m", always with the unit; false after printing what is wrong. */
bool command_duration_ms(const char *command, const char *option, const char *text,
                         int64_t *ret_ms);
/* Prints text to stdout; MODEL_IO when that fails (a full disk, a closed pipe). */
model_status command_print(const char *text, struct model_error *err);
/* The same for what was printed before by other means. command_main() does it at the end, too. */
model_status command_flush(struct model_error *err);

/* From here on SIGINT, SIGTERM and SIGHUP (a terminal that went away) set a flag; a second one ends the
 * process as usual. A SIGHUP that is ignored, by nohup, stays so. */
void command_catch_interrupts(void);
/* What command_fail() says behind "interrupted; ": what to do next. Kept, not copied. */
void command_advise_interrupted(const char *advice);
/* Whether one came. The argument is not used: it fits where a callback is wanted. */
bool command_interrupted(void *unused);

#endif
