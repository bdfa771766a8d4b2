/* download_mend.c - a download of what the store has signed, but with damaged files: it is mended as it is
 * (package_repair.h), since a package that was made anew in its place would have no signature. See download.h. */
#include "download.h"
#include "errors.h"
#include "package_repair.h"

#include <stdlib.h>

bool download_find_damaged(const struct download *download, char **ret_dir)
{
    const struct download_options *options = download->options;
    struct manifest manifest = {0};
    char *dir = NULL;
    if (download->present != NULL || download->store == NULL ||
        (options->force && options->signature == NULL) ||
        download_find_package(download->store, download->model.id, download->model.commit, &dir,
                              NULL) != MODEL_OK ||
        dir == NULL)
        return false;
    const bool is_damaged = store_package_is_signed(dir) &&
                            manifest_read(dir, &manifest, NULL) == MODEL_OK &&
                            manifest_names_folder(&manifest, dir) &&
                            download_plan_satisfied_by(&download->plan, &manifest);
    manifest_finish(&manifest);
    if (is_damaged)
        *ret_dir = dir;
    else
        free(dir);
    return is_damaged;
}

model_status download_mend(const struct download_options *options, const char *dir,
                           struct model_error *err)
{
    struct store *store = NULL;
    struct package_repaired repaired = {0};
    struct model_error why = MODEL_ERROR_INIT;
    model_status status = store_open(options->store_dir, 1, &store, &why);
    if (status == MODEL_OK)
        status = package_repair(store, dir, options, &repaired, &why);
    store_close(store);
    if ((status == MODEL_NOT_FOUND || status == MODEL_CORRUPT) && options->signature == NULL) {
        log_write(&options->hub.log, MODEL_LOG_WARN,
                  "the signed package cannot be mended as it is: %s", why.message);
        return MODEL_OK; /* it is made anew, of what there is */
    }
    if (status != MODEL_OK)
        return error_set(err, status, "%s", why.message);
    log_write(&options->hub.log, MODEL_LOG_WARN,
              "%.300s: %zu damaged files were mended; its signature stays", dir, repaired.n_files);
    return MODEL_OK;
}
