/* health_store.c - see health.h: the store and the disk that it is on. */
#include "errors.h"
#include "files.h"
#include "health.h"
#include "human_text.h"
#include "store_census.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fs.h>
#include <sys/ioctl.h>
#endif

#define LITTLE_BYTES ((uint64_t)2 << 30) /* less free than most models take */

void health_say(const struct health_report *report, const char *name, enum health_verdict verdict,
                model_status status, const char *remedy, const char *format, ...)
{
    struct health_finding finding = {.name = name, .verdict = verdict, .status = status};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(finding.text, sizeof finding.text, format, arguments);
    va_end(arguments);
    if (remedy != NULL)
        (void)snprintf(finding.remedy, sizeof finding.remedy, "%s", remedy);
    report->take(report->context, &finding);
}

/* ---- the disk */

/* How the file `from` can be had again in the same folder. */
static const char *way_of_sharing(const char *from, const char *to)
{
    bool is_clone = false;
#ifdef FICLONE
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    is_clone = in >= 0 && out >= 0 && ioctl(out, FICLONE, in) == 0;
    if (in >= 0)
        (void)close(in);
    if (out >= 0)
        (void)close(out);
    (void)unlink(to);
#endif
    if (is_clone)
        return "reflinks";
    if (link(from, to) == 0)
        return "hard links";
    return symlink(from, to) == 0 ? "symbolic links" : NULL;
}

static void check_links(const struct store *store, const struct health_report *report)
{
    char *dir = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = store_make_staging(store, &dir, &err);
    if (status != MODEL_OK) {
        health_say(report, "links", HEALTH_FAILED, status, "give the store's folder to this user",
                   "%s", err.message);
        return;
    }
    char *from = path_join(dir, "a"), *to = path_join(dir, "b");
    int fd = from != NULL ? open(from, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    const bool is_written = fd >= 0 && to != NULL && write(fd, "x", 1) == 1;
    const char *way = is_written ? way_of_sharing(from, to) : NULL;
    if (fd >= 0)
        (void)close(fd);
    if (!is_written)
        health_say(report, "links", HEALTH_FAILED, MODEL_IO, "free some room, or see the disk",
                   "cannot write below %s: %s", store_dir(store), strerror(errno));
    else if (way == NULL)
        health_say(report, "links", HEALTH_WARNING, MODEL_OK,
                   "put the store on a disk that knows links, with --store or MODELHOST_STORE",
                   "the store's disk knows no links: each package is a copy");
    else
        health_say(report, "links", HEALTH_OK, MODEL_OK, NULL, "packages share their files by %s",
                   way);
    store_end_staging(store, dir);
    free(from);
    free(to);
}

static void check_space(const char *dir, const struct health_report *report)
{
    char size[HUMAN_TEXT_BYTES];
    struct statvfs disk;
    if (statvfs(dir, &disk) != 0) {
        health_say(report, "space", HEALTH_WARNING, MODEL_OK, NULL,
                   "cannot tell how much room %s has: %s", dir, strerror(errno));
        return;
    }
    const uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    const bool is_little = free_bytes < LITTLE_BYTES;
    health_say(report, "space", is_little ? HEALTH_WARNING : HEALTH_OK, MODEL_OK,
               is_little ? "`pkgmgr gc` removes what nothing uses, `pkgmgr rm` packages" : NULL,
               "%s free where the store is", human_size(free_bytes, size));
}

/* ---- what is in it */

static void say_parts(const struct store_census *census, const char *folder, const char *name,
                      const char *what, const char *remedy, const struct health_report *report)
{
    char size[HUMAN_TEXT_BYTES];
    size_t n = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < census->n_parts; i++)
        if (strncmp(census->parts[i].name, folder, strlen(folder)) == 0 &&
            !census->parts[i].is_in_use) {
            n++;
            bytes += census->parts[i].size_bytes;
        }
    if (n == 0)
        health_say(report, name, HEALTH_OK, MODEL_OK, NULL, "no %s", what);
    else
        health_say(report, name, HEALTH_WARNING, MODEL_OK, remedy, "%zu %s, %s", n, what,
                   human_size(bytes, size));
}

static void check_contents(const struct store *store, const struct health_report *report)
{
    struct store_census census = {0};
    struct store_list broken = {0};
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = store_census_take(store, 0, NULL, NULL, &census, &err);
    if (status == MODEL_OK)
        status = store_list_broken(store, &broken, &err);
    if (status != MODEL_OK)
        health_say(report, "packages", HEALTH_FAILED, status, NULL, "%s", err.message);
    else if (broken.n_entries > 0)
        health_say(report, "packages", HEALTH_FAILED, MODEL_CORRUPT,
                   "`pkgmgr download ID --force` mends it, `pkgmgr rm ID` removes it",
                   "%zu of %zu packages cannot be read, the first is %s", broken.n_entries,
                   census.n_packages + broken.n_entries, broken.entries[0].id);
    else
        health_say(report, "packages", HEALTH_OK, MODEL_OK, NULL,
                   "%zu packages; `pkgmgr verify` compares every byte", census.n_packages);
    if (status == MODEL_OK) {
        say_parts(&census, "partial/", "downloads", "interrupted downloads",
                  "the same `pkgmgr download` goes on where it stopped; `pkgmgr gc` removes it",
                  report);
        say_parts(&census, "tmp/", "leftovers", "leftovers of processes that ended",
                  "`pkgmgr gc` removes them", report);
    }
    store_list_finish(&broken);
    store_census_finish(&census);
}

/* The nearest part of the path that is there must be a folder. */
static void check_room_for(const char *dir, const struct health_report *report)
{
    char *at = text_format("%s", dir);
    while (at != NULL && access(at, F_OK) != 0 && strlen(at) > 1) {
        char *slash = strrchr(at, '/');
        if (slash == NULL)
            (void)snprintf(at, strlen(at) + 1, ".");
        else
            slash[slash == at ? 1 : 0] = '\0';
    }
    if (at != NULL && path_is_dir(at) && access(at, W_OK | X_OK) == 0)
        health_say(report, "store", HEALTH_OK, MODEL_OK, NULL,
                   "none at %s yet; the first download makes it", dir);
    else
        health_say(report, "store", HEALTH_FAILED, MODEL_IO,
                   "name another folder with --store or MODELHOST_STORE",
                   "none at %s, and it cannot be made: %s may not be written", dir,
                   at != NULL ? at : dir);
    if (at != NULL)
        check_space(at, report);
    free(at);
}

void health_check_store(const char *dir, const struct health_report *report)
{
    struct store *store = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = store_open(dir, 0, &store, &err);
    if (status == MODEL_NOT_FOUND) {
        check_room_for(dir, report);
        return;
    }
    if (status != MODEL_OK) {
        health_say(report, "store", HEALTH_FAILED, status,
                   "name another folder with --store or MODELHOST_STORE", "%s", err.message);
        return;
    }
    if (store_is_writable(store)) {
        health_say(report, "store", HEALTH_OK, MODEL_OK, NULL, "%s can be written",
                   store_dir(store));
        check_links(store, report);
    } else {
        health_say(report, "store", HEALTH_WARNING, MODEL_OK,
                   "packages run from it; to get more, name a store of your own with --store or "
                   "MODELHOST_STORE",
                   "%s can only be read by this user", store_dir(store));
    }
    check_space(store_dir(store), report);
    check_contents(store, report);
    store_close(store);
}
