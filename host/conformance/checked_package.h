/* checked_package.h - the package of a conformance run, opened by the process that starts the checks before any of them: what
 * cannot be opened is no fault of a plugin, and what is encrypted is decrypted once, so that no check is given a key. One
 * owner. */
#ifndef CHECKED_PACKAGE_H
#define CHECKED_PACKAGE_H

#include "check_process.h"
#include "subject.h"

struct checked_package {
    const char *path; /* of the folder or archive, as it was given */
    struct archive_contents contents;
    struct buffer names; /* of these, each with a newline: as the processes are told */
    int fds[CHECK_PROCESS_MAX_GIVEN];
};

/* Opens `path` as a check does, with the plugin's file as its note wants it. The errors are those of package and file;
 * MODELHOST_UNAUTHORIZED: secret (NULL: none) is not what it was encrypted with. All of it lives longer. */
model_status checked_package_open(const char *plugin, const char *path,
                                  const struct archive_secret *secret, struct checked_package *ret,
                                  struct model_error *err);
/* One that is all zero does nothing. */
void checked_package_finish(struct checked_package *package);

/* In the process of a check: the contents by their names, which it was told, and their descriptors, which are those
 * from CHECK_PROCESS_GIVEN_FD on. */
model_status checked_package_take(const char *names, size_t size_bytes,
                                  struct archive_contents *ret, struct model_error *err);

#endif
