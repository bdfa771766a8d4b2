/* partial_claim.c - see partial_claim.h. */
#include "partial_claim.h"
#include "clock.h"
#include "errors.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HOST_BYTES  256
#define HASH_START  2166136261u
#define HASH_FACTOR 16777619u

/* ---- owners */

/* FNV-1a: tells hosts apart that share a store, not enemies. */
static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * HASH_FACTOR;
    return hash;
}

/* Processes of two containers may have one host's name and other numbers: their spaces have names. */
static uint32_t host_hash(void)
{
    char host[HOST_BYTES] = "", space[HOST_BYTES] = "";
    (void)gethostname(host, sizeof host - 1);
#ifdef __linux__
    (void)!readlink("/proc/self/ns/pid", space, sizeof space - 1);
#endif
    return hash_text(hash_text(HASH_START, host), space);
}

static void read_boot(char ret[PARTIAL_BOOT_BYTES])
{
    struct buffer text = BUFFER_INIT(PARTIAL_BOOT_BYTES);
    ret[0] = '\0';
#ifdef __linux__
    if (file_read("/proc/sys/kernel/random/boot_id", PARTIAL_BOOT_BYTES, &text, NULL) == MODEL_OK)
        (void)snprintf(ret, PARTIAL_BOOT_BYTES, "%.*s", (int)strcspn(text.data, "\n"), text.data);
#endif
    buffer_finish(&text);
}

void partial_owner_init(struct partial_owner *owner)
{
    static atomic_uint n_owners;
    uint32_t n = atomic_fetch_add(&n_owners, 1);
    uint64_t now_ns = (uint64_t)clock_now_ns();
    read_boot(owner->boot);
    (void)snprintf(owner->name, sizeof owner->name, "%08x.%08x.%ld.%08x", (unsigned)host_hash(),
                   (unsigned)hash_text(HASH_START, owner->boot), (long)getpid(),
                   (unsigned)((uint32_t)(now_ns ^ now_ns >> 32) * HASH_FACTOR + n));
}

enum partial_state partial_owner_state(const char *name, const struct partial_owner *self,
                                       int64_t heard_s, int64_t now_s)
{
    unsigned host, boot, own_host, own_boot;
    long pid = 0;
    int n = 0;
    bool is_ours = sscanf(name, "%8x.%8x.%10ld.%*8[0-9a-f]%n", &host, &boot, &pid, &n) == 3 &&
                   n > 0 && name[n] == '\0' && pid > 0 && pid <= INT32_MAX;
    bool is_here =
        is_ours && sscanf(self->name, "%8x.%8x", &own_host, &own_boot) == 2 && host == own_host;
    if (is_here && boot != own_boot)
        return PARTIAL_DEAD;
    if (is_here && kill((pid_t)pid, 0) != 0 && errno == ESRCH)
        return PARTIAL_DEAD;
    return now_s - heard_s > PARTIAL_SILENT_S ? PARTIAL_SILENT : PARTIAL_ALIVE;
}

/* ---- folders */

/* The owner in a folder's name, if it is of this key. */
static const char *owner_in(const char *name, const char *key)
{
    size_t n = strlen(key);
    return strncmp(name, key, n) == 0 && name[n] == '.' ? name + n + 1 : NULL;
}

/* Takes a folder over when its owner is gone: true, and how. *alive becomes true when he is not. */
static bool take_over(const char *partials, const char *name, const char *owner_name,
                      const struct partial_owner *self, int64_t now_s, const char *own,
                      enum partial_origin *ret_origin, bool *alive)
{
    struct stat info;
    bool taken = false;
    char *path = path_join(partials, name);
    if (path != NULL && lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        enum partial_state state =
            partial_owner_state(owner_name, self, (int64_t)info.st_mtime, now_s);
        if (state == PARTIAL_ALIVE)
            *alive = true;
        else
            taken = rename(path, own) == 0;
        *ret_origin = state == PARTIAL_SILENT ? PARTIAL_SPLIT : PARTIAL_KEPT;
    }
    free(path);
    return taken;
}

/* Looks at all folders of the key. MODEL_NOT_FOUND: there is none to take, and nobody alive. */
static model_status look(const char *partials, const char *key, const struct partial_owner *self,
                         int64_t now_s, const char *own, enum partial_origin *ret_origin,
                         struct model_error *err)
{
    struct dir_list list = {0};
    bool alive = false, taken = false;
    model_status status = dir_read(partials, &list, err);
    if (status != MODEL_OK)
        return status;
    for (size_t i = 0; i < list.n_names && !taken; i++) {
        const char *owner_name = owner_in(list.names[i], key);
        if (owner_name != NULL && strcmp(path_base(own), list.names[i]) != 0)
            taken = take_over(partials, list.names[i], owner_name, self, now_s, own, ret_origin,
                              &alive);
    }
    dir_list_finish(&list);
    if (taken)
        return MODEL_OK;
    return alive ? error_set(err, MODEL_BUSY, "another process is fetching it") : MODEL_NOT_FOUND;
}

/* A new folder. Two that make one at the same time see each other then, and the one whose name comes
 * first goes on. */
static model_status make_own(const char *partials, const char *key, const char *own,
                             const struct partial_owner *self, struct model_error *err)
{
    struct dir_list list = {0};
    if (mkdir(own, 0777) != 0)
        return error_set_errno(err, errno, "cannot make the folder %s", own);
    bool is_first = true;
    if (dir_read(partials, &list, NULL) == MODEL_OK) {
        for (size_t i = 0; i < list.n_names; i++) {
            const char *owner_name = owner_in(list.names[i], key);
            is_first = is_first && (owner_name == NULL || strcmp(self->name, owner_name) <= 0);
        }
        dir_list_finish(&list);
    }
    if (is_first) {
        (void)dir_sync(partials, NULL); /* else a power cut costs the part, nothing worse */
        return MODEL_OK;
    }
    (void)rmdir(own);
    return error_set(err, MODEL_BUSY, "another process is fetching it");
}

/* A link that somebody left there would lead what is written elsewhere. */
static bool claim_anyones(const char *anyones, const char *own)
{
    struct stat info;
    if (rename(anyones, own) != 0)
        return false;
    const bool is_folder = lstat(own, &info) == 0 && S_ISDIR(info.st_mode);
    if (!is_folder)
        (void)unlink(own);
    return is_folder;
}

model_status partial_claim(const char *store_dir, const char *key,
                           const struct partial_owner *owner, int64_t now_s, char **ret_dir,
                           enum partial_origin *ret_origin, struct model_error *err)
{
    char *partials = path_join(store_dir, "partial");
    char *anyones = text_format("%s/partial/%s", store_dir, key);
    char *own = text_format("%s/partial/%s.%s", store_dir, key, owner->name);
    enum partial_origin origin = PARTIAL_KEPT;
    model_status status = MODEL_OK;
    if (partials == NULL || anyones == NULL || own == NULL)
        status = error_no_memory(err, "a path");
    if (status == MODEL_OK)
        status = dir_make_all(partials, err);
    if (status == MODEL_OK && !claim_anyones(anyones, own)) {
        status = look(partials, key, owner, now_s, own, &origin, err);
        if (status == MODEL_NOT_FOUND) {
            origin = PARTIAL_NEW;
            status = make_own(partials, key, own, owner, err);
        }
    }
    free(partials);
    free(anyones);
    if (status != MODEL_OK) {
        free(own);
        return status;
    }
    partial_beat(own);
    *ret_dir = own;
    *ret_origin = origin;
    return MODEL_OK;
}

void partial_beat(const char *dir)
{
    (void)utimensat(AT_FDCWD, dir, NULL, AT_SYMLINK_NOFOLLOW);
}

void partial_release(const char *store_dir, const char *key, char *dir)
{
    if (dir == NULL)
        return;
    char *anyones = text_format("%s/partial/%s", store_dir, key);
    if (anyones == NULL || rename(dir, anyones) != 0)
        (void)dir_remove_all(dir, NULL); /* there is one already */
    free(anyones);
    free(dir);
}

void partial_remove(char *dir)
{
    if (dir != NULL)
        (void)dir_remove_all(dir, NULL);
    free(dir);
}

void partial_tidy(const char *store_dir, const char *key, const struct partial_owner *self,
                  int64_t now_s)
{
    enum partial_origin origin = PARTIAL_NEW;
    char *dir = NULL;
    struct stat info;
    char *partials = path_join(store_dir, "partial");
    bool is_there = partials != NULL && lstat(partials, &info) == 0;
    free(partials);
    /* what can be claimed is nobody's */
    while (is_there &&
           partial_claim(store_dir, key, self, now_s, &dir, &origin, NULL) == MODEL_OK) {
        partial_remove(dir);
        is_there = origin != PARTIAL_NEW;
    }
}

uint64_t partial_disk_bytes(const char *store_dir, const char *key)
{
    struct dir_list list = {0};
    struct stat info;
    uint64_t total_bytes = 0;
    char *partials = path_join(store_dir, "partial");
    if (partials == NULL || dir_read(partials, &list, NULL) != MODEL_OK)
        list = (struct dir_list){0};
    for (size_t i = 0; i < list.n_names; i++) {
        const char *name = list.names[i];
        if (key != NULL && strcmp(name, key) != 0 && owner_in(name, key) == NULL)
            continue;
        char *data = text_format("%s/%s/data", partials, name);
        if (data != NULL && lstat(data, &info) == 0 && S_ISREG(info.st_mode))
            total_bytes += (uint64_t)info.st_blocks * 512;
        free(data);
    }
    dir_list_finish(&list);
    free(partials);
    return total_bytes;
}
