/* weights_place.c - see weights_place.h. */
#include "weights_place.h"
#include "commands.h"
#include "errors.h"
#include "files.h"
#include "package_file.h"
#include "package_locate.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static model_status open_package(const char *word, const struct weights_access *access,
                                 struct weights_place *place, struct model_error *err)
{
    struct store *store = NULL;
    struct package_place found = {0};
    const bool is_archive = weights_word_is_archive(word);
    model_status status =
        is_archive ? MODEL_OK : command_look_into_store(access->store_dir, &store, err);
    if (status == MODEL_OK && !is_archive)
        status = package_locate(store, word, &found, err);
    if (status == MODEL_OK)
        status = command_open_package(is_archive ? word : found.dir, access->backend,
                                      &access->secret, &place->package, err);
    if (status == MODEL_OK) {
        place->is_package = true;
        place->path = text_format("%s", place->package.backend_dir);
    }
    package_place_finish(&found);
    store_close(store);
    return status;
}

/* A folder with weights in it that is no package: a snapshot of a hub, say. */
static bool is_weights_folder(const char *word)
{
    static const char *const names[] = {WEIGHTS_SINGLE_NAME, WEIGHTS_SINGLE_NAME ".index.json",
                                        TORCH_SINGLE_NAME, TORCH_INDEX_NAME};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !found; i++) {
        char *path = path_join(word, names[i]);
        found = path != NULL && access(path, F_OK) == 0;
        free(path);
    }
    return found;
}

bool weights_word_is_archive(const char *word)
{
    uint8_t head[ARCHIVE_HEADER_BYTES];
    const size_t n = strlen(word), n_suffix = strlen(ARCHIVE_SUFFIX);
    if (!path_is_file(word))
        return false;
    if (n > n_suffix && strcmp(word + n - n_suffix, ARCHIVE_SUFFIX) == 0)
        return true;
    int fd = open(word, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const ssize_t n_read = fd >= 0 ? read(fd, head, sizeof head) : -1;
    if (fd >= 0)
        (void)close(fd);
    return n_read > 0 && archive_has_magic(head, (size_t)n_read);
}

bool weights_word_is_path(const char *word)
{
    if (weights_word_is_archive(word))
        return false;
    return path_is_file(word) || (path_is_dir(word) && is_weights_folder(word));
}

static char *find_config(const struct archive *archive, const char *path)
{
    char *config = archive != NULL || path_is_dir(path)
                       ? path_join(path, "config.json")
                       : text_format("%.*sconfig.json", (int)(path_base(path) - path), path);
    if (config != NULL && package_file_exists(archive, config))
        return config;
    free(config);
    return NULL;
}

model_status weights_place_open(const char *word, const struct weights_access *access,
                                struct weights_place *ret, struct model_error *err)
{
    struct weights_place place = {0};
    model_status status = MODEL_OK;
    if (weights_word_is_path(word))
        place.path = text_format("%s", word);
    else
        status = open_package(word, access, &place, err);
    if (status == MODEL_OK && place.path == NULL)
        status = error_no_memory(err, word);
    if (status == MODEL_OK)
        status = tensor_table_open_from(place.package.archive, place.path, &place.table, err);
    if (status == MODEL_OK && (place.is_package || path_is_dir(place.path)))
        place.config = find_config(place.package.archive, place.path);
    if (status == MODEL_OK)
        *ret = place;
    else
        weights_place_close(&place);
    return status;
}

void weights_place_close(struct weights_place *place)
{
    tensor_table_close(&place->table);
    if (place->is_package)
        package_finish(&place->package);
    free(place->config);
    free(place->path);
    *place = (struct weights_place){0};
}
