/* store_rollback.c - moving a ref back to a version that the store has; see store_history.h. The ref
 * moves by one rename; what it led to stays, and can be returned to. Any thread, any process. */
#include "errors.h"
#include "store_history.h"
#include "store_paths.h"

#include <stdlib.h>
#include <string.h>

struct rolling {
    const struct store *store;
    const char *name;
    char *id, *revision; /* of the name; "main" when it has none */
    char *current;       /* "<key>/<digest>" that it leads to */
    char *key;           /* of that */
    char *target;        /* where it shall lead */
    struct model_error *err;
};

static bool package_exists(void *context, const char *target)
{
    const struct store *store = context;
    char *path = text_format("%s/packages/%s/metadata.json", store->dir, target);
    bool exists = path != NULL && path_is_file(path);
    free(path);
    return exists;
}

static bool is_commit(const char *revision)
{
    return strlen(revision) == 40 && strspn(revision, "0123456789abcdef") == 40;
}

static model_status refuse_commit(const struct rolling *rolling)
{
    return error_set(rolling->err, MODEL_INVALID_ARGUMENT,
                     "'%s' is a commit or its beginning, which always means the same; want a "
                     "branch or tag, as in %s@main",
                     rolling->revision, rolling->id);
}

static model_status read_name(struct rolling *rolling)
{
    model_status status =
        store_split_name(rolling->name, &rolling->id, &rolling->revision, rolling->err);
    if (status == MODEL_OK && rolling->revision != NULL && is_commit(rolling->revision))
        return refuse_commit(rolling);
    if (status == MODEL_OK && rolling->revision == NULL &&
        (rolling->revision = text_format("main")) == NULL)
        status = error_no_memory(rolling->err, "a revision");
    char *full = status == MODEL_OK ? text_format("%s@%s", rolling->id, rolling->revision) : NULL;
    if (status == MODEL_OK)
        status = full != NULL
                     ? store_find_target(rolling->store, full, &rolling->current, rolling->err)
                     : error_no_memory(rolling->err, "a package's name");
    free(full);
    if (status != MODEL_OK)
        return status;
    rolling->key = text_format("%.*s", (int)strcspn(rolling->current, "/"), rolling->current);
    return rolling->key != NULL ? MODEL_OK : error_no_memory(rolling->err, "a package's key");
}

static model_status find_before(struct rolling *rolling)
{
    struct store_history history = {0};
    model_status status =
        store_history_read(rolling->store, rolling->key, rolling->revision, &history, rolling->err);
    if (status != MODEL_OK)
        return status;
    const struct store_history_entry *before = store_history_before(
        &history, rolling->current, package_exists, (void *)(uintptr_t)rolling->store);
    if (before == NULL)
        status = error_set(rolling->err, MODEL_NOT_FOUND,
                           "no version of '%s@%s' before this one is in the store; `pkgmgr "
                           "versions %s` shows what there is, and `pkgmgr download ID@COMMIT` "
                           "gets another",
                           rolling->id, rolling->revision, rolling->id);
    else if ((rolling->target = text_format("%s", before->target)) == NULL)
        status = error_no_memory(rolling->err, "a package's name");
    store_history_finish(&history);
    return status;
}

static model_status find_wanted(struct rolling *rolling, const char *wanted)
{
    char *name = text_format("%s@%s", rolling->id, wanted);
    if (name == NULL)
        return error_no_memory(rolling->err, "a package's name");
    model_status status = store_find_target(rolling->store, name, &rolling->target, rolling->err);
    free(name);
    size_t n = strlen(rolling->key);
    if (status == MODEL_OK &&
        (strncmp(rolling->target, rolling->key, n) != 0 || rolling->target[n] != '/'))
        status = error_set(rolling->err, MODEL_INVALID_ARGUMENT,
                           "'%s@%s' is another model than '%s@%s'; a ref stays with its model",
                           rolling->id, wanted, rolling->id, rolling->revision);
    return status;
}

/* Every ref of this revision that leads where this one does: the canonical id, and what people asked
 * by. */
static model_status move_refs(const struct rolling *rolling)
{
    struct store_refs refs = {0};
    size_t n_moved = 0;
    model_status status = store_refs_read(rolling->store, &refs, rolling->err);
    for (size_t i = 0; i < refs.n_refs && status == MODEL_OK; i++) {
        const struct store_ref *ref = &refs.refs[i];
        if (strcmp(ref->revision, rolling->revision) != 0 ||
            strcmp(ref->target, rolling->current) != 0)
            continue;
        status = store_ref_move(rolling->store, ref->key, ref->revision, rolling->target, true,
                                rolling->err);
        n_moved++;
    }
    store_refs_finish(&refs);
    if (status == MODEL_OK && n_moved == 0)
        status = refuse_commit(rolling);
    return status;
}

static model_status fill_result(const struct rolling *rolling, struct store_rollback *ret)
{
    struct store_rollback result = {
        .from = text_format("%s/packages/%s", rolling->store->dir, rolling->current),
        .to = text_format("%s/packages/%s", rolling->store->dir, rolling->target),
        .revision = text_format("%s", rolling->revision),
    };
    if (result.from == NULL || result.to == NULL || result.revision == NULL) {
        store_rollback_finish(&result);
        return error_no_memory(rolling->err, "the result");
    }
    *ret = result;
    return MODEL_OK;
}

model_status store_roll_back(const struct store *store, const char *name, const char *wanted,
                             store_allow_fn *allow, void *context, struct store_rollback *ret,
                             struct model_error *err)
{
    struct rolling rolling = {.store = store, .name = name, .err = err};
    struct store_rollback result = {.from = NULL};
    model_status status = read_name(&rolling);
    if (status == MODEL_OK)
        status = wanted != NULL ? find_wanted(&rolling, wanted) : find_before(&rolling);
    if (status == MODEL_OK)
        status = fill_result(&rolling, &result);
    if (status == MODEL_OK && allow != NULL)
        status = allow(context, result.to, err);
    if (status == MODEL_OK)
        status = move_refs(&rolling);
    if (status == MODEL_OK)
        *ret = result;
    else
        store_rollback_finish(&result);
    free(rolling.id);
    free(rolling.revision);
    free(rolling.current);
    free(rolling.key);
    free(rolling.target);
    return status;
}

void store_rollback_finish(struct store_rollback *rollback)
{
    free(rollback->from);
    free(rollback->to);
    free(rollback->revision);
    *rollback = (struct store_rollback){0};
}
