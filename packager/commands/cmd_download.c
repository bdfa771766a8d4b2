/* cmd_download.c - `pkgmgr download`. */
#include "commands.h"
#include "download.h"
#include "errors.h"
#include "hub_answers.h"
#include "hub_environment.h"
#include "human_text.h"
#include "package_json.h"
#include "progress_view.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PATTERNS 256

const char help_download[] =
    "usage: pkgmgr download ID[@REVISION] [OPTION]...\n\n"
    "Gets the model ID ('owner/name' or 'name') from the hub, checks every byte, keeps it as a\n"
    "package in the store and prints the package's folder. What the store has is not fetched\n"
    "again. A plugin for the model's architecture is installed if one is on the plugin path.\n\n"
    "  --revision R       branch, tag or commit (default: main)\n"
    "  --include GLOB     take only what matches; may be repeated ('*' crosses '/')\n"
    "  --exclude GLOB     leave out what matches; may be repeated\n"
    "  --allow-pickle     take weights in pickles too; they can run any code when opened\n"
    "  --dry-run          show what would be fetched and what is left out, fetch nothing\n"
    "  --force            fetch again what the store has\n"
    "  --token T          for private and gated models (default: HF_TOKEN, or the token file)\n"
    "  --endpoint URL     the hub (default: HF_ENDPOINT, or https://huggingface.co)\n"
    "  --store DIR        where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --plugin-path P    folders with plugins, separated by ':' (default: MODELHOST_PLUGIN_PATH)\n"
    "  --json             print the result as JSON\n"
    "  -q, --quiet        say nothing but errors\n\n"
    "Environment: HF_ENDPOINT HF_TOKEN HF_TOKEN_PATH HF_HOME HF_HUB_OFFLINE\n"
    "HF_HUB_DOWNLOAD_TIMEOUT (seconds without a byte), http_proxy https_proxy no_proxy,\n"
    "MODELHOST_STORE MODELHOST_PLUGIN_PATH.\n";

enum {
    OPT_REVISION = 256,
    OPT_INCLUDE,
    OPT_EXCLUDE,
    OPT_PICKLE,
    OPT_DRY_RUN,
    OPT_FORCE,
    OPT_TOKEN,
    OPT_ENDPOINT,
    OPT_STORE,
    OPT_PLUGIN_PATH,
    OPT_JSON
};

static const struct option long_options[] = {
    {"revision", required_argument, NULL, OPT_REVISION},
    {"include", required_argument, NULL, OPT_INCLUDE},
    {"exclude", required_argument, NULL, OPT_EXCLUDE},
    {"allow-pickle", no_argument, NULL, OPT_PICKLE},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"force", no_argument, NULL, OPT_FORCE},
    {"token", required_argument, NULL, OPT_TOKEN},
    {"endpoint", required_argument, NULL, OPT_ENDPOINT},
    {"store", required_argument, NULL, OPT_STORE},
    {"plugin-path", required_argument, NULL, OPT_PLUGIN_PATH},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {NULL, 0, NULL, 0},
};

/* The command line, on top of the environment. */
struct arguments {
    struct download_options options;
    const char *name; /* ID or ID@REVISION */
    const char *includes[MAX_PATTERNS], *excludes[MAX_PATTERNS];
    bool json, quiet;
};

static bool add_pattern(const char **patterns, size_t *n_patterns)
{
    if (*n_patterns == MAX_PATTERNS)
        return false;
    patterns[(*n_patterns)++] = optarg;
    return true;
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
    case OPT_TOKEN:
        options->hub.token = optarg;
        break;
    case OPT_ENDPOINT:
        options->hub.endpoint = optarg;
        break;
    case OPT_STORE:
        options->store_dir = optarg;
        break;
    case OPT_PLUGIN_PATH:
        options->plugin_path = optarg;
        break;
    case OPT_JSON:
        arguments->json = true;
        break;
    case 'q':
        arguments->quiet = true;
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
    while (code == 0 && (option = command_next_option(argc, argv, ":q", long_options)) != -1)
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

/* ---- printing */

static const char *source_of(const struct plan_file *file)
{
    return file->in_store ? "in store" : "fetch";
}

static model_status print_plan(const struct download *download, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(64u << 20);
    char size[HUMAN_TEXT_BYTES], rest[HUMAN_TEXT_BYTES];
    const struct download_plan *plan = &download->plan;
    for (size_t i = 0; i < plan->n_files; i++)
        (void)buffer_printf(&text, "%10s  %-8s  %s\n",
                            human_size(plan->files[i].file->size_bytes, size),
                            download->present != NULL ? "in store" : source_of(&plan->files[i]),
                            plan->files[i].file->path);
    for (size_t i = 0; i < download->files.n_files; i++)
        if (download->verdicts[i] != FILE_TAKEN)
            (void)buffer_printf(&text, "%10s  %-8s  %s  (%s)\n",
                                human_size(download->files.files[i].size_bytes, size), "left out",
                                download->files.files[i].path,
                                file_verdict_reason(download->verdicts[i]));
    uint64_t fetch_bytes = download->present != NULL ? 0 : plan->fetch_bytes;
    (void)buffer_printf(&text, "%10s  in %zu files of %s@%.12s; %s to fetch\n",
                        human_size(plan->total_bytes, size), plan->n_files, download->model.id,
                        download->model.commit, human_size(fetch_bytes, rest));
    model_status status = command_print(text.data, err);
    buffer_finish(&text);
    return status;
}

static model_status print_tree(json_node *tree, struct model_error *err)
{
    char *text = json_print(tree, true);
    json_free(tree);
    if (text == NULL)
        return error_no_memory(err, "the result");
    model_status status = command_print(text, err);
    free(text);
    return status;
}

static void add_left_out(json_node *root, const struct download *download)
{
    json_node *left_out = json_add_array(root, "left_out");
    for (size_t i = 0; i < download->files.n_files; i++) {
        if (download->verdicts[i] == FILE_TAKEN)
            continue;
        json_node *item = json_add_object(left_out, NULL);
        (void)json_add_string(item, "path", download->files.files[i].path);
        (void)json_add_number(item, "size", (double)download->files.files[i].size_bytes);
        (void)json_add_string(item, "reason", file_verdict_reason(download->verdicts[i]));
    }
}

static model_status print_plan_json(const struct download *download, struct model_error *err)
{
    const struct download_plan *plan = &download->plan;
    json_node *root = json_new_object();
    (void)json_add_string(root, "id", download->model.id);
    (void)json_add_string(root, "revision", download->model.commit);
    json_node *files = json_add_array(root, "files");
    for (size_t i = 0; i < plan->n_files; i++) {
        json_node *item = json_add_object(files, NULL);
        (void)json_add_string(item, "path", plan->files[i].file->path);
        (void)json_add_number(item, "size", (double)plan->files[i].file->size_bytes);
        (void)json_add_bool(item, "in_store", download->present != NULL || plan->files[i].in_store);
    }
    add_left_out(root, download);
    (void)json_add_number(root, "total_bytes", (double)plan->total_bytes);
    (void)json_add_number(root, "fetch_bytes",
                          download->present != NULL ? 0 : (double)plan->fetch_bytes);
    return print_tree(root, err);
}

static model_status print_result_json(const struct download_result *result, struct model_error *err)
{
    struct package package = {0};
    model_status status = package_open(result->dir, NULL, &package, err);
    if (status != MODEL_OK)
        return status;
    json_node *root = json_new_object();
    (void)json_add_string(root, "id", result->id);
    (void)json_add_string(root, "revision", result->revision);
    (void)json_add_string(root, "path", result->dir);
    package_json_add_files(root, &package);
    package_json_add_plugin(root, &package);
    (void)json_add_number(root, "downloaded_bytes", (double)result->downloaded_bytes);
    (void)json_add_number(root, "reused_bytes", (double)result->reused_bytes);
    package_finish(&package);
    return print_tree(root, err);
}

static model_status print_result(const struct arguments *arguments,
                                 const struct download_result *result, struct model_error *err)
{
    char size[HUMAN_TEXT_BYTES];
    if (!arguments->quiet) {
        fprintf(stderr, "%s@%.12s: %s downloaded", result->id, result->revision,
                human_size(result->downloaded_bytes, size));
        if (result->reused_bytes > 0)
            fprintf(stderr, ", %s in the store already", human_size(result->reused_bytes, size));
        fprintf(stderr, "\n");
    }
    if (!arguments->quiet && result->plugin_advice != NULL)
        fprintf(stderr, "pkgmgr: %s\n", result->plugin_advice);
    if (arguments->json)
        return print_result_json(result, err);
    char *line = text_format("%s\n", result->dir);
    if (line == NULL)
        return error_no_memory(err, "the result");
    model_status status = command_print(line, err);
    free(line);
    return status;
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
    status = arguments->json ? print_plan_json(&download, err) : print_plan(&download, err);
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
        status = print_result(arguments, &result, err);
    download_result_finish(&result);
    return status;
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
    if (status == MODEL_INVALID_ARGUMENT)
        return command_usage("download", "%s", err.message);
    if (status != MODEL_OK)
        return command_fail(status, &err);
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
    if (status == MODEL_INVALID_ARGUMENT)
        return command_usage("download", "%s", err.message);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}

static int run_observed(struct arguments *arguments)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct progress_view view;
    struct download_options *options = &arguments->options;
    progress_view_init(&view, arguments->quiet);
    options->hub.log = (struct log_sink){
        .level = arguments->quiet ? MODEL_LOG_ERROR : MODEL_LOG_INFO,
        .write = progress_view_log,
        .context = &view,
    };
    options->hub.cancelled = command_interrupted;
    options->progress = progress_view_update;
    options->file_done = progress_view_file_done;
    options->observer = &view;
    command_catch_interrupts();
    model_status status = run(arguments, &view, &err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}

int cmd_download(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct arguments arguments = {0};
    struct hub_environment environment = {0};
    char *id = NULL, *revision = NULL;
    int code = read_arguments(argc, argv, &arguments);
    if (code == 0)
        code = read_name(&arguments, &id, &revision);
    if (code != 0)
        goto end;
    model_status status = hub_environment_read(&environment, &err);
    if (status != MODEL_OK) {
        code = command_fail(status, &err);
        goto end;
    }
    apply_environment(&arguments.options, &environment);
    code = check_endpoint(arguments.options.hub.endpoint);
    if (code == 0)
        code = run_observed(&arguments);
end:
    hub_environment_finish(&environment);
    free(id);
    free(revision);
    return code;
}
