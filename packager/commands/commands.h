/* commands.h - the subcommands of pkgmgr: cmd_<name>.c each, listed in pkgmgr.c, with what they share
 * beyond base/command.h. Main thread only. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "buffer.h"
#include "command.h"
#include "json_view.h"

struct store;

int cmd_download(int argc, char **argv);
int cmd_install(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_pack(int argc, char **argv);
int cmd_unpack(int argc, char **argv);
int cmd_rekey(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_gc(int argc, char **argv);
int cmd_cache(int argc, char **argv);
int cmd_versions(int argc, char **argv);
int cmd_rollback(int argc, char **argv);
int cmd_update(int argc, char **argv);
int cmd_lock(int argc, char **argv);
int cmd_sync(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_sbom(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_env(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_sign(int argc, char **argv);
int cmd_keys(int argc, char **argv);

extern const char help_download[], help_install[], help_list[], help_info[], help_verify[],
    help_rm[], help_serve[], help_rekey[];
extern const char help_gc[], help_cache[], help_versions[], help_rollback[], help_update[],
    help_lock[], help_sync[], help_import[], help_sbom[], help_inspect[], help_diff[],
    help_convert[], help_doctor[], help_env[], help_pack[], help_unpack[], help_sign[], help_keys[];

/* Opens the store of --store, or of the environment when that is NULL (command_store.c). */
model_status command_open_store(const char *dir, int create, struct store **ret,
                                struct model_error *err);
/* The same for commands that only look: a store that is not there is MODEL_OK and NULL. */
model_status command_look_into_store(const char *dir, struct store **ret, struct model_error *err);
/* How commands wait for the lock on a package: told of, and until they are interrupted. command_open_store() gives it to
 * the store. */
const struct papers_wait *command_wait(void);
/* When a failure's sentence names a place in the store: what to do about its disk or its permissions. */
void command_advise_store(const struct store *store, struct model_error *err);
/* What a command that only shows something is told: --store and --json. False: return COMMAND_USAGE. */
struct command_showing {
    const char *store_dir;
    bool json;
};
bool command_read_showing(int argc, char **argv, struct command_showing *ret);
/* Adds what to do to the sentence about a disk that is full; leaves others. */
void command_advise_room(struct model_error *err);
/* 0, or COMMAND_USAGE after saying that the word is no folder and cannot be a package's name. */
int command_check_package(const char *command, const char *word);

/* Prints it, pretty; NULL, which nobody had memory for, is MODEL_OUT_OF_MEMORY (command_json.c). */
/* json_print() for people's eyes, too: what a terminal would obey stands there as \uXXXX. To be freed. */
char *command_json_text(const json_node *root);
model_status command_print_json(const json_node *root, struct model_error *err);
/* With --json and without -q: a line of JSON on standard error about what happens. command_event() begins one with its
 * name, command_event_send() ends it; NULL, for want of memory, is said nothing of. */
json_node *command_event(const char *event);
void command_event_send(json_node *event);
/* {"event":"file","path":...,"size":...}: it is done. */
void command_event_file(const char *path, uint64_t size_bytes);
/* For commands that do one thing after the other: the first exit code that is not 0, this failure's among them,
 * which is said. */
int command_next_code(int code, model_status status, const struct model_error *err);
/* The exit code at their end: when interrupted 130; and their result is printed (NULL: not as JSON). */
int command_last_code(int code, const json_node *root);
/* Prints what was collected, and empties it. */
model_status command_print_text(struct buffer *text, struct model_error *err);
/* "2026-11-21T20:00:00Z"; NULL for 0, a time that is not known. */
#define COMMAND_TIME_BYTES 24
const char *command_time(int64_t at_s, char text[COMMAND_TIME_BYTES]);

#endif
