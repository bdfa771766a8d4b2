/* cmd_check_plugin.c - `modelhost check-plugin FILE.so`: the twelve checks of a conformance run, a table, a
 * report in the store, quarantine for what failed. With --check N, which is not for people, it is the
 * process of one check. */
#include "check_child.h"
#include "check_process.h"
#include "conformance_run.h"
#include "environment.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"
#include "modelhost_commands.h"
#include "quarantine.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

#define DEFAULT_TIME_LIMIT_MS 120000
#define DEFAULT_ROUNDS        1000
#define SECONDS_PER_DAY       86400

const char cmd_check_plugin_help[] =
    "usage: modelhost check-plugin FILE [--package PKG] [--only N,...] [--time-limit T]\n"
    "                              [--rounds N] [--store DIR] [--json]\n"
    "                              [--passphrase-file FILE | --key-file FILE]\n\n"
    "Runs the twelve checks of a conformance run on a plugin, each in a process of its own with a\n"
    "time limit, and prints a verdict for each. Exit code 0 when none failed. A run without --only,\n"
    "--time-limit and --rounds leaves a report in the store, by which a load policy of \"conformant\"\n"
    "lets the plugin in; a plugin that failed goes into quarantine there for seven days (modelhost\n"
    "quarantine). Any other run leaves nothing. A package that cannot be opened is an error, as of\n"
    "run, and says nothing of the plugin.\n\n"
    "  --package PKG    a small package of the plugin's architecture: a name in the store, a file\n"
    "                   (.mhp), or a folder with config.json and weights. Without it checks\n"
    "                   that need a model are skipped, unless the plugin runs without any\n"
    "  --only N,...     these checks only\n"
    "  --time-limit T   for each check (default 2m)\n"
    "  --rounds N       of check 4, create, run and destroy (16 or more; default 1000)\n"
    "  --store DIR      default: MODELHOST_STORE, or ~/.cache/modelhost\n"
    "  --json           a JSON object\n" COMMAND_LOAD_SECRET_HELP;

struct check_command {
    const char *plugin, *package, *only_text;
    struct command_places places;
    struct command_loading loading;
    int64_t rounds, time_limit_ms, check;
    bool as_json;
    uint32_t only;
    char *store_dir, *package_dir, *program;
};

/* "1,4,11" as bits. False after printing what is wrong. */
static bool read_only(const char *command, struct check_command *run)
{
    for (const char *at = run->only_text; at != NULL && *at != '\0';) {
        char *end = NULL;
        const long number = strtol(at, &end, 10);
        if (end == at || number < 1 || number > CHECK_COUNT || (*end != ',' && *end != '\0')) {
            (void)command_usage(command, "--only wants numbers from 1 to %d with commas, got '%s'",
                                CHECK_COUNT, run->only_text);
            return false;
        }
        run->only |= 1u << (number - 1);
        at = *end == ',' ? end + 1 : end;
    }
    return true;
}

static bool read_options(int argc, char **argv, struct check_command *run)
{
    const struct command_option options[] = {
        {"package", .text = &run->package},
        {"only", .text = &run->only_text},
        {"time-limit", .duration_ms = &run->time_limit_ms, .min = 1, .max = INT32_MAX},
        {"rounds", .integer = &run->rounds, .min = CHECK_MIN_ROUNDS, .max = INT32_MAX},
        {"store", .text = &run->places.store_dir},
        {"json", .flag = &run->as_json},
        {"passphrase-file", .text = &run->loading.passphrase_file},
        {"key-file", .text = &run->loading.key_file},
        {"check", .integer = &run->check, .min = 0, .max = CHECK_CHILD_HANG},
        {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return false;
    if (argc - optind != 1) {
        (void)command_usage(argv[0], "wants one plugin file, got %d", argc - optind);
        return false;
    }
    run->plugin = argv[optind];
    if (!command_loading(argv[0], &run->loading, NULL))
        return false;
    if (run->package == NULL &&
        (run->loading.passphrase_file != NULL || run->loading.key_file != NULL))
        return command_usage(argv[0], "--passphrase-file and --key-file are of a --package") == 0;
    return read_only(argv[0], run);
}

/* Whether its findings count for others: not those of a run that was made easier or harder. */
static bool is_usual(const struct check_command *run)
{
    return run->only == 0 && run->rounds == DEFAULT_ROUNDS &&
           run->time_limit_ms == DEFAULT_TIME_LIMIT_MS;
}

/* The process of one check: its verdict goes over a pipe. */
static int run_one(const struct check_command *run)
{
    const struct check_child_options options = {.subject = {.plugin = run->plugin,
                                                            .package = run->package,
                                                            .threads = 1,
                                                            .record_fd = CHECK_PROCESS_RECORD_FD},
                                                .number = (uint32_t)run->check,
                                                .rounds = run->rounds,
                                                .time_ms = run->time_limit_ms,
                                                .token_fd = STDIN_FILENO};
    return check_child_run(&options);
}

static model_status find_program(char **ret, struct model_error *err)
{
    char path[4096];
#ifdef __APPLE__
    uint32_t size = sizeof path;
    const ssize_t n = _NSGetExecutablePath(path, &size) == 0 ? (ssize_t)strlen(path) : -1;
#else
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
#endif
    *ret = n > 0 ? text_format("%.*s", (int)n, path) : NULL;
    return *ret != NULL ? MODEL_OK
                        : error_set(err, MODEL_IO,
                                    "cannot find the path of this command; is /proc "
                                    "mounted?");
}

static model_status find_places(struct check_command *run, struct model_error *err)
{
    model_status status = MODEL_OK;
    if (run->places.store_dir == NULL)
        status = environment_store_dir(&run->store_dir, err);
    else if ((run->store_dir = text_format("%s", run->places.store_dir)) == NULL)
        status = error_no_memory(err, "a path");
    if (status == MODEL_OK && run->package != NULL &&
        (path_is_dir(run->package) || path_is_file(run->package)))
        run->package_dir = realpath(run->package, NULL);
    else if (status == MODEL_OK && run->package != NULL)
        status = command_find_package(&run->places, run->package, &run->package_dir, err);
    return status == MODEL_OK ? find_program(&run->program, err) : status;
}

/* Before any check: what is wrong with the package is not the plugin's fault. */
static model_status open_package(const struct check_command *run, struct checked_package *ret,
                                 struct model_error *err)
{
    const struct archive_secret *secret = NULL;
    model_status status = MODEL_OK;
    if (run->package == NULL)
        return MODEL_OK;
    status = command_secret(&run->loading, &secret, err);
    return status == MODEL_OK
               ? checked_package_open(run->plugin, run->package_dir, secret, ret, err)
               : status;
}

static void print_row(void *context, uint32_t number, const struct conformance_result *result)
{
    const struct check_command *run = context;
    if (run->as_json)
        return;
    printf("%2u  %-9s %-8s %7lld ms  %s\n", number, check_list[number - 1].name,
           check_verdict_name(result->verdict), (long long)result->time_ms, result->reason);
    (void)fflush(stdout);
}

static model_status print_json(const struct conformance_report *report,
                               const struct check_command *run, const char *report_path,
                               struct model_error *err)
{
    json_node *root = NULL;
    char *text = conformance_report_print(report);
    model_status status = text != NULL ? json_parse(text, strlen(text), "the report", &root, err)
                                       : error_no_memory(err, "the report");
    free(text);
    if (status != MODEL_OK)
        return status;
    (void)json_add_string(root, "path", run->plugin);
    (void)json_add_bool(root, "usual", is_usual(run));
    if (report_path != NULL)
        (void)json_add_string(root, "report", report_path);
    text = json_print(root, true);
    status = text != NULL ? command_print(text, err) : error_no_memory(err, "the report");
    free(text);
    json_free(root);
    return status;
}

/* The first failed check goes into quarantine with the plugin; one that passes all comes out. False, with a
 * warning: it could not be written. */
static bool keep_quarantine(const struct check_command *run,
                            const struct conformance_report *report)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct quarantine_entry entry = {.since_s = report->created_s};
    model_status status = MODEL_OK;
    entry.expires_s = entry.since_s + QUARANTINE_DEFAULT_DAYS * SECONDS_PER_DAY;
    memcpy(entry.sha256, report->sha256, sizeof entry.sha256);
    (void)snprintf(entry.plugin, sizeof entry.plugin, "%s %s", report->plugin,
                   report->plugin_version);
    (void)snprintf(entry.path, sizeof entry.path, "%s", run->plugin);
    size_t failed = 0;
    while (failed < CHECK_COUNT &&
           !(report->checks[failed].has_run && report->checks[failed].verdict == CHECK_FAILED))
        failed++;
    if (failed < CHECK_COUNT) {
        (void)snprintf(entry.reason, sizeof entry.reason, "failed check %zu (%s): %.400s",
                       failed + 1, check_list[failed].name, report->checks[failed].reason);
        status = quarantine_add(run->store_dir, &entry, &err);
    } else if (conformance_report_is_conformant(report)) {
        status = quarantine_clear(run->store_dir, report->sha256, &err);
        status = status == MODEL_NOT_FOUND ? MODEL_OK : status;
    }
    if (status != MODEL_OK)
        command_warn("quarantine: %s", err.message);
    return status == MODEL_OK;
}

static int report_failed(const struct check_command *run, const char *failed, bool is_kept)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (is_kept)
        (void)error_set(&err, MODEL_INTERNAL,
                        "%s failed check %s; it is in quarantine for %d days, see modelhost "
                        "quarantine list",
                        run->plugin, failed, QUARANTINE_DEFAULT_DAYS);
    else
        (void)error_set(&err, MODEL_INTERNAL, "%s failed check %s%s", run->plugin, failed,
                        is_usual(run) ? "; it could not be put into quarantine, and hosts open it "
                                        "as before: make room in the store, then check it again"
                                      : "");
    return command_fail(MODEL_INTERNAL, &err);
}

/* What a run leaves, and the last lines. Returns the exit code. */
static int conclude(const struct check_command *run, const struct conformance_report *report,
                    const char *refusal)
{
    struct model_error err = MODEL_ERROR_INIT;
    char failed[64], skipped[64], *path = NULL;
    const size_t n_failed = conformance_report_list(report, CHECK_FAILED, failed, sizeof failed);
    const size_t n_skipped =
        conformance_report_list(report, CHECK_SKIPPED, skipped, sizeof skipped);
    model_status status = MODEL_OK;
    bool is_kept = false;
    if (is_usual(run)) {
        is_kept = keep_quarantine(run, report);
        if (conformance_report_save(run->store_dir, report, &path, &err) != MODEL_OK)
            command_warn("no report was kept: %s", err.message);
    }
    if (run->as_json)
        status = print_json(report, run, path, &err);
    else
        status = command_flush(&err);
    if (status == MODEL_OK && path != NULL && !run->as_json)
        fprintf(stderr, "modelhost: report %s\n", path);
    free(path);
    if (status != MODEL_OK)
        return command_fail(status, &err);
    if (!is_usual(run))
        command_warn("neither report nor quarantine: those need a run without --only, --time-limit "
                     "and --rounds");
    if (n_failed > 0)
        return report_failed(run, failed, is_kept);
    if (run->package != NULL && refusal[0] != '\0') {
        (void)error_set(&err, MODEL_INTERNAL, "%s refuses the package %s: %s", run->plugin,
                        run->package, refusal);
        return command_fail(MODEL_INTERNAL, &err);
    }
    if (n_skipped > 0)
        command_warn("check %s skipped: the plugin is not conformant by this run", skipped);
    return 0;
}

int cmd_check_plugin(int argc, char **argv)
{
    struct check_command run = {
        .rounds = DEFAULT_ROUNDS, .time_limit_ms = DEFAULT_TIME_LIMIT_MS, .check = -1};
    struct model_error err = MODEL_ERROR_INIT;
    struct conformance_report report;
    struct checked_package package = {.path = NULL};
    char refusal[CHECK_REASON_BYTES];
    if (!read_options(argc, argv, &run))
        return COMMAND_USAGE;
    if (run.check >= 0)
        return run_one(&run);
    model_status status = find_places(&run, &err);
    if (status == MODEL_OK)
        status = open_package(&run, &package, &err);
    if (status == MODEL_OK) {
        const struct conformance_options options = {.program = run.program,
                                                    .plugin = run.plugin,
                                                    .package =
                                                        package.path != NULL ? &package : NULL,
                                                    .only = run.only,
                                                    .time_limit_ms = run.time_limit_ms,
                                                    .rounds = run.rounds,
                                                    .ended = print_row,
                                                    .context = &run};
        status = conformance_run(&options, &report, refusal, &err);
    }
    const int code =
        status == MODEL_OK ? conclude(&run, &report, refusal) : command_fail(status, &err);
    checked_package_finish(&package);
    free(run.store_dir);
    free(run.package_dir);
    free(run.program);
    return code;
}
