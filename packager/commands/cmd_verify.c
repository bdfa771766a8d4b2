/* cmd_verify.c - `pkgmgr verify`. */
#include "archive.h"
#include "command_hub.h"
#include "command_secret.h"
#include "command_trust.h"
#include "commands.h"
#include "deep_check.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"
#include "human_text.h"
#include "package_locate.h"
#include "package_repair.h"
#include "store_census.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char help_verify[] =
    "usage: pkgmgr verify PKG [OPTION]...\n\n"
    "Reads every file of a package and compares its SHA-256 with the package's metadata.json.\n"
    "Exit code 7 when a file is damaged, missing, not listed there or a link to elsewhere, 8 when\n"
    "one cannot be read. Says whose signature the package has: exit code 7, too, when it is bad, of a\n"
    "revoked key, or of something else. PKG is a name in the store, a folder, or an archive (.mhp), of which the\n"
    "whole file is checked, too.\n\n"
    "  --deep         also open the weights and read every number, look at the plugin's file, and\n"
    "                 say what the store has that no package names\n" COMMAND_SECRET_HELP
    "  --repair       mend a package of the store: damaged files are taken from the store, the hub or\n"
    "                 the plugin path, and must be what its metadata.json, and so its signature, says\n"
    "  --token T, --token-file F, --endpoint URL, --plugin-path P  for that, as of download\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --require-signature  refuse what no trusted key signed (exit code 7; pkgmgr help keys)\n"
    "  --json         print the result as JSON, and events to standard error, one a line\n"
    "  -q, --quiet    say nothing but errors\n";

struct arguments {
    const char *package, *store_dir;
    struct command_secret secret;
    struct command_hub hub; /* for --repair */
    bool json, quiet, deep, require_signature, repair;
};

/* What store_verify_package() reports. */
struct findings {
    const struct arguments *arguments;
    json_node *files; /* with --json */
    size_t n_good, n_bad;
    json_node *root; /* gets the state of the signature */
};

static void send_event(const char *path, bool good)
{
    json_node *event = command_event("file");
    (void)json_add_string(event, "path", path);
    (void)json_add_bool(event, "ok", good);
    command_event_send(event);
}

static void report(void *context, const char *path, model_status status, const char *sentence)
{
    struct findings *findings = context;
    bool good = status == MODEL_OK;
    findings->n_good += good;
    findings->n_bad += !good;
    if (findings->arguments->json) {
        json_node *item = json_add_object(findings->files, NULL);
        (void)json_add_string(item, "path", path);
        (void)json_add_bool(item, "ok", good);
        if (!good)
            (void)json_add_string(item, "error", sentence != NULL ? sentence : "damaged");
        if (!findings->arguments->quiet)
            send_event(path, good);
    } else if (!findings->arguments->quiet) {
        printf("%-7s %s\n", good ? "ok" : status == MODEL_IO ? "UNREADABLE" : "DAMAGED", path);
    }
}

static model_status print_json(const char *dir, bool good, json_node *root, struct model_error *err)
{
    (void)json_add_string(root, "path", dir);
    (void)json_add_bool(root, "ok", good);
    char *text = command_json_text(root);
    model_status status =
        text != NULL ? command_print(text, err) : error_no_memory(err, "the result");
    free(text);
    return status;
}

/* What lies in the store and no package names is no fault, and worth a word. */
static void say_unused(const struct store *store, const struct arguments *arguments,
                       json_node *root)
{
    struct store_census census = {0};
    size_t n_unused = 0;
    char size[HUMAN_TEXT_BYTES];
    if (store == NULL || store_census_take(store, 0, NULL, NULL, &census, NULL) != MODEL_OK)
        return;
    uint64_t bytes = census.unknown == NULL ? store_census_unused_bytes(&census, &n_unused)
                                            : 0; /* nobody knows */
    store_census_finish(&census);
    if (arguments->json)
        (void)json_add_number(root, "unused_files", (double)n_unused);
    else if (n_unused > 0 && !arguments->quiet)
        fprintf(stderr,
                "pkgmgr: %zu files of the store, %s, are named by no package; `pkgmgr gc` "
                "removes them\n",
                n_unused, human_size(bytes, size));
}

/* Without a trusted key nobody knows; what is known to be wrong is an error in any case. */
static bool is_refused(const char *state, bool is_required)
{
    static const char *const open_states[] = {"good", "none", "unknown_key", "unchecked"};
    for (size_t i = 0; i < sizeof open_states / sizeof open_states[0]; i++)
        if (strcmp(state, open_states[i]) == 0)
            return is_required && i > 0;
    return true;
}

/* *ret_required: whether a signature is. */
static model_status require_signature(const struct findings *findings, const char *dir,
                                      const struct archive *archive, bool *ret_required,
                                      struct model_error *err)
{
    struct command_trust trust;
    model_status status = command_trust_init(&trust, findings->arguments->require_signature, err);
    if (status == MODEL_OK)
        status = command_trust_check(&trust, dir, archive, err);
    *ret_required = trust.is_required;
    command_trust_finish(&trust);
    return status;
}

static model_status check_signature(const struct findings *findings, const char *dir,
                                    const struct archive *archive, struct model_error *err)
{
    bool is_required = false;
    const json_node *signature = command_add_signature(findings->root, dir, archive);
    const char *state = json_string_or(json_member(signature, "state"), "?");
    const char *error = json_string_or(json_member(signature, "error"), NULL);
    char *text = command_signature_text(signature);
    if (text != NULL && !findings->arguments->json && !findings->arguments->quiet)
        printf("signature  %s\n", text);
    free(text);
    model_status status = require_signature(findings, dir, archive, &is_required, err);
    if (status == MODEL_OK && is_refused(state, is_required))
        status = error_set(err, MODELHOST_UNTRUSTED, "%s", error != NULL ? error : state);
    return status;
}

/* ---- repairing */

static model_status mend(const struct arguments *arguments, const struct store *store,
                         const struct package_place *place, json_node *root,
                         struct model_error *err)
{
    struct command_trust trust = {.is_required = false};
    struct download_options options = arguments->hub.options;
    struct package_repaired repaired = {0};
    if (!place->in_store)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "%s is no package of the store, and only those can be repaired; get it "
                         "again from where it came from",
                         place->dir);
    model_status status = command_trust_init(&trust, arguments->require_signature, err);
    options.signature = command_trust_policy(&trust);
    if (status == MODEL_OK)
        status = package_repair(store, place->dir, &options, &repaired, err);
    command_trust_finish(&trust);
    if (status != MODEL_OK)
        return status;
    (void)json_add_number(root, "mended_files", (double)repaired.n_files);
    if (!arguments->quiet && !arguments->json)
        fprintf(stderr, "pkgmgr: %zu damaged files mended\n", repaired.n_files);
    return MODEL_OK;
}

static model_status check(const struct arguments *arguments, const char *dir,
                          struct findings *findings, struct model_error *err)
{
    bool is_required = false;
    model_status status = store_verify_package(dir, report, findings, err);
    if (status == MODEL_NOT_FOUND) { /* no manifest, and so nothing that is signed */
        model_status found = require_signature(findings, dir, NULL, &is_required, err);
        return found != MODEL_OK ? found : status;
    }
    if (status == MODEL_OK && arguments->deep) /* what is damaged is not opened */
        status = deep_check_package(dir, report, findings, err);
    return status == MODEL_OK ? check_signature(findings, dir, NULL, err) : status;
}

/* The whole file, and each content by itself: one that differs is named. */
static model_status verify_archive(const char *path, struct findings *findings,
                                   struct model_error *err)
{
    struct archive *archive = NULL;
    struct model_error sentence = MODEL_ERROR_INIT;
    model_status status =
        command_open_archive(path, ARCHIVE_STANDARD, &findings->arguments->secret, &archive, err);
    if (status != MODEL_OK)
        return status;
    const struct archive_index *index = archive_index(archive);
    for (size_t i = 0; i < index->n_entries; i++) {
        model_status found = archive_check_entry(archive, &index->entries[i], &sentence);
        if (found == MODELHOST_UNAUTHORIZED) { /* without a key the whole file can be compared */
            status = archive_check_file(archive, err);
            if (status == MODEL_OK)
                status = error_set(err, found, "%s", sentence.message);
            break;
        }
        report(findings, index->entries[i].path, found, sentence.message);
        if (found != MODEL_OK && status == MODEL_OK)
            status = error_set(err, found, "%s", sentence.message);
    }
    if (status == MODEL_OK)
        status = archive_check_file(archive, err);
    if (status == MODEL_OK)
        status = check_signature(findings, path, archive, err);
    if (status == MODEL_OK && !findings->arguments->quiet)
        command_warn_of_own(archive);
    archive_close(archive);
    return status;
}

static model_status verify(const struct arguments *arguments, struct model_error *err)
{
    struct store *store = NULL;
    struct package_place place = {0};
    json_node *root = json_new_object();
    struct findings findings = {
        .arguments = arguments, .files = json_add_array(root, "files"), .root = root};
    struct model_error ignored = MODEL_ERROR_INIT;
    model_status status = arguments->repair
                              ? command_open_store(arguments->store_dir, 1, &store, err)
                              : command_look_into_store(arguments->store_dir, &store, err);
    if (status == MODEL_OK)
        status = package_locate(store, arguments->package, &place, err);
    if (status != MODEL_OK)
        goto end;
    if (arguments->repair)
        status = mend(arguments, store, &place, root, err);
    if (status != MODEL_OK)
        goto end;
    status = path_is_dir(place.dir) ? check(arguments, place.dir, &findings, err)
                                    : verify_archive(place.dir, &findings, err);
    if (arguments->deep)
        say_unused(store, arguments, root);
    if (arguments->json) {
        model_status printed = print_json(place.dir, status == MODEL_OK, root, &ignored);
        if (status == MODEL_OK && printed != MODEL_OK)
            status = error_set(err, printed, "%s", ignored.message);
    } else if (status == MODEL_OK && !arguments->quiet) {
        printf("%zu %s, all as they should be: %s\n", findings.n_good,
               arguments->deep ? "files and parts" : "files", place.dir);
    }
end:
    json_free(root);
    package_place_finish(&place);
    store_close(store);
    return status;
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    const struct command_option options[] = {
        {"store", .text = &arguments->store_dir},
        {"deep", .flag = &arguments->deep},
        {"passphrase-file", .text = &arguments->secret.passphrase_file},
        {"key-file", .text = &arguments->secret.key_file},
        {"require-signature", .flag = &arguments->require_signature},
        {"repair", .flag = &arguments->repair},
        {"token", .text = &arguments->hub.options.hub.token},
        {"token-file", .text = &arguments->hub.token_file},
        {"endpoint", .text = &arguments->hub.options.hub.endpoint},
        {"plugin-path", .text = &arguments->hub.options.plugin_path},
        {"json", .flag = &arguments->json},
        {"quiet", .flag = &arguments->quiet, .letter = 'q'},
        {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (argc - optind != 1)
        return command_usage("verify", "want one PKG");
    if (!command_secret_check("verify", &arguments->secret))
        return COMMAND_USAGE;
    const struct download_options *hub = &arguments->hub.options;
    if (!arguments->repair && (hub->hub.token != NULL || arguments->hub.token_file != NULL ||
                               hub->hub.endpoint != NULL || hub->plugin_path != NULL))
        return command_usage("verify", "a hub and a plugin path are for --repair");
    arguments->package = argv[optind];
    return command_check_package("verify", arguments->package);
}

int cmd_verify(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct arguments arguments = {0};
    int code = read_arguments(argc, argv, &arguments);
    if (code != 0)
        return code;
    const struct command_talk talk = {.json = arguments.json, .quiet = arguments.quiet};
    if (arguments.repair)
        code = command_hub_begin("verify", &talk, &arguments.hub);
    if (code == 0) {
        model_status status = verify(&arguments, &err);
        code = status == MODEL_OK ? 0 : command_fail(status, &err);
    }
    command_hub_end(&arguments.hub);
    return code;
}
