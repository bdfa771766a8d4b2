/* store_find.c - finding a package by what its user calls it; see store_find() in store.h. Any thread,
 * any process. */
#include "errors.h"
#include "store_folder.h"
#include "store_paths.h"

#include <stdlib.h>
#include <string.h>

#define COMMIT_DIGITS     40
#define MIN_COMMIT_DIGITS 7
#define MAX_SHOWN         5 /* names in a sentence */

/* What is looked for, and the refs among which. */
struct search {
    const struct store *store;
    const char *name, *key, *revision; /* revision NULL: not said */
    struct store_refs refs;
    const struct store_ref **pool; /* (n_pool), those that may be meant */
    size_t n_pool;
    struct model_error *err;
};

static bool package_is_there(const struct store *store, const char *target)
{
    char *path = text_format("%s/packages/%s/metadata.json", store->dir, target);
    bool there = path != NULL && path_is_file(path);
    free(path);
    return there;
}

/* "ns/name" of "ns--name", "ns--name/<digest>". */
static void print_id(struct buffer *text, const char *key)
{
    size_t length = strcspn(key, "/");
    const char *gap = strstr(key, "--");
    if (gap != NULL && (size_t)(gap - key) < length)
        (void)buffer_printf(text, "%.*s/%.*s", (int)(gap - key), key,
                            (int)(length - (size_t)(gap - key) - 2), gap + 2);
    else
        (void)buffer_printf(text, "%.*s", (int)length, key);
}

/* Whether the same word stood before index i; words end at '/' when they are targets. */
static bool stood_before(const struct store_ref *const *refs, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        size_t length = strcspn(refs[j]->target, "/");
        if (strncmp(refs[j]->target, refs[i]->target, length + 1) == 0)
            return true;
    }
    return false;
}

static void print_more(struct buffer *text, size_t n)
{
    if (n > MAX_SHOWN)
        (void)buffer_printf(text, " and %zu more", n - MAX_SHOWN);
}

/* ---- sentences */

static model_status say_absent(const struct search *search)
{
    struct buffer text = BUFFER_INIT(700);
    size_t n = 0;
    const struct store_ref **all = calloc(search->refs.n_refs + 1, sizeof *all);
    for (size_t i = 0; all != NULL && i < search->refs.n_refs; i++) {
        all[i] = &search->refs.refs[i];
        if (!package_is_there(search->store, all[i]->target) || stood_before(all, i))
            continue;
        if (n++ < MAX_SHOWN) {
            (void)buffer_append_text(&text, n > 1 ? ", " : "which has ");
            print_id(&text, all[i]->target);
        }
    }
    print_more(&text, n);
    free(all);
    model_status status =
        error_set(search->err, MODEL_NOT_FOUND,
                  "'%s' is not in the store %s, %s; `pkgmgr download %s` fetches it", search->name,
                  search->store->dir, n > 0 && text.data != NULL ? text.data : "which is empty",
                  search->name);
    buffer_finish(&text);
    return status;
}

/* One of several, none of which is the one that was asked for. */
static model_status say_choices(const struct search *search, bool by_id, model_status status,
                                const char *before, const char *after)
{
    struct buffer text = BUFFER_INIT(700);
    size_t n = 0;
    for (size_t i = 0; i < search->n_pool; i++) {
        if (by_id && stood_before(search->pool, i))
            continue;
        if (n++ >= MAX_SHOWN)
            continue;
        (void)buffer_append_text(&text, n > 1 ? ", " : "");
        if (by_id)
            print_id(&text, search->pool[i]->target);
        else
            (void)buffer_append_text(&text, search->pool[i]->revision);
    }
    print_more(&text, n);
    (void)error_set(search->err, status, "'%s' %s %s%s", search->name, before,
                    text.data != NULL ? text.data : "", after);
    buffer_finish(&text);
    return status;
}

/* ---- choosing */

/* "name" of the key "ns--name". */
static bool key_has_name(const char *key, const char *name)
{
    const char *gap = strstr(key, "--");
    return gap != NULL && strcmp(gap + 2, name) == 0;
}

/* The refs under the key, and under the keys that they point at: a name that people ask by knows all
 * revisions of the repository behind it. */
static bool is_own(const struct search *search, const struct store_ref *ref)
{
    if (strcmp(ref->key, search->key) == 0)
        return true;
    size_t length = strlen(ref->key);
    for (size_t i = 0; i < search->refs.n_refs; i++) {
        const struct store_ref *own = &search->refs.refs[i];
        if (strcmp(own->key, search->key) == 0 && strncmp(own->target, ref->key, length) == 0 &&
            own->target[length] == '/')
            return true;
    }
    return false;
}

static void fill_pool(struct search *search, bool by_name)
{
    search->n_pool = 0;
    for (size_t i = 0; i < search->refs.n_refs; i++) {
        const struct store_ref *ref = &search->refs.refs[i];
        if ((by_name ? key_has_name(ref->key, search->key) : is_own(search, ref)) &&
            package_is_there(search->store, ref->target))
            search->pool[search->n_pool++] = ref;
    }
}

static bool pool_has_one_key(const struct search *search)
{
    for (size_t i = 1; i < search->n_pool; i++)
        if (strcmp(search->pool[i]->key, search->pool[0]->key) != 0)
            return false;
    return true;
}

static bool is_commit_prefix(const char *text)
{
    size_t length = strlen(text);
    return length >= MIN_COMMIT_DIGITS && length <= COMMIT_DIGITS &&
           strspn(text, "0123456789abcdef") == length;
}

/* Keeps those of the pool whose revision is, or (commits) begins with, the wanted one. */
static void narrow(struct search *search, const char *revision, bool by_prefix)
{
    size_t kept = 0, length = strlen(revision);
    for (size_t i = 0; i < search->n_pool; i++) {
        const char *have = search->pool[i]->revision;
        if (by_prefix ? strlen(have) == COMMIT_DIGITS && is_commit_prefix(have) &&
                            strncmp(have, revision, length) == 0
                      : strcmp(have, revision) == 0)
            search->pool[kept++] = search->pool[i];
    }
    search->n_pool = kept;
}

static bool pool_has_one_target(const struct search *search)
{
    for (size_t i = 1; i < search->n_pool; i++)
        if (strcmp(search->pool[i]->target, search->pool[0]->target) != 0)
            return false;
    return search->n_pool > 0;
}

static model_status choose_revision(struct search *search, bool by_name)
{
    const char *wanted = search->revision != NULL ? search->revision : "main";
    narrow(search, wanted, false);
    if (search->n_pool > 0)
        return MODEL_OK;
    fill_pool(search, by_name);
    if (search->revision != NULL && is_commit_prefix(wanted)) {
        narrow(search, wanted, true);
        if (search->n_pool > 0 && !pool_has_one_target(search))
            return say_choices(search, false, MODEL_INVALID_ARGUMENT, "is the beginning of", "");
        if (search->n_pool > 0)
            return MODEL_OK;
        fill_pool(search, by_name);
    }
    if (search->revision != NULL)
        return say_choices(search, false, MODEL_NOT_FOUND, "is in the store only at",
                           "; `pkgmgr download` fetches another revision");
    if (!pool_has_one_target(search))
        return say_choices(search, false, MODEL_INVALID_ARGUMENT,
                           "has several revisions and no main:", "; say name@revision");
    return MODEL_OK;
}

/* Fills the pool with all revisions of the model; says so when there is none or the name fits several
 * models. */
static model_status gather(struct search *search, bool *ret_by_name)
{
    bool by_name = false;
    search->pool = calloc(search->refs.n_refs + 1, sizeof *search->pool);
    if (search->pool == NULL)
        return error_no_memory(search->err, "the refs of the store");
    fill_pool(search, false);
    if (search->n_pool == 0 && strstr(search->key, "--") == NULL) {
        by_name = true;
        fill_pool(search, true);
        if (!pool_has_one_key(search))
            return say_choices(search, true, MODEL_INVALID_ARGUMENT, "may be one of",
                               "; say which");
    }
    *ret_by_name = by_name;
    return search->n_pool > 0 ? MODEL_OK : say_absent(search);
}

static model_status choose(struct search *search)
{
    bool by_name = false;
    model_status status = gather(search, &by_name);
    return status == MODEL_OK ? choose_revision(search, by_name) : status;
}

/* ---- public */

/* The ref that is there nearly always. */
static char *find_directly(const struct store *store, const char *key, const char *revision)
{
    char *path = NULL, *target = NULL;
    if (store_ref_path(store, key, revision != NULL ? revision : "main", &path, NULL) == MODEL_OK)
        (void)store_ref_read(path, &target, NULL);
    if (target != NULL && !package_is_there(store, target)) {
        free(target);
        target = NULL;
    }
    free(path);
    return target;
}

static model_status find_target(const struct store *store, const char *name, const char *key,
                                const char *revision, char **ret_target, struct model_error *err)
{
    char *target = find_directly(store, key, revision);
    if (target == NULL) {
        struct search search = {
            .store = store, .name = name, .key = key, .revision = revision, .err = err};
        model_status status = store_refs_read(store, &search.refs, err);
        if (status == MODEL_OK)
            status = choose(&search);
        if (status == MODEL_OK) {
            target = text_format("%s", search.pool[0]->target);
            if (target == NULL)
                status = error_no_memory(err, "a package's name");
        }
        free(search.pool);
        store_refs_finish(&search.refs);
        if (status != MODEL_OK)
            return status;
    }
    *ret_target = target;
    return MODEL_OK;
}

model_status store_find_target(const struct store *store, const char *name, char **ret_target,
                               struct model_error *err)
{
    char *id = NULL, *revision = NULL, *key = NULL;
    model_status status = store_split_name(name, &id, &revision, err);
    if (status == MODEL_OK)
        status = store_key_of(id, &key, err);
    if (status == MODEL_OK)
        status = find_target(store, name, key, revision, ret_target, err);
    free(key);
    free(revision);
    free(id);
    return status;
}

model_status store_find(const struct store *store, const char *name, char **ret_dir,
                        struct model_error *err)
{
    char *target = NULL;
    model_status status = store_find_target(store, name, &target, err);
    if (status != MODEL_OK)
        return status;
    char *dir = text_format("%s/packages/%s", store->dir, target);
    free(target);
    if (dir == NULL)
        return error_no_memory(err, "a package's folder");
    status = store_folder_check(store, dir + strlen(store->dir) + 1, err);
    if (status != MODEL_OK) {
        free(dir);
        return status;
    }
    *ret_dir = dir;
    return MODEL_OK;
}

void store_targets_free(char **targets)
{
    for (char **target = targets; target != NULL && *target != NULL; target++)
        free(*target);
    free(targets);
}

/* Those of the pool, each once. */
static model_status copy_targets(const struct search *search, char ***ret_targets)
{
    char **targets = calloc(search->n_pool + 1, sizeof *targets);
    size_t n = 0;
    for (size_t i = 0; targets != NULL && i < search->n_pool; i++) {
        bool known = false;
        for (size_t j = 0; j < n && !known; j++)
            known = strcmp(targets[j], search->pool[i]->target) == 0;
        if (!known && (targets[n++] = text_format("%s", search->pool[i]->target)) == NULL) {
            store_targets_free(targets);
            targets = NULL;
        }
    }
    if (targets == NULL)
        return error_no_memory(search->err, "the packages of a name");
    *ret_targets = targets;
    return MODEL_OK;
}

model_status store_find_targets(const struct store *store, const char *name, char ***ret_targets,
                                struct model_error *err)
{
    char *id = NULL, *revision = NULL, *key = NULL;
    bool by_name = false;
    model_status status = store_split_name(name, &id, &revision, err);
    if (status == MODEL_OK)
        status = store_key_of(id, &key, err);
    struct search search = {
        .store = store, .name = name, .key = key, .revision = revision, .err = err};
    if (status == MODEL_OK)
        status = store_refs_read(store, &search.refs, err);
    if (status == MODEL_OK)
        status = gather(&search, &by_name);
    if (status == MODEL_OK && revision != NULL) {
        status = choose_revision(&search, by_name);
        search.n_pool = status == MODEL_OK ? 1 : 0;
    }
    if (status == MODEL_OK)
        status = copy_targets(&search, ret_targets);
    free(search.pool);
    store_refs_finish(&search.refs);
    free(key);
    free(revision);
    free(id);
    return status;
}
