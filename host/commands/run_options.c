/* run_options.c - the command line of `modelhost run`: one table of its options, and which of them go
 * together. Main thread only. */
#include "cmd_run.h"
#include "cpu_budget.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a run may be about; an option's group is those that know it. */
enum form { TEXTS = 1, TENSORS = 2, GENERATING = 4, IMAGES = 8, EVERY = 15 };

#define MAX_IDS 65536

static bool take_threads(struct run_command *run, const char *command)
{
    char option[80];
    uint32_t cpus = cpu_budget();
    (void)snprintf(option, sizeof option, "--threads, with %u CPU%s that this process may use,",
                   cpus, cpus == 1 ? "" : "s");
    return run->threads_text == NULL ||
           command_integer(command, option, run->threads_text, 1, cpus, &run->threads);
}

/* "15496,11" to ids, unless text is NULL; false after printing what is wrong. Nothing is no id at all. */
static bool take_ids(const char *command, const char *option, const char *text, int64_t **ret_ids,
                     size_t *ret_n)
{
    if (text == NULL)
        return true;
    if ((*ret_ids = calloc(MAX_IDS, sizeof **ret_ids)) == NULL)
        return command_usage(command, "out of memory") == 0;
    const char *at = text;
    while (*at >= '0' && *at <= '9' && *ret_n < MAX_IDS) {
        char *end = NULL;
        errno = 0;
        (*ret_ids)[*ret_n] = strtoll(at, &end, 10);
        if (errno != 0 || (*end != '\0' && (*end != ',' || end[1] == '\0')))
            break;
        (*ret_n)++;
        at = *end == ',' ? end + 1 : end;
    }
    return *at == '\0' ||
           command_usage(
               command,
               "--%s is '%.80s', want token ids with commas between, such as 15496,11, at "
               "most %d",
               option, text, MAX_IDS) == 0;
}

/* The first option that was given and does not go with the form; NULL: none. */
static const char *misplaced_option(const struct command_option *options, uint64_t given,
                                    unsigned form)
{
    for (size_t i = 0; options[i].name != NULL; i++)
        if (given >> i & 1 && (options[i].group & form) == 0)
            return options[i].name;
    return NULL;
}

/* The folder that a path is in, and the name there; NULL when there is no such folder. */
static const char *stat_folder(const char *path, struct stat *ret)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash != NULL ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    const bool found = folder != NULL && stat(folder, ret) == 0;
    free(folder);
    return !found ? NULL : slash != NULL ? slash + 1 : path;
}

/* Whether two words for a file lead to one folder and end in the same name. */
static bool is_same_place(const char *a, const char *b)
{
    struct stat in_a, in_b;
    const char *name_a = stat_folder(a, &in_a), *name_b = stat_folder(b, &in_b);
    return name_a != NULL && name_b != NULL && strcmp(name_a, name_b) == 0 &&
           in_a.st_dev == in_b.st_dev && in_a.st_ino == in_b.st_ino;
}

/* The file may be there under two names, or not be there yet; devices take any number of answers. */
static bool is_same_file(const char *a, const char *b)
{
    struct stat at_a, at_b;
    const bool there_a = stat(a, &at_a) == 0, there_b = stat(b, &at_b) == 0;
    if (there_a && there_b)
        return S_ISREG(at_a.st_mode) && at_a.st_dev == at_b.st_dev && at_a.st_ino == at_b.st_ino;
    return !there_a && !there_b && is_same_place(a, b);
}

/* The result must not take the place of what it was made from, or of another one. */
static bool check_files(const struct run_command *run, const char *command)
{
    for (size_t i = 0; i < run->outputs.n_values; i++) {
        struct stat inputs, outputs;
        const char *path = run->outputs.values[i];
        if (strcmp(path, "-") == 0)
            return command_usage(command, "--outputs wants a file, standard output is none") == 0;
        for (size_t k = 0; k < i; k++)
            if (is_same_file(path, run->outputs.values[k]))
                return command_usage(command,
                                     "--outputs names the file '%s' twice; give each --inputs one "
                                     "of its own",
                                     path) == 0;
        for (size_t k = 0; k < run->inputs.n_values; k++)
            if (stat(run->inputs.values[k], &inputs) == 0 && stat(path, &outputs) == 0 &&
                inputs.st_dev == outputs.st_dev && inputs.st_ino == outputs.st_ino)
                return command_usage(command, "--outputs is the file of --inputs; name another") ==
                       0;
    }
    return true;
}

/* Tasks by their tags and short names, as the pipelines know them. */
static bool check_task(const struct run_command *run, const char *command)
{
    static const char *const tasks[] = {
        "embed",          "feature-extraction",   "fill-mask",       "classify",
        "token-classify", "token-classification", "question",        "text-classification",
        "generate",       "question-answering",   "text-generation", "image-classification"};
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
        if (run->task == NULL || strcmp(run->task, tasks[i]) == 0)
            return true;
    return command_usage(command,
                         "unknown task '%s'; there are embed, fill-mask, classify, token-classify, "
                         "question, generate",
                         run->task) == 0;
}

static bool check_form(struct run_command *run, const char *command,
                       const struct command_option *options, uint64_t given)
{
    if (run->inputs.n_values != run->outputs.n_values)
        return command_usage(command, "--inputs and --outputs go together") == 0;
    if (run->inputs.n_values > 0 && (run->texts.n_values > 0 || run->pair != NULL))
        return command_usage(command,
                             "give texts (--text, --pair) or tensors (--inputs), not both") == 0;
    if (run->input_ids != NULL && run->texts.n_values > 0)
        return command_usage(command, "give a text or its ids (--input-ids), not both") == 0;
    if (run->images.n_values > 0 && (run->texts.n_values > 0 || run->inputs.n_values > 0))
        return command_usage(command, "give images, texts or tensors, one kind of them") == 0;
    const unsigned form = run->inputs.n_values > 0   ? TENSORS
                          : run->images.n_values > 0 ? IMAGES
                                                     : TEXTS | GENERATING;
    const char *misplaced = run->describe ? NULL : misplaced_option(options, given, form);
    if (misplaced != NULL)
        return command_usage(command,
                             form == TENSORS ? "--%s is for texts, not for --inputs"
                             : misplaced_option(options, given, IMAGES | TEXTS | GENERATING) != NULL
                                 ? "--%s goes with --inputs"
                                 : "--%s is for texts, not for --image",
                             misplaced) == 0;
    run->generation_option = misplaced_option(options, given, TEXTS | TENSORS | IMAGES);
    run->reading_option = misplaced_option(options, given, GENERATING | TENSORS | IMAGES);
    return true;
}

static bool check_log_format(const struct run_command *run, const char *command)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    return command_log(command, run->log_format, &options);
}

static bool was_given(const struct command_option *options, uint64_t given, const char *name)
{
    size_t i = 0;
    while (strcmp(options[i].name, name) != 0)
        i++;
    return given >> i & 1;
}

static bool check_isolation(const struct run_command *run, const char *command)
{
    const bool in_worker = run->isolation != NULL && strcmp(run->isolation, "worker") == 0;
    if (run->isolation != NULL && !in_worker && strcmp(run->isolation, "inproc") != 0)
        return command_usage(command, "--isolation is '%s', want inproc or worker",
                             run->isolation) == 0;
    const bool may_be =
        run->isolation == NULL && (run->config_path != NULL || run->assignments.n_values > 0);
    const char *misplaced = run->workers > 0           ? "workers"
                            : run->kill_grace_ms > 0   ? "kill-grace"
                            : run->load_timeout_ms > 0 ? "load-timeout"
                                                       : NULL;
    if (!in_worker && !may_be && misplaced != NULL)
        return command_usage(command, "--%s goes with --isolation worker", misplaced) == 0;
    return true;
}

/* Once before anything is opened: the same is done again with the options of the file below them. */
static bool check_set(const struct run_command *run, const char *command)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options load_options = MODELHOST_LOAD_OPTIONS_INIT;
    return command_set_options(command, &run->assignments, &options, &load_options) &&
           command_set_policy(command, run->load_policy, &options);
}

/* Options of generating that say opposite things, or nothing. */
static bool check_generation(const struct run_command *run, const char *command,
                             const struct command_option *options, uint64_t given)
{
    static const char *const sampling[] = {"temperature", "top-k", "top-p", "min-p"};
    if (run->stream && (run->as_json || run->num_sequences > 1))
        return command_usage(command, "--stream shows one answer as text; leave out --%s",
                             run->as_json ? "json" : "num-sequences") == 0;
    if (run->logprobs > 0 && !run->as_json)
        return command_usage(command, "--logprobs goes with --json") == 0;
    if (run->greedy && run->num_sequences > 1)
        return command_usage(command, "--greedy has one answer; leave out --num-sequences") == 0;
    for (size_t i = 0; run->greedy && i < sizeof sampling / sizeof *sampling; i++)
        if (was_given(options, given, sampling[i]))
            return command_usage(command, "--greedy draws nothing; leave out --%s", sampling[i]) ==
                   0;
    return true;
}

/* Sampling has no use of it: that is no contradiction, as the package may be what samples. */
static bool take_speculation(struct run_command *run, const char *command)
{
    const bool is_off = run->speculation != NULL && strcmp(run->speculation, "off") == 0;
    if (run->speculation == NULL)
        return true;
    if (!is_off && strcmp(run->speculation, "prompt") != 0)
        return command_usage(command, "--speculation is '%s', want off or prompt",
                             run->speculation) == 0;
    run->generation.speculation = is_off ? MODELHOST_SPECULATION_OFF : MODELHOST_SPECULATION_PROMPT;
    return true;
}

static void take_generation(struct run_command *run)
{
    struct modelhost_generation *generation = &run->generation;
    generation->top_k = run->top_k;
    generation->do_sample = run->greedy ? 0 : -1;
    generation->num_sequences = (uint32_t)run->num_sequences;
    generation->seed = (uint64_t)run->seed;
    generation->logprobs = (uint32_t)run->logprobs;
    generation->sliding_window = run->sliding_window;
    generation->ignore_eos = run->ignore_eos;
    generation->stop_strings = run->stop_strings.values;
    generation->n_stop_strings = (uint32_t)run->stop_strings.n_values;
    generation->stop_token_ids = run->stop_ids;
    generation->n_stop_token_ids = (uint32_t)run->n_stop_ids;
}

static bool make_lists(struct run_command *run, size_t n)
{
    struct command_list *const lists[] = {&run->texts,   &run->images,       &run->inputs,
                                          &run->outputs, &run->stop_strings, &run->assignments};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if ((lists[i]->values = calloc(n, sizeof *lists[i]->values)) == NULL)
            return false;
    return true;
}

static bool check_all(struct run_command *run, const char *command,
                      const struct command_option *options, uint64_t given)
{
    return check_log_format(run, command) && check_form(run, command, options, given) &&
           check_task(run, command) && check_isolation(run, command) && check_set(run, command) &&
           command_loading(command, &run->loading, NULL) && check_files(run, command) &&
           check_generation(run, command, options, given) && take_speculation(run, command);
}

static bool take_lists_of_ids(struct run_command *run, const char *command)
{
    return take_ids(command, "input-ids", run->input_ids_text, &run->input_ids,
                    &run->n_input_ids) &&
           take_ids(command, "stop-ids", run->stop_ids_text, &run->stop_ids, &run->n_stop_ids);
}

/* What follows the options, and how much is said. */
static bool take_package(struct run_command *run, int argc, char **argv)
{
    if (argc - optind != 1)
        return command_usage(argv[0], "wants one package, got %d", argc - optind) == 0;
    run->package = argv[optind];
    run->verbosity = run->quiet ? -1 : run->verbose;
    return true;
}

static void set_defaults(struct run_command *run)
{
    run->generation = (struct modelhost_generation)MODELHOST_GENERATION_INIT;
    run->top_k = -1;
}

bool run_options_read(struct run_command *run, int argc, char **argv)
{
    struct modelhost_generation *g = &run->generation;
    const struct command_option options[] = {
        {"text", .list = &run->texts, .group = TEXTS | GENERATING},
        {"image", .list = &run->images, .group = IMAGES},
        {"pair", .text = &run->pair, .group = TEXTS},
        {"context", .text = &run->pair, .group = TEXTS},
        {"task", .text = &run->task, .group = TEXTS | GENERATING | IMAGES},
        {"top-k", .integer = &run->top_k, .max = 10000, .group = EVERY - TENSORS},
        {"truncate", .flag = &run->truncate, .group = TEXTS},
        {"inputs", .list = &run->inputs, .group = TENSORS},
        {"outputs", .list = &run->outputs, .group = TENSORS},
        {"output-names", .text = &run->output_names, .group = TENSORS},
        {"stateful", .flag = &run->stateful, .group = TENSORS},
        {"input-ids", .text = &run->input_ids_text, .group = GENERATING},
        {"max-new-tokens", .integer = &g->max_new_tokens, .max = 1 << 24, .group = GENERATING},
        {"stream", .flag = &run->stream, .group = GENERATING},
        {"greedy", .flag = &run->greedy, .group = GENERATING},
        {"temperature", .number = &g->temperature, .group = GENERATING},
        {"top-p", .number = &g->top_p, .group = GENERATING},
        {"min-p", .number = &g->min_p, .group = GENERATING},
        {"repetition-penalty", .number = &g->repetition_penalty, .group = GENERATING},
        {"presence-penalty", .number = &g->presence_penalty, .group = GENERATING},
        {"frequency-penalty", .number = &g->frequency_penalty, .group = GENERATING},
        {"seed", .integer = &run->seed, .max = INT64_MAX, .group = GENERATING},
        {"num-sequences", .integer = &run->num_sequences, .min = 1, .max = 64, .group = GENERATING},
        {"stop", .list = &run->stop_strings, .group = GENERATING},
        {"stop-ids", .text = &run->stop_ids_text, .group = GENERATING},
        {"ignore-eos", .flag = &run->ignore_eos, .group = GENERATING},
        {"sliding-window", .flag = &run->sliding_window, .group = GENERATING},
        {"speculation", .text = &run->speculation, .group = GENERATING},
        {"logprobs", .integer = &run->logprobs, .min = 1, .max = 1000, .group = GENERATING},
        {"describe", .flag = &run->describe, .group = EVERY},
        {"json", .flag = &run->as_json, .group = EVERY},
        {"timeout", .duration_ms = &run->timeout_ms, .group = EVERY},
        {"backend", .text = &run->backend, .group = EVERY},
        {"isolation", .text = &run->isolation, .group = EVERY},
        {"loading", .text = &run->loading.loading, .group = EVERY},
        {"verification", .text = &run->loading.verification, .group = EVERY},
        {"passphrase-file", .text = &run->loading.passphrase_file, .group = EVERY},
        {"key-file", .text = &run->loading.key_file, .group = EVERY},
        {"dtype", .text = &run->loading.dtype, .group = EVERY},
        {"memory-budget", .integer = &run->loading.memory_budget_bytes, .min = 1, .max = INT64_MAX,
         .group = EVERY},
        {"require-signature", .flag = &run->loading.require_signature, .group = EVERY},
        {"trusted-keys", .text = &run->loading.trusted_keys, .group = EVERY},
        {"workers", .integer = &run->workers, .min = 1, .max = 64, .group = EVERY},
        {"kill-grace", .duration_ms = &run->kill_grace_ms, .group = EVERY},
        {"load-timeout", .duration_ms = &run->load_timeout_ms, .group = EVERY},
        {"load-policy", .text = &run->load_policy, .group = EVERY},
        {"set", .list = &run->assignments, .group = EVERY},
        {"threads", .text = &run->threads_text, .group = EVERY},
        {"pin-threads", .flag = &run->pin_threads, .group = EVERY},
        {"config", .text = &run->config_path, .group = EVERY},
        {"metrics", .text = &run->metrics_path, .group = EVERY},
        {"log-format", .text = &run->log_format, .group = EVERY},
        {"store", .text = &run->places.store_dir, .group = EVERY},
        {"plugin-path", .text = &run->places.plugin_path, .group = EVERY},
        {"quiet", .flag = &run->quiet, .letter = 'q', .group = EVERY},
        {"verbose", .flag = &run->verbose, .letter = 'v', .group = EVERY},
        {.name = NULL},
    };
    uint64_t given = 0;
    set_defaults(run);
    if (!make_lists(run, (size_t)argc + 1))
        return command_usage(argv[0], "out of memory") == 0;
    if (!command_read_options_given(argc, argv, options, &given) || !take_threads(run, argv[0]) ||
        !take_lists_of_ids(run, argv[0]) || !take_package(run, argc, argv))
        return false;
    take_generation(run);
    return check_all(run, argv[0], options, given);
}

void run_options_finish(struct run_command *run)
{
    free(run->texts.values);
    free(run->images.values);
    free(run->inputs.values);
    free(run->outputs.values);
    free(run->stop_strings.values);
    free(run->assignments.values);
    free(run->input_ids);
    free(run->stop_ids);
}
