/* backend_order.c - see backend_order.h. */
#include "backend_order.h"
#include "backend_name.h"
#include "errors.h"
#include "package_file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What runs at home comes before what brings a runtime of its own. */
static const char *const usual_order[] = {"cpu", "torch", "onnx"};

#define CORE_ML "coreml"
#define N_USUAL (sizeof usual_order / sizeof *usual_order)

static bool has(const struct backend_order *order, const char *name)
{
    for (size_t i = 0; i < order->n_names; i++)
        if (strcmp(order->names[i], name) == 0)
            return true;
    return false;
}

static model_status add(struct backend_order *order, const char *name, size_t name_bytes,
                        struct model_error *err)
{
    if (order->n_names == BACKEND_MAX)
        return error_set(err, MODEL_INVALID_ARGUMENT, "more than %d backends", BACKEND_MAX);
    char *entry = order->names[order->n_names];
    if (name_bytes >= BACKEND_NAME_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "'%.*s...' is no name of a backend: want at most %d bytes", 20, name,
                         BACKEND_NAME_BYTES - 1);
    memcpy(entry, name, name_bytes);
    entry[name_bytes] = '\0';
    struct backend_name parts;
    const model_status status = backend_name_read(entry, &parts, err);
    if (status != MODEL_OK)
        return status;
    if (has(order, entry))
        return error_set(err, MODEL_INVALID_ARGUMENT, "the backend '%s' is named twice", entry);
    order->n_names++;
    return MODEL_OK;
}

model_status backend_order_read(const char *wanted, struct backend_order *ret,
                                struct model_error *err)
{
    struct backend_order order = {.n_names = 0};
    for (const char *at = wanted;; at++) {
        const size_t name_bytes = strcspn(at, ",");
        model_status status = add(&order, at, name_bytes, err);
        at += name_bytes;
        if (status != MODEL_OK)
            return status;
        if (*at == '\0')
            break;
    }
    *ret = order;
    return MODEL_OK;
}

static bool is_backend(const struct archive *archive, const char *backends, const char *name)
{
    char *folder = path_join(backends, name);
    const bool is_folder = folder != NULL && package_folder_exists(archive, folder);
    free(folder);
    return is_folder;
}

/* What is no name, or one too many, is not looked at. */
static void add_folder(struct backend_order *order, const struct archive *archive,
                       const char *backends, const char *name)
{
    if (name[0] != '.' && !has(order, name) && is_backend(archive, backends, name))
        (void)add(order, name, strlen(name), NULL);
}

/* Where it is at home. Behind it the same model without it: the only one that takes and gives the same for sure. */
static void add_core_ml(struct backend_order *order, const struct archive *archive,
                        const char *backends)
{
    static const char by_our_kernels[] = CORE_ML ":cpu";
    add_folder(order, archive, backends, CORE_ML);
    if (order->n_names > 0)
        (void)add(order, by_our_kernels, strlen(by_our_kernels), NULL);
}

model_status backend_order_find(const char *package_dir, bool has_core_ml,
                                struct backend_order *ret, struct model_error *err)
{
    struct backend_order order = {.n_names = 0};
    struct dir_list list = {0};
    struct archive *archive = NULL; /* what is wrong with it package_open() says */
    (void)package_archive_open(package_dir, ARCHIVE_CHECKSUM, &archive, NULL);
    char *backends = path_join(archive != NULL ? archive_path(archive) : package_dir, "backends");
    if (backends == NULL) {
        archive_close(archive);
        return error_no_memory(err, "a path");
    }
    (void)package_folder_read(archive, backends, &list,
                              NULL); /* a folder that cannot be listed may yet have a cpu */
    if (has_core_ml)
        add_core_ml(&order, archive, backends);
    for (size_t i = 0; i < N_USUAL; i++)
        add_folder(&order, archive, backends, usual_order[i]);
    for (size_t i = 0; i < list.n_names; i++)
        add_folder(&order, archive, backends, list.names[i]);
    *ret = order;
    dir_list_finish(&list);
    free(backends);
    archive_close(archive);
    return MODEL_OK;
}
