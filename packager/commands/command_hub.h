/* command_hub.h - what commands that ask the hub share: its settings from options and environment, messages
 * and progress. Main thread. */
#ifndef COMMAND_HUB_H
#define COMMAND_HUB_H

#include "download.h"
#include "hub_environment.h"
#include "progress_view.h"

/* How much a command says, and in which form; the options of these names. */
struct command_talk {
    bool json, quiet, verbose;
};
/* Their rows of a table of options. */
#define COMMAND_TALK_OPTIONS(talk)                                                                 \
    {"json", .flag = &(talk)->json}, {"quiet", .flag = &(talk)->quiet, .letter = 'q'},             \
    {                                                                                              \
        "verbose", .flag = &(talk)->verbose, .letter = 'v'                                         \
    }

struct command_hub {
    const char *token_file; /* --token-file; NULL */
    struct hub_environment environment;
    char *cache_dir;
    struct progress_view view;
    struct download_options options; /* ready to use; those set before stand */
};

/* Fills what hub->options leaves open, from the environment: endpoint, token, store, plugin path, cache.
 * Returns 0, or an exit code after saying what is wrong. End it in any case. */
int command_hub_begin(const char *command, const struct command_talk *talk,
                      struct command_hub *hub);
/* The view, and the messages of options->hub through it. usual: the level without -q and -v. */
void command_hub_talk(const struct command_talk *talk, int32_t usual, struct progress_view *view,
                      struct download_options *options);
/* The token, unless there is one: of token_file, else of the environment where a hub will be asked. */
model_status command_hub_token(const char *token, const char *token_file,
                               struct hub_environment *environment, struct model_error *err);
void command_hub_end(struct command_hub *hub);

#endif
