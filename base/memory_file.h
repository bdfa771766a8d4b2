/* memory_file.h - a file of this process alone that something else can open by a path: dlopen(), mmap().
 *
 * On Linux it is memory (memfd), closed by exec and sealed against change; elsewhere a file in a folder of
 * its own that nobody else may enter, removed when it is closed. One owner; [any-thread] */
#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H

#include "modelhost.h"

#define MEMORY_FILE_PATH_BYTES 64

struct memory_file {
    int fd;                            /* to write to, until it is sealed */
    char path[MEMORY_FILE_PATH_BYTES]; /* opens it while fd is open; "": there is no file */
};

#define MEMORY_FILE_NONE                                                                           \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* An empty one. `name` ends its path, or its name in /proc: "libmodel.so". */
model_status memory_file_create(const char *name, struct memory_file *ret, struct model_error *err);
/* Nobody changes it from here on. No writable mapping of it may exist. */
model_status memory_file_seal(const struct memory_file *file, struct model_error *err);
/* Of a descriptor that came from elsewhere: MODEL_CORRUPT unless nobody can change it any more; on systems without seals
 * unless it is read-only. */
model_status memory_file_check_sealed(int fd, struct model_error *err);
/* What is mapped of it stays. Closing twice, or one that is all zero, does nothing. */
void memory_file_close(struct memory_file *file);

#endif
