/* package_build.c - see package_build.h.
 *
 * model_info.json is a file of the package and describes the package, so it is collected from a view
 * of what the package will be: a folder of symbolic links to the blobs, below the staging folder. */
#include "package_build.h"
#include "coreml_config.h"
#include "errors.h"
#include "files.h"
#include "package_papers.h"
#include "plugin_probe.h"
#include "weights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPY_BYTES         (256u << 10)
#define MAX_MANIFEST_BYTES (64u << 20)

/* ---- copying */

static model_status copy_bytes(int in, int out, const char *src, const char *dst,
                               struct digest *digest, uint64_t *ret_size_bytes,
                               struct model_error *err)
{
    uint64_t size_bytes = 0;
    char *block = malloc(COPY_BYTES);
    model_status status = block == NULL ? error_no_memory(err, "copying a file") : MODEL_OK;
    while (status == MODEL_OK) {
        ssize_t n = read(in, block, COPY_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        if (n < 0) {
            status = error_set_errno(err, errno, "cannot read %.400s", src);
            break;
        }
        digest_update(digest, block, (size_t)n);
        size_bytes += (uint64_t)n;
        for (ssize_t done = 0; done < n && status == MODEL_OK;) {
            ssize_t written = write(out, block + done, (size_t)(n - done));
            if (written > 0)
                done += written;
            else if (errno != EINTR)
                status = error_set_errno(err, errno, "cannot write %.400s", dst);
        }
    }
    free(block);
    if (status == MODEL_OK && fsync(out) != 0)
        status = error_set_errno(err, errno, "cannot write %.400s", dst);
    if (status == MODEL_OK)
        *ret_size_bytes = size_bytes;
    return status;
}

model_status copy_hashed_into(const char *src, int fd, const char *dst,
                              char ret_sha256[SHA256_HEX_BYTES], uint64_t *ret_size_bytes,
                              struct model_error *err)
{
    struct digest *digest = NULL;
    uint64_t size_bytes = 0;
    const int in = open(src, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return error_set_errno(err, errno, "cannot read %.400s", src);
    model_status status = digest_create_sha256(&digest, err);
    if (status == MODEL_OK)
        status = copy_bytes(in, fd, src, dst, digest, &size_bytes, err);
    if (status == MODEL_OK) {
        digest_finish_hex(digest, ret_sha256);
        digest = NULL;
        *ret_size_bytes = size_bytes;
    }
    digest_destroy(digest);
    (void)close(in);
    return status;
}

model_status copy_file_hashed(const char *src, const char *dst, char ret_sha256[SHA256_HEX_BYTES],
                              uint64_t *ret_size_bytes, struct model_error *err)
{
    const int out = open(dst, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (out < 0)
        return error_set_errno(err, errno, "cannot write %.400s", dst);
    model_status status = copy_hashed_into(src, out, dst, ret_sha256, ret_size_bytes, err);
    if (close(out) != 0 && status == MODEL_OK)
        status = error_set_errno(err, errno, "cannot write %.400s", dst);
    if (status != MODEL_OK)
        (void)unlink(dst);
    return status;
}

/* ---- adding files */

model_status manifest_blob_path(const struct store *store, const struct manifest *manifest,
                                const char *path, char **ret, struct model_error *err)
{
    const struct manifest_file *file = manifest_find(manifest, path);
    char *blob = NULL;
    if (file != NULL && (blob = store_blob_path(store, file->sha256)) == NULL)
        return error_no_memory(err, "a path");
    *ret = blob;
    return MODEL_OK;
}

static model_status add_plugin(const struct store *store, const char *staging,
                               struct manifest *manifest, const struct package_wish *wish,
                               struct model_error *err)
{
    const char *path = wish->plugin_path != NULL ? wish->plugin_path : coreml_plugin_path(manifest);
    char sha256[SHA256_HEX_BYTES];
    uint64_t size_bytes;
    char *copy = path_join(staging, "plugin");
    if (copy == NULL)
        return error_no_memory(err, "a path");
    model_status status = copy_file_hashed(wish->plugin, copy, sha256, &size_bytes, err);
    if (status == MODEL_OK)
        status = store_add_blob(store, copy, sha256, err);
    if (status == MODEL_OK)
        status = manifest_add(manifest, path, NULL, size_bytes, sha256, err);
    free(copy);
    return status;
}

model_status package_add_text(const struct store *store, const char *staging,
                              struct manifest *manifest, const char *path, const char *text,
                              struct model_error *err)
{
    char sha256[SHA256_HEX_BYTES];
    size_t size_bytes = strlen(text);
    char *file = path_join(staging, "text");
    if (file == NULL)
        return error_no_memory(err, "a path");
    model_status status = digest_bytes_sha256(text, size_bytes, sha256, err);
    if (status == MODEL_OK)
        status = file_write_atomic(file, text, size_bytes, err);
    if (status == MODEL_OK)
        status = store_add_blob(store, file, sha256, err);
    if (status == MODEL_OK)
        status = manifest_add(manifest, path, NULL, size_bytes, sha256, err);
    free(file);
    return status;
}

/* ---- the view */

static model_status link_into(const struct store *store, const char *view,
                              const struct manifest *manifest, const struct manifest_file *file,
                              struct model_error *err)
{
    model_status status = MODEL_OK;
    char *blob = store_blob_path(store, file->sha256);
    char *real = blob != NULL ? realpath(blob, NULL) : NULL;
    char *path = path_join(view, file->path);
    char *folder = path != NULL ? strdup(path) : NULL;
    if (blob == NULL || folder == NULL) {
        status = error_no_memory(err, "a path");
        goto end;
    }
    if (real == NULL) {
        status = error_set(err, MODEL_CORRUPT, "the store has lost '%.200s' (%.300s); %s",
                           file->path, blob, manifest_remedy(manifest));
        goto end;
    }
    folder[path_base(folder) - folder] = '\0';
    status = dir_make_all(folder, err);
    if (status == MODEL_OK && symlink(real, path) != 0)
        status = error_set_errno(err, errno, "cannot link %.400s", path);
end:
    free(blob);
    free(real);
    free(path);
    free(folder);
    return status;
}

static model_status make_view(const struct store *store, const char *view,
                              const struct manifest *manifest, struct model_error *err)
{
    model_status status = dir_make_all(view, err);
    for (size_t i = 0; i < manifest->n_files && status == MODEL_OK; i++)
        if (strcmp(manifest->files[i].path, PACKAGE_INFO_PATH) != 0)
            status = link_into(store, view, manifest, &manifest->files[i], err);
    if (status != MODEL_OK)
        return status;
    char *text = manifest_print(manifest);
    char *path = path_join(view, "metadata.json");
    status = text == NULL || path == NULL ? error_no_memory(err, "the package's manifest")
                                          : file_write_atomic(path, text, strlen(text), err);
    free(text);
    free(path);
    return status;
}

/* Names the package instead of the view: "<view>/x" becomes "x", "<view>" the id, with the id before
 * it all where that has not come to stand in it. */
static void name_package(const char *view, const char *id, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(4 * MODEL_ERROR_BYTES);
    size_t n = strlen(view);
    bool has_id = false;
    const char *rest = err->message;
    for (const char *at = strstr(rest, view); at != NULL; at = strstr(rest, view)) {
        (void)buffer_append(&text, rest, (size_t)(at - rest));
        rest = at + n;
        if (*rest == '/') {
            rest++;
        } else {
            (void)buffer_append_text(&text, id);
            has_id = true;
        }
    }
    if (rest != err->message && buffer_append_text(&text, rest) == MODEL_OK)
        (void)error_set(err, MODEL_OK, "%s%s%s", has_id ? "" : id, has_id ? "" : ": ", text.data);
    buffer_finish(&text);
}

/* The text of model_info.json for the package that the view shows; to be freed. */
static model_status describe_view(const char *view, const char *id, const struct package_wish *wish,
                                  const struct log_sink *log, char **ret, struct model_error *err)
{
    struct package package = {0};
    struct model_error refusal = MODEL_ERROR_INIT;
    json_node *info = NULL;
    model_status status = package_open(view, NULL, &package, err);
    if (status != MODEL_OK)
        return status;
    status = plugin_probe_info(&package, &info, &refusal, err);
    package_finish(&package);
    if (refusal.message[0] != '\0' && !wish->is_told) {
        name_package(view, id, &refusal);
        log_write(log, MODEL_LOG_WARN, "the plugin is installed, but does not open this model: %s",
                  refusal.message);
    }
    if (status != MODEL_OK)
        return status;
    char *text = json_print(info, true);
    json_free(info);
    if (text == NULL)
        return error_no_memory(err, PACKAGE_INFO_PATH);
    *ret = text;
    return MODEL_OK;
}

/* MODEL_CORRUPT when the package has weights and no host could open them. */
static model_status check_weights(const char *view, const char *id, struct model_error *err)
{
    struct model_error reason = MODEL_ERROR_INIT;
    struct weights *weights = NULL;
    char *folder = path_join(view, "backends/cpu");
    if (folder == NULL)
        return error_no_memory(err, "a path");
    model_status status = weights_open(folder, &weights, &reason);
    weights_destroy(weights);
    free(folder);
    if (status != MODEL_CORRUPT)
        return MODEL_OK;
    name_package(view, id, &reason);
    return error_set(
        err, status,
        "%.800s; the bytes are what the hub has, so no package is made: its author has "
        "to mend them",
        reason.message);
}

static model_status add_model_info(const struct store *store, const char *staging,
                                   struct manifest *manifest, const struct package_wish *wish,
                                   const struct log_sink *log, struct model_error *err)
{
    struct model_error reason = MODEL_ERROR_INIT;
    char *text = NULL;
    char *view = path_join(staging, "view");
    if (view == NULL)
        return error_no_memory(err, "a path");
    model_status status = make_view(store, view, manifest, err);
    if (status == MODEL_OK && wish->must_open)
        status = check_weights(view, manifest->id, err);
    if (status == MODEL_OK) {
        status = describe_view(view, manifest->id, wish, log, &text, &reason);
        if (status == MODEL_OK)
            status = package_add_text(store, staging, manifest, PACKAGE_INFO_PATH, text, err);
        else if (status == MODEL_OUT_OF_MEMORY)
            status = error_no_memory(err, PACKAGE_INFO_PATH);
        else
            status = MODEL_OK;
        if (text == NULL) {
            name_package(view, manifest->id, &reason);
            log_write(log, MODEL_LOG_WARN, "the package gets no %s: %.800s", PACKAGE_INFO_PATH,
                      reason.message);
        }
    }
    free(text);
    free(view);
    return status;
}

static bool has_old_signature(const char *dir)
{
    char *path = path_join(dir, PACKAGE_OLD_SIGNATURE_NAME);
    const bool has_one = path != NULL && path_is_file(path);
    free(path);
    return has_one;
}

static void tell_of_signature(const char *id, const char *old_dir, const char *dir,
                              const struct log_sink *log)
{
    if (old_dir != NULL && strcmp(old_dir, dir) != 0 && store_package_is_signed(old_dir))
        log_write(log, MODEL_LOG_WARN,
                  "'%s' has other files now than were signed, and so no signature any more; sign "
                  "it anew: pkgmgr sign %s",
                  id, id);
    else if (!store_package_is_signed(dir) && has_old_signature(dir))
        log_write(log, MODEL_LOG_WARN,
                  "'%s' has no signature any more: the metadata.json that was signed is lost; what "
                  "signed it lies beside as " PACKAGE_OLD_SIGNATURE_NAME "; import the package "
                  "from where it came from, or sign it anew: pkgmgr sign %s",
                  id, id);
}

model_status package_build(const struct store *store, const char *staging,
                           struct manifest *manifest, const struct package_wish *wish,
                           const struct log_sink *log, char **ret_dir, struct model_error *err)
{
    model_status status = MODEL_OK;
    if (wish->plugin != NULL)
        status = add_plugin(store, staging, manifest, wish, err);
    if (status == MODEL_OK)
        status = add_model_info(store, staging, manifest, wish, log, err);
    if (status == MODEL_OK)
        status = store_replace(store, wish->old_dir, manifest, ret_dir, err);
    if (status == MODEL_OK)
        tell_of_signature(manifest->id, wish->old_dir, *ret_dir, log);
    return status;
}
