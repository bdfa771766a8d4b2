/* command_passphrase.h - asking for a passphrase at the terminal, which does not show it. For commands; main thread. */
#ifndef COMMAND_PASSPHRASE_H
#define COMMAND_PASSPHRASE_H

#include "modelhost.h"

#include <stdbool.h>

/* Whether a file that a command was given for a passphrase is a terminal, which would show what is typed; "-" is
 * standard input. */
bool command_is_terminal(const char *file);
/* Prints the question to a terminal, which NULL leaves to be that of the process, and reads a line there, without its
 * end. MODEL_NOT_FOUND: there is no terminal; MODEL_CANCELLED: Ctrl-C or Ctrl-D, or a signal whose handler came back; MODEL_INVALID_ARGUMENT: more than capacity bytes. */
model_status command_ask_passphrase(const char *terminal, const char *question, char *ret_text,
                                    size_t capacity, size_t *ret_bytes, struct model_error *err);

#endif
