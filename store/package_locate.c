/* package_locate.c - see package_locate.h. */
#include "package_locate.h"
#include "archive_format.h"
#include "errors.h"
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has(const char *dir, const char *name, bool (*is)(const char *))
{
    char *path = path_join(dir, name);
    bool found = path != NULL && is(path);
    free(path);
    return found;
}

/* "model.mhp", which no name in a store should end in. */
static bool is_archive(const char *word)
{
    const size_t n = strlen(word), n_suffix = sizeof ARCHIVE_SUFFIX - 1;
    return n > n_suffix && strcmp(word + n - n_suffix, ARCHIVE_SUFFIX) == 0 && path_is_file(word);
}

bool package_is_folder(const char *word)
{
    return is_archive(word) || word[0] == '.' || word[0] == '/' ||
           (path_is_dir(word) &&
            (has(word, "metadata.json", path_is_file) || has(word, "backends", path_is_dir)));
}

/* Whether dir, which is absolute and real, lies in the store's packages. */
static bool is_below_packages(const struct store *store, const char *dir)
{
    char *packages = store != NULL ? path_join(store_dir(store), "packages") : NULL;
    char *real = packages != NULL ? realpath(packages, NULL) : NULL;
    size_t n = real != NULL ? strlen(real) : 0;
    bool below = n > 0 && strncmp(dir, real, n) == 0 && dir[n] == '/';
    free(packages);
    free(real);
    return below;
}

/* What is called like a file was meant as one. */
static bool is_called_like_file(const char *word)
{
    static const char *const suffixes[] = {ARCHIVE_SUFFIX, ".safetensors", ".bin", ".pt",
                                           ".pth",         ".json",        ".so"};
    const size_t n = strlen(word);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        const size_t n_suffix = strlen(suffixes[i]);
        if (n > n_suffix && strcmp(word + n - n_suffix, suffixes[i]) == 0)
            return true;
    }
    return false;
}

/* A name that the store does not have, and no file either, though it looks like one. */
static void mention_file(const char *word, struct model_error *err)
{
    if (access(word, F_OK) != 0 && is_called_like_file(word))
        (void)error_set(err, MODEL_NOT_FOUND,
                        "there is no file '%.300s', and no package of that name in the store; look "
                        "at the path",
                        word);
    else if (access(word, F_OK) == 0 && !path_is_file(word) && !path_is_dir(word))
        (void)error_set(err, MODEL_NOT_FOUND,
                        "'%.300s' is neither a file nor a folder, and no package of that name is "
                        "in the store",
                        word);
}

/* A name that the store does not have, but a folder has it. */
static void mention_folder(const char *word, struct model_error *err)
{
    struct model_error found = MODEL_ERROR_INIT;
    if (err == NULL || !path_is_dir(word))
        return;
    found = *err;
    (void)error_set(err, MODEL_NOT_FOUND,
                    "%.900s; the folder '%.200s' is no package, it has neither metadata.json nor "
                    "backends/: say ./%.200s if you mean it",
                    found.message, word, word);
}

model_status package_check_word(const char *word, struct model_error *err)
{
    char *id = NULL, *revision = NULL, *key = NULL;
    if (package_is_folder(word))
        return MODEL_OK;
    model_status status = store_split_name(word, &id, &revision, err);
    if (status == MODEL_OK)
        status = store_key_of(id, &key, err);
    free(key);
    free(revision);
    free(id);
    return status;
}

static model_status cannot_open(const char *word, int errnum, struct model_error *err)
{
    model_status status = error_set_errno(err, errnum, "cannot open the package %.400s", word);
    error_advise(err, "give a package's folder, or the name of a model in the store");
    return status;
}

model_status package_locate(const struct store *store, const char *word, struct package_place *ret,
                            struct model_error *err)
{
    struct package_place place = {0};
    if (!package_is_folder(word)) {
        model_status status =
            store == NULL
                ? error_set(err, MODEL_NOT_FOUND,
                            "no such model: '%.200s' is no package's folder, and the store does "
                            "not exist yet; get it with pkgmgr download %.200s",
                            word, word)
                : store_find(store, word, &place.dir, err);
        if (status == MODEL_NOT_FOUND) {
            mention_folder(word, err);
            mention_file(word, err);
        }
        if (status != MODEL_OK)
            return status;
        place.in_store = true;
    } else {
        place.dir = realpath(word, NULL);
        if (place.dir == NULL)
            return cannot_open(word, errno, err);
        place.in_store = is_below_packages(store, place.dir);
    }
    *ret = place;
    return MODEL_OK;
}

void package_place_finish(struct package_place *place)
{
    free(place->dir);
    *place = (struct package_place){0};
}
