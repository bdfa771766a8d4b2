/* cmd_quarantine.c - `modelhost quarantine list | clear`: the plugins that are not opened, and letting them
 * out. */
#include "conformance_report.h"
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

#define MIN_PREFIX_BYTES 7

const char cmd_quarantine_help[] =
    "usage: modelhost quarantine list [--store DIR] [--json]\n"
    "       modelhost quarantine clear SHA|FILE ... [--store DIR]\n"
    "       modelhost quarantine clear --all [--store DIR]\n\n"
    "Plugins that failed a conformance run, or crashed too often in a row (quarantine_after_crashes\n"
    "of `modelhost config keys`), are not opened, whatever their file is called: their content is\n"
    "known by its SHA-256. Shows them with reason and expiry, or lets them out. SHA is a digest or\n"
    "its first 7 digits or more, FILE a plugin's file.\n\n"
    "  --all        lets all of them out\n"
    "  --store DIR  default: MODELHOST_STORE, or ~/.cache/modelhost\n"
    "  --json       a JSON array\n";

struct quarantine_command {
    const char *store_option;
    bool all, as_json;
    char *store_dir;
};

/* "2026-11-21T16:00:00Z" */
static void print_time(int64_t seconds, char text[32])
{
    struct tm utc;
    const time_t time_s = (time_t)seconds;
    if (seconds == 0 || gmtime_r(&time_s, &utc) == NULL ||
        strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        (void)snprintf(text, 32, "never");
}

static bool has_expired(const struct quarantine_entry *entry, int64_t now_s)
{
    return entry->expires_s != 0 && entry->expires_s <= now_s;
}

static void add_entry(json_node *array, const struct quarantine_entry *entry, int64_t now_s)
{
    char since[32], expires[32];
    json_node *node = json_add_object(array, NULL);
    print_time(entry->since_s, since);
    print_time(entry->expires_s, expires);
    (void)json_add_string(node, "sha256", entry->sha256);
    (void)json_add_string(node, "plugin", entry->plugin);
    (void)json_add_string(node, "path", entry->path);
    (void)json_add_string(node, "reason", entry->reason);
    (void)json_add_string(node, "since", since);
    (void)json_add_string(node, "expires", expires);
    (void)json_add_bool(node, "expired", has_expired(entry, now_s));
}

static void print_entry(const struct quarantine_entry *entry, int64_t now_s)
{
    char expires[32];
    print_time(entry->expires_s, expires);
    printf("%.12s  %-20s %-20s %s\n", entry->sha256,
           has_expired(entry, now_s) ? "expired" : expires,
           entry->plugin[0] != '\0' ? entry->plugin : "-", entry->reason);
}

static model_status list_all(const struct quarantine_command *run, struct model_error *err)
{
    struct quarantine_list list;
    const int64_t now_s = (int64_t)time(NULL);
    model_status status = quarantine_list(run->store_dir, &list, err);
    if (status != MODEL_OK)
        return status;
    json_node *array = run->as_json ? json_new_array() : NULL;
    if (!run->as_json && list.n_entries > 0)
        printf("%-12s  %-20s %-20s %s\n", "SHA-256", "UNTIL", "PLUGIN", "REASON");
    for (size_t i = 0; i < list.n_entries; i++) {
        if (run->as_json)
            add_entry(array, &list.entries[i], now_s);
        else
            print_entry(&list.entries[i], now_s);
    }
    if (run->as_json) {
        char *text = json_print(array, true);
        status = text != NULL ? command_print(text, err) : error_no_memory(err, "the list");
        free(text);
    }
    json_free(array);
    quarantine_list_finish(&list);
    return status;
}

/* The entry that a digest, the beginning of one, or a file's content means. */
static model_status find_digest(const struct quarantine_command *run, const char *word,
                                char ret[SHA256_HEX_BYTES], struct model_error *err)
{
    struct quarantine_list list;
    uint64_t size_bytes = 0;
    size_t n = 0;
    const size_t length = strlen(word);
    if (path_is_file(word))
        return digest_file_sha256(word, ret, &size_bytes, err);
    if (length < MIN_PREFIX_BYTES || strspn(word, "0123456789abcdef") != length)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "'%s' is no file and no beginning of a SHA-256 with %d digits or more",
                         word, MIN_PREFIX_BYTES);
    model_status status = quarantine_list(run->store_dir, &list, err);
    if (status != MODEL_OK)
        return status;
    for (size_t i = 0; i < list.n_entries; i++)
        if (strncmp(list.entries[i].sha256, word, length) == 0 && ++n == 1)
            memcpy(ret, list.entries[i].sha256, SHA256_HEX_BYTES);
    quarantine_list_finish(&list);
    if (n == 0)
        return error_set(err, MODEL_NOT_FOUND,
                         "%s is not in quarantine; see modelhost quarantine list", word);
    return n == 1
               ? MODEL_OK
               : error_set(err, MODEL_INVALID_ARGUMENT,
                           "%s fits %zu plugins; give more digits, see modelhost quarantine list",
                           word, n);
}

static model_status clear_one(const struct quarantine_command *run, const char *word,
                              struct model_error *err)
{
    char sha256[SHA256_HEX_BYTES];
    model_status status = find_digest(run, word, sha256, err);
    return status == MODEL_OK ? quarantine_clear(run->store_dir, sha256, err) : status;
}

static model_status clear_all(const struct quarantine_command *run, struct model_error *err)
{
    struct quarantine_list list;
    model_status status = quarantine_list(run->store_dir, &list, err);
    if (status != MODEL_OK)
        return status;
    for (size_t i = 0; i < list.n_entries; i++) { /* one that stays does not keep the others */
        struct model_error why = MODEL_ERROR_INIT;
        const model_status cleared = quarantine_clear(run->store_dir, list.entries[i].sha256, &why);
        if (cleared != MODEL_OK && cleared != MODEL_NOT_FOUND && status == MODEL_OK)
            status = error_set(err, cleared, "%s", why.message);
    }
    quarantine_list_finish(&list);
    return status;
}

static model_status clear(const struct quarantine_command *run, char **words, int n_words,
                          struct model_error *err)
{
    model_status status = MODEL_OK;
    if (run->all)
        return clear_all(run, err);
    for (int i = 0; i < n_words && status == MODEL_OK; i++)
        status = clear_one(run, words[i], err);
    return status;
}

int cmd_quarantine(int argc, char **argv)
{
    struct quarantine_command run = {.all = false};
    struct model_error err = MODEL_ERROR_INIT;
    const struct command_option options[] = {{"store", .text = &run.store_option},
                                             {"all", .flag = &run.all},
                                             {"json", .flag = &run.as_json},
                                             {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    const char *verb = optind < argc ? argv[optind++] : "";
    const bool lists = strcmp(verb, "list") == 0, clears = strcmp(verb, "clear") == 0;
    if (!lists && !clears)
        return command_usage(argv[0], "wants list or clear, got '%s'", verb);
    if (lists && (optind < argc || run.all))
        return command_usage(argv[0], "list takes no plugin and no --all");
    if (clears && (optind < argc) == run.all)
        return command_usage(argv[0], "clear wants plugins, or --all");
    model_status status = MODEL_OK;
    if (run.store_option == NULL)
        status = environment_store_dir(&run.store_dir, &err);
    else if ((run.store_dir = text_format("%s", run.store_option)) == NULL)
        status = error_no_memory(&err, "a path");
    if (status == MODEL_OK)
        status = lists ? list_all(&run, &err) : clear(&run, argv + optind, argc - optind, &err);
    free(run.store_dir);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
