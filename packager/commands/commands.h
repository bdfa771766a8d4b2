/* commands.h - the commands of pkgmgr and what they share.
 *
 * A command is one file cmd_<name>.c with a function that gets its own arguments (argv[0] is the
 * command's name) and returns the exit code, and a help text that ends with a newline. It is listed
 * in the table of pkgmgr.c. Results go to stdout, everything else to stderr. Commands run on the main
 * thread only. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "modelhost.h"

#include <stdbool.h>

#define COMMAND_USAGE 2 /* the exit code of a wrong command line */

struct option;
struct store;

/* ---- the commands */

int cmd_download(int argc, char **argv);
int cmd_install(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_serve(int argc, char **argv);

extern const char help_download[], help_install[], help_list[], help_info[], help_verify[],
    help_rm[], help_serve[];

/* ---- what the commands share (command_line.c) */

/* Prints "pkgmgr: <sentence>" and returns the exit code of the status. */
int command_fail(model_status status, const struct model_error *err);
/* Prints "pkgmgr <command>: <sentence>" and where help is; returns COMMAND_USAGE. */
int command_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* getopt_long() with our own messages: the option's character, -1 at the end, '?' after it has
 * printed what is wrong (return COMMAND_USAGE then). short_options must begin with ':'. */
int command_next_option(int argc, char **argv, const char *short_options,
                        const struct option *options);
/* Prints text to stdout; MODEL_IO when that fails (a full disk, a closed pipe). */
model_status command_print(const char *text, struct model_error *err);

/* Opens the store of --store, or of the environment when that is NULL. */
model_status command_open_store(const char *dir, int create, struct store **ret,
                                struct model_error *err);
/* The same for commands that only look: a store that is not there is MODEL_OK and NULL. */
model_status command_look_into_store(const char *dir, struct store **ret, struct model_error *err);

/* From here on SIGINT and SIGTERM set a flag; a second one ends the process as usual. */
void command_catch_interrupts(void);
/* Whether one came. The argument is not used: it fits where a callback is wanted. */
bool command_interrupted(void *unused);

#endif
