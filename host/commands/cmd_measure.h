/* cmd_measure.h - what `modelhost bench` and `modelhost quantize` share: opening a package to measure it, and printing.
 * Main thread only. */
#ifndef CMD_MEASURE_H
#define CMD_MEASURE_H

#include "json_view.h"
#include "modelhost_commands.h"

/* The command line's part of it; NULL and 0: not given. */
struct measured_package {
    const char *command, *package, *backend;
    struct command_places places;
    struct command_loading loading;
    struct command_list assignments; /* of --set; values owned */
    int64_t threads;
};

/* Of the options; false after printing what is wrong. `threads` is at most what the process may use. */
bool measured_check(const struct measured_package *measured);

struct measured_model {
    struct modelhost *host;
    struct modelhost_model *model;
    int64_t load_ns;
};

/* With a host of its own, of one lane; `change` (NULL: nothing) sets options over those of the command line. */
model_status measured_open(const struct measured_package *measured,
                           void (*change)(void *context, struct modelhost_load_options *options),
                           void *context, struct measured_model *ret, struct model_error *err);
/* Waits until all of it is gone. All zero does nothing. */
void measured_close(struct measured_model *model);

/* Prints the tree as JSON, or as lines "name   value" for people: what is null is left out, members of objects are
 * called "object.member". */
model_status measured_print(const json_node *root, bool as_json, struct model_error *err);

#endif
