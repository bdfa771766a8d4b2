/* model_parts.c - see model_parts.h. */
#include "model_parts.h"
#include "archive.h"
#include "backend_files.h"
#include "errors.h"
#include "weights.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define ANY_DIGIT '-' /* in place of a digest */

/* The file that is open, if it is: another one may have taken its name. */
static model_status add_file(struct digest *digest, const char *path, int fd,
                             struct model_error *err)
{
    struct stat file;
    if ((fd >= 0 ? fstat(fd, &file) : stat(path, &file)) != 0)
        return error_set_errno(err, errno, "cannot look at %s", path);
    const uint64_t facts[] = {(uint64_t)file.st_dev, (uint64_t)file.st_ino, (uint64_t)file.st_size,
                              (uint64_t)file.BACKEND_FILE_MTIME.tv_sec,
                              (uint64_t)file.BACKEND_FILE_MTIME.tv_nsec};
    digest_update(digest, path, strlen(path) + 1);
    digest_update(digest, facts, sizeof facts);
    return MODEL_OK;
}

/* The mapped weights, whose names may be another file's by now, and all that a name leads to. */
static model_status add_folder(struct digest *digest, const char *backend_dir,
                               const struct weights *weights, struct model_error *err)
{
    char stamp[SHA256_HEX_BYTES];
    const size_t n_files = weights != NULL ? weights_n_files(weights) : 0;
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n_files && status == MODEL_OK; i++) {
        const char *path = NULL;
        const struct file_map map = weights_file(weights, i, &path);
        status = add_file(digest, path, map.fd, err);
    }
    if (status == MODEL_OK)
        status = backend_files_stamp(backend_dir, stamp, err);
    if (status == MODEL_OK)
        digest_update(digest, stamp, sizeof stamp);
    return status;
}

model_status model_parts_of_files(const char *config_text, size_t config_bytes,
                                  const char *backend_dir, const struct archive *archive,
                                  const struct weights *weights, char ret_files[SHA256_HEX_BYTES],
                                  struct model_error *err)
{
    const uint64_t counts[] = {config_bytes};
    struct digest *digest = NULL;
    model_status status = digest_create_sha256(&digest, err);
    if (status != MODEL_OK)
        return status;
    digest_update(digest, counts, sizeof counts);
    digest_update(digest, config_text, config_bytes);
    /* A folder that was signed is what its manifest lists, whose digest is wanted by itself: its time of change is
     * of every file in it, also of those that nobody reads. */
    if (archive != NULL && !archive_is_folder(archive))
        status = add_file(digest, archive_path(archive), archive_descriptor(archive), err);
    else if (archive == NULL)
        status = add_folder(digest, backend_dir, weights, err);
    if (status == MODEL_OK)
        digest_finish_hex(digest, ret_files);
    else
        digest_destroy(digest);
    return status;
}

model_status model_parts_check_files(const struct model_parts *wanted, const char *files,
                                     const char *backend_dir, struct model_error *err)
{
    if (wanted->files[0] == '\0' || strcmp(wanted->files, files) == 0)
        return MODEL_OK;
    return error_set(err, MODEL_CORRUPT,
                     "config.json, the weights or other files in %s were replaced or written over "
                     "since the model was loaded; load it again",
                     backend_dir);
}

model_status model_parts_check_plugin(const struct model_parts *wanted, const char *sha256,
                                      const char *plugin_path, struct model_error *err)
{
    if (wanted->plugin[0] == '\0' || strcmp(wanted->plugin, sha256) == 0)
        return MODEL_OK;
    return error_set(err, MODEL_CORRUPT,
                     "%s is not the plugin that the model was loaded with (SHA-256 %.12s..., want "
                     "%.12s...): it was replaced since; load the model again",
                     plugin_path, sha256, wanted->plugin);
}

static void write_one(const char *digest, char *ret)
{
    memset(ret, ANY_DIGIT, SHA256_HEX_BYTES - 1);
    memcpy(ret, digest, strlen(digest));
}

static bool read_one(const char *bytes, char ret[SHA256_HEX_BYTES])
{
    size_t n_digits = 0, n_any = 0;
    for (size_t i = 0; i < SHA256_HEX_BYTES - 1; i++) {
        n_any += bytes[i] == ANY_DIGIT;
        n_digits += bytes[i] != '\0' && strchr("0123456789abcdef", bytes[i]) != NULL;
    }
    memcpy(ret, bytes, SHA256_HEX_BYTES - 1);
    ret[n_any == 0 ? SHA256_HEX_BYTES - 1 : 0] = '\0';
    return n_digits == SHA256_HEX_BYTES - 1 || n_any == SHA256_HEX_BYTES - 1;
}

void model_parts_write(const struct model_parts *parts, char ret[MODEL_PARTS_BYTES])
{
    write_one(parts->plugin, ret);
    write_one(parts->files, ret + SHA256_HEX_BYTES - 1);
    write_one(parts->manifest, ret + 2 * (SHA256_HEX_BYTES - 1));
}

bool model_parts_read(const void *bytes, size_t size_bytes, struct model_parts *ret)
{
    struct model_parts parts;
    const char *text = bytes;
    if (size_bytes < MODEL_PARTS_BYTES || !read_one(text, parts.plugin) ||
        !read_one(text + SHA256_HEX_BYTES - 1, parts.files) ||
        !read_one(text + 2 * (SHA256_HEX_BYTES - 1), parts.manifest))
        return false;
    *ret = parts;
    return true;
}
