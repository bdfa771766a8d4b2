/* deep_check.c - see deep_check.h. What it reads was verified by its digest before, so that a mapped file
 * has its size. */
#include "deep_check.h"
#include "dtype.h"
#include "errors.h"
#include "files.h"
#include "package.h"
#include "plugin_choice.h"
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct deep_check {
    const char *dir;
    void (*report)(void *context, const char *path, model_status status, const char *sentence);
    void *context;
    struct model_error first;
    size_t n_bad, n_checked;
};

static void note(struct deep_check *check, const char *path, model_status status,
                 const struct model_error *sentence)
{
    check->n_checked++;
    if (check->report != NULL)
        check->report(check->context, path, status, status != MODEL_OK ? sentence->message : "ok");
    if (status != MODEL_OK && check->n_bad++ == 0)
        check->first = *sentence;
}

/* ---- numbers */

/* Without the sign, larger than infinity. */
#define COUNT_NAN(type_, mask_, infinity_)                                                         \
    do {                                                                                           \
        const type_ *bits = tensor->data;                                                          \
        for (uint64_t i = 0; i < n; i++)                                                           \
            if ((bits[i] & (mask_)) > (infinity_) && n_nan++ == 0)                                 \
                first = i;                                                                         \
    } while (0)

uint64_t deep_check_count_nan(const struct model_tensor *tensor, uint64_t *ret_first)
{
    const uint64_t n = tensor_elements(tensor);
    uint64_t n_nan = 0, first = 0;
    if (tensor->dtype == MODEL_F32)
        COUNT_NAN(uint32_t, 0x7fffffffu, 0x7f800000u);
    else if (tensor->dtype == MODEL_F16)
        COUNT_NAN(uint16_t, 0x7fffu, 0x7c00u);
    else if (tensor->dtype == MODEL_BF16)
        COUNT_NAN(uint16_t, 0x7fffu, 0x7f80u);
    else if (tensor->dtype == MODEL_F64)
        COUNT_NAN(uint64_t, 0x7fffffffffffffffull, 0x7ff0000000000000ull);
    *ret_first = first;
    return n_nan;
}

static model_status check_tensors(struct deep_check *check, const char *name,
                                  const struct weights *weights)
{
    size_t n_bad = check->n_bad;
    for (size_t i = 0; i < weights_count(weights); i++) {
        struct model_tensor tensor = {.struct_size = sizeof tensor};
        struct model_error sentence = MODEL_ERROR_INIT;
        uint64_t first = 0;
        weights_at(weights, i, &tensor);
        uint64_t n_nan = deep_check_count_nan(&tensor, &first);
        weights_discard(weights, &tensor);
        if (n_nan == 0)
            continue;
        char *path = text_format("%s/%s", name, tensor.name);
        if (path == NULL)
            return MODEL_OUT_OF_MEMORY;
        (void)error_set(
            &sentence, MODEL_CORRUPT,
            "weight '%.200s' of %.100s has %llu of %llu elements that are no number, the "
            "first at %llu; the bytes are the author's, who has to mend them",
            tensor.name, name, (unsigned long long)n_nan,
            (unsigned long long)tensor_elements(&tensor), (unsigned long long)first);
        note(check, path, MODEL_CORRUPT, &sentence);
        free(path);
    }
    if (check->n_bad == n_bad)
        note(check, name, MODEL_OK, NULL);
    return MODEL_OK;
}

/* ---- a backend */

static model_status check_weights(struct deep_check *check, const char *backend)
{
    struct model_error sentence = MODEL_ERROR_INIT;
    struct weights *weights = NULL;
    char *folder = path_join(check->dir, backend);
    char *name = text_format("%s (weights)", backend);
    model_status status = folder != NULL && name != NULL ? MODEL_OK : MODEL_OUT_OF_MEMORY;
    if (status == MODEL_OK) {
        model_status opened = weights_open(folder, &weights, &sentence);
        if (opened == MODEL_OK)
            status = check_tensors(check, name, weights);
        else if (opened != MODEL_NOT_FOUND) /* a tokenizer has none */
            note(check, name, opened, &sentence);
    }
    weights_destroy(weights);
    free(name);
    free(folder);
    return status;
}

static model_status check_plugin(struct deep_check *check, const char *backend)
{
    struct model_error sentence = MODEL_ERROR_INIT;
    struct plugin_file file;
    char *name = text_format("%s/" PACKAGE_PLUGIN_NAME, backend);
    char *path = name != NULL ? path_join(check->dir, name) : NULL;
    char *config = text_format("%s/%s/config.json", check->dir, backend);
    model_status status = path != NULL && config != NULL ? MODEL_OK : MODEL_OUT_OF_MEMORY;
    if (status == MODEL_OK && path_is_file(path)) {
        model_status usable = plugin_check_usable(path, &file, &sentence);
        if (usable == MODEL_OK && path_is_file(config))
            usable = plugin_check_serves(&file, path, config, &sentence);
        note(check, name, usable, &sentence);
    }
    free(config);
    free(path);
    free(name);
    return status;
}

model_status deep_check_package(const char *package_dir,
                                void (*report)(void *context, const char *path, model_status status,
                                               const char *sentence),
                                void *context, struct model_error *err)
{
    struct deep_check check = {
        .dir = package_dir, .report = report, .context = context, .first = MODEL_ERROR_INIT};
    struct dir_list list = {0};
    char *folder = path_join(package_dir, "backends");
    model_status status = folder != NULL ? MODEL_OK : MODEL_OUT_OF_MEMORY;
    if (folder != NULL && dir_read(folder, &list, NULL) != MODEL_OK)
        list = (struct dir_list){0};
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        char *backend = text_format("backends/%s", list.names[i]);
        status = backend != NULL ? check_weights(&check, backend) : MODEL_OUT_OF_MEMORY;
        if (status == MODEL_OK)
            status = check_plugin(&check, backend);
        free(backend);
    }
    dir_list_finish(&list);
    free(folder);
    if (status != MODEL_OK)
        return error_no_memory(err, "checking a package");
    if (check.n_bad == 0)
        return MODEL_OK;
    return error_set(err, MODEL_CORRUPT, "%.300s: %s (%zu bad)", package_dir, check.first.message,
                     check.n_bad);
}
