/* model_trust.c - see model_trust.h. */
#include "model_trust.h"
#include "environment.h"
#include "errors.h"
#include "files.h"
#include "package_signature.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

model_status model_trust_path(const struct modelhost_load_options *options, char **ret,
                              struct model_error *err)
{
    char *folder = NULL;
    model_status status =
        options->trusted_keys == NULL ? environment_config_dir(&folder, err) : MODEL_OK;
    if (status != MODEL_OK)
        return status;
    char *path = options->trusted_keys != NULL ? text_format("%s", options->trusted_keys)
                                               : path_join(folder, TRUSTED_KEYS_NAME);
    free(folder);
    if (path == NULL)
        return error_no_memory(err, "a path");
    *ret = path;
    return MODEL_OK;
}

static model_status read_keys(const struct modelhost_load_options *options,
                              struct trusted_keys *ret, struct model_error *err)
{
    char *path = NULL;
    model_status status = signatures_check_compiled_in(err);
    if (status == MODEL_OK)
        status = model_trust_path(options, &path, err);
    if (status == MODEL_OK && options->trusted_keys != NULL && access(path, F_OK) != 0) {
        status = error_set_errno(err, errno, "cannot open the list of trusted keys, %s", path);
        error_advise(err,
                     "'pkgmgr keys trust' writes one, at ~/.config/modelhost/" TRUSTED_KEYS_NAME
                     ", to be copied there");
    }
    if (status == MODEL_OK)
        status = trusted_keys_read(path, ret, err);
    free(path);
    return status;
}

model_status model_trust_open(const char *package_dir, const char *backend,
                              const struct modelhost_load_options *options,
                              const struct model_parts *parts, const struct archive_access *access,
                              struct package *ret, struct model_error *err)
{
    struct trusted_keys keys = {0};
    struct signature_policy policy = {.keys = NULL};
    struct archive_access trusting = *access;
    model_status status = MODEL_OK;
    if (parts != NULL && parts->manifest[0] != '\0') {
        policy.manifest_sha256 = parts->manifest;
        trusting.signature = &policy;
    } else if (options->require_signature != 0) {
        status = read_keys(options, &keys, err);
        policy.keys = &keys;
        trusting.signature = &policy;
    }
    if (status == MODEL_OK)
        status = package_open_with(package_dir, backend, &trusting, ret, err);
    trusted_keys_finish(&keys);
    return status;
}
