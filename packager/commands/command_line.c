/* command_line.c - see commands.h: messages, options and interrupts of a command. Main thread only,
 * but for the signal handler. */
#include "commands.h"
#include "environment.h"
#include "errors.h"
#include "store.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

int command_fail(model_status status, const struct model_error *err)
{
    if (status == MODEL_CANCELLED && command_interrupted(NULL))
        fprintf(stderr, "pkgmgr: interrupted\n");
    else
        fprintf(stderr, "pkgmgr: %s\n", err->message[0] != '\0' ? err->message : "failed");
    return status_exit_code(status);
}

int command_usage(const char *command, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "pkgmgr %s: ", command);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "; see 'pkgmgr help %s'\n", command);
    return COMMAND_USAGE;
}

int command_next_option(int argc, char **argv, const char *short_options,
                        const struct option *options)
{
    opterr = 0;
    int c = getopt_long(argc, argv, short_options, options, NULL);
    if (c != ':' && c != '?')
        return c;
    const char *given = optind > 0 && optind <= argc ? argv[optind - 1] : "";
    if (c == ':')
        (void)command_usage(argv[0], "option '%s' wants a value", given);
    else if (optopt != 0 && strncmp(given, "--", 2) != 0)
        (void)command_usage(argv[0], "unknown option '-%c'", optopt);
    else if (optopt != 0)
        (void)command_usage(argv[0], "option '%s' takes no value", given);
    else
        (void)command_usage(argv[0], "unknown option '%s'", given);
    return '?';
}

model_status command_print(const char *text, struct model_error *err)
{
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
        return error_set(err, MODEL_IO, "cannot write the result to standard output");
    return MODEL_OK;
}

model_status command_open_store(const char *dir, int create, struct store **ret,
                                struct model_error *err)
{
    char *usual = NULL;
    model_status status = dir != NULL ? MODEL_OK : environment_store_dir(&usual, err);
    if (status == MODEL_OK)
        status = store_open(dir != NULL ? dir : usual, create, ret, err);
    free(usual);
    return status;
}

model_status command_look_into_store(const char *dir, struct store **ret, struct model_error *err)
{
    struct store *store = NULL;
    model_status status = command_open_store(dir, 0, &store, err);
    if (status == MODEL_NOT_FOUND)
        status = MODEL_OK;
    if (status == MODEL_OK)
        *ret = store;
    return status;
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
}

bool command_interrupted(void *unused)
{
    (void)unused;
    return interrupted != 0;
}
