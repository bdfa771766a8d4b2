/* cmd_run.c - `modelhost run PKG`: texts, images or tensors through a model. run_options.c reads the
 * command line, this file opens the model, and run_<form>.c does the work. */
#include "cmd_run.h"
#include "clock.h"
#include "errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

const char cmd_run_help[] =
    "usage: modelhost run PKG --text TEXT... [OPTION]...\n"
    "       modelhost run PKG --text TEXT [--stream] [OPTION]...      (models that generate)\n"
    "       modelhost run PKG --image FILE... [OPTION]...\n"
    "       modelhost run PKG --inputs IN.safetensors --outputs OUT.safetensors [OPTION]...\n\n"
    "Runs a package (a name in the store, a folder, or a file .mhp) and prints the answer. Without --text,\n"
    "--image and --inputs every line of standard input is a text. Answers come in the texts' order,\n"
    "as soon as a few of them have run together.\n\n"
    "  --text TEXT          a text; may be given several times\n"
    "  --pair TEXT          a second text for every --text\n"
    "  --context TEXT       the same: the text in which a question's answer is looked for\n"
    "  --image FILE         a PNG or JPEG to classify, - is standard input; may be given several\n"
    "                       times\n"
    "  --task TASK          embed, fill-mask, classify, token-classify, question or generate\n"
    "                       (default: what the model was made for)\n"
    "  --top-k N            candidates, labels or answers to show (default 5)\n"
    "  --truncate           cut texts that are longer than the model takes\n"
    "  --inputs FILE        tensors by the names of the model's inputs (input_ids, ...)\n"
    "  --outputs FILE       where the output tensors go; --inputs and --outputs may be given several\n"
    "                       times, one of each for every run\n"
    "  --stateful           the --inputs are pieces of one stream: each run goes on where the one\n"
    "                       before stopped\n"
    "  --output-names A,B   which outputs (default: the usual ones; see --describe)\n"
    "  --describe           print what the model is, takes and gives, as JSON, and run nothing\n"
    "  --json               the answers as a JSON array; of --inputs where the outputs are, and the label\n"
    "                       and index of the largest number, if config.json has labels\n"
    "  --timeout TIME       500ms, 2s, ...: exit code 124 when there is no answer by then, loading\n"
    "                       included (many texts run a few at a time, each few within TIME)\n"
    "  --isolation KIND     inproc (default): the plugin runs in this process; worker: in a process of\n"
    "                       its own, which is ended when it does not stop at --timeout\n"
    "  --workers N          with --isolation worker: that many processes (default 1)\n"
    "  --kill-grace TIME    with --isolation worker: how long after --timeout (default 50ms,\n"
    "                       250ms of the backend coreml)\n"
    "  --loading MODE       mapped (default): weights are read when they are used; eager: at once, and\n"
    "                       locked; streaming: given back behind the reader; lazy: mapped, and verified\n"
    "                       when they are first used\n"
    "  --verification LEVEL checksum (default): all of an archive but its weights; standard: everything\n"
    "                       that is used; paranoid: the whole file first\n"
    "  --memory-budget N    bytes: a model that takes more is refused\n"
    "  --dtype TYPE         what products of weights are computed in: f32 (default), bf16, int8, int4,\n"
    "                       auto (the fewest bits whose report of `modelhost quantize` is good)\n"
    "  --require-signature  only packages that are signed by a trusted key (`pkgmgr keys`), exit code 7;\n"
    "                       what is used of them is what was signed (or MODELHOST_REQUIRE_SIGNATURE=1)\n"
    "  --trusted-keys FILE  whose (default: ~/.config/modelhost/trusted-keys.json)\n" COMMAND_LOAD_SECRET_HELP
    "  --load-timeout TIME  with --isolation worker: what loading may take (default 5m)\n"
    "  --load-policy WHICH  any (default), or conformant: only plugins that passed all checks of\n"
    "                       `modelhost check-plugin`\n"
    "  --set KEY=VALUE      any option of host or model, as in --config; may be given several times\n"
    "  --backend A,B        backends of the package to use, in order of preference (default: those that\n"
    "                       it has, cpu first); A:cpu is A by the processor, without an accelerator\n"
    "  --threads N          threads to compute with (default: all that this process may use)\n"
    "  --pin-threads        keep them on processors of their own\n"
    "  --config FILE        options of host and model, see `modelhost config keys`; options here go\n"
    "                       over them\n"
    "  --store DIR          default: MODELHOST_STORE, or ~/.cache/modelhost\n"
    "  --plugin-path DIRS   where to look when the package brings no plugin\n"
    "  --metrics FILE       write the metrics there, - is standard error\n"
    "  --log-format FORMAT  log lines as text (default) or json\n"
    "  -q, --quiet          no timing, no warnings\n"
    "  -v, --verbose        say what is done\n\n"
    "Generating text (what is not given comes from the package's generation_config.json):\n"
    "  --input-ids 1,2,...  token ids to go on with, instead of a text\n"
    "  --max-new-tokens N   default 128\n"
    "  --stream             print the text while it is made\n"
    "  --greedy             always the most probable token\n"
    "  --temperature X      from 0 (greedy) to 100; lower is more certain\n"
    "  --top-k N            draw from the N most probable tokens; 0: from all\n"
    "  --top-p X            from those that together hold X of the probability\n"
    "  --min-p X            from those with at least X times the probability of the best\n"
    "  --repetition-penalty X, --presence-penalty X, --frequency-penalty X\n"
    "                       against repeating what was there (none: 1, 0, 0)\n"
    "  --seed N             the same seed, the same text (default 0)\n"
    "  --num-sequences N    several answers to each text, the most probable first\n"
    "  --stop TEXT          end before this text; may be given several times\n"
    "  --stop-ids 1,2,...   end with one of these tokens\n"
    "  --ignore-eos         go on behind the model's own end of text\n"
    "  --sliding-window     when the model's context is full, forget its older half and go on\n"
    "  --speculation W      prompt: propose what followed the last tokens before (default where nothing\n"
    "                       is drawn; the text is the same); off: a token each step\n"
    "  --logprobs N         with --json: how probable each token was, and the N - 1 best beside it\n";

static model_status run_opened(struct run_command *run, struct modelhost_model *model,
                               struct model_error *err)
{
    if (run->describe)
        return command_print(modelhost_describe(model), err);
    if (run->images.n_values > 0)
        return run_images(run, model, err);
    if (run->inputs.n_values > 0)
        return run_tensors(run, model, err);
    const char *task = run->task != NULL ? run->task : modelhost_description(model)->task;
    const bool generates =
        task != NULL && (strcmp(task, "text-generation") == 0 || strcmp(task, "generate") == 0);
    if (generates && run->reading_option != NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "--%s is not for models that generate text, as this one does",
                         run->reading_option);
    if (generates)
        return run_generation(run, model, err);
    if (run->generation_option != NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "--%s is for models that generate text; the task of this one is %s",
                         run->generation_option, task != NULL ? task : "none");
    return run_texts(run, model, err);
}

/* A host and the model in it, perhaps made by another thread. */
struct opening {
    const struct run_command *run;
    struct modelhost *host;
    struct modelhost_model *model;
    model_status status;
    struct model_error err;
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t ended;
    bool has_ended;
};

/* What the command line says goes over what the file of options says. */
static void take_options(const struct run_command *run, struct modelhost_options *options)
{
    if (run->places.store_dir != NULL)
        options->store_dir = run->places.store_dir;
    if (run->places.plugin_path != NULL)
        options->plugin_path = run->places.plugin_path;
    if (run->threads > 0)
        options->threads = (uint32_t)run->threads;
    if (run->pin_threads)
        options->pin_threads = 1;
    if (run->verbosity != 0)
        options->log_level = run->verbosity < 0 ? MODEL_LOG_ERROR : MODEL_LOG_DEBUG;
    (void)command_set_policy("run", run->load_policy, options); /* was checked, */
    (void)command_log("run", run->log_format, options);         /* and this */
}

static void take_load_options(const struct run_command *run, struct modelhost_load_options *options)
{
    if (run->isolation != NULL)
        options->isolation =
            strcmp(run->isolation, "worker") == 0 ? MODELHOST_WORKER : MODELHOST_INPROC;
    if (run->workers > 0)
        options->workers = (uint32_t)run->workers;
    if (run->kill_grace_ms > 0)
        options->kill_grace_ms = run->kill_grace_ms;
    if (run->load_timeout_ms > 0)
        options->load_timeout_ms = run->load_timeout_ms;
    if (run->backend != NULL)
        options->backend = run->backend;
    (void)command_loading("run", &run->loading, options); /* was checked */
}

static void open_model(void *argument)
{
    struct opening *opening = argument;
    const struct run_command *run = opening->run;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options load_options = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost_config *config = NULL;
    load_options.accelerator_start = MODELHOST_ACCELERATOR_WAIT; /* it ends with its answers */
    if (run->config_path != NULL)
        opening->status = modelhost_config_read(run->config_path, &config, &opening->err);
    if (config != NULL) {
        modelhost_config_host(config, &options);
        modelhost_config_model(config, run->package, &load_options);
    }
    (void)command_set_options("run", &run->assignments, &options, &load_options); /* was checked */
    take_options(run, &options);
    take_load_options(run, &load_options);
    if (opening->status == MODEL_OK)
        opening->status = command_load_secret(&run->loading, &load_options, &opening->err);
    if (opening->status == MODEL_OK)
        opening->status = modelhost_create(&options, &opening->host, &opening->err);
    if (opening->status == MODEL_OK)
        opening->status = modelhost_load_with(opening->host, run->package, &load_options,
                                              &opening->model, &opening->err);
    modelhost_config_destroy(config);
    uv_mutex_lock(&opening->mutex);
    opening->has_ended = true;
    uv_cond_signal(&opening->ended);
    uv_mutex_unlock(&opening->mutex);
}

/* Whether it was opened within --timeout; if not, its thread goes on with it. */
static bool open_in_time(struct opening *opening)
{
    uv_thread_t thread;
    int64_t end_ns = clock_now_ns() + opening->run->timeout_ms * NS_PER_MS;
    if (opening->run->timeout_ms == 0 || uv_thread_create(&thread, open_model, opening) != 0) {
        open_model(opening);
        return true;
    }
    uv_mutex_lock(&opening->mutex);
    for (int64_t left_ns; !opening->has_ended && (left_ns = end_ns - clock_now_ns()) > 0;)
        (void)uv_cond_timedwait(&opening->ended, &opening->mutex, (uint64_t)left_ns);
    bool in_time = opening->has_ended;
    uv_mutex_unlock(&opening->mutex);
    if (in_time)
        (void)uv_thread_join(&thread);
    return in_time;
}

int64_t run_time_left_ms(const struct run_command *run)
{
    int64_t left_ms = run->timeout_ms - run->load_ns / NS_PER_MS;
    return run->timeout_ms == 0 ? 0 : left_ms > 0 ? left_ms : 1;
}

/* Also of a run that failed: its own failure counts more than that of writing them. */
static model_status write_metrics(const struct run_command *run, struct modelhost *host,
                                  model_status status, struct model_error *err)
{
    struct model_error own = MODEL_ERROR_INIT;
    if (run->metrics_path == NULL || host == NULL)
        return status;
    model_status written = command_write_metrics(host, run->metrics_path, &own);
    if (written != MODEL_OK && status != MODEL_OK)
        command_warn("%s", own.message);
    return written != MODEL_OK && status == MODEL_OK ? error_set(err, written, "%s", own.message)
                                                     : status;
}

static model_status open_and_run(struct run_command *run, struct model_error *err)
{
    struct opening *opening = calloc(1, sizeof *opening);
    if (opening == NULL || uv_mutex_init(&opening->mutex) != 0 ||
        uv_cond_init(&opening->ended) != 0) {
        free(opening);
        return error_no_memory(err, "a model");
    }
    opening->run = run;
    opening->err.struct_size = sizeof opening->err;
    int64_t start_ns = clock_now_ns();
    if (!open_in_time(opening))
        return error_set(err, MODEL_DEADLINE,
                         "deadline passed after %lld ms while the model was being loaded; give it "
                         "more with --timeout",
                         (long long)run->timeout_ms);
    run->load_ns = clock_now_ns() - start_ns;
    *err = opening->err;
    model_status status = opening->status;
    if (status == MODEL_OK)
        status = run_opened(run, opening->model, err);
    if (status == MODEL_DEADLINE && opening->status == MODEL_OK)
        error_advise(err, "give it more with --timeout");
    status = write_metrics(run, opening->host, status, err);
    if (status == MODEL_DEADLINE || status == MODEL_CANCELLED)
        return status; /* the plugin may be stuck: the process ends without waiting for it */
    modelhost_release(opening->model);
    modelhost_destroy(opening->host);
    uv_cond_destroy(&opening->ended);
    uv_mutex_destroy(&opening->mutex);
    free(opening);
    return status;
}

int cmd_run(int argc, char **argv)
{
    struct run_command run = {.package = NULL};
    struct model_error err = MODEL_ERROR_INIT;
    bool parsed = run_options_read(&run, argc, argv);
    model_status status = parsed ? open_and_run(&run, &err) : MODEL_OK;
    run_options_finish(&run);
    if (!parsed)
        return COMMAND_USAGE;
    if (status == MODEL_DEADLINE || status == MODEL_CANCELLED) {
        int code = command_fail(status, &err);
        (void)fflush(NULL);
        _Exit(code);
    }
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
