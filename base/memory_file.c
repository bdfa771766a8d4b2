/* memory_file.c - see memory_file.h. */
#include "memory_file.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__

model_status memory_file_create(const char *name, struct memory_file *ret, struct model_error *err)
{
    struct memory_file file = {.fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    if (file.fd < 0)
        return error_set_errno(err, errno, "cannot make a file in memory for %s", name);
    (void)snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    *ret = file;
    return MODEL_OK;
}

model_status memory_file_seal(const struct memory_file *file, struct model_error *err)
{
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    if (fcntl(file->fd, F_ADD_SEALS, seals) != 0)
        return error_set_errno(err, errno, "cannot seal a file in memory");
    return MODEL_OK;
}

model_status memory_file_check_sealed(int fd, struct model_error *err)
{
    const int wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    const int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & wanted) == wanted
               ? MODEL_OK
               : error_set(err, MODEL_CORRUPT, "a file in memory that is not sealed");
}

void memory_file_close(struct memory_file *file)
{
    if (file->path[0] != '\0')
        (void)close(file->fd);
    *file = (struct memory_file)MEMORY_FILE_NONE;
}

#else

model_status memory_file_create(const char *name, struct memory_file *ret, struct model_error *err)
{
    struct memory_file file = {.fd = -1};
    char folder[] = "/tmp/modelhost.XXXXXX"; /* 0700 */
    if (mkdtemp(folder) == NULL)
        return error_set_errno(err, errno, "cannot make a folder in /tmp for %s", name);
    const int length = snprintf(file.path, sizeof file.path, "%s/%s", folder, name);
    if (length > 0 && (size_t)length < sizeof file.path)
        file.fd = open(file.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file.fd < 0) {
        const int errnum = errno;
        (void)rmdir(folder);
        return error_set_errno(err, errnum, "cannot make %s in %s", name, folder);
    }
    *ret = file;
    return MODEL_OK;
}

model_status memory_file_check_sealed(int fd, struct model_error *err)
{
    struct stat info;
    return fstat(fd, &info) == 0 && (info.st_mode & 0222) == 0
               ? MODEL_OK
               : error_set(err, MODEL_CORRUPT, "a file in memory that is not sealed");
}

model_status memory_file_seal(const struct memory_file *file, struct model_error *err)
{
    return fchmod(file->fd, 0400) == 0 ? MODEL_OK
                                       : error_set_errno(err, errno, "cannot seal %s", file->path);
}

void memory_file_close(struct memory_file *file)
{
    if (file->path[0] == '\0')
        return;
    (void)close(file->fd);
    (void)unlink(file->path);
    char *slash = strrchr(file->path, '/');
    if (slash != NULL) {
        *slash = '\0';
        (void)rmdir(file->path);
    }
    *file = (struct memory_file)MEMORY_FILE_NONE;
}

#endif
