/* compiled_folder.c - see compiled_folder.h. */
#include "compiled_folder.h"
#include "errors.h"
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

char *compiled_folder_path(const char *store_dir, uint64_t max_bytes)
{
    char *store =
        store_dir != NULL && max_bytes != COMPILED_NONE_BYTES ? realpath(store_dir, NULL) : NULL;
    char *path = store != NULL ? path_join(store, COMPILED_FOLDER_NAME) : NULL;
    free(store);
    return path;
}

model_status compiled_folder_make(const char *path, struct model_error *err)
{
    struct stat folder;
    if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
        return error_set_errno(err, errno, "cannot make folder %s", path);
    if (lstat(path, &folder) != 0)
        return error_set_errno(err, errno, "cannot look at %s", path);
    const char *why = !S_ISDIR(folder.st_mode)     ? "is no folder, or a symbolic link"
                      : folder.st_uid != geteuid() ? "belongs to another user"
                      : (folder.st_mode & (S_IWGRP | S_IWOTH)) != 0 ? "may be written to by others"
                                                                    : NULL;
    return why == NULL
               ? MODEL_OK
               : error_set(err, MODEL_CORRUPT, "%s %s; remove it, and it is made anew", path, why);
}
