/* plugin_copy.c - see plugin_copy.h. */
#include "plugin_copy.h"
#include "errors.h"
#include "files.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_COPY_BYTES ((size_t)64 << 20)

bool plugin_copy_lacks_libraries(const struct plugin_file *file)
{
    return file->library_places[0] != '\0';
}

bool plugin_copy_wanted(const char *path, const struct plugin_file *file, bool or_not,
                        struct buffer *ret_bytes, char ret_digest[SHA256_HEX_BYTES])
{
    struct buffer bytes = BUFFER_INIT(MAX_COPY_BYTES);
    const mode_t written = S_IWUSR | S_IWGRP | S_IWOTH;
    if (((file->read.st_mode & written) == 0 && !or_not) ||
        (uint64_t)file->read.st_size > MAX_COPY_BYTES)
        return false;
    if (file_read(path, MAX_COPY_BYTES, &bytes, NULL) != MODEL_OK ||
        memmem(bytes.data, bytes.size, "$ORIGIN", strlen("$ORIGIN")) != NULL ||
        digest_bytes_sha256(bytes.data, bytes.size, ret_digest, NULL) != MODEL_OK) {
        buffer_finish(&bytes);
        return false;
    }
    *ret_bytes = bytes;
    return true;
}

model_status plugin_copy_refuse(const char *path, const struct plugin_file *file,
                                struct model_error *err)
{
    if (plugin_copy_lacks_libraries(file))
        return error_set(err, MODEL_UNSUPPORTED,
                         "plugin %s takes libraries from places of its own (%.200s): its digest "
                         "does not know them, which load_policy \"conformant\" rules out; link "
                         "them into it, install them where the system looks for libraries and "
                         "link without -rpath, or load with load_policy \"any\"",
                         path, file->library_places);
    return error_set(
        err, MODEL_UNSUPPORTED,
        "plugin %s names $ORIGIN (libraries beside it) or has more than 64 MB: what runs "
        "might not be what was checked, which load_policy \"conformant\" rules out; link "
        "those libraries into it, or load with load_policy \"any\"",
        path);
}

model_status plugin_copy_check(const char *path, struct model_error *err)
{
    struct plugin_file file;
    struct buffer bytes;
    char digest[SHA256_HEX_BYTES];
    model_status status = plugin_file_read(path, &file, err);
    if (status != MODEL_OK)
        return status;
    if (plugin_copy_lacks_libraries(&file) ||
        !plugin_copy_wanted(path, &file, true, &bytes, digest))
        return plugin_copy_refuse(path, &file, err);
    buffer_finish(&bytes);
    return MODEL_OK;
}

model_status plugin_copy_check_signed(const char *path, const char *name, struct model_error *err)
{
    struct plugin_file file;
    model_status status = plugin_file_read(path, &file, err);
    if (status == MODEL_OK && plugin_copy_lacks_libraries(&file))
        status = error_set(err, MODELHOST_UNTRUSTED,
                           "plugin %s takes libraries from places of its own (%.200s): its "
                           "signature does not cover them, which require_signature rules out; "
                           "link them into it, or install them where the system looks for "
                           "libraries and link without -rpath, then sign the package anew",
                           name, file.library_places);
    return status;
}

int plugin_copy_make(const struct buffer *bytes, char ret_path[PLUGIN_COPY_PATH_BYTES])
{
#ifdef MFD_CLOEXEC
    int fd = memfd_create("libmodel.so", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    for (size_t done = 0; fd >= 0 && done < bytes->size;) {
        const ssize_t n = write(fd, (const char *)bytes->data + done, bytes->size - done);
        if (n <= 0) {
            (void)close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    /* The code that is opened so must not find a file to write into. */
    if (fd >= 0)
        (void)fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    (void)snprintf(ret_path, PLUGIN_COPY_PATH_BYTES, "/proc/self/fd/%d", fd);
    return fd;
#else
    (void)bytes;
    (void)ret_path;
    return -1;
#endif
}
