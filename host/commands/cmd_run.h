/* cmd_run.h - the parts of `modelhost run`. */
#ifndef CMD_RUN_H
#define CMD_RUN_H

#include "modelhost_commands.h"

struct run_command {
    const char *package;
    char **texts; /* (n_texts); pointers into argv */
    size_t n_texts;
    const char *pair;
    const char *task;
    const char **inputs_paths, **outputs_paths; /* (n_inputs), (n_outputs): pairs */
    size_t n_inputs, n_outputs;
    const char *output_names; /* separated by commas, or NULL */
    int64_t top_k, timeout_ms, threads;
    bool truncate, describe, as_json;
    bool stateful; /* the pairs are pieces of one stream */
    int verbosity; /* -1 quiet, 0, 1 verbose */
    struct command_places places;
    int64_t load_ns;
};

/* --text, or the lines of stdin (run_texts.c). */
model_status run_texts(const struct run_command *run, struct modelhost_model *model,
                       struct model_error *err);
/* --inputs and --outputs (run_tensors.c). */
model_status run_tensors(const struct run_command *run, struct modelhost_model *model,
                         struct model_error *err);
/* One line on stderr: how long it took. Nothing when quiet. */
void run_print_timing(const struct run_command *run, const struct modelhost_timing *timing,
                      size_t n_items, const char *item);

/* Prints the answers of the text form for people (print_answers.c). `answers` is JSON text. */
model_status print_answers(const char *answers, struct model_error *err);

#endif
