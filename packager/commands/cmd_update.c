/* cmd_update.c - `pkgmgr update`. */
#include "command_hub.h"
#include "command_trust.h"
#include "commands.h"
#include "errors.h"
#include "files.h"
#include "human_text.h"
#include "package_update.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char help_update[] =
    "usage: pkgmgr update ID[@REF]... | --all [OPTION]...\n\n"
    "Asks the hub what the branch or tag means now ('main' without @REF), says what changed, file by\n"
    "file, and gets it. The version before stays in the store: 'pkgmgr rollback' goes back to it.\n"
    "--all takes every branch and tag that leads to a package of the store.\n\n"
    "  --all              all packages that came from a hub\n"
    "  --dry-run          say what changed, get nothing\n"
    "  --token T          for private and gated models (default: HF_TOKEN, or the token file)\n"
    "  --token-file F     the same, of the first line of a file; other users cannot see it meanwhile\n"
    "  --endpoint URL     the hub (default: HF_ENDPOINT, or https://huggingface.co)\n"
    "  --store DIR        where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --plugin-path P    folders with plugins, separated by ':' (default: MODELHOST_PLUGIN_PATH)\n"
    "  --require-signature  only to a package that the store has signed by a trusted key (exit code 7);\n"
    "                     a hub's files bring no signature\n"
    "  --json             print the result as JSON, and events to standard error, one a line\n"
    "  -q, --quiet        say nothing but errors\n"
    "  -v, --verbose      a line for each request, without token\n";

struct updates {
    struct command_hub hub;
    struct store *store;
    struct store_list list;
    json_node *root; /* an array, with --json */
    struct command_trust trust;
    bool all, dry_run, require_signature;
    struct command_talk talk;
};

/* ---- telling */

static const char *const change_names[] = {
    [FILE_ADDED] = "added", [FILE_REMOVED] = "removed", [FILE_CHANGED] = "changed"};

static void tell_json(const struct updates *updates, const struct package_update *update)
{
    json_node *item = json_add_object(updates->root, NULL);
    (void)json_add_string(item, "id", update->id);
    (void)json_add_string(item, "ref", update->ref);
    (void)json_add_string(item, "from", update->from);
    (void)json_add_string(item, "to", update->to);
    (void)json_add_bool(item, "changed", strcmp(update->from, update->to) != 0);
    if (update->dir != NULL)
        (void)json_add_string(item, "path", update->dir);
    json_node *files = json_add_array(item, "files");
    for (size_t i = 0; i < update->n_files; i++) {
        const struct changed_file *file = &update->files[i];
        json_node *node = json_add_object(files, NULL);
        (void)json_add_string(node, "path", file->path);
        (void)json_add_string(node, "change", change_names[file->change]);
        (void)json_add_number(node, "old_size", (double)file->old_bytes);
        (void)json_add_number(node, "new_size", (double)file->new_bytes);
    }
}

static void tell_text(const struct updates *updates, const struct package_update *update)
{
    char before[HUMAN_TEXT_BYTES], after[HUMAN_TEXT_BYTES];
    if (strcmp(update->from, update->to) == 0) {
        printf("%s@%s is up to date (%.12s)\n", update->id, update->ref, update->to);
        return;
    }
    printf("%s@%s %.12s -> %.12s%s\n", update->id, update->ref, update->from, update->to,
           updates->dry_run ? " (not fetched)" : "");
    for (size_t i = 0; i < update->n_files; i++) {
        const struct changed_file *file = &update->files[i];
        (void)human_size(file->old_bytes, before);
        (void)human_size(file->new_bytes, after);
        if (file->change == FILE_CHANGED)
            printf("  changed  %s  %s -> %s\n", file->path, before, after);
        else
            printf("  %-7s  %s  %s\n", change_names[file->change], file->path,
                   file->change == FILE_ADDED ? after : before);
    }
}

/* ---- doing */

/* What is new is judged before it is fetched; where nothing is, the package that the ref leads to. */
static model_status check_signature(const struct updates *updates, const struct store_entry *entry,
                                    const struct package_update *update, struct model_error *err)
{
    if (strcmp(update->from, update->to) != 0)
        return MODEL_OK;
    return download_check_signature(command_trust_policy(&updates->trust), entry->dir, entry->id,
                                    err);
}

static model_status update_one(struct updates *updates, const struct store_entry *entry,
                               const char *ref, struct model_error *err)
{
    struct package_update update = {0};
    model_status status = package_update_run(entry, ref, store_dir(updates->store),
                                             &updates->hub.options, updates->dry_run, &update, err);
    progress_view_clear(&updates->hub.view);
    if (status == MODELHOST_UNTRUSTED)
        error_advise(err,
                     "until then it stays at %.12s; 'pkgmgr update %s --dry-run' shows what is new",
                     entry->revision, entry->id);
    if (status == MODEL_OK)
        status = check_signature(updates, entry, &update, err);
    if (status == MODEL_OK && updates->talk.json)
        tell_json(updates, &update);
    else if (status == MODEL_OK && !updates->talk.quiet)
        tell_text(updates, &update);
    package_update_finish(&update);
    return status;
}

static const struct store_entry *entry_of(const struct updates *updates, const char *dir)
{
    for (size_t i = 0; i < updates->list.n_entries; i++)
        if (strcmp(updates->list.entries[i].dir, dir) == 0)
            return &updates->list.entries[i];
    return NULL;
}

static model_status update_named(struct updates *updates, const char *name, struct model_error *err)
{
    char *id = NULL, *ref = NULL, *dir = NULL;
    model_status status = store_split_name(name, &id, &ref, err);
    if (status == MODEL_OK)
        status = store_find(updates->store, name, &dir, err);
    const struct store_entry *entry = status == MODEL_OK ? entry_of(updates, dir) : NULL;
    if (status == MODEL_OK && entry == NULL)
        status = error_set(err, MODEL_CORRUPT,
                           "the package %s cannot be read; `pkgmgr list` says "
                           "why",
                           dir);
    if (status == MODEL_OK)
        status = update_one(updates, entry,
                            ref != NULL          ? ref
                            : entry->n_refs == 1 ? entry->refs[0]
                                                 : "main",
                            err);
    free(dir);
    free(ref);
    free(id);
    return status;
}

/* Goes on after one that fails; returns the first failure. */
static int update_all(struct updates *updates)
{
    int code = 0;
    for (size_t i = 0; i < updates->list.n_entries; i++) {
        const struct store_entry *entry = &updates->list.entries[i];
        struct manifest manifest = {0};
        bool is_local =
            manifest_read(entry->dir, &manifest, NULL) != MODEL_OK || manifest.endpoint[0] == '\0';
        manifest_finish(&manifest);
        for (size_t j = 0; j < entry->n_refs && !is_local && !command_interrupted(NULL); j++) {
            struct model_error err = MODEL_ERROR_INIT;
            model_status status = update_one(updates, entry, entry->refs[j], &err);
            code = command_next_code(code, status, &err);
        }
    }
    return code;
}

static int run(struct updates *updates, char **names, int n_names)
{
    struct model_error err = MODEL_ERROR_INIT;
    model_status status =
        command_open_store(updates->hub.options.store_dir, 0, &updates->store, &err);
    if (status == MODEL_OK)
        status = store_list_packages(updates->store, &updates->list, &err);
    if (status == MODEL_OK && updates->hub.options.offline)
        status = error_set(&err, MODELHOST_OFFLINE,
                           "offline: update has to ask the hub; unset HF_HUB_OFFLINE");
    if (status != MODEL_OK)
        return command_fail(status, &err);
    int code = updates->all ? update_all(updates) : 0;
    for (int i = 0; i < n_names; i++) {
        status = update_named(updates, names[i], &err);
        code = command_next_code(code, status, &err);
    }
    return command_last_code(code, updates->root);
}

int cmd_update(int argc, char **argv)
{
    struct updates updates = {0};
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = MODEL_OK;
    struct download_options *options = &updates.hub.options;
    const struct command_option table[] = {
        {"all", .flag = &updates.all},
        {"dry-run", .flag = &updates.dry_run},
        {"token", .text = &options->hub.token},
        {"token-file", .text = &updates.hub.token_file},
        {"endpoint", .text = &options->hub.endpoint},
        {"store", .text = &options->store_dir},
        {"plugin-path", .text = &options->plugin_path},
        {"require-signature", .flag = &updates.require_signature},
        COMMAND_TALK_OPTIONS(&updates.talk),
        {.name = NULL}};
    if (!command_read_options(argc, argv, table))
        return COMMAND_USAGE;
    if ((optind == argc) != updates.all)
        return command_usage("update", updates.all ? "--all and names do not go together"
                                                   : "which models? want ID... or --all");
    for (int i = optind; i < argc; i++) {
        int wrong = command_check_package("update", argv[i]);
        if (wrong != 0)
            return wrong;
    }
    updates.root = updates.talk.json ? json_new_array() : NULL;
    int code = command_hub_begin("update", &updates.talk, &updates.hub);
    if (code == 0 &&
        (status = command_trust_init(&updates.trust, updates.require_signature, &err)) != MODEL_OK)
        code = command_fail(status, &err);
    options->signature = command_trust_policy(&updates.trust);
    if (code == 0)
        code = run(&updates, argv + optind, argc - optind);
    command_trust_finish(&updates.trust);
    json_free(updates.root);
    store_list_finish(&updates.list);
    store_close(updates.store);
    command_hub_end(&updates.hub);
    return code;
}
