/* cmd_versions.c - `pkgmgr versions` and `pkgmgr rollback`. */
#include "command_trust.h"
#include "commands.h"
#include "errors.h"
#include "files.h"
#include "human_text.h"
#include "store_history.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT_BYTES (16u << 20)

const char help_versions[] =
    "usage: pkgmgr versions ID [OPTION]...\n\n"
    "Shows the versions of a model that the store has, newest download first, with the refs that\n"
    "lead to each now, and what each branch and tag led to before.\n\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json         print them as JSON\n";

const char help_rollback[] =
    "usage: pkgmgr rollback ID[@REF] [REVISION] [OPTION]...\n\n"
    "Leads REF ('main' is meant without) back to the version before, or to REVISION, which the\n"
    "store must have: a commit or its beginning, a branch or a tag. Done again it goes back one\n"
    "version more. The version that is left stays in the store; a download or an update of REF\n"
    "leads forward again. Prints the folder of the package that REF leads to now.\n\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --require-signature  only to a package that a trusted key signed (exit code 7)\n"
    "  --json         print the result as JSON\n"
    "  -q, --quiet    say nothing but errors\n";

/* ---- versions */

struct versions {
    const struct store *store;
    struct store_list list;
    char *key; /* of the canonical id */
};

/* Points behind "packages/". */
static const char *target_of(const char *dir)
{
    const char *digest = path_base(dir), *at = digest - 1;
    while (at > dir && at[-1] != '/')
        at--;
    return at;
}

static bool is_of_key(const struct versions *versions, const struct store_entry *entry)
{
    size_t n = strlen(versions->key);
    const char *target = target_of(entry->dir);
    return strncmp(target, versions->key, n) == 0 && target[n] == '/';
}

/* The model that the name means: by its main, or by whatever leads to it. */
static model_status find_key(struct versions *versions, const char *id, struct model_error *err)
{
    char *dir = NULL;
    model_status status = store_find(versions->store, id, &dir, err);
    if (status == MODEL_OK) {
        const char *target = target_of(dir);
        versions->key = text_format("%.*s", (int)strcspn(target, "/"), target);
    } else if (status == MODEL_INVALID_ARGUMENT) { /* several versions and no main */
        status = store_key_of(id, &versions->key, err);
    }
    free(dir);
    return status == MODEL_OK && versions->key == NULL ? error_no_memory(err, "a key") : status;
}

static int compare_created(const void *a, const void *b)
{
    const struct store_entry *x = a, *y = b;
    return strcmp(y->created, x->created);
}

static model_status gather(struct versions *versions, const char *id, struct model_error *err)
{
    model_status status = find_key(versions, id, err);
    if (status == MODEL_OK)
        status = store_list_packages(versions->store, &versions->list, err);
    if (status == MODEL_OK && versions->list.n_entries > 1)
        qsort(versions->list.entries, versions->list.n_entries, sizeof *versions->list.entries,
              compare_created);
    return status;
}

static const char *revision_of(const struct versions *versions, const char *target)
{
    for (size_t i = 0; i < versions->list.n_entries; i++)
        if (strcmp(target_of(versions->list.entries[i].dir), target) == 0)
            return versions->list.entries[i].revision;
    return NULL;
}

/* Still there, but another package of the same commit has its names. */
static bool is_superseded(const struct versions *versions, const char *target)
{
    char *dir = text_format("%s/packages/%s", store_dir(versions->store), target);
    const bool is_here = dir != NULL && revision_of(versions, target) == NULL && path_is_dir(dir);
    free(dir);
    return is_here;
}

/* The history of each ref that leads somewhere now; add() is called for its entries, oldest first. */
static model_status each_change(const struct versions *versions,
                                void (*add)(void *context, const char *ref,
                                            const struct store_history_entry *entry,
                                            const char *revision, bool superseded),
                                void *context, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < versions->list.n_entries; i++) {
        const struct store_entry *entry = &versions->list.entries[i];
        for (size_t j = 0; is_of_key(versions, entry) && j < entry->n_refs && status == MODEL_OK;
             j++) {
            struct store_history history = {0};
            status =
                store_history_read(versions->store, versions->key, entry->refs[j], &history, err);
            for (size_t k = 0; k < history.n_entries; k++)
                add(context, entry->refs[j], &history.entries[k],
                    revision_of(versions, history.entries[k].target),
                    is_superseded(versions, history.entries[k].target));
            store_history_finish(&history);
        }
    }
    return status;
}

static void change_as_json(void *context, const char *ref, const struct store_history_entry *entry,
                           const char *revision, bool superseded)
{
    json_node *item = json_add_object(context, NULL);
    (void)json_add_string(item, "ref", ref);
    (void)json_add_string(item, "time", entry->time);
    (void)json_add_bool(item, "rollback", entry->is_back);
    if (revision != NULL)
        (void)json_add_string(item, "revision", revision);
    else
        (void)json_add_null(item, "revision"); /* no longer in the store, or not by a name */
    if (superseded)
        (void)json_add_bool(item, "superseded", true);
}

static model_status print_json(const struct versions *versions, struct model_error *err)
{
    json_node *root = json_new_object();
    json_node *array = json_add_array(root, "versions");
    for (size_t i = 0; i < versions->list.n_entries; i++) {
        const struct store_entry *entry = &versions->list.entries[i];
        if (!is_of_key(versions, entry))
            continue;
        json_node *item = json_add_object(array, NULL);
        (void)json_add_string(item, "id", entry->id);
        (void)json_add_string(item, "revision", entry->revision);
        json_node *refs = json_add_array(item, "refs");
        for (size_t j = 0; j < entry->n_refs; j++)
            (void)json_add_string(refs, NULL, entry->refs[j]);
        (void)json_add_string(item, "created", entry->created);
        (void)json_add_string(item, "path", entry->dir);
        (void)json_add_number(item, "size", (double)entry->size_bytes);
    }
    model_status status =
        each_change(versions, change_as_json, json_add_array(root, "history"), err);
    if (status == MODEL_OK)
        status = command_print_json(root, err);
    json_free(root);
    return status;
}

static void change_as_text(void *context, const char *ref, const struct store_history_entry *entry,
                           const char *revision, bool superseded)
{
    const char *missing = superseded ? "superseded" : "gone";
    (void)buffer_printf(context, "%s  %s %s %.12s\n", entry->time, ref,
                        entry->is_back ? "back to" : "to", revision != NULL ? revision : missing);
}

static model_status print_table(const struct versions *versions, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
    char size[HUMAN_TEXT_BYTES];
    (void)buffer_printf(&text, "%-12s  %-20s  %8s  %s\n", "COMMIT", "CREATED", "SIZE", "REFS");
    for (size_t i = 0; i < versions->list.n_entries; i++) {
        const struct store_entry *entry = &versions->list.entries[i];
        if (!is_of_key(versions, entry))
            continue;
        (void)buffer_printf(&text, "%-12.12s  %-20s  %8s  ", entry->revision, entry->created,
                            human_size(entry->size_bytes, size));
        for (size_t j = 0; j < entry->n_refs; j++)
            (void)buffer_printf(&text, "%s%s", j > 0 ? "," : "", entry->refs[j]);
        (void)buffer_printf(&text, "%s\n", entry->n_refs > 0 ? "" : "-");
    }
    (void)buffer_append_text(&text, "\n");
    model_status status = each_change(versions, change_as_text, &text, err);
    if (status == MODEL_OK)
        status = command_print_text(&text, err);
    buffer_finish(&text);
    return status;
}

int cmd_versions(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct store *store = NULL;
    struct versions versions = {0};
    struct command_showing showing = {.json = false};
    if (!command_read_showing(argc, argv, &showing))
        return COMMAND_USAGE;
    if (argc - optind != 1)
        return command_usage("versions", "want one ID");
    model_status status = store_key_of(argv[optind], &versions.key, &err);
    if (status != MODEL_OK)
        return command_usage("versions", "%s", err.message);
    free(versions.key);
    versions.key = NULL;
    status = command_open_store(showing.store_dir, 0, &store, &err);
    versions.store = store;
    if (status == MODEL_OK)
        status = gather(&versions, argv[optind], &err);
    if (status == MODEL_OK)
        status = showing.json ? print_json(&versions, &err) : print_table(&versions, &err);
    store_list_finish(&versions.list);
    free(versions.key);
    store_close(store);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}

/* ---- rollback */

static model_status commit_of(const char *dir, char **ret, struct model_error *err)
{
    struct manifest manifest = {0};
    model_status status = manifest_read(dir, &manifest, err);
    if (status == MODEL_OK) {
        *ret = manifest.revision;
        manifest.revision = NULL;
    }
    manifest_finish(&manifest);
    return status;
}

struct going_back {
    struct command_trust trust;
    const char *store_dir;
    bool require_signature, json, quiet;
};

static model_status print_rollback(const struct store_rollback *rollback,
                                   const struct going_back *going, struct model_error *err)
{
    char *from = NULL, *to = NULL;
    model_status status = commit_of(rollback->to, &to, err);
    (void)commit_of(rollback->from, &from, NULL); /* may be broken: that is why */
    if (status == MODEL_OK && going->json) {
        json_node *root = json_new_object();
        (void)json_add_string(root, "ref", rollback->revision);
        (void)json_add_string(root, "from", from != NULL ? from : "");
        (void)json_add_string(root, "revision", to);
        (void)json_add_string(root, "path", rollback->to);
        status = command_print_json(root, err);
        json_free(root);
    } else if (status == MODEL_OK) {
        if (!going->quiet)
            fprintf(stderr, "pkgmgr: %s leads from %.12s to %.12s now\n", rollback->revision,
                    from != NULL ? from : "?", to);
        printf("%s\n", rollback->to);
    }
    free(from);
    free(to);
    return status;
}

static model_status check_signature(void *context, const char *dir, struct model_error *err)
{
    return command_trust_check(context, dir, NULL, err);
}

static model_status roll_back(struct going_back *going, const char *name, const char *wanted,
                              struct model_error *err)
{
    struct store *store = NULL;
    struct store_rollback rollback = {0};
    model_status status = command_trust_init(&going->trust, going->require_signature, err);
    if (status == MODEL_OK)
        status = command_open_store(going->store_dir, 0, &store, err);
    if (status == MODEL_OK)
        status =
            store_roll_back(store, name, wanted, check_signature, &going->trust, &rollback, err);
    if (status == MODEL_OK)
        status = print_rollback(&rollback, going, err);
    store_rollback_finish(&rollback);
    store_close(store);
    command_trust_finish(&going->trust);
    return status;
}

int cmd_rollback(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct going_back going = {.store_dir = NULL};
    const struct command_option table[] = {{"store", .text = &going.store_dir},
                                           {"require-signature", .flag = &going.require_signature},
                                           {"json", .flag = &going.json},
                                           {"quiet", .flag = &going.quiet, .letter = 'q'},
                                           {.name = NULL}};
    if (!command_read_options(argc, argv, table))
        return COMMAND_USAGE;
    if (argc - optind < 1 || argc - optind > 2)
        return command_usage("rollback", "want ID[@REF] and at most one REVISION");
    const char *wanted = argc - optind == 2 ? argv[optind + 1] : NULL;
    model_status status = roll_back(&going, argv[optind], wanted, &err);
    return status == MODEL_INVALID_ARGUMENT ? command_usage("rollback", "%s", err.message)
           : status == MODEL_OK             ? 0
                                            : command_fail(status, &err);
}
