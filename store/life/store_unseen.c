/* store_unseen.c - see store_unseen.h. Three witnesses: folders of packages/ that cannot be read, stamps of
 * packages that are not there, and refs in a store without any package. What changes while this looks is
 * another process's removal, and at worst reported as unseen: blobs stay until the next time. */
#include "store_unseen.h"
#include "errors.h"
#include "store_folder.h"
#include "store_paths.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

struct looking {
    const struct store *store;
    char *why;
    size_t n_seen; /* packages */
    struct model_error *err;
};

static model_status no_memory(const struct looking *looking)
{
    return error_no_memory(looking->err, "looking through the store");
}

/* Calls visit for each <folder>/<key>/<name>, until there is a reason. A folder that is not there is empty. */
static model_status visit_names(struct looking *looking, const char *folder,
                                model_status (*visit)(struct looking *looking, const char *key,
                                                      const char *name))
{
    struct dir_list keys = {0};
    model_status status = MODEL_OK;
    if (store_folder_read(looking->store, folder, &keys, NULL) != MODEL_OK)
        keys = (struct dir_list){0};
    for (size_t i = 0; i < keys.n_names && status == MODEL_OK && looking->why == NULL; i++) {
        struct dir_list names = {0};
        char *key = path_join(folder, keys.names[i]);
        if (key == NULL)
            status = no_memory(looking);
        else if (store_folder_read(looking->store, key, &names, NULL) != MODEL_OK)
            names = (struct dir_list){0};
        for (size_t j = 0; j < names.n_names && status == MODEL_OK && looking->why == NULL; j++)
            status = visit(looking, keys.names[i], names.names[j]);
        dir_list_finish(&names);
        free(key);
    }
    dir_list_finish(&keys);
    return status;
}

/* ---- packages/ */

/* A folder that is there and cannot be read; a plain file is nobody's package. */
static model_status check_folder(struct looking *looking, const char *relative)
{
    struct dir_list list = {0};
    struct model_error reason = MODEL_ERROR_INIT;
    struct stat info;
    char *path = path_join(looking->store->dir, relative);
    if (path == NULL)
        return no_memory(looking);
    model_status status = store_folder_read(looking->store, relative, &list, &reason);
    bool is_nobodys = lstat(path, &info) != 0 || S_ISREG(info.st_mode);
    dir_list_finish(&list);
    free(path);
    if (status == MODEL_OK || is_nobodys)
        return MODEL_OK;
    looking->why = text_format(
        "%s%s", reason.message,
        status == MODEL_CORRUPT ? "" : "; mount what it lies on, or see to its permissions");
    return looking->why != NULL ? MODEL_OK : no_memory(looking);
}

static model_status check_packages(struct looking *looking)
{
    struct dir_list keys = {0};
    model_status status = check_folder(looking, "packages");
    if (status == MODEL_OK &&
        store_folder_read(looking->store, "packages", &keys, NULL) != MODEL_OK)
        keys = (struct dir_list){0};
    for (size_t i = 0; i < keys.n_names && status == MODEL_OK && looking->why == NULL; i++) {
        char *key = path_join("packages", keys.names[i]);
        status = key != NULL ? check_folder(looking, key) : no_memory(looking);
        free(key);
    }
    dir_list_finish(&keys);
    return status;
}

static model_status count_package(void *context, const char *target, const char *dir)
{
    struct looking *looking = context;
    (void)target;
    (void)dir;
    looking->n_seen++;
    return MODEL_OK;
}

/* ---- stamps and refs */

static bool is_there(const struct store *store, const char *folder, const char *target,
                     const char *below)
{
    struct stat info;
    char *path = text_format("%s/%s/%s%s", store->dir, folder, target, below);
    bool there = path == NULL || stat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
    free(path);
    return there;
}

static model_status check_stamp(struct looking *looking, const char *key, const char *name)
{
    const char *dir = looking->store->dir;
    char *target = text_format("%s/%s", key, name);
    if (target == NULL)
        return no_memory(looking);
    bool unseen = store_target_is_good(target) &&
                  !is_there(looking->store, "packages", target, "/metadata.json");
    if (unseen)
        looking->why =
            text_format("%s/packages/%s should be there and is not: mount what it lies on; "
                        "if somebody deleted it by hand, delete %s/stamps/%s, too",
                        dir, target, dir, target);
    free(target);
    return unseen && looking->why == NULL ? no_memory(looking) : MODEL_OK;
}

static model_status check_ref(struct looking *looking, const char *key, const char *name)
{
    const char *dir = looking->store->dir;
    looking->why =
        text_format("%s/packages has no package, but %s/refs/%s/%s leads to one: mount what "
                    "it lies on; if somebody deleted it by hand, delete the ref, too",
                    dir, dir, key, name);
    return looking->why != NULL ? MODEL_OK : no_memory(looking);
}

/* ---- public */

bool store_target_is_unseen(const struct store *store, const char *target)
{
    return is_there(store, "stamps", target, "") &&
           !is_there(store, "packages", target, "/metadata.json");
}

model_status store_find_unseen(const struct store *store, char **ret_why, struct model_error *err)
{
    struct looking looking = {.store = store, .err = err};
    model_status status = check_packages(&looking);
    if (status == MODEL_OK && looking.why == NULL)
        status = visit_names(&looking, "stamps", check_stamp);
    if (status == MODEL_OK && looking.why == NULL)
        status = store_walk_packages(store, count_package, &looking, err);
    if (status == MODEL_OK && looking.why == NULL && looking.n_seen == 0)
        status = visit_names(&looking, "refs", check_ref);
    if (status == MODEL_OK)
        *ret_why = looking.why;
    else
        free(looking.why);
    return status;
}
