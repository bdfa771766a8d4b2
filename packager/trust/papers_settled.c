/* papers_settled.c - see papers_settled.h. `pkgmgr install` replaces a plugin and then the papers, with the folder's lock:
 * who has read one before and the other after it has seen a change that is none. No other file is written with the
 * lock, so none is hashed with it. */
#include "papers_settled.h"
#include "errors.h"
#include "files.h"
#include "package_members.h"
#include "papers_lock.h"

#include <stdlib.h>
#include <string.h>

static model_status check_plugin(const char *dir, const struct manifest_file *file,
                                 struct model_error *err)
{
    char sha256[SHA256_HEX_BYTES];
    uint64_t size_bytes;
    char *path = path_join(dir, file->path);
    model_status status = path != NULL ? MODEL_OK : error_no_memory(err, "a path");
    if (status == MODEL_OK && (digest_file_sha256(path, sha256, &size_bytes, NULL) != MODEL_OK ||
                               strcmp(sha256, file->sha256) != 0))
        status = error_set(err, MODEL_BUSY,
                           "%s was replaced by another process meanwhile; try again", path);
    free(path);
    return status;
}

model_status papers_check_settled(const char *dir, const struct papers_wait *wait,
                                  const struct package_papers *papers, const struct manifest *made,
                                  struct model_error *err)
{
    int lock = -1;
    model_status status = papers_lock_take(dir, wait, &lock, err);
    if (status == MODEL_OK)
        status = package_papers_check(dir, papers, err);
    for (size_t i = 0; i < made->n_files && status == MODEL_OK; i++)
        if (package_is_plugin_path(made->files[i].path))
            status = check_plugin(dir, &made->files[i], err);
    papers_lock_release(lock);
    return status;
}
