/* store_folder.c - see store_folder.h. Each step is opened from the one above by O_NOFOLLOW, so that there is no
 * moment between a look and a use in which a folder could become a link. */
#include "store_folder.h"
#include "errors.h"
#include "store_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_STEP_BYTES 256
#define UNIQUE_BYTES   6 /* of mkstemp() and mkdtemp() */

static const char digits[] = "0123456789";
static const char hex_digits[] = "0123456789abcdef";
static const char unique[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/* ---- opening */

static int open_step(int above, const char *name, bool make)
{
    static const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(above, name, flags);
    if (fd < 0 && errno == ENOENT && make && (mkdirat(above, name, 0777) == 0 || errno == EEXIST))
        fd = openat(above, name, flags);
    return fd;
}

/* Why a step could not be opened; `reason` is errno's. */
static model_status refuse_step(const struct store *store, int above, const char *name,
                                const char *relative, size_t n, int reason, struct model_error *err)
{
    struct stat info;
    const bool is_there = fstatat(above, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && S_ISLNK(info.st_mode))
        return error_set(err, MODEL_CORRUPT,
                         "the store %.300s: its folder %.*s is a symbolic link, and a store "
                         "follows none; replace it by a folder (mount there what lies on another "
                         "disk)",
                         store->dir, (int)n, relative);
    if (is_there && !S_ISDIR(info.st_mode))
        return error_set(err, MODEL_CORRUPT, "the store %.300s: %.*s is no folder; move it away",
                         store->dir, (int)n, relative);
    return error_set_errno(err, reason, "cannot open folder %s/%s", store->dir, relative);
}

model_status store_folder_open(const struct store *store, const char *relative, bool make,
                               int *ret_fd, struct model_error *err)
{
    char name[MAX_STEP_BYTES];
    int fd = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open the store %s", store->dir);
    for (const char *step = relative; *step != '\0';) {
        const size_t n = strcspn(step, "/");
        if (n >= sizeof name) {
            (void)close(fd);
            return error_set_errno(err, ENAMETOOLONG, "cannot open folder %s/%s", store->dir,
                                   relative);
        }
        memcpy(name, step, n);
        name[n] = '\0';
        const int next = open_step(fd, name, make);
        const int reason = errno;
        model_status status = next >= 0 ? MODEL_OK
                                        : refuse_step(store, fd, name, relative,
                                                      (size_t)(step - relative) + n, reason, err);
        (void)close(fd);
        if (status != MODEL_OK)
            return status;
        fd = next;
        step += n + (step[n] == '/');
    }
    *ret_fd = fd;
    return MODEL_OK;
}

model_status store_folder_read(const struct store *store, const char *relative,
                               struct dir_list *ret, struct model_error *err)
{
    int fd = -1;
    model_status status = store_folder_open(store, relative, false, &fd, err);
    if (status != MODEL_OK)
        return status;
    char *path = path_join(store->dir, relative);
    status = path != NULL ? dir_read_at(fd, path, ret, err) : error_no_memory(err, relative);
    free(path);
    (void)close(fd);
    return status;
}

model_status store_folder_make(const struct store *store, const char *relative,
                               struct model_error *err)
{
    int fd = -1;
    model_status status = store_folder_open(store, relative, true, &fd, err);
    if (status == MODEL_OK)
        (void)close(fd);
    return status;
}

model_status store_folder_check(const struct store *store, const char *relative,
                                struct model_error *err)
{
    int fd = -1;
    struct model_error why = MODEL_ERROR_INIT;
    model_status status = store_folder_open(store, relative, false, &fd, &why);
    if (status == MODEL_OK)
        (void)close(fd);
    return status == MODEL_CORRUPT ? error_set(err, status, "%s", why.message) : MODEL_OK;
}

model_status store_folders_check(const struct store *store, struct model_error *err)
{
    static const char *const folders[] = {"blobs/sha256", "packages", "refs",    "tmp",  "partial",
                                          "leases",       "stamps",   "history", "used", "prepared",
                                          "compiled",     "accuracy", ".pulled"};
    model_status status = MODEL_OK;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && status == MODEL_OK; i++)
        status = store_folder_check(store, folders[i], err);
    return status;
}

/* ---- changing */

static bool unlink_in(const struct store *store, const char *relative, const char *name, int flags)
{
    int fd = -1;
    if (store_folder_open(store, relative, false, &fd, NULL) != MODEL_OK)
        return false;
    const int result = unlinkat(fd, name, flags);
    const int reason = errno;
    (void)close(fd);
    errno = reason;
    return result == 0;
}

bool store_folder_unlink(const struct store *store, const char *relative, const char *name)
{
    return unlink_in(store, relative, name, 0);
}

bool store_folder_rmdir(const struct store *store, const char *parent, const char *name)
{
    return unlink_in(store, parent, name, AT_REMOVEDIR);
}

bool store_folder_remove(const struct store *store, const char *relative, const char *name)
{
    int fd = -1;
    if (store_folder_open(store, relative, false, &fd, NULL) != MODEL_OK)
        return false;
    const bool is_gone = dir_remove_at(fd, name, name, NULL) == MODEL_OK;
    (void)close(fd);
    return is_gone;
}

model_status store_folder_write(const struct store *store, const char *relative, const char *name,
                                const void *data, size_t size_bytes, struct model_error *err)
{
    model_status status = store_folder_make(store, relative, err);
    char *path = text_format("%s/%s/%s", store->dir, relative, name);
    if (status == MODEL_OK)
        status = path != NULL ? file_replace_atomic(path, data, size_bytes, err)
                              : error_no_memory(err, relative);
    free(path);
    return status;
}

/* ---- names */

/* The bytes of a unique name at text; 0: there is none. */
static size_t unique_bytes(const char *text)
{
    return strspn(text, unique) >= UNIQUE_BYTES ? UNIQUE_BYTES : 0;
}

static bool is_unique_with(const char *name, const char *before, const char *behind)
{
    const size_t n = strlen(before);
    return strncmp(name, before, n) == 0 && unique_bytes(name + n) > 0 &&
           strcmp(name + n + UNIQUE_BYTES, behind) == 0;
}

bool store_name_is_staging(const char *name)
{
    return is_unique_with(name, "", "") || is_unique_with(name, "", ".held") ||
           is_unique_with(name, ".time.", "");
}

bool store_name_is_partial(const char *name)
{
    const size_t n_hex = strspn(name, hex_digits);
    if ((n_hex != 40 && n_hex != SHA256_HEX_BYTES - 1) || name[n_hex] != '-')
        return false;
    const char *size = name + n_hex + 1;
    const size_t n = strspn(size, digits);
    if (n == 0 || (size[n] != '\0' && size[n] != '.'))
        return false;
    return size[n] == '\0' ||
           (size[n + 1] != '\0' && strspn(size + n, "0123456789abcdef.") == strlen(size + n));
}

bool store_name_is_digest(const char *name)
{
    return strlen(name) == SHA256_HEX_BYTES - 1 && strspn(name, hex_digits) == SHA256_HEX_BYTES - 1;
}

bool store_name_is_prepared(const char *name)
{
    return store_name_is_digest(name) || is_unique_with(name, ".draft-", "");
}

bool store_name_is_compiled(const char *name)
{
    char target[SHA256_HEX_BYTES];
    return store_name_is_digest(name) ||
           (store_name_in_progress(name, target, sizeof target) && store_name_is_digest(target));
}

bool store_name_is_lease(const char *name)
{
    if (name[0] == '.')
        return is_unique_with(name, ".", "");
    if (unique_bytes(name) == 0 || name[UNIQUE_BYTES] != '.')
        return false;
    const char *pid = name + UNIQUE_BYTES + 1;
    const size_t n_pid = strspn(pid, digits);
    if (n_pid == 0 || pid[n_pid] != '.')
        return false;
    const size_t n = strspn(pid + n_pid + 1, digits);
    return n > 0 && pid[n_pid + 1 + n] == '\0';
}

/* Where the last ".<digits>" before end begins; NULL: there is none. */
static const char *number_before(const char *name, const char *end)
{
    const char *at = end;
    while (at > name && at[-1] >= '0' && at[-1] <= '9')
        at--;
    return at < end && at > name && at[-1] == '.' ? at - 1 : NULL;
}

bool store_name_in_progress(const char *name, char *ret_target, size_t ret_bytes)
{
    static const char suffix[] = ".tmp";
    const size_t n = strlen(name);
    if (name[0] != '.' || n < sizeof suffix || strcmp(name + n - (sizeof suffix - 1), suffix) != 0)
        return false;
    const char *end = number_before(name, name + n - (sizeof suffix - 1));
    end = end != NULL ? number_before(name, end) : NULL;
    const size_t target_bytes = end != NULL ? (size_t)(end - name) - 1 : 0;
    if (end == NULL || end == name || target_bytes == 0 || target_bytes >= ret_bytes)
        return false;
    memcpy(ret_target, name + 1, target_bytes);
    ret_target[target_bytes] = '\0';
    return true;
}
