/* checked_package.c - see checked_package.h. */
#include "checked_package.h"
#include "check_record.h"
#include "errors.h"
#include "files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAMES_BYTES (CHECK_PROCESS_MAX_INPUT_BYTES - CHECK_TOKEN_DIGITS) /* behind a token */

static model_status share(const struct package *package, struct archive_contents *ret,
                          struct model_error *err)
{
    const model_status status = package_share_backend(package, ret, err);
    return status == MODEL_OK ? package_share_file(package, SUBJECT_REFERENCE_NAME, ret, err)
                              : status;
}

static model_status list(struct checked_package *package, struct model_error *err)
{
    const struct archive_contents *contents = &package->contents;
    model_status status =
        contents->n_items <= CHECK_PROCESS_MAX_GIVEN ? MODEL_OK : MODEL_UNSUPPORTED;
    for (size_t i = 0; i < contents->n_items && status == MODEL_OK; i++) {
        const char *path = contents->items[i].path;
        package->fds[i] = contents->items[i].fd;
        status = buffer_append(&package->names, path, strlen(path));
        if (status == MODEL_OK)
            status = buffer_append(&package->names, "\n", 1);
    }
    return status == MODEL_OK
               ? MODEL_OK
               : error_set(err, MODEL_UNSUPPORTED,
                           "%s has %zu encrypted files for the plugin, and a check is given %d of "
                           "%d bytes of names; unpack it first ('pkgmgr unpack')",
                           package->path, contents->n_items, CHECK_PROCESS_MAX_GIVEN,
                           MAX_NAMES_BYTES);
}

model_status checked_package_open(const char *plugin, const char *path,
                                  const struct archive_secret *secret, struct checked_package *ret,
                                  struct model_error *err)
{
    const struct subject_options options = {
        .plugin = plugin, .package = path, .secret = secret, .record_fd = -1};
    struct subject subject;
    *ret = (struct checked_package){.path = path, .names = BUFFER_INIT(MAX_NAMES_BYTES)};
    model_status status = subject_open(&options, &subject, err);
    if (status != MODEL_OK)
        return status;
    status = share(&subject.package, &ret->contents, err);
    subject_finish(&subject);
    if (status == MODEL_OK)
        status = list(ret, err);
    if (status != MODEL_OK)
        checked_package_finish(ret);
    return status;
}

void checked_package_finish(struct checked_package *package)
{
    archive_contents_finish(&package->contents);
    buffer_finish(&package->names);
    package->path = NULL;
}

model_status checked_package_take(const char *names, size_t size_bytes,
                                  struct archive_contents *ret, struct model_error *err)
{
    const char *end = NULL;
    model_status status = MODEL_OK;
    for (size_t at = 0; status == MODEL_OK && at < size_bytes &&
                        (end = memchr(names + at, '\n', size_bytes - at)) != NULL;
         at = (size_t)(end - names) + 1) {
        const int fd = CHECK_PROCESS_GIVEN_FD + (int)ret->n_items;
        char *name = text_format("%.*s", (int)(end - (names + at)), names + at);
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        status = name != NULL ? archive_contents_add(ret, name, fd, err)
                              : error_no_memory(err, "a content in memory");
        free(name);
    }
    return status;
}
