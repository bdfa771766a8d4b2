/* store_replace.c - a new version of a package takes the old one's names; see store_replace() in
 * store.h. The old version stays whole for those who have it open. Any thread, any process. */
#include "errors.h"
#include "store_paths.h"

#include <stdlib.h>
#include <string.h>

static model_status repoint(const struct store *store, const char *from, const char *to,
                            struct model_error *err)
{
    struct store_refs refs = {0};
    model_status status = store_refs_read(store, &refs, err);
    for (size_t i = 0; i < refs.n_refs && status == MODEL_OK; i++)
        if (strcmp(refs.refs[i].target, from) == 0)
            status = store_ref_write(store, refs.refs[i].key, refs.refs[i].revision, to, err);
    store_refs_finish(&refs);
    return status;
}

model_status store_replace(const struct store *store, const char *old_dir,
                           const struct manifest *manifest, char **ret_dir, struct model_error *err)
{
    char *dir = NULL;
    model_status status = store_install(store, manifest, &dir, err);
    if (status != MODEL_OK)
        return status;
    const char *from = old_dir != NULL ? store_target_of(store, old_dir) : NULL;
    const char *to = store_target_of(store, dir);
    if (from != NULL && to != NULL && strcmp(from, to) != 0)
        status = repoint(store, from, to, err);
    if (status == MODEL_OK)
        *ret_dir = dir;
    else
        free(dir);
    return status;
}
