/* weights_place.c - see weights_place.h. */
#include "weights_place.h"
#include "commands.h"
#include "errors.h"
#include "files.h"
#include "package_locate.h"

#include <stdlib.h>
#include <unistd.h>

static model_status open_package(const char *word, const char *store_dir, const char *backend,
                                 struct weights_place *place, struct model_error *err)
{
    struct store *store = NULL;
    struct package_place found = {0};
    model_status status = command_look_into_store(store_dir, &store, err);
    if (status == MODEL_OK)
        status = package_locate(store, word, &found, err);
    if (status == MODEL_OK)
        status = package_open(found.dir, backend, &place->package, err);
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

bool weights_word_is_path(const char *word)
{
    return path_is_file(word) || (path_is_dir(word) && is_weights_folder(word));
}

static char *find_config(const char *path)
{
    char *config = path_is_dir(path)
                       ? path_join(path, "config.json")
                       : text_format("%.*sconfig.json", (int)(path_base(path) - path), path);
    if (config != NULL && path_is_file(config))
        return config;
    free(config);
    return NULL;
}

model_status weights_place_open(const char *word, const char *store_dir, const char *backend,
                                struct weights_place *ret, struct model_error *err)
{
    struct weights_place place = {0};
    model_status status = MODEL_OK;
    if (weights_word_is_path(word))
        place.path = text_format("%s", word);
    else
        status = open_package(word, store_dir, backend, &place, err);
    if (status == MODEL_OK && place.path == NULL)
        status = error_no_memory(err, word);
    if (status == MODEL_OK)
        status = tensor_table_open(place.path, &place.table, err);
    if (status == MODEL_OK && (place.is_package || path_is_dir(place.path)))
        place.config = find_config(place.path);
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
