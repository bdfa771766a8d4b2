/* key_store.c - see key_store.h. */
#include "key_store.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_SUFFIX  ".key"
#define PUBLIC_SUFFIX  ".pub"
#define MAX_NAME_BYTES 64

model_status key_store_init(struct key_store *store, const char *config_dir,
                            struct model_error *err)
{
    struct key_store made = {path_join(config_dir, "keys"),
                             path_join(config_dir, TRUSTED_KEYS_NAME)};
    if (made.keys_dir == NULL || made.trusted_path == NULL) {
        key_store_finish(&made);
        return error_no_memory(err, "a path");
    }
    *store = made;
    return MODEL_OK;
}

void key_store_finish(struct key_store *store)
{
    free(store->keys_dir);
    free(store->trusted_path);
    *store = (struct key_store){0};
}

bool key_name_is_good(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    const size_t n = strlen(name);
    return n > 0 && n <= MAX_NAME_BYTES && name[0] != '.' && name[0] != '-' &&
           strspn(name, letters) == n;
}

static char *path_of(const struct key_store *store, const char *name, const char *suffix)
{
    return text_format("%s/%s%s", store->keys_dir, name, suffix);
}

/* ---- writing */

static model_status make_dir(const struct key_store *store, struct model_error *err)
{
    struct stat info;
    char *above = text_format("%.*s", (int)(path_base(store->keys_dir) - store->keys_dir - 1),
                              store->keys_dir);
    if (above == NULL)
        return error_no_memory(err, "a path");
    model_status status = dir_make_private(above, err);
    free(above);
    if (status == MODEL_OK)
        status = dir_make_private(store->keys_dir, err);
    if (status == MODEL_OK && stat(store->keys_dir, &info) != 0)
        status = error_set_errno(err, errno, "cannot open %s", store->keys_dir);
    if (status == MODEL_OK && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        status = error_set(err, MODEL_IO,
                           "%s may be entered by others; secret keys are not put there: chmod 700 "
                           "it",
                           store->keys_dir);
    return status;
}

static model_status write_new(const char *path, const char *text, mode_t mode,
                              struct model_error *err)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0 && errno == EEXIST)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "%s is there already, and keys are not written over; choose another name",
                         path);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot make %s", path);
    model_status status = file_write_all(fd, path, text, strlen(text), err);
    if (status == MODEL_OK && fsync(fd) != 0)
        status = error_set_errno(err, errno, "cannot sync %s", path);
    (void)close(fd);
    if (status != MODEL_OK)
        (void)unlink(path);
    return status;
}

model_status key_store_add(const struct key_store *store, const char *name, const char *secret_text,
                           const char *public_text, struct model_error *err)
{
    char *secret = path_of(store, name, SECRET_SUFFIX),
         *public = path_of(store, name, PUBLIC_SUFFIX);
    model_status status =
        secret != NULL && public != NULL ? make_dir(store, err) : error_no_memory(err, "a path");
    if (status == MODEL_OK)
        status = write_new(secret, secret_text, S_IRUSR | S_IWUSR, err);
    if (status == MODEL_OK) {
        status = write_new(public, public_text, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH, err);
        if (status != MODEL_OK)
            (void)unlink(secret);
    }
    if (status == MODEL_OK)
        status = dir_sync(store->keys_dir, err);
    free(secret);
    free(public);
    return status;
}

/* ---- finding */

model_status key_store_list(const struct key_store *store, struct dir_list *ret,
                            struct model_error *err)
{
    struct dir_list list = {0};
    static const size_t n_suffix = sizeof SECRET_SUFFIX - 1;
    model_status status = dir_read(store->keys_dir, &list, err);
    if (status != MODEL_OK && status != MODEL_NOT_FOUND)
        return status;
    size_t n = 0;
    for (size_t i = 0; i < list.n_names; i++) {
        char *name = list.names[i];
        const size_t length = strlen(name);
        const bool is_secret =
            length > n_suffix && strcmp(name + length - n_suffix, SECRET_SUFFIX) == 0;
        if (is_secret)
            name[length - n_suffix] = '\0';
        if (is_secret && key_name_is_good(name))
            list.names[n++] = name;
        else
            free(name);
    }
    list.n_names = n;
    *ret = list;
    return MODEL_OK;
}

model_status key_store_public(const struct key_store *store, const char *name,
                              struct public_key *ret, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(KEY_FILE_MAX_BYTES);
    char *path = path_of(store, name, PUBLIC_SUFFIX);
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = file_read(path, KEY_FILE_MAX_BYTES, &text, err);
    if (status == MODEL_OK)
        status = public_key_parse(text.data != NULL ? text.data : "", text.size, path, ret, err);
    buffer_finish(&text);
    free(path);
    return status;
}

static model_status find_only(const struct key_store *store, char **ret, struct model_error *err)
{
    struct dir_list list = {0};
    model_status status = key_store_list(store, &list, err);
    if (status != MODEL_OK)
        return status;
    if (list.n_names == 0)
        status = error_set(err, MODEL_NOT_FOUND,
                           "there is no key to sign with; make one: pkgmgr keys new NAME");
    else if (list.n_names > 1)
        status =
            error_set(err, MODEL_INVALID_ARGUMENT,
                      "there are %zu keys (%.40s, %.40s%s); say which with --key NAME",
                      list.n_names, list.names[0], list.names[1], list.n_names > 2 ? ", ..." : "");
    else if ((*ret = path_of(store, list.names[0], SECRET_SUFFIX)) == NULL)
        status = error_no_memory(err, "a path");
    dir_list_finish(&list);
    return status;
}

model_status key_store_find_secret(const struct key_store *store, const char *word, char **ret,
                                   struct model_error *err)
{
    if (word == NULL)
        return find_only(store, ret, err);
    char *path = key_name_is_good(word) ? path_of(store, word, SECRET_SUFFIX) : NULL;
    if (path == NULL || !path_is_file(path)) {
        free(path);
        path = path_is_file(word) ? text_format("%s", word) : NULL;
    }
    if (path == NULL)
        return error_set(
            err, MODEL_NOT_FOUND,
            "no key '%.100s': it is neither in %s nor a file; `pkgmgr keys list` shows "
            "the keys that there are",
            word, store->keys_dir);
    *ret = path;
    return MODEL_OK;
}

/* ---- reading what is secret */

static model_status check_privacy(int fd, const char *path, struct model_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return error_set_errno(err, errno, "cannot read %s", path);
    if (!S_ISREG(info.st_mode) || info.st_size > (off_t)KEY_FILE_MAX_BYTES)
        return error_set(err, MODEL_CORRUPT,
                         "%s is no secret key: no regular file of at most %u "
                         "bytes",
                         path, KEY_FILE_MAX_BYTES);
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0 || info.st_uid != geteuid())
        return error_set(err, MODEL_IO,
                         "%s: others may read this secret key, or it is somebody else's; if nobody "
                         "did, chmod 600 it, else make another key and revoke this one",
                         path);
    return MODEL_OK;
}

model_status key_store_read_secret(const char *path, char **ret, size_t *ret_bytes,
                                   struct model_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot read %s", path);
    model_status status = check_privacy(fd, path, err);
    char *text = status == MODEL_OK ? calloc(1, KEY_FILE_MAX_BYTES + 1) : NULL;
    ssize_t n_bytes = 0;
    if (status == MODEL_OK && text == NULL)
        status = error_no_memory(err, "a secret key");
    if (status == MODEL_OK && (n_bytes = read(fd, text, KEY_FILE_MAX_BYTES)) < 0)
        status = error_set_errno(err, errno, "cannot read %s", path);
    (void)close(fd);
    if (status != MODEL_OK) {
        free(text);
        return status;
    }
    *ret = text;
    *ret_bytes = (size_t)n_bytes;
    return MODEL_OK;
}
