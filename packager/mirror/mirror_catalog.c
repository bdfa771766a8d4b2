/* mirror_catalog.c - see mirror_catalog.h. Reads folders, never files. */
#include "mirror_catalog.h"
#include "errors.h"
#include "files.h"
#include "hub_answers.h"
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_REPOSITORIES 100000

static int compare_repositories(const void *a, const void *b)
{
    const struct mirror_repository *const *first = a, *const *second = b;
    return strcmp((*first)->id, (*second)->id);
}

static struct mirror_repository *find_exactly(const struct mirror_catalog *catalog, const char *id)
{
    struct mirror_repository key = {.id = (char *)(uintptr_t)id};
    struct mirror_repository *pointer = &key;
    struct mirror_repository **found =
        catalog->n_repositories > 0
            ? bsearch(&pointer, catalog->repositories, catalog->n_repositories,
                      sizeof(struct mirror_repository *), compare_repositories)
            : NULL;
    return found != NULL ? *found : NULL;
}

/* ---- reading the folder */

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name), n = strlen(ending);
    return length > n && strcmp(name + length - n, ending) == 0;
}

static bool says_model(const char *name)
{
    static const char *const names[] = {"config.json",  "model_index.json",    "tokenizer.json",
                                        "modules.json", "adapter_config.json", "params.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return has_ending(name, ".safetensors") || has_ending(name, ".gguf") ||
           has_ending(name, ".onnx");
}

static bool holds_model(const char *folder, const struct dir_list *list)
{
    for (size_t i = 0; i < list->n_names; i++) {
        if (!says_model(list->names[i]))
            continue;
        char *path = path_join(folder, list->names[i]);
        bool is_file = path != NULL && path_is_file(path);
        free(path);
        if (is_file)
            return true;
    }
    return false;
}

/* Takes both strings over. */
static model_status add(struct mirror_catalog *catalog, char *id, char *folder, size_t n_sorted,
                        struct model_error *err)
{
    struct mirror_catalog sorted = *catalog;
    sorted.n_repositories = n_sorted; /* what this look has added is not in order yet */
    struct mirror_repository *known = id != NULL ? find_exactly(&sorted, id) : NULL;
    if (known != NULL && folder != NULL) {
        known->is_present = true;
        free(id);
        free(known->folder);
        known->folder = folder;
        return MODEL_OK;
    }
    size_t n = catalog->n_repositories;
    struct mirror_repository **grown =
        realloc(catalog->repositories, (n + 1) * sizeof(struct mirror_repository *));
    if (grown != NULL)
        catalog->repositories = grown;
    struct mirror_repository *repository = calloc(1, sizeof *repository);
    if (id == NULL || folder == NULL || grown == NULL || repository == NULL) {
        free(id);
        free(folder);
        free(repository);
        return error_no_memory(err, "a list of repositories");
    }
    *repository = (struct mirror_repository){.id = id, .folder = folder, .is_present = true};
    repository->last_wait = &repository->first_wait;
    catalog->repositories[catalog->n_repositories++] = repository;
    return MODEL_OK;
}

/* The real path of ROOT/relative if it is a folder inside root; NULL otherwise. */
static char *real_folder(const struct mirror_catalog *catalog, const char *relative)
{
    char *path = path_join(catalog->root, relative);
    char *real = path != NULL ? realpath(path, NULL) : NULL;
    free(path);
    size_t length = strlen(catalog->root);
    if (real != NULL && path_is_dir(real) && strncmp(real, catalog->root, length) == 0 &&
        (real[length] == '/' || catalog->root[length - 1] == '/'))
        return real;
    free(real);
    return NULL;
}

static model_status take_namespace(struct mirror_catalog *catalog, const char *name,
                                   const struct dir_list *list, size_t n_sorted,
                                   struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; status == MODEL_OK && i < list->n_names; i++) {
        if (catalog->n_repositories >= MAX_REPOSITORIES)
            return error_set(err, MODEL_UNSUPPORTED, "%s: more than %d repositories", catalog->root,
                             MAX_REPOSITORIES);
        char *id = path_join(name, list->names[i]);
        if (id == NULL)
            return error_no_memory(err, "a list of repositories");
        char *folder = list->names[i][0] != '.' ? real_folder(catalog, id) : NULL;
        if (folder != NULL && hub_check_id(id, NULL) == MODEL_OK) {
            status = add(catalog, id, folder, n_sorted, err);
            continue;
        }
        if (folder != NULL)
            log_write(catalog->log, MODEL_LOG_WARN, "%s is not served: no name for a repository",
                      folder);
        free(folder);
        free(id);
    }
    return status;
}

static model_status take_entry(struct mirror_catalog *catalog, const char *name, size_t n_sorted,
                               struct model_error *err)
{
    char *folder = name[0] != '.' ? real_folder(catalog, name) : NULL;
    struct dir_list list = {0};
    if (folder == NULL || hub_check_id(name, NULL) != MODEL_OK ||
        dir_read(folder, &list, NULL) != MODEL_OK) {
        free(folder);
        return MODEL_OK;
    }
    model_status status;
    if (holds_model(folder, &list)) {
        status = add(catalog, strdup(name), folder, n_sorted, err);
    } else {
        status = take_namespace(catalog, name, &list, n_sorted, err);
        free(folder);
    }
    dir_list_finish(&list);
    return status;
}

static model_status take_folder(struct mirror_catalog *catalog, struct model_error *err)
{
    struct dir_list list = {0};
    size_t n_sorted = catalog->n_repositories;
    model_status status = dir_read(catalog->root, &list, err);
    for (size_t i = 0; status == MODEL_OK && i < list.n_names; i++)
        status = take_entry(catalog, list.names[i], n_sorted, err);
    dir_list_finish(&list);
    return status;
}

/* Each id once, however many versions of it the store has: entries are in order. */
static model_status take_store(struct mirror_catalog *catalog, struct model_error *err)
{
    struct store_list list = {0};
    size_t n_sorted = catalog->n_repositories;
    model_status status = store_list_packages(catalog->store, &list, err);
    for (size_t i = 0; status == MODEL_OK && i < list.n_entries; i++)
        if (i == 0 || strcmp(list.entries[i].id, list.entries[i - 1].id) != 0)
            status = add(catalog, strdup(list.entries[i].id), strdup(list.entries[i].dir), n_sorted,
                         err);
    store_list_finish(&list);
    return status;
}

model_status mirror_catalog_refresh(struct mirror_catalog *catalog, struct model_error *err)
{
    size_t n_before = catalog->n_repositories;
    for (size_t i = 0; i < n_before; i++)
        catalog->repositories[i]->is_present = false;
    model_status status = catalog->only_id != NULL
                              ? add(catalog, strdup(catalog->only_id), strdup(catalog->root),
                                    catalog->n_repositories, err)
                          : catalog->store != NULL ? take_store(catalog, err)
                                                   : take_folder(catalog, err);
    if (catalog->n_repositories > 1)
        qsort(catalog->repositories, catalog->n_repositories, sizeof(struct mirror_repository *),
              compare_repositories);
    return status;
}

static model_status init(struct mirror_catalog catalog, const char *path,
                         struct mirror_catalog *ret, struct model_error *err)
{
    catalog.root = realpath(path, NULL);
    if (catalog.root == NULL)
        return error_set_errno(err, errno, "cannot serve %s", path);
    model_status status = mirror_catalog_refresh(&catalog, err);
    if (status != MODEL_OK) {
        mirror_catalog_finish(&catalog);
        return status;
    }
    *ret = catalog;
    return MODEL_OK;
}

model_status mirror_catalog_init(const char *folder, const struct store *store,
                                 const struct mirror_alias *aliases, size_t n_aliases,
                                 const struct log_sink *log, struct mirror_catalog *ret,
                                 struct model_error *err)
{
    return init(
        (struct mirror_catalog){
            .store = store, .aliases = aliases, .n_aliases = n_aliases, .log = log},
        folder, ret, err);
}

model_status mirror_catalog_init_file(const char *file, const char *id,
                                      const struct mirror_alias *aliases, size_t n_aliases,
                                      const struct log_sink *log, struct mirror_catalog *ret,
                                      struct model_error *err)
{
    return init(
        (struct mirror_catalog){
            .only_id = id, .aliases = aliases, .n_aliases = n_aliases, .log = log},
        file, ret, err);
}

void mirror_catalog_finish(struct mirror_catalog *catalog)
{
    for (size_t i = 0; i < catalog->n_repositories; i++) {
        free(catalog->repositories[i]->id);
        free(catalog->repositories[i]->folder);
        free(catalog->repositories[i]);
    }
    free(catalog->repositories);
    free(catalog->root);
    *catalog = (struct mirror_catalog){0};
}

/* ---- finding */

static struct mirror_repository *present(struct mirror_repository *repository)
{
    return repository != NULL && repository->is_present ? repository : NULL;
}

static bool is_other_case(const char *id, const char *wanted)
{
    return strcasecmp(id, wanted) == 0;
}

static bool is_bare_name_of(const char *id, const char *wanted)
{
    const char *slash = strchr(id, '/');
    return slash != NULL && strcasecmp(slash + 1, wanted) == 0;
}

/* The only one that fits. */
static struct mirror_repository *find_only(const struct mirror_catalog *catalog, const char *id,
                                           bool (*fits)(const char *id, const char *wanted))
{
    struct mirror_repository *only = NULL;
    for (size_t i = 0; i < catalog->n_repositories; i++) {
        struct mirror_repository *repository = catalog->repositories[i];
        if (!repository->is_present || !fits(repository->id, id))
            continue;
        if (only != NULL)
            return NULL;
        only = repository;
    }
    return only;
}

struct mirror_repository *mirror_catalog_find_named(const struct mirror_catalog *catalog,
                                                    const char *id)
{
    struct mirror_repository *found = present(find_exactly(catalog, id));
    for (size_t i = 0; found == NULL && i < catalog->n_aliases; i++)
        if (strcmp(catalog->aliases[i].from, id) == 0)
            found = present(find_exactly(catalog, catalog->aliases[i].to));
    return found;
}

struct mirror_repository *mirror_catalog_find(const struct mirror_catalog *catalog, const char *id)
{
    struct mirror_repository *found = mirror_catalog_find_named(catalog, id);
    if (found == NULL)
        found = find_only(catalog, id, is_other_case);
    if (found == NULL && strchr(id, '/') == NULL)
        found = find_only(catalog, id, is_bare_name_of);
    return found;
}

/* ---- names that the caller gave */

bool mirror_catalog_is_gated(const struct mirror_catalog *catalog, const char *id)
{
    for (size_t i = 0; i < catalog->n_gated; i++)
        if (strcasecmp(catalog->gated[i], id) == 0)
            return true;
    return false;
}

static model_status explain_unknown(const struct mirror_catalog *catalog, const char *what,
                                    const char *id, struct model_error *err)
{
    const struct mirror_repository *near = mirror_catalog_find(catalog, id);
    if (near != NULL)
        return error_set(err, MODEL_NOT_FOUND,
                         "%s '%.200s': no such repository in %.300s; did you mean '%s'?", what, id,
                         catalog->root, near->id);
    return error_set(
        err, MODEL_NOT_FOUND,
        "%s '%.200s': no such repository in %.300s; want OWNER/NAME as its folders are "
        "called",
        what, id, catalog->root);
}

model_status mirror_catalog_check_names(const struct mirror_catalog *catalog,
                                        struct model_error *err)
{
    for (size_t i = 0; i < catalog->n_gated; i++) {
        const struct mirror_repository *found = mirror_catalog_find(catalog, catalog->gated[i]);
        if (found == NULL || strcasecmp(found->id, catalog->gated[i]) != 0)
            return explain_unknown(catalog, "cannot gate", catalog->gated[i], err);
    }
    for (size_t i = 0; i < catalog->n_aliases; i++)
        if (present(find_exactly(catalog, catalog->aliases[i].to)) == NULL)
            return explain_unknown(catalog, "an alias leads to", catalog->aliases[i].to, err);
    return MODEL_OK;
}
