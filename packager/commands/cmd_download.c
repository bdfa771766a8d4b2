/* cmd_download.c - `pkgmgr download`. */
#include "command_hub.h"
#include "command_trust.h"
#include "commands.h"
#include "download_print.h"
#include "errors.h"
#include "hub_cache.h"
#include "hub_answers.h"
#include "hub_environment.h"
#include "human_text.h"
#include "progress_view.h"
#include "transfer.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PATTERNS 256

const char help_download[] =
    "usage: pkgmgr download ID[@REVISION] [OPTION]...\n\n"
    "Gets the model ID ('owner/name' or 'name') from the hub, checks every byte, keeps it as a\n"
    "package in the store and prints the package's folder. What the store has is not fetched\n"
    "again, and what was interrupted goes on where it was. A plugin for the model's architecture\n"
    "is installed if one is on the plugin path.\n\n"
    "  --revision R       branch, tag or commit (default: main)\n"
    "  --include GLOB     take only what matches; may be repeated ('*' crosses '/')\n"
    "  --exclude GLOB     leave out what matches; may be repeated\n"
    "  --allow-pickle     take weights in pickles too; they can run any code when opened\n"
    "  --dry-run          show what would be fetched and what is left out, fetch nothing\n"
    "  --force            fetch again what the store has\n"
    "  --hf-cache         lay the files down in the hub's own cache too, for Python and others\n"
    "  --token T          for private and gated models (default: HF_TOKEN, or the token file)\n"
    "  --token-file F     the same, of the first line of a file; other users cannot see it meanwhile\n"
    "  --endpoint URL     the hub (default: HF_ENDPOINT, or https://huggingface.co)\n"
    "  --cacert FILE      certificates to trust instead of the system's (default: SSL_CERT_FILE)\n"
    "  --max-workers N    files at once (default: 8)\n"
    "  --connections N    for one large file (default: 4); in all as many as the larger of both\n"
    "  --limit-rate R     bytes per second of all connections together: 500k, 20M\n"
    "  --store DIR        where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --plugin-path P    folders with plugins, separated by ':' (default: MODELHOST_PLUGIN_PATH)\n"
    "  --require-signature  only a package that the store has signed by a trusted key (exit code 7);\n"
    "                     a hub's files bring no signature (or MODELHOST_REQUIRE_SIGNATURE=1)\n"
    "  --json             print the result as JSON, and events to standard error, one a line\n"
    "  -q, --quiet        say nothing but errors\n"
    "  -v, --verbose      a line for each request, without token\n\n"
    "Environment: HF_ENDPOINT HF_TOKEN HF_TOKEN_PATH HF_HOME HF_HUB_CACHE HF_HUB_OFFLINE\n"
    "HF_HUB_DOWNLOAD_TIMEOUT (seconds without 1 kB/s), http_proxy https_proxy no_proxy,\n"
    "SSL_CERT_FILE MODELHOST_STORE MODELHOST_PLUGIN_PATH.\n";

enum {
    OPT_REVISION = 256,
    OPT_INCLUDE,
    OPT_EXCLUDE,
    OPT_PICKLE,
    OPT_DRY_RUN,
    OPT_FORCE,
    OPT_HF_CACHE,
    OPT_TOKEN,
    OPT_ENDPOINT,
    OPT_CACERT,
    OPT_MAX_WORKERS,
    OPT_CONNECTIONS,
    OPT_LIMIT_RATE,
    OPT_TOKEN_FILE,
    OPT_STORE,
    OPT_PLUGIN_PATH,
    OPT_REQUIRE_SIGNATURE,
    OPT_JSON
};

static const struct option long_options[] = {
    {"revision", required_argument, NULL, OPT_REVISION},
    {"include", required_argument, NULL, OPT_INCLUDE},
    {"exclude", required_argument, NULL, OPT_EXCLUDE},
    {"allow-pickle", no_argument, NULL, OPT_PICKLE},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"force", no_argument, NULL, OPT_FORCE},
    {"hf-cache", no_argument, NULL, OPT_HF_CACHE},
    {"token", required_argument, NULL, OPT_TOKEN},
    {"token-file", required_argument, NULL, OPT_TOKEN_FILE},
    {"endpoint", required_argument, NULL, OPT_ENDPOINT},
    {"cacert", required_argument, NULL, OPT_CACERT},
    {"max-workers", required_argument, NULL, OPT_MAX_WORKERS},
    {"connections", required_argument, NULL, OPT_CONNECTIONS},
    {"limit-rate", required_argument, NULL, OPT_LIMIT_RATE},
    {"store", required_argument, NULL, OPT_STORE},
    {"plugin-path", required_argument, NULL, OPT_PLUGIN_PATH},
    {"require-signature", no_argument, NULL, OPT_REQUIRE_SIGNATURE},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

/* The command line, on top of the environment. */
struct arguments {
    struct download_options options;
    const char *name; /* ID or ID@REVISION */
    const char *token_file;
    const char *includes[MAX_PATTERNS], *excludes[MAX_PATTERNS];
    struct command_talk talk;
    bool require_signature;
};

static bool add_pattern(const char **patterns, size_t *n_patterns)
{
    if (*n_patterns == MAX_PATTERNS)
        return false;
    patterns[(*n_patterns)++] = optarg;
    return true;
}

static int take_number(const char *option, int64_t max, unsigned *ret)
{
    int64_t value;
    if (!command_integer("download", option, optarg, 1, max, &value))
        return COMMAND_USAGE;
    *ret = (unsigned)value;
    return 0;
}

static int take_rate(uint64_t *ret)
{
    if (!human_size_read(optarg, ret))
        return command_usage(
            "download", "--limit-rate is '%s', want bytes per second, such as 500k or 20M", optarg);
    return 0;
}

static int take_option(struct arguments *arguments, int option)
{
    struct download_options *options = &arguments->options;
    switch (option) {
    case OPT_REVISION:
        options->revision = optarg;
        break;
    case OPT_PICKLE:
        options->rules.allow_pickle = true;
        break;
    case OPT_DRY_RUN:
        options->dry_run = true;
        break;
    case OPT_FORCE:
        options->force = true;
        break;
    case OPT_HF_CACHE:
        options->lay_cache = true;
        break;
    case OPT_TOKEN:
        options->hub.token = optarg;
        break;
    case OPT_TOKEN_FILE:
        arguments->token_file = optarg;
        break;
    case OPT_ENDPOINT:
        options->hub.endpoint = optarg;
        break;
    case OPT_CACERT:
        options->hub.http.ca_file = optarg;
        break;
    case OPT_MAX_WORKERS:
        return take_number("--max-workers", TRANSFER_MAX_WORKERS, &options->max_workers);
    case OPT_CONNECTIONS:
        return take_number("--connections", TRANSFER_MAX_CONNECTIONS, &options->max_connections);
    case OPT_LIMIT_RATE:
        return take_rate(&options->hub.http.limit_bytes_per_s);
    case OPT_STORE:
        options->store_dir = optarg;
        break;
    case OPT_PLUGIN_PATH:
        options->plugin_path = optarg;
        break;
    case OPT_REQUIRE_SIGNATURE:
        arguments->require_signature = true;
        break;
    case OPT_JSON:
        arguments->talk.json = true;
        break;
    case 'q':
        arguments->talk.quiet = true;
        break;
    case 'v':
        arguments->talk.verbose = true;
        break;
    case OPT_INCLUDE:
        if (!add_pattern(arguments->includes, &options->rules.n_includes))
            return command_usage("download", "more than %d patterns", MAX_PATTERNS);
        break;
    case OPT_EXCLUDE:
        if (!add_pattern(arguments->excludes, &options->rules.n_excludes))
            return command_usage("download", "more than %d patterns", MAX_PATTERNS);
        break;
    default:
        return COMMAND_USAGE;
    }
    return 0;
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    struct download_options *options = &arguments->options;
    int option, code = 0;
    while (code == 0 && (option = command_next_option(argc, argv, ":qv", long_options)) != -1)
        code = take_option(arguments, option);
    if (code != 0)
        return code;
    if (argc - optind != 1)
        return command_usage("download",
                             argc == optind ? "which model? want ID" : "want one ID, not more");
    arguments->name = argv[optind];
    if (options->revision != NULL && options->revision[0] == '\0')
        return command_usage("download", "--revision wants a branch, tag or commit");
    options->rules.includes = arguments->includes;
    options->rules.excludes = arguments->excludes;
    return 0;
}

/* ---- running */

static model_status dry_run(const struct arguments *arguments, struct model_error *err)
{
    struct download download;
    if (arguments->options.offline)
        return error_set(err, MODELHOST_OFFLINE,
                         "offline: --dry-run has to ask the hub; unset HF_HUB_OFFLINE");
    model_status status = download_begin(&arguments->options, &download, err);
    if (status != MODEL_OK)
        return status;
    status = download_print_plan(&download, arguments->talk.json, err);
    download_end(&download);
    return status;
}

static model_status run(struct arguments *arguments, struct progress_view *view,
                        struct model_error *err)
{
    struct download_result result = {0};
    if (arguments->options.dry_run)
        return dry_run(arguments, err);
    model_status status = download_run(&arguments->options, &result, err);
    progress_view_clear(view);
    if (status == MODEL_OK)
        status = download_print_result(&result, arguments->talk.json, arguments->talk.quiet, err);
    download_result_finish(&result);
    return status;
}

/* What is wrong with a value that was given is a matter of usage. */
static int refuse(model_status status, const struct model_error *err)
{
    return status == MODEL_INVALID_ARGUMENT ? command_usage("download", "%s", err->message)
                                            : command_fail(status, err);
}

/* Reads what the environment has to say, the token only if one will be needed. */
static int read_environment(const struct arguments *arguments, struct hub_environment *ret)
{
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = hub_environment_read(ret, &err);
    if (status == MODEL_OK)
        status = command_hub_token(arguments->options.hub.token, arguments->token_file, ret, &err);
    return status == MODEL_OK ? 0 : refuse(status, &err);
}

/* Fills what the command line left open. */
static void apply_environment(struct download_options *options,
                              const struct hub_environment *environment)
{
    if (options->hub.token == NULL)
        options->hub.token = environment->token;
    else if (options->hub.token[0] == '\0')
        options->hub.token = NULL; /* --token '': none */
    if (options->hub.endpoint == NULL)
        options->hub.endpoint = environment->endpoint;
    if (options->hub.http.ca_file == NULL)
        options->hub.http.ca_file = environment->ca_file;
    if (options->store_dir == NULL)
        options->store_dir = environment->store_dir;
    if (options->plugin_path == NULL)
        options->plugin_path = environment->plugin_path;
    options->offline = environment->offline;
    options->hub.stall_timeout_ms = environment->stall_timeout_ms;
}

/* Takes ID and REVISION apart; *ret_id and *ret_revision are to be freed in any case. */
static int read_name(struct arguments *arguments, char **ret_id, char **ret_revision)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct download_options *options = &arguments->options;
    model_status status = store_split_name(arguments->name, ret_id, ret_revision, &err);
    if (status == MODEL_OK)
        status = hub_check_id(*ret_id, &err);
    if (status != MODEL_OK)
        return refuse(status, &err);
    if (*ret_revision != NULL && options->revision != NULL)
        return command_usage("download", "two revisions: '@%s' and --revision %s", *ret_revision,
                             options->revision);
    if (*ret_revision != NULL)
        options->revision = *ret_revision;
    options->id = *ret_id;
    return 0;
}

static int check_endpoint(const char *endpoint)
{
    struct model_error err = MODEL_ERROR_INIT;
    char *normal = NULL;
    model_status status = hub_endpoint_normalize(endpoint, &normal, &err);
    free(normal);
    return status == MODEL_OK ? 0 : refuse(status, &err);
}

static int run_observed(struct arguments *arguments)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct progress_view view;
    struct command_trust trust;
    struct download_options *options = &arguments->options;
    model_status status = command_trust_init(&trust, arguments->require_signature, &err);
    if (status != MODEL_OK)
        return command_fail(status, &err);
    options->signature = command_trust_policy(&trust);
    command_hub_talk(&arguments->talk, MODEL_LOG_INFO, &view, options);
    options->file_done = progress_view_file_done;
    command_catch_interrupts();
    if (!options->dry_run)
        command_advise_interrupted("the same command goes on where it was");
    status = run(arguments, &view, &err);
    command_trust_finish(&trust);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}

/* Where the hub's own clients keep their files; to be freed. */
static int read_cache_dir(struct download_options *options, char **ret)
{
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = hub_cache_dir(ret, &err);
    options->hub_cache_dir = *ret;
    if (status == MODEL_OK && options->lay_cache && *ret == NULL)
        return command_usage("download", "--hf-cache: neither HF_HUB_CACHE nor HOME is set");
    if (status == MODEL_OK && options->lay_cache && options->offline)
        return command_usage("download", "--hf-cache has to ask the hub, and HF_HUB_OFFLINE is "
                                         "set");
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}

int cmd_download(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct hub_environment environment = {0};
    char *id = NULL, *revision = NULL, *cache_dir = NULL;
    int code = read_arguments(argc, argv, &arguments);
    if (code == 0)
        code = read_name(&arguments, &id, &revision);
    if (code == 0)
        code = read_environment(&arguments, &environment);
    if (code != 0)
        goto end;
    apply_environment(&arguments.options, &environment);
    code = check_endpoint(arguments.options.hub.endpoint);
    if (code == 0)
        code = read_cache_dir(&arguments.options, &cache_dir);
    if (code == 0)
        code = run_observed(&arguments);
end:
    hub_environment_finish(&environment);
    free(cache_dir);
    free(id);
    free(revision);
    return code;
}
