/* model_key.c - see model_key.h. Weights are not read: a store's files never change, and an author who writes
 * over one changes its time. ctime is left out: a store links files, which changes it. */
#include "model_key.h"
#include "accuracy_report.h"
#include "cipher_primitives.h"
#include "errors.h"
#include "files.h"
#include "load_options.h"
#include "model_trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The options are digested as bytes: whoever appends one with a pointer in it digests what it points to. */
_Static_assert(sizeof(struct modelhost_load_options) == 280,
               "an option that the key does not know");

static void add_text(struct digest *digest, const char *text)
{
    digest_update(digest, text, strlen(text) + 1);
}

static int64_t change_ns(const struct stat *file)
{
#ifdef __APPLE__
    const struct timespec *time = &file->st_mtimespec;
#else
    const struct timespec *time = &file->st_mtim;
#endif
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static void add_file(struct digest *digest, const char *name, const struct stat *file)
{
    const uint64_t facts[] = {(uint64_t)file->st_dev, (uint64_t)file->st_ino,
                              (uint64_t)file->st_size, (uint64_t)change_ns(file)};
    add_text(digest, name);
    digest_update(digest, facts, sizeof facts);
}

/* The regular files in a folder, behind links; `visit` gets each folder in it. What cannot be read counts as
 * not being there: opening says more about it. */
static model_status add_folder(struct digest *digest, const char *folder,
                               model_status (*visit)(struct digest *digest, const char *folder,
                                                     struct model_error *err),
                               struct model_error *err)
{
    struct dir_list list = {0};
    model_status status = dir_read(folder, &list, err);
    if (status != MODEL_OK)
        return status == MODEL_OUT_OF_MEMORY ? status : MODEL_OK;
    add_text(digest, folder);
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        struct stat file;
        char *path = path_join(folder, list.names[i]);
        if (path == NULL)
            status = error_no_memory(err, "a path");
        else if (stat(path, &file) != 0)
            add_text(digest, list.names[i]);
        else if (S_ISREG(file.st_mode))
            add_file(digest, list.names[i], &file);
        else if (S_ISDIR(file.st_mode) && visit != NULL)
            status = visit(digest, path, err);
        free(path);
    }
    dir_list_finish(&list);
    return status;
}

static model_status add_backend(struct digest *digest, const char *folder, struct model_error *err)
{
    return add_folder(digest, folder, NULL, err);
}

static model_status add_backends(struct digest *digest, const char *package_dir,
                                 struct model_error *err)
{
    char *folder = path_join(package_dir, "backends");
    model_status status = folder != NULL ? add_folder(digest, folder, add_backend, err)
                                         : error_no_memory(err, "a path");
    free(folder);
    return status;
}

static model_status add_plugin_path(struct digest *digest, const char *plugin_path,
                                    struct model_error *err)
{
    model_status status = MODEL_OK;
    for (const char *at = plugin_path; *at != '\0' && status == MODEL_OK; at += *at == ':') {
        const size_t n_bytes = strcspn(at, ":");
        char *folder = strndup(at, n_bytes);
        status =
            folder != NULL ? add_folder(digest, folder, NULL, err) : error_no_memory(err, "a path");
        free(folder);
        at += n_bytes;
    }
    return status;
}

/* A package without one has its files only. */
static model_status add_manifest(struct digest *digest, const char *package_dir,
                                 struct model_error *err)
{
    char hex[SHA256_HEX_BYTES] = "";
    uint64_t size_bytes = 0;
    char *path = path_join(package_dir, "metadata.json"); /* not there in an archive, a file */
    if (path == NULL)
        return error_no_memory(err, "a path");
    if (path_is_file(path) && digest_file_sha256(path, hex, &size_bytes, NULL) != MODEL_OK)
        hex[0] = '\0'; /* opening the package says why */
    add_text(digest, hex);
    free(path);
    return MODEL_OK;
}

/* A file that is written over is another secret. */
static void add_secret_file(struct digest *digest, const char *path)
{
    struct stat file;
    add_text(digest, path != NULL ? path : "");
    if (path != NULL && stat(path, &file) == 0)
        add_file(digest, "", &file);
}

static void add_options(struct digest *digest, const char *backend,
                        const struct modelhost_load_options *options)
{
    struct modelhost_load_options bytes = *options;
    bytes.backend = bytes.name = bytes.passphrase_file = bytes.key_file = bytes.passphrase = NULL;
    bytes.trusted_keys = NULL;
    bytes.key = NULL;
    digest_update(digest, &bytes, sizeof bytes);
    add_text(digest, backend != NULL ? backend : "");
    add_text(digest, options->name != NULL ? options->name : ""); /* counted by itself */
    add_secret_file(digest, options->passphrase_file);
    add_secret_file(digest, options->key_file);
    if (options->passphrase != NULL)
        digest_update(digest, options->passphrase, (size_t)options->passphrase_bytes);
    if (options->key != NULL)
        digest_update(digest, options->key, CIPHER_KEY_BYTES);
}

/* With other keys a package may be trusted no more. */
static model_status add_trust(struct digest *digest, const struct modelhost_load_options *options,
                              struct model_error *err)
{
    char hex[SHA256_HEX_BYTES] = "", *path = NULL;
    uint64_t size_bytes = 0;
    if (options->require_signature == 0)
        return MODEL_OK;
    model_status status = model_trust_path(options, &path, err);
    if (status != MODEL_OK)
        return status;
    if (digest_file_sha256(path, hex, &size_bytes, NULL) != MODEL_OK)
        hex[0] = '\0'; /* opening the package says why */
    add_text(digest, path);
    add_text(digest, hex);
    free(path);
    return MODEL_OK;
}

/* A report may change which dtype "auto" is, and whether one is allowed. */
static model_status add_reports(struct digest *digest, const char *store_dir,
                                const struct modelhost_load_options *options,
                                struct model_error *err)
{
    const bool is_judged =
        options->dtype == MODELHOST_AUTO ||
        (options->dtype != MODELHOST_F32 && options->accuracy_policy != MODELHOST_ACCURACY_ANY);
    if (store_dir == NULL || !is_judged)
        return MODEL_OK;
    char *folder = accuracy_report_folder(store_dir);
    model_status status =
        folder != NULL ? add_folder(digest, folder, NULL, err) : error_no_memory(err, "a path");
    free(folder);
    return status;
}

model_status model_key_make(const char *package_dir, const char *plugin_path, const char *store_dir,
                            const char *backend, const struct modelhost_load_options *options,
                            char ret_key[SHA256_HEX_BYTES], struct model_error *err)
{
    char *dir = realpath(package_dir, NULL);
    struct digest *digest = NULL;
    if (dir == NULL)
        return error_set_errno(err, errno, "cannot open package %s", package_dir);
    model_status status = digest_create_sha256(&digest, err);
    if (status == MODEL_OK) {
        add_options(digest, backend, options);
        status = add_manifest(digest, dir, err);
    }
    if (status == MODEL_OK)
        status = add_trust(digest, options, err);
    struct stat file;
    if (status == MODEL_OK && stat(dir, &file) == 0 && S_ISREG(file.st_mode))
        add_file(digest, dir, &file); /* an archive */
    if (status == MODEL_OK)
        status = add_folder(digest, dir, NULL, err);
    if (status == MODEL_OK)
        status = add_backends(digest, dir, err);
    if (status == MODEL_OK)
        status = add_plugin_path(digest, plugin_path, err);
    if (status == MODEL_OK)
        status = add_reports(digest, store_dir, options, err);
    free(dir);
    if (status == MODEL_OK)
        digest_finish_hex(digest, ret_key);
    else
        digest_destroy(digest);
    return status;
}
