/* command_listing.h - asking a command for its options; between command.c and command_completion.c. Main thread
 * only. */
#ifndef COMMAND_LISTING_H
#define COMMAND_LISTING_H

#include "command.h"

/* Runs the command until it reads its options, which take() gets, and then ends it as a wrong command line would. */
void command_list_options(const struct command *command,
                          void (*take)(void *context, const char *letters,
                                       const struct option *options),
                          void *context);

#endif
