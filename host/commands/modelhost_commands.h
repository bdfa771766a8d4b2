/* modelhost_commands.h - the subcommands of modelhost: cmd_<name>.c each, listed in
 * modelhost_command.c, with what they share (command_host.c). Main thread only. */
#ifndef MODELHOST_COMMANDS_H
#define MODELHOST_COMMANDS_H

#include "command.h"

#define COMMAND_LOAD_SECRET_HELP                                                                    \
    "  --passphrase-file FILE  of an encrypted archive: its passphrase is the first line; '-' is\n" \
    "                       standard input\n"                                                       \
    "  --key-file FILE      the same with a key of 32 bytes\n"

int cmd_run(int argc, char **argv);
int cmd_tokenize(int argc, char **argv);
int cmd_preprocess(int argc, char **argv);
int cmd_plugins(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_worker(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_serve_models(int argc, char **argv);
int cmd_check_plugin(int argc, char **argv);
int cmd_quarantine(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_quantize(int argc, char **argv);

extern const char cmd_run_help[], cmd_tokenize_help[], cmd_preprocess_help[], cmd_plugins_help[],
    cmd_explain_help[], cmd_config_help[], cmd_metrics_help[], cmd_serve_models_help[],
    cmd_worker_help[], cmd_check_plugin_help[], cmd_quarantine_help[], cmd_bench_help[],
    cmd_quantize_help[];

/* The options that every command with a package takes; NULL where they were not given. */
struct command_places {
    const char *store_dir;
    const char *plugin_path;
};

/* The folder of a package: one that exists, or a name in the store. To be freed. */
model_status command_find_package(const struct command_places *places, const char *name,
                                  char **ret_dir, struct model_error *err);
/* The plugin path given or the default. To be freed. */
model_status command_plugin_path(const struct command_places *places, char **ret,
                                 struct model_error *err);

/* --loading, --verification, --dtype, --memory-budget, --passphrase-file, --key-file, --require-signature and
 * --trusted-keys; NULL and 0 where they were not given. */
struct command_loading {
    const char *loading, *verification, *dtype, *trusted_keys;
    const char *passphrase_file, *key_file; /* "-": standard input */
    int64_t memory_budget_bytes;
    bool require_signature;
};

/* Sets what was given in the options; with options NULL it is only checked. False after printing what is
 * wrong (command_loading.c). */
bool command_loading(const char *command, const struct command_loading *given,
                     struct modelhost_load_options *options);

/* Reads the passphrase or the key, once; it lives as long as the process. NULL: none was given. */
struct archive_secret;
model_status command_secret(const struct command_loading *given, const struct archive_secret **ret,
                            struct model_error *err);
/* The same, into the options. */
model_status command_load_secret(const struct command_loading *given,
                                 struct modelhost_load_options *options, struct model_error *err);

/* How a host that is made with these options logs: "text" (NULL, too) or "json" lines on stderr
 * (command_log.c). False after printing what is wrong. */
bool command_log(const char *command, const char *format, struct modelhost_options *options);
/* A line of the command's own among those of the log, in the same format. */
__attribute__((format(printf, 2, 3))) void command_say(const char *format, const char *sentence,
                                                       ...);
/* What `--set KEY=VALUE` says of a host and its models (command_host.c). False after printing what is wrong. */
bool command_set_options(const char *command, const struct command_list *assignments,
                         struct modelhost_options *host, struct modelhost_load_options *model);
/* The same of --load-policy; NULL: it was not given. */
bool command_set_policy(const char *command, const char *policy, struct modelhost_options *host);
/* Writes the host's metrics to a file, to stderr for "-", or to stdout for NULL (cmd_metrics.c). */
model_status command_write_metrics(struct modelhost *host, const char *path,
                                   struct model_error *err);

/* Lines of stdin, of at most 16 MiB each; the newline is cut. NULL at the end; *ret_bytes is its
 * length. The line lives until the next call. On a read error *ret_status is set. */
const char *command_next_line(size_t *ret_bytes, model_status *ret_status, struct model_error *err);

#endif
