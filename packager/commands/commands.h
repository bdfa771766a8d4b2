/* commands.h - the subcommands of pkgmgr: cmd_<name>.c each, listed in pkgmgr.c, with what they share
 * beyond base/command.h. Main thread only. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "command.h"

struct store;

int cmd_download(int argc, char **argv);
int cmd_install(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_pack(int argc, char **argv);
int cmd_unpack(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_serve(int argc, char **argv);

extern const char help_download[], help_install[], help_list[], help_info[], help_verify[],
    help_pack[], help_unpack[], help_rm[], help_serve[];

/* Opens the store of --store, or of the environment when that is NULL (command_store.c). */
model_status command_open_store(const char *dir, int create, struct store **ret,
                                struct model_error *err);
/* The same for commands that only look: a store that is not there is MODEL_OK and NULL. */
model_status command_look_into_store(const char *dir, struct store **ret, struct model_error *err);
/* 0, or COMMAND_USAGE after saying that the word is no folder and cannot be a package's name. */
int command_check_package(const char *command, const char *word);

#endif
