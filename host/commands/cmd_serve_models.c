/* cmd_serve_models.c - `modelhost serve PKG...`: models over HTTP until a signal comes. */
#include "archive_format.h"
#include "errors.h"
#include "model_service.h"
#include "modelhost_commands.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define DEFAULT_TIMEOUT_MS 60000 /* no client may hold a lane for ever */

const char cmd_serve_models_help[] =
    "usage: modelhost serve [NAME=]PKG... [OPTION]...\n\n"
    "Serves packages (names in the store, folders, or files .mhp) over HTTP by the Open Inference Protocol v2,\n"
    "as JSON: POST /v2/models/NAME/infer, GET /v2/models/NAME, /v2/health/ready, /v2/health/live;\n"
    "GET /metrics is for a Prometheus server.\n"
    "A client that leaves cancels its request. Prints the address when the models are loaded; ends\n"
    "with SIGINT or SIGTERM, and cancels what runs then.\n\n"
    "  --host HOST          where to listen (default: 127.0.0.1)\n"
    "  --port PORT          default: any free one\n"
    "  --max-per-address N  connections from one address at most (default: half of all, 500 unless the\n"
    "                       limit of descriptors is low)\n"
    "  --config FILE        options of host and models, see `modelhost config keys`\n"
    "  --isolation WHERE    worker: plugins run in processes of their own, which are killed when they\n"
    "                       hang and replaced (default); inproc: in this one\n"
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
    "  --backend NAME,...   which backends of the packages, in order of preference\n"
    "  --workers N          processes of each model (default 1)\n"
    "  --timeout TIME       of a request that names none, from its coming to the answer (default 1m;\n"
    "                       --set timeout_ms=0: no limit)\n"
    "  --max-timeout TIME   the longest that a request may name (default: ten times its model's timeout,\n"
    "                       at most 1h but no less than that)\n"
    "  --kill-grace TIME    from a request's deadline to the end of its worker (default 50ms,\n"
    "                       250ms of the backend coreml)\n"
    "  --load-timeout TIME  what loading a model may take in a worker (default 5m)\n"
    "  --load-policy WHICH  any (default), or conformant: only plugins that passed all checks of\n"
    "                       `modelhost check-plugin`\n"
    "  --set KEY=VALUE      any option of host or models, as in --config; may be given several times\n"
    "  --lanes N            requests that run at the same time (default: 1)\n"
    "  --threads N          threads of each (default: all that this process may use, shared out)\n"
    "  --pin-threads        keep those of each lane on processors of their own; not those of workers\n"
    "  --log-format FORMAT  text or json: how log lines on standard error look (default text)\n"
    "  --store DIR          default: MODELHOST_STORE, or ~/.cache/modelhost\n"
    "  --plugin-path DIRS   where to look when a package brings no plugin\n"
    "  -q, --quiet          no warnings\n"
    "  -v, --verbose        a line for each request\n";

struct serve_command {
    struct command_places places;
    const char *host, *config_path, *isolation, *backend, *log_format, *load_policy;
    int64_t port, max_per_address, lanes, threads, workers, timeout_ms, max_timeout_ms,
        kill_grace_ms, load_timeout_ms;
    struct command_list assignments; /* of --set; values owned */
    struct command_loading loading;
    bool quiet, verbose, pin_threads;
    struct modelhost *modelhost;
    struct served_model *models; /* (n_models) */
    char **names;                /* (n_models) */
    size_t n_models;
};

struct running {
    uv_loop_t loop;
    uv_signal_t signals[2];
    size_t n_signals;
    struct model_service *service;
};

static int32_t log_level(const struct serve_command *command)
{
    return command->quiet ? MODEL_LOG_ERROR : command->verbose ? MODEL_LOG_DEBUG : MODEL_LOG_WARN;
}

/* ---- loading */

/* "NAME=PKG", or PKG: a folder goes by its last name, a file without .mhp, too. */
static model_status take_name(struct serve_command *command, const char *argument,
                              const char **ret_package, struct model_error *err)
{
    const char *equals = strchr(argument, '=');
    size_t length = equals != NULL ? (size_t)(equals - argument) : strlen(argument);
    const char *name = argument;
    const size_t suffix_bytes = sizeof ARCHIVE_SUFFIX - 1;
    *ret_package = equals != NULL ? equals + 1 : argument;
    while (equals == NULL && length > 1 && argument[length - 1] == '/')
        length--;
    if (equals == NULL && (argument[0] == '/' || argument[0] == '.'))
        for (const char *at = argument; at < argument + length; at++)
            if (*at == '/')
                name = at + 1;
    length -= (size_t)(name - argument);
    if (equals == NULL && length > suffix_bytes &&
        strncmp(name + length - suffix_bytes, ARCHIVE_SUFFIX, suffix_bytes) == 0)
        length -= suffix_bytes;
    for (size_t i = 0; i < command->n_models; i++)
        if (strlen(command->names[i]) == length && strncmp(command->names[i], name, length) == 0)
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "two models are called '%s'; give one another name: NAME=PKG",
                             command->names[i]);
    char *copy = length > 0 ? strndup(name, length) : NULL;
    if (copy == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%s' has no name in front of '='", argument);
    command->names[command->n_models] = copy;
    return MODEL_OK;
}

/* What the command line says goes over what the file of options says. */
static void take_load_options(const struct serve_command *command,
                              struct modelhost_load_options *options)
{
    struct modelhost_options unused = MODELHOST_OPTIONS_INIT;
    (void)command_set_options("serve", &command->assignments, &unused, options); /* was checked */
    if (command->isolation != NULL)
        options->isolation =
            strcmp(command->isolation, "inproc") == 0 ? MODELHOST_INPROC : MODELHOST_WORKER;
    if (command->backend != NULL)
        options->backend = command->backend;
    if (command->workers > 0)
        options->workers = (uint32_t)command->workers;
    if (command->timeout_ms > 0)
        options->timeout_ms = command->timeout_ms;
    if (command->kill_grace_ms > 0)
        options->kill_grace_ms = command->kill_grace_ms;
    if (command->load_timeout_ms > 0)
        options->load_timeout_ms = command->load_timeout_ms;
}

/* The longest time that a client may name for a model with this timeout (0: none). */
static int64_t longest_timeout_ms(const struct serve_command *command, int64_t timeout_ms)
{
    const int64_t most_ms = MODEL_SERVICE_MAX_TIMEOUT_MS;
    if (command->max_timeout_ms > 0)
        return command->max_timeout_ms;
    if (timeout_ms <= 0 || timeout_ms >= most_ms)
        return timeout_ms > most_ms ? timeout_ms : most_ms;
    return timeout_ms < most_ms / 10 ? timeout_ms * 10 : most_ms;
}

static model_status load_one(struct serve_command *command, const struct modelhost_config *config,
                             const char *argument, struct model_error *err)
{
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    const char *package = NULL;
    model_status status = take_name(command, argument, &package, err);
    if (status != MODEL_OK)
        return status;
    const size_t i = command->n_models++;
    command->models[i].name = command->names[i];
    options.isolation = MODELHOST_WORKER;
    options.timeout_ms = DEFAULT_TIMEOUT_MS;
    if (config != NULL)
        modelhost_config_model(config, package, &options);
    options.name = command->names[i]; /* logs and metrics say what addresses say */
    take_load_options(command, &options);
    command->models[i].max_timeout_ms = longest_timeout_ms(command, options.timeout_ms);
    (void)command_loading("serve", &command->loading, &options); /* was checked */
    status = command_load_secret(&command->loading, &options, err);
    return status == MODEL_OK ? modelhost_load_with(command->modelhost, package, &options,
                                                    &command->models[i].model, err)
                              : status;
}

static model_status open_host(struct serve_command *command, const struct modelhost_config *config,
                              struct model_error *err)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options unused = MODELHOST_LOAD_OPTIONS_INIT;
    if (config != NULL)
        modelhost_config_host(config, &options);
    (void)command_set_options("serve", &command->assignments, &options, &unused); /* was checked, */
    (void)command_set_policy("serve", command->load_policy, &options);            /* and this */
    if (command->places.store_dir != NULL)
        options.store_dir = command->places.store_dir;
    if (command->places.plugin_path != NULL)
        options.plugin_path = command->places.plugin_path;
    if (command->lanes > 0)
        options.lanes = (uint32_t)command->lanes;
    if (command->threads > 0)
        options.threads = (uint32_t)command->threads;
    if (command->pin_threads)
        options.pin_threads = 1;
    if (command->quiet || command->verbose)
        options.log_level = log_level(command);
    (void)command_log("serve", command->log_format, &options); /* was checked */
    return modelhost_create(&options, &command->modelhost, err);
}

static model_status load_all(struct serve_command *command, char **arguments, size_t n,
                             struct model_error *err)
{
    struct modelhost_config *config = NULL;
    command->models = calloc(n, sizeof *command->models);
    command->names = calloc(n, sizeof *command->names);
    if (command->models == NULL || command->names == NULL)
        return error_no_memory(err, "models");
    model_status status = command->config_path != NULL
                              ? modelhost_config_read(command->config_path, &config, err)
                              : MODEL_OK;
    if (status == MODEL_OK)
        status = open_host(command, config, err);
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = load_one(command, config, arguments[i], err);
    modelhost_config_destroy(config);
    return status;
}

/* ---- serving */

/* The signals are given back, so that a second one ends the process as usual. */
static void stop(struct running *running)
{
    for (size_t i = 0; i < running->n_signals; i++)
        if (!uv_is_closing((uv_handle_t *)&running->signals[i]))
            uv_close((uv_handle_t *)&running->signals[i], NULL);
    if (running->service != NULL)
        model_service_close(running->service, NULL, NULL);
    running->service = NULL;
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
    (void)signal_number;
    stop(handle->data);
}

static model_status catch_signals(struct running *running, struct model_error *err)
{
    static const int numbers[2] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        int code = uv_signal_init(&running->loop, &running->signals[i]);
        running->signals[i].data = running;
        running->n_signals += code == 0;
        if (code == 0)
            code = uv_signal_start(&running->signals[i], on_signal, numbers[i]);
        if (code != 0)
            return error_set_errno(err, -code, "cannot watch for signals");
    }
    return MODEL_OK;
}

static model_status serve(const struct serve_command *command, struct model_error *err)
{
    struct running running = {.service = NULL};
    struct modelhost_options logging = MODELHOST_OPTIONS_INIT;
    (void)command_log("serve", command->log_format, &logging);
    const struct log_sink log = {
        .level = log_level(command), .write = logging.log, .record = logging.log_record};
    const struct model_service_options options = {.host = command->host,
                                                  .port = (uint16_t)command->port,
                                                  .modelhost = command->modelhost,
                                                  .models = command->models,
                                                  .n_models = command->n_models,
                                                  .log = &log,
                                                  .max_per_address =
                                                      (size_t)command->max_per_address};
    if (uv_loop_init(&running.loop) != 0)
        return error_no_memory(err, "an event loop");
    (void)signal(SIGPIPE, SIG_IGN);
    model_status status = catch_signals(&running, err);
    if (status == MODEL_OK)
        status = model_service_create(&running.loop, &options, &running.service, err);
    if (status == MODEL_OK) {
        char address[300];
        (void)snprintf(address, sizeof address, "%s\n", model_service_url(running.service));
        status = command_print(address, err);
    }
    if (status == MODEL_OK)
        status = command_flush(err);
    if (status != MODEL_OK)
        stop(&running);
    (void)uv_run(&running.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&running.loop);
    return status;
}

/* The command line; false after printing what is wrong. */
static bool check(const struct serve_command *command, int argc, char **argv)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options load_options = MODELHOST_LOAD_OPTIONS_INIT;
    if (!command_log(argv[0], command->log_format, &options) ||
        !command_set_options(argv[0], &command->assignments, &options, &load_options) ||
        !command_set_policy(argv[0], command->load_policy, &options))
        return false;
    if (optind == argc)
        return command_usage(argv[0], "wants at least one package") == 0;
    if (command->isolation != NULL && strcmp(command->isolation, "inproc") != 0 &&
        strcmp(command->isolation, "worker") != 0)
        return command_usage(argv[0], "--isolation wants worker or inproc, got '%s'",
                             command->isolation) == 0;
    return true;
}

static int load_and_serve(struct serve_command *command, char **packages, size_t n_packages)
{
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = load_all(command, packages, n_packages, &err);
    if (status == MODEL_OK)
        status = serve(command, &err);
    for (size_t i = 0; i < command->n_models; i++) {
        modelhost_release(command->models[i].model);
        free(command->names[i]);
    }
    modelhost_destroy(command->modelhost);
    free(command->models);
    free(command->names);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}

int cmd_serve_models(int argc, char **argv)
{
    struct serve_command command = {.host = NULL};
    const struct command_option options[] = {
        {"host", .text = &command.host},
        {"port", .integer = &command.port, .max = UINT16_MAX},
        {"max-per-address", .integer = &command.max_per_address, .min = 1, .max = 1000},
        {"config", .text = &command.config_path},
        {"log-format", .text = &command.log_format},
        {"isolation", .text = &command.isolation},
        {"loading", .text = &command.loading.loading},
        {"verification", .text = &command.loading.verification},
        {"passphrase-file", .text = &command.loading.passphrase_file},
        {"key-file", .text = &command.loading.key_file},
        {"dtype", .text = &command.loading.dtype},
        {"memory-budget", .integer = &command.loading.memory_budget_bytes, .min = 1,
         .max = INT64_MAX},
        {"require-signature", .flag = &command.loading.require_signature},
        {"trusted-keys", .text = &command.loading.trusted_keys},
        {"backend", .text = &command.backend},
        {"workers", .integer = &command.workers, .min = 1, .max = 64},
        {"timeout", .duration_ms = &command.timeout_ms},
        {"max-timeout", .duration_ms = &command.max_timeout_ms},
        {"kill-grace", .duration_ms = &command.kill_grace_ms},
        {"load-timeout", .duration_ms = &command.load_timeout_ms},
        {"load-policy", .text = &command.load_policy},
        {"set", .list = &command.assignments},
        {"lanes", .integer = &command.lanes, .min = 1, .max = 1024},
        {"threads", .integer = &command.threads, .min = 1, .max = 1024},
        {"pin-threads", .flag = &command.pin_threads},
        {"store", .text = &command.places.store_dir},
        {"plugin-path", .text = &command.places.plugin_path},
        {"quiet", .flag = &command.quiet, .letter = 'q'},
        {"verbose", .flag = &command.verbose, .letter = 'v'},
        {.name = NULL},
    };
    command.assignments.values = calloc((size_t)argc + 1, sizeof *command.assignments.values);
    const bool is_good =
        command.assignments.values != NULL && command_read_options(argc, argv, options) &&
        command_loading(argv[0], &command.loading, NULL) && check(&command, argc, argv);
    const int code =
        is_good ? load_and_serve(&command, argv + optind, (size_t)(argc - optind)) : COMMAND_USAGE;
    free(command.assignments.values);
    return code;
}
