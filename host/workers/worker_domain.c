/* worker_domain.c - see worker_domain.h.
 *
 * Landlock allows by folder what it handles, and cannot except one: so each entry of "/" is allowed but for /dev, and
 * there what is no device, or a harmless one. A folder that comes into "/" later is not. */
#include "worker_domain.h"
#include "errors.h"

#ifdef __linux__
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__linux__) && defined(SYS_landlock_create_ruleset)

/* linux/landlock.h, whose later fields older systems do not name. */
struct landlock_rules {
    uint64_t file_access, network_access, scopes;
};
struct landlock_place {
    uint64_t allowed_access;
    int32_t fd;
} __attribute__((packed));

#define WANT_VERSION 1u /* a flag: only say which version there is */
#define PATH_BENEATH 1  /* a kind of rule */
#define WRITE_FILE   (1u << 1)
#define READ_FILE    (1u << 2)
#define REMOVE_BOTH  (3u << 4) /* folders and files */
#define MAKE_FOLDER  (1u << 7)
#define MAKE_FILE    (1u << 8)
#define MAKE_ALL     (0x7fu << 6) /* and devices, sockets, pipes, links */
#define REFER        (1u << 13)   /* since version 2: from one folder into another */
#define TRUNCATE     (1u << 14)   /* since version 3 */
#define IOCTL_DEVICE (1u << 15)   /* since version 5 */
#define SCOPE_ALL    3u           /* since version 6: abstract sockets and signals */

#define CONFINING_VERSION 3
#define CHANGES           (WRITE_FILE | REMOVE_BOTH | MAKE_ALL | REFER | TRUNCATE)
#define CHANGES_BELOW     (WRITE_FILE | REMOVE_BOTH | MAKE_FOLDER | MAKE_FILE | TRUNCATE)

static const char *const harmless[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                       "/dev/random", "/dev/urandom", "/dev/shm"};

static long landlock_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, WANT_VERSION);
}

static bool add_rule(int rules, int fd, uint64_t access)
{
    const struct landlock_place place = {access, fd};
    const bool good = syscall(SYS_landlock_add_rule, rules, PATH_BENEATH, &place, 0) == 0;
    const int why = errno;
    (void)close(fd);
    errno = why;
    return good;
}

/* An entry that is gone by now, or not for this user, needs no rule. */
static bool allow(int rules, int folder, const char *name)
{
    const int fd = openat(folder, name, O_PATH | O_CLOEXEC);
    return fd < 0 || add_rule(rules, fd, READ_FILE);
}

/* NULL: none. One that is not there is an error: who asks for it would think that it may be used. */
static bool allow_changes(int rules, const char *folder)
{
    const int fd =
        folder != NULL ? open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    return folder == NULL || (fd >= 0 && add_rule(rules, fd, CHANGES_BELOW));
}

/* Everything that may be read. */
static bool allow_all(int rules, DIR *root)
{
    bool good = true;
    for (const struct dirent *entry; good && (entry = readdir(root)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            strcmp(entry->d_name, "dev") != 0)
            good = allow(rules, dirfd(root), entry->d_name);
    for (size_t i = 0; good && i < sizeof harmless / sizeof harmless[0]; i++)
        good = allow(rules, AT_FDCWD, harmless[i]);
    return good;
}

bool worker_domain_confines_writing(void)
{
    return landlock_version() >= CONFINING_VERSION;
}

model_status worker_domain_enter(const char *writable_folder, struct model_error *err)
{
    const long version = landlock_version();
    if (writable_folder != NULL && version < CONFINING_VERSION)
        return error_set(err, MODEL_UNSUPPORTED,
                         "cannot confine writing to %s: it needs Landlock of Linux 6.2 or later",
                         writable_folder);
    if (version < 1)
        return MODEL_OK;
    DIR *root = opendir("/");
    const struct landlock_rules wanted = {.file_access = READ_FILE |
                                                         (version >= 5 ? IOCTL_DEVICE : 0) |
                                                         (writable_folder != NULL ? CHANGES : 0),
                                          .scopes = version >= 6 ? SCOPE_ALL : 0};
    const int rules =
        root != NULL ? (int)syscall(SYS_landlock_create_ruleset, &wanted, sizeof wanted, 0) : -1;
    const bool is_in = rules >= 0 && allow_all(rules, root) &&
                       allow_changes(rules, writable_folder) &&
                       syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    const int why = errno;
    if (rules >= 0)
        (void)close(rules);
    if (root != NULL)
        (void)closedir(root);
    return is_in ? MODEL_OK
                 : error_set(err, MODEL_UNSUPPORTED,
                             "cannot enter a domain (Landlock): %s; it needs to list \"/\"%s%s",
                             strerror(why), writable_folder != NULL ? " and to open " : "",
                             writable_folder != NULL ? writable_folder : "");
}

#else

bool worker_domain_confines_writing(void)
{
#ifdef __linux__
    return false;
#else
    return true;
#endif
}

model_status worker_domain_enter(const char *writable_folder, struct model_error *err)
{
#ifdef __linux__
    if (writable_folder != NULL)
        return error_set(err, MODEL_UNSUPPORTED, "built without Landlock: nothing is writable");
#endif
    (void)writable_folder;
    (void)err;
    return MODEL_OK;
}
#endif
