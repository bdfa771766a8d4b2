/* cmd_run.h - the parts of `modelhost run`. */
#ifndef CMD_RUN_H
#define CMD_RUN_H

#include "modelhost_commands.h"

struct run_command {
    const char *package;
    struct command_list texts, images;   /* values owned, as those of */
    struct command_list inputs, outputs; /* files of tensors, in pairs */
    const char *pair;
    const char *task;
    const char *output_names; /* separated by commas, or NULL */
    const char *threads_text;
    const char *backend;                /* NULL: the usual order */
    const char *config_path;            /* or NULL */
    const char *metrics_path;           /* "-": stderr; or NULL */
    const char *log_format;             /* or NULL */
    int64_t top_k, timeout_ms, threads; /* top_k -1: not given */
    const char *isolation;              /* "inproc", "worker", or NULL: not given */
    int64_t workers, kill_grace_ms, load_timeout_ms;
    const char *load_policy;         /* "any", "conformant", or NULL: not given */
    struct command_list assignments; /* of --set; values owned */
    struct command_loading loading;
    bool truncate, describe, as_json, quiet, verbose, pin_threads;
    bool stateful; /* the pairs are pieces of one stream */
    int verbosity; /* -1 quiet, 0, 1 verbose */
    struct command_places places;
    int64_t load_ns;

    /* Generating text. */
    struct modelhost_generation generation;
    struct command_list stop_strings;           /* values owned */
    const char *input_ids_text, *stop_ids_text; /* "15496,11", or NULL */
    int64_t *input_ids, *stop_ids;              /* (n), owned; NULL: not given */
    size_t n_input_ids, n_stop_ids;
    int64_t num_sequences, seed, logprobs;
    bool stream, greedy, sliding_window, ignore_eos;
    const char *speculation; /* "off", "prompt", or NULL: not given */
    const char *generation_option,
        *reading_option; /* one that only models have that generate, and one
                                                       that they do not have; or NULL */
};

/* The command line (run_options.c). False after printing what is wrong. */
bool run_options_read(struct run_command *run, int argc, char **argv);
void run_options_finish(struct run_command *run);

/* Continues --text, --input-ids or the lines of stdin (run_generation.c). */
model_status run_generation(struct run_command *run, struct modelhost_model *model,
                            struct model_error *err);

/* What is left of --timeout for the first answer after loading; 0: no limit. */
int64_t run_time_left_ms(const struct run_command *run);

/* --text, or the lines of stdin (run_texts.c). */
model_status run_texts(const struct run_command *run, struct modelhost_model *model,
                       struct model_error *err);
/* --image (run_images.c). */
model_status run_images(const struct run_command *run, struct modelhost_model *model,
                        struct model_error *err);
/* --inputs and --outputs (run_tensors.c). */
model_status run_tensors(const struct run_command *run, struct modelhost_model *model,
                         struct model_error *err);
/* One line on stderr: how long it took. Nothing when quiet. */
void run_print_timing(const struct run_command *run, const struct modelhost_timing *timing,
                      size_t n_items, const char *item);

/* Prints the answers of the text form for people (print_answers.c). `answers` is JSON text. */
model_status print_answers(const char *answers, struct model_error *err);
/* The same of the image form; names: a line before each image's labels. */
model_status print_image_answers(const char *answers, const char *const *names,
                                 struct model_error *err);

#endif
