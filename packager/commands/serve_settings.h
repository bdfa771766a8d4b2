/* serve_settings.h - the command line of `pkgmgr serve`. Main thread only. */
#ifndef SERVE_SETTINGS_H
#define SERVE_SETTINGS_H

#include "command.h"
#include "mirror.h"

/* Owns what its mirror options point at. */
struct serve_settings {
    const char *host;
    int64_t port, max_per_address, page_size;
    const char *token, *certificate, *key, *access_log, *access_format;
    const char *upstream, *upstream_token_file, *upstream_keep;
    uint64_t upstream_keep_bytes;
    char *upstream_url, *upstream_token;
    struct command_list token_files, gated, aliases, faults;
    struct mirror_alias *alias_pairs;
    char **alias_texts; /* what alias_pairs point into */
    struct mirror_tokens *tokens;
    struct mirror_options mirror;
    bool is_open, is_verbose, is_quiet;
    bool wants_fault_help; /* nothing else does then */
};

/* 0, or the exit code after saying what is wrong. In any case, finish it. */
int serve_settings_read(int argc, char **argv, struct serve_settings *settings);
void serve_settings_finish(struct serve_settings *settings);

#endif
