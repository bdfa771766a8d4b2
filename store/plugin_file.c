/* plugin_file.c - see plugin_file.h. No state, any thread. */
#include "plugin_file.h"
#include "errors.h"
#include "file_map.h"
#include "plugin_image.h"

#include <errno.h>
#include <string.h>

#define MAX_FILE_BYTES ((uint64_t)4 << 30)

model_status plugin_file_parse(const uint8_t *file, size_t file_bytes, const char *what,
                               struct plugin_file *ret, struct model_error *err)
{
    struct plugin_file result = {0};
    model_status status = plugin_image_parse(file, file_bytes, what, &result, err);
    if (status == MODEL_OK)
        *ret = result;
    return status;
}

model_status plugin_file_read(const char *path, struct plugin_file *ret, struct model_error *err)
{
    struct file_map map = {0};
    model_status status = file_map_open(path, &map, err);
    if (status != MODEL_OK)
        return status;
    if (map.size_bytes > MAX_FILE_BYTES)
        status = error_set(err, MODEL_CORRUPT, "%s: %zu bytes, a plugin has at most 4 GB", path,
                           map.size_bytes);
    else
        status = plugin_file_parse(map.data, map.size_bytes, path, ret, err);
    if (status == MODEL_OK && fstat(map.fd, &ret->read) != 0)
        status = error_set_errno(err, errno, "cannot stat %s", path);
    file_map_close(&map);
    return status;
}

/* The exported names but create_model, separated by ' '. */
static void list_extra_exports(const struct plugin_file *file, char *ret, size_t ret_bytes)
{
    static const char wanted[] = "create_model";
    size_t used = 0;
    for (const char *word = file->exports; *word != '\0';) {
        size_t length = strcspn(word, " ");
        if ((length != sizeof wanted - 1 || memcmp(word, wanted, length) != 0) &&
            used + length + 2 < ret_bytes) {
            if (used > 0)
                ret[used++] = ' ';
            memcpy(ret + used, word, length);
            used += length;
        }
        word += length;
        word += strspn(word, " ");
    }
    ret[used] = '\0';
}

model_status plugin_file_check(const struct plugin_file *file, const char *path,
                               struct model_error *err)
{
    if (file->abi_major != MODEL_ABI_MAJOR)
        return error_set(err, MODEL_ABI_MISMATCH,
                         "%s: plugin '%s' %s was built for ABI %u.%u, this host speaks %d.%d; "
                         "rebuild the plugin with this host's model_abi.h, or use a host of ABI %u",
                         path, file->name, file->version, (unsigned)file->abi_major,
                         (unsigned)file->abi_minor, MODEL_ABI_MAJOR, MODEL_ABI_MINOR,
                         (unsigned)file->abi_major);
    if (!file->exports_create_model)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "%s: plugin '%s' %s does not export create_model; define it with the "
                         "signature of model_abi.h and mark it MODEL_EXPORT",
                         path, file->name, file->version);
    if (file->n_exports > 1) {
        char extra[400];
        list_extra_exports(file, extra, sizeof extra);
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "%s: plugin '%s' %s exports %u symbols beside create_model (%s); hide "
                         "them: compile with -fvisibility=hidden and link with the version script "
                         "{ global: create_model; local: *; };",
                         path, file->name, file->version, (unsigned)(file->n_exports - 1), extra);
    }
    return MODEL_OK;
}

#ifdef __APPLE__
#define MTIME st_mtimespec
#else
#define MTIME st_mtim
#endif

model_status plugin_file_check_same(const struct plugin_file *file, const char *path,
                                    struct model_error *err)
{
    const struct stat *before = &file->read;
    struct stat now;
    if (stat(path, &now) != 0)
        return error_set_errno(err, errno, "cannot stat %s", path);
    if (now.st_dev != before->st_dev || now.st_ino != before->st_ino ||
        now.st_size != before->st_size || now.MTIME.tv_sec != before->MTIME.tv_sec ||
        now.MTIME.tv_nsec != before->MTIME.tv_nsec)
        return error_set(err, MODEL_CORRUPT,
                         "%s changed while it was being opened; try again when nobody writes to it",
                         path);
    return MODEL_OK;
}

bool plugin_file_serves(const struct plugin_file *file, const char *architecture)
{
    size_t wanted = strlen(architecture);
    for (const char *word = file->architectures; *word != '\0';) {
        word += strspn(word, ", ");
        size_t length = strcspn(word, ", ");
        if (length > 0 && length == wanted && memcmp(word, architecture, length) == 0)
            return true;
        word += length;
    }
    return false;
}
