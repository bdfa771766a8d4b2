/* cmd_gc.c - `pkgmgr gc`. */
#include "commands.h"
#include "errors.h"
#include "human_text.h"
#include "partial_claim.h"
#include "store_gc.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_GRACE_MS (60 * 60 * 1000)

const char help_gc[] =
    "usage: pkgmgr gc [OPTION]...\n\n"
    "Removes from the store what nothing uses: files that no package names, packages that were\n"
    "superseded, interrupted downloads, what dead processes left, and prepared weights and compiled\n"
    "models that no host used for 30 days. What a running download or a running modelhost uses stays, and so\n"
    "does every revision that a ref leads to ('pkgmgr rm' removes those).\n\n"
    "  --grace TIME   keep what was made or used less than this ago, as in 30m or 12h\n"
    "                 (default: 1h; 0 keeps nothing)\n"
    "  --dry-run      say what would go, remove nothing\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json         print it as JSON\n"
    "  -q, --quiet    say nothing but errors\n";

struct report {
    json_node *removed; /* with --json */
    bool quiet, dry_run;
};

static void report_one(void *context, const char *kind, const char *name, uint64_t size_bytes)
{
    const struct report *report = context;
    char size[HUMAN_TEXT_BYTES];
    if (report->removed != NULL) {
        json_node *item = json_add_object(report->removed, NULL);
        (void)json_add_string(item, "kind", kind);
        (void)json_add_string(item, "name", name);
        (void)json_add_number(item, "freed_bytes", (double)size_bytes);
    } else if (!report->quiet) {
        printf("%-8s %8s  %s\n", kind, human_size(size_bytes, size), name);
    }
}

static void say_sum(const struct report *report, const struct store_gc_result *result)
{
    char size[HUMAN_TEXT_BYTES];
    fprintf(stderr, "pkgmgr: %s %s\n", human_size(result->freed_bytes, size),
            report->dry_run ? "would be freed" : "freed");
    if (result->note != NULL)
        command_note("%zu stay: %s", result->n_kept, result->note);
}

/* A folder of partial/ is named <key>.<owner> while somebody works on it; a key has no dot. */
static bool is_worked_on(void *context, const char *name, int64_t changed_s, int64_t now_s)
{
    struct partial_owner self;
    const char *dot = strchr(name, '.');
    (void)context;
    partial_owner_init(&self);
    return dot != NULL && partial_owner_state(dot + 1, &self, changed_s, now_s) == PARTIAL_ALIVE;
}

static model_status collect(const struct store *store, struct store_gc_options *options,
                            struct report *report, json_node *root, struct model_error *err)
{
    struct store_gc_result result = {0};
    options->report = report_one;
    options->is_worked_on = is_worked_on;
    options->context = report;
    model_status status = store_gc(store, options, &result, err);
    if (status == MODEL_OK && root == NULL && !report->quiet)
        say_sum(report, &result);
    if (status == MODEL_OK && root != NULL) {
        (void)json_add_bool(root, "dry_run", report->dry_run);
        (void)json_add_number(root, "freed_bytes", (double)result.freed_bytes);
        (void)json_add_number(root, "kept", (double)result.n_kept);
        if (result.note != NULL)
            (void)json_add_string(root, "kept_because", result.note);
        status = command_print_json(root, err);
    }
    free(result.note);
    return status;
}

static int read_grace(const char *text, int64_t *ret_s)
{
    int64_t grace_ms = DEFAULT_GRACE_MS;
    bool is_zero = text != NULL && text[0] == '0' && (text[1] == '\0' || text[1] == 's');
    if (text != NULL && !is_zero && !command_duration_ms("gc", "--grace", text, &grace_ms))
        return COMMAND_USAGE;
    *ret_s = is_zero ? 0 : (grace_ms + 999) / 1000;
    return 0;
}

int cmd_gc(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct store *store = NULL;
    struct store_gc_options options = {0};
    struct report report = {0};
    const char *store_dir = NULL, *grace = NULL;
    bool as_json = false;
    const struct command_option table[] = {{"store", .text = &store_dir},
                                           {"grace", .text = &grace},
                                           {"dry-run", .flag = &options.dry_run},
                                           {"json", .flag = &as_json},
                                           {"quiet", .flag = &report.quiet, .letter = 'q'},
                                           {.name = NULL}};
    if (!command_read_options(argc, argv, table))
        return COMMAND_USAGE;
    if (optind != argc)
        return command_usage("gc", "takes no argument, but got '%s'", argv[optind]);
    int code = read_grace(grace, &options.grace_s);
    if (code != 0)
        return code;
    model_status status = command_open_store(store_dir, 0, &store, &err);
    if (status == MODEL_OK) {
        json_node *root = as_json ? json_new_object() : NULL;
        report.removed = json_add_array(root, "removed");
        report.dry_run = options.dry_run;
        status = collect(store, &options, &report, root, &err);
        if (status != MODEL_OK)
            command_advise_store(store, &err);
        json_free(root);
    }
    store_close(store);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
