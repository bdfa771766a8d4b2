/* cmd_run.c - `modelhost run PKG`: texts or tensors through a model; run_texts.c and run_tensors.c do the
 * work, this file reads the command line and opens the model. */
#include "cmd_run.h"
#include "clock.h"
#include "cpu_budget.h"
#include "errors.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const char cmd_run_help[] =
    "usage: modelhost run PKG --text TEXT... [OPTION]...\n"
    "       modelhost run PKG --inputs IN.safetensors --outputs OUT.safetensors [OPTION]...\n\n"
    "Runs a package (a name in the store, or a folder) and prints the answer. Without --text and\n"
    "--inputs every line of standard input is a text. Answers come in the texts' order,\n"
    "as soon as a few of them have run together.\n\n"
    "  --text TEXT          a text; may be given several times\n"
    "  --pair TEXT          a second text for every --text\n"
    "  --context TEXT       the same: the text in which a question's answer is looked for\n"
    "  --task TASK          embed, fill-mask, classify, token-classify or question (default: what\n"
    "                       the model was made for)\n"
    "  --top-k N            candidates, labels or answers to show (default 5)\n"
    "  --truncate           cut texts that are longer than the model takes\n"
    "  --inputs FILE        tensors by the names of the model's inputs (input_ids, ...)\n"
    "  --outputs FILE       where the output tensors go; --inputs and --outputs may be given several\n"
    "                       times, one of each for every run\n"
    "  --stateful           the --inputs are pieces of one stream: each run goes on where the one\n"
    "                       before stopped\n"
    "  --output-names A,B   which outputs (default: the usual ones; see --describe)\n"
    "  --describe           print what the model is, takes and gives, as JSON, and run nothing\n"
    "  --json               the answers as a JSON array\n"
    "  --timeout TIME       500ms, 2s, ...: exit code 124 when there is no answer by then (many\n"
    "                       texts run a few at a time, each few within TIME)\n"
    "  --threads N          threads to compute with (default: all that this process may use)\n"
    "  --store DIR          default: MODELHOST_STORE, or ~/.cache/modelhost\n"
    "  --plugin-path DIRS   where to look when the package brings no plugin\n"
    "  -q, --quiet          no timing, no warnings\n"
    "  -v, --verbose        say what is done\n";

static void print_log(void *context, int32_t level, const char *message)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    (void)context;
    fprintf(stderr, "modelhost: %s: %s\n", names[level & 3], message);
}

static bool take_threads(struct run_command *run, const char *command)
{
    char option[80];
    uint32_t cpus = cpu_budget();
    (void)snprintf(option, sizeof option, "--threads, with %u CPU%s that this process may use,",
                   cpus, cpus == 1 ? "" : "s");
    return command_integer(command, option, optarg, 1, cpus, &run->threads);
}

/* False when the command line is wrong; it has been said then. */
static bool take_option(struct run_command *run, const char *command, int c)
{
    switch (c) {
    case 't':
        run->texts[run->n_texts++] = optarg;
        return true;
    case 'p':
        run->pair = optarg;
        return true;
    case 'T':
        run->task = optarg;
        return true;
    case 'k':
        return command_integer(command, "--top-k", optarg, 1, 10000, &run->top_k);
    case 'c':
        run->truncate = true;
        return true;
    case 'i':
        run->inputs_paths[run->n_inputs++] = optarg;
        return true;
    case 'o':
        run->outputs_paths[run->n_outputs++] = optarg;
        return true;
    case 'n':
        run->output_names = optarg;
        return true;
    case 'S':
        run->stateful = true;
        return true;
    case 'd':
        run->describe = true;
        return true;
    case 'j':
        run->as_json = true;
        return true;
    case 'w':
        return command_duration_ms(command, "--timeout", optarg, &run->timeout_ms);
    case 'N':
        return take_threads(run, command);
    case 's':
        run->places.store_dir = optarg;
        return true;
    case 'P':
        run->places.plugin_path = optarg;
        return true;
    case 'q':
        run->verbosity = -1;
        return true;
    case 'v':
        run->verbosity = 1;
        return true;
    default:
        return false;
    }
}

/* NULL, or the option that goes with the other form of run. */
static const char *misplaced_option(const struct run_command *run)
{
    if (run->describe)
        return NULL;
    if (run->n_inputs == 0)
        return run->output_names != NULL ? "--output-names" : run->stateful ? "--stateful" : NULL;
    return run->as_json        ? "--json"
           : run->task != NULL ? "--task"
           : run->top_k > 0    ? "--top-k"
           : run->truncate     ? "--truncate"
                               : NULL;
}

static bool parse(struct run_command *run, int argc, char **argv)
{
    static const struct option options[] = {{"text", required_argument, NULL, 't'},
                                            {"pair", required_argument, NULL, 'p'},
                                            {"context", required_argument, NULL, 'p'},
                                            {"task", required_argument, NULL, 'T'},
                                            {"top-k", required_argument, NULL, 'k'},
                                            {"truncate", no_argument, NULL, 'c'},
                                            {"inputs", required_argument, NULL, 'i'},
                                            {"outputs", required_argument, NULL, 'o'},
                                            {"output-names", required_argument, NULL, 'n'},
                                            {"stateful", no_argument, NULL, 'S'},
                                            {"describe", no_argument, NULL, 'd'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"timeout", required_argument, NULL, 'w'},
                                            {"threads", required_argument, NULL, 'N'},
                                            {"store", required_argument, NULL, 's'},
                                            {"plugin-path", required_argument, NULL, 'P'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    for (int c; (c = command_next_option(argc, argv, ":qv", options)) != -1;)
        if (!take_option(run, argv[0], c))
            return false;
    if (argc - optind != 1)
        return command_usage(argv[0], "wants one package, got %d", argc - optind) == 0;
    if (run->n_inputs != run->n_outputs)
        return command_usage(argv[0], "--inputs and --outputs go together") == 0;
    if (run->n_inputs > 0 && (run->n_texts > 0 || run->pair != NULL))
        return command_usage(argv[0],
                             "give texts (--text, --pair) or tensors (--inputs), not both") == 0;
    const char *misplaced = misplaced_option(run);
    if (misplaced != NULL)
        return command_usage(argv[0],
                             run->n_inputs > 0 ? "%s is for texts, not for --inputs"
                                               : "%s goes with --inputs",
                             misplaced) == 0;
    run->package = argv[optind];
    return true;
}

static model_status run_opened(struct run_command *run, struct modelhost_model *model,
                               struct model_error *err)
{
    if (run->describe)
        return command_print(modelhost_describe(model), err);
    return run->n_inputs > 0 ? run_tensors(run, model, err) : run_texts(run, model, err);
}

static model_status open_and_run(struct run_command *run, struct model_error *err)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    options.store_dir = run->places.store_dir;
    options.plugin_path = run->places.plugin_path;
    options.threads = (uint32_t)run->threads;
    options.log = print_log;
    options.log_level = run->verbosity < 0   ? MODEL_LOG_ERROR
                        : run->verbosity > 0 ? MODEL_LOG_DEBUG
                                             : MODEL_LOG_WARN;
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    int64_t start_ns = clock_now_ns();
    model_status status = modelhost_create(&options, &host, err);
    if (status == MODEL_OK)
        status = modelhost_load(host, run->package, &model, err);
    run->load_ns = clock_now_ns() - start_ns;
    if (status == MODEL_OK)
        status = run_opened(run, model, err);
    if (status == MODEL_DEADLINE)
        return status; /* the plugin may be stuck: the process ends without waiting for it */
    modelhost_release(model);
    modelhost_destroy(host);
    return status;
}

int cmd_run(int argc, char **argv)
{
    struct run_command run = {.texts = calloc((size_t)argc + 1, sizeof(char *)),
                              .inputs_paths = calloc((size_t)argc + 1, sizeof(char *)),
                              .outputs_paths = calloc((size_t)argc + 1, sizeof(char *))};
    struct model_error err = MODEL_ERROR_INIT;
    bool room = run.texts != NULL && run.inputs_paths != NULL && run.outputs_paths != NULL;
    bool parsed = room && parse(&run, argc, argv);
    model_status status = MODEL_OK;
    if (!room)
        status = error_no_memory(&err, "the command line");
    else if (parsed)
        status = open_and_run(&run, &err);
    free(run.texts);
    free(run.inputs_paths);
    free(run.outputs_paths);
    if (room && !parsed)
        return COMMAND_USAGE;
    if (status == MODEL_DEADLINE) {
        error_advise(&err, "give it more with --timeout");
        int code = command_fail(status, &err);
        (void)fflush(NULL);
        _Exit(code);
    }
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
