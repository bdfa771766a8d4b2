/* weights_place.c - see weights_place.h. */
#include "weights_place.h"
#include "commands.h"
#include "coreml_backend.h"
#include "coreml_package.h"
#include "errors.h"
#include "files.h"
#include "package_file.h"
#include "package_locate.h"

#include <fcntl.h>
#include <signal.h>
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
    const size_t n = strlen(word);
    const bool is_listing = n > 4 && strcmp(word + n - 4, ".mil") == 0;
    const bool is_coreml = access->with_coreml && (is_listing || coreml_is_model_path(word));
    if (is_coreml || weights_word_is_path(word))
        place.path = text_format("%s", word);
    else
        status = open_package(word, access, &place, err);
    if (status == MODEL_OK && place.path == NULL)
        status = error_no_memory(err, word);
    if (status == MODEL_OK && is_coreml)
        place.coreml = text_format("%s", word);
    else if (status == MODEL_OK && access->with_coreml && place.is_package)
        place.coreml = coreml_backend_find(place.package.archive, place.path);
    if (status == MODEL_OK && is_coreml && place.coreml == NULL)
        status = error_no_memory(err, word);
    if (status == MODEL_OK && place.coreml == NULL)
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
    free(place->coreml);
    free(place->path);
    *place = (struct weights_place){0};
}

/* What was read may be zeros or half of a tensor: nothing of it is to be used, and the stack cannot be unwound
 * from here. A convert's unfinished file goes with the next one. */
static void on_truncation(int number)
{
    static const char sentence[] = "pkgmgr: a file of weights was cut short while it was read; try "
                                   "again when nobody writes to it\n";
    (void)number;
    (void)!write(STDERR_FILENO, sentence, sizeof sentence - 1);
    _exit(status_exit_code(MODEL_CORRUPT));
}

void weights_catch_truncation(void)
{
    struct sigaction action = {.sa_handler = on_truncation};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGBUS, &action, NULL);
}
