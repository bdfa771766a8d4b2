/* cmd_lock.c - `pkgmgr lock` and `pkgmgr sync`. */
#include "command_hub.h"
#include "command_trust.h"
#include "commands.h"
#include "errors.h"
#include "files.h"
#include "package_sync.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char help_lock[] =
    "usage: pkgmgr lock [ID[@REVISION]]... [OPTION]...\n\n"
    "Writes modelhost.lock: the packages of the store (or those named) with the digest of every\n"
    "file, to be kept with a project, and the key that signed each. The same packages give the same\n"
    "bytes. 'pkgmgr sync' makes another store the same.\n\n"
    "  --lockfile FILE   where to (default: modelhost.lock; '-' is standard output)\n"
    "  --hub-only        leave out what came from no hub: the plugin, model_info.json\n"
    "  --store DIR       where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  -q, --quiet       say nothing but errors\n";

const char help_sync[] =
    "usage: pkgmgr sync [OPTION]...\n\n"
    "Makes the store as modelhost.lock says: every package with exactly those files, and refs that\n"
    "lead to it. What is lacking is fetched from the hub at the locked commit; plugins come from\n"
    "the plugin path. Other packages of the store stay.\n\n"
    "  --frozen           change nothing; exit code 3 when a package is missing, 7 when one differs\n"
    "                     or is signed by another key than the locked one, or by none\n"
    "  --lockfile FILE    which (default: modelhost.lock)\n"
    "  --token T          for private and gated models (default: HF_TOKEN, or the token file)\n"
    "  --token-file F     the same, of the first line of a file; other users cannot see it meanwhile\n"
    "  --endpoint URL     the hub (default: HF_ENDPOINT, or https://huggingface.co)\n"
    "  --store DIR        where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --plugin-path P    folders with plugins, separated by ':' (default: MODELHOST_PLUGIN_PATH)\n"
    "  --require-signature  only packages that the store has signed by a trusted key (exit code 7); a\n"
    "                     lockfile and a hub bring no signatures\n"
    "  --json             print the result as JSON, and events to standard error, one a line\n"
    "  -q, --quiet        say nothing but errors\n"
    "  -v, --verbose      a line for each request, without token\n";

/* ---- lock */

/* What people use: branches and tags lead to it, or it was asked for by its commit. */
static bool is_wanted(const struct store_entry *entry)
{
    return entry->n_refs > 0 || strcmp(entry->revision, entry->requested_revision) == 0;
}

struct locking {
    const struct store *store;
    bool hub_only, has_keys;
    struct trusted_keys keys; /* read when the first signed package is locked */
    struct lockfile lockfile;
};

static model_status lock_one(struct locking *locking, const struct store_entry *entry,
                             struct model_error *err)
{
    model_status status = MODEL_OK;
    if (!locking->has_keys && store_package_is_signed(entry->dir)) {
        status = command_trusted_keys(&locking->keys, err);
        locking->has_keys = status == MODEL_OK;
    }
    return status == MODEL_OK
               ? lockfile_add(&locking->lockfile, entry, locking->hub_only, &locking->keys, err)
               : status;
}

static bool is_locked(const struct lockfile *lockfile, const struct store_entry *entry)
{
    for (size_t i = 0; i < lockfile->n_packages; i++)
        if (strcmp(lockfile->packages[i].manifest.id, entry->id) == 0 &&
            strcmp(lockfile->packages[i].manifest.revision, entry->revision) == 0)
            return true;
    return false;
}

static model_status lock_named(struct locking *locking, const struct store_list *list,
                               const char *name, struct model_error *err)
{
    char *dir = NULL;
    model_status status = store_find(locking->store, name, &dir, err);
    const struct store_entry *entry = NULL;
    for (size_t i = 0; i < list->n_entries && status == MODEL_OK; i++)
        if (strcmp(list->entries[i].dir, dir) == 0)
            entry = &list->entries[i];
    if (status == MODEL_OK && entry == NULL)
        status = error_set(err, MODEL_CORRUPT,
                           "the package %s cannot be read; `pkgmgr list` says why", dir);
    if (status == MODEL_OK && !is_locked(&locking->lockfile, entry)) /* else named twice */
        status = lock_one(locking, entry, err);
    free(dir);
    return status;
}

static model_status collect(struct locking *locking, char **names, int n_names,
                            struct model_error *err)
{
    struct store_list list = {0};
    model_status status = store_list_packages(locking->store, &list, err);
    for (int i = 0; i < n_names && status == MODEL_OK; i++)
        status = lock_named(locking, &list, names[i], err);
    for (size_t i = 0; i < list.n_entries && n_names == 0 && status == MODEL_OK; i++)
        if (is_wanted(&list.entries[i]))
            status = lock_one(locking, &list.entries[i], err);
    store_list_finish(&list);
    return status;
}

static model_status write_text(void *context, struct file_out *out, struct model_error *err)
{
    const char *text = context;
    return file_out_write(out, text, strlen(text), err);
}

/* Also removes what a killed one left beside it. */
static model_status write_lock(struct lockfile *lockfile, const char *path, bool quiet,
                               struct model_error *err)
{
    char *text = lockfile_print(lockfile);
    model_status status = MODEL_OK;
    if (text == NULL)
        status = error_no_memory(err, "a lockfile");
    else if (strcmp(path, "-") == 0)
        status = command_print(text, err);
    else
        status = file_write_made(path, write_text, text, err);
    if (status == MODEL_NOT_FOUND)
        error_advise(err, "make the folder first, or choose another with --lockfile");
    if (status == MODEL_OK && !quiet)
        fprintf(stderr, "pkgmgr: %zu packages locked in %s\n", lockfile->n_packages, path);
    free(text);
    return status;
}

int cmd_lock(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct store *store = NULL;
    struct locking locking = {.store = NULL};
    const char *store_dir = NULL, *path = LOCKFILE_NAME;
    bool quiet = false;
    const struct command_option table[] = {{"lockfile", .text = &path},
                                           {"hub-only", .flag = &locking.hub_only},
                                           {"store", .text = &store_dir},
                                           {"quiet", .flag = &quiet, .letter = 'q'},
                                           {.name = NULL}};
    if (!command_read_options(argc, argv, table))
        return COMMAND_USAGE;
    for (int i = optind; i < argc; i++) {
        int wrong = command_check_package("lock", argv[i]);
        if (wrong != 0)
            return wrong;
    }
    model_status status = command_open_store(store_dir, 0, &store, &err);
    if (status == MODEL_OK)
        locking.store = store;
    if (status == MODEL_OK)
        status = collect(&locking, argv + optind, argc - optind, &err);
    if (status == MODEL_OK)
        status = write_lock(&locking.lockfile, path, quiet, &err);
    lockfile_finish(&locking.lockfile);
    trusted_keys_finish(&locking.keys);
    store_close(store);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}

/* ---- sync */

struct sync {
    struct command_hub hub;
    struct store *store;
    struct lockfile lockfile;
    json_node *root; /* with --json */
    struct command_trust trust;
    bool frozen, require_signature;
    struct command_talk talk;
};

static const char *const state_names[] = {
    [SYNC_SAME] = "same",       [SYNC_ABSENT] = "absent",  [SYNC_DIFFERS] = "different",
    [SYNC_DAMAGED] = "damaged", [SYNC_REFS] = "different",
};

static void tell(const struct sync *sync, const struct manifest *manifest, enum sync_state state,
                 model_status status)
{
    bool is_made = state != SYNC_SAME && !sync->frozen && status == MODEL_OK;
    if (sync->talk.json) {
        json_node *item = json_add_object(sync->root, NULL);
        (void)json_add_string(item, "id", manifest->id);
        (void)json_add_string(item, "revision", manifest->revision);
        (void)json_add_string(item, "was", state_names[state]);
        (void)json_add_bool(item, "same", state == SYNC_SAME || is_made);
    } else if (!sync->talk.quiet && status == MODEL_OK) {
        fprintf(stderr, "pkgmgr: %s@%.12s %s\n", manifest->id, manifest->revision,
                is_made ? "made as it was locked" : "is as it was locked");
    }
}

/* Where a signature is required, only the signed package that is in the store counts: it may get refs, and is not
 * made anew. */
static model_status check_signature(const struct sync *sync, const struct manifest *manifest,
                                    enum sync_state state, const char *why, struct model_error *err)
{
    char *dir = NULL;
    if (!sync->trust.is_required)
        return MODEL_OK;
    if (state == SYNC_DIFFERS)
        return error_set(err, MODELHOST_UNTRUSTED,
                         "%s, and a lockfile and a hub bring no signature for those; nothing was "
                         "made: lock the signed package, or sync without --require-signature, "
                         "look through it and sign it yourself",
                         why);
    model_status status =
        download_find_package(sync->store, manifest->id, manifest->revision, &dir, err);
    if (status == MODEL_OK)
        status = download_check_signature(&sync->trust.policy, dir, manifest->id, err);
    free(dir);
    return status;
}

/* What another key has signed is refused. That nobody has is, with --frozen; else it is said once the package is made, since
 * a hub brings no signature. */
static model_status check_signer(const struct sync *sync, const struct locked_package *locked,
                                 bool is_made, struct model_error *err)
{
    enum signer_state state = SIGNER_SAME;
    char *why = NULL;
    model_status status = package_sync_signer(sync->store, locked, &state, &why, err);
    const bool is_refused = state == SIGNER_OTHER || (state == SIGNER_MISSING && sync->frozen);
    if (status == MODEL_OK && is_refused)
        status = error_set(err, MODELHOST_UNTRUSTED,
                           "%s%s; get the package of that signer (pkgmgr import), or lock it again "
                           "if this is right",
                           sync->frozen ? "frozen: " : "", why);
    else if (status == MODEL_OK && state == SIGNER_MISSING && is_made && !sync->talk.quiet)
        command_warn("%s; 'pkgmgr import' gets it signed from who made it", why);
    free(why);
    return status;
}

static model_status sync_one(struct sync *sync, const struct locked_package *locked,
                             struct model_error *err)
{
    enum sync_state state = SYNC_SAME;
    char *why = NULL;
    model_status status = package_sync_look(sync->store, locked, &state, &why, err);
    if (status == MODEL_OK && state != SYNC_DIFFERS) /* else it is another package */
        status = check_signer(sync, locked, false, err);
    if (status == MODEL_OK)
        status = check_signature(sync, &locked->manifest, state, why, err);
    if (status == MODEL_OK && state != SYNC_SAME && sync->frozen)
        status = error_set(err, state == SYNC_ABSENT ? MODEL_NOT_FOUND : MODEL_CORRUPT,
                           "frozen: %s; `pkgmgr sync` makes it so", why);
    else if (status == MODEL_OK && state != SYNC_SAME)
        status = package_sync_make(sync->store, locked, state, &sync->hub.options, err);
    if (status == MODEL_OK && !sync->frozen)
        status = check_signer(sync, locked, true, err);
    progress_view_clear(&sync->hub.view);
    tell(sync, &locked->manifest, state, status);
    free(why);
    return status;
}

static int run(struct sync *sync, const char *path)
{
    struct model_error err = MODEL_ERROR_INIT;
    int code = 0;
    model_status status = lockfile_read(path, &sync->lockfile, &err);
    if (status == MODEL_NOT_FOUND)
        error_advise(&err, "`pkgmgr lock` writes one");
    else if (status == MODEL_INVALID_ARGUMENT)
        error_advise(&err, "give --lockfile a file of a disk: save what comes from elsewhere");
    if (status == MODEL_OK)
        status = command_open_store(sync->hub.options.store_dir, !sync->frozen, &sync->store, &err);
    if (status != MODEL_OK)
        return command_fail(status, &err);
    for (size_t i = 0; i < sync->lockfile.n_packages && !command_interrupted(NULL); i++) {
        status = sync_one(sync, &sync->lockfile.packages[i], &err);
        code = command_next_code(code, status, &err);
    }
    return command_last_code(code, sync->root);
}

int cmd_sync(int argc, char **argv)
{
    struct sync sync = {0};
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = MODEL_OK;
    struct download_options *options = &sync.hub.options;
    const char *path = LOCKFILE_NAME;
    const struct command_option table[] = {{"frozen", .flag = &sync.frozen},
                                           {"lockfile", .text = &path},
                                           {"token", .text = &options->hub.token},
                                           {"token-file", .text = &sync.hub.token_file},
                                           {"endpoint", .text = &options->hub.endpoint},
                                           {"store", .text = &options->store_dir},
                                           {"plugin-path", .text = &options->plugin_path},
                                           {"require-signature", .flag = &sync.require_signature},
                                           COMMAND_TALK_OPTIONS(&sync.talk),
                                           {.name = NULL}};
    if (!command_read_options(argc, argv, table))
        return COMMAND_USAGE;
    if (optind != argc)
        return command_usage("sync", "takes no argument, but got '%s'", argv[optind]);
    sync.root = sync.talk.json ? json_new_array() : NULL;
    int code = command_hub_begin("sync", &sync.talk, &sync.hub);
    if (code == 0 &&
        (status = command_trust_init(&sync.trust, sync.require_signature, &err)) != MODEL_OK)
        code = command_fail(status, &err);
    options->signature = command_trust_policy(&sync.trust);
    if (code == 0)
        code = run(&sync, path);
    command_trust_finish(&sync.trust);
    json_free(sync.root);
    lockfile_finish(&sync.lockfile);
    store_close(sync.store);
    command_hub_end(&sync.hub);
    return code;
}
