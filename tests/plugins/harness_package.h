/* harness_package.h - the model of a harness as a folder that a host opens. */
#ifndef HARNESS_PACKAGE_H
#define HARNESS_PACKAGE_H

#include "files.h"
#include "plugin_harness.h"
#include "safetensors.h"
#include "testing.h"

#include <unistd.h>

static inline void harness_put(const char *folder, const char *name, const char *text)
{
    char *path = path_join(folder, name);
    write_file(path, text, strlen(text));
    free(path);
}

/* An author's folder with the configuration and tensors of a harness; to be removed and freed. Destroys
 * the harness. */
static inline char *harness_package(const char *plugin, struct harness *h)
{
    const char *build = getenv("BUILD");
    const struct model_tensor *tensors[HARNESS_MAX_TENSORS];
    struct model_error err = {.struct_size = sizeof err};
    char *dir = scratch_dir(), *backend = path_join(dir, "backends/cpu");
    char *weights = path_join(backend, "model.safetensors"), *link_path = NULL, *library = NULL;
    assert_true(asprintf(&link_path, "%s/libmodel.so", backend) > 0);
    assert_true(asprintf(&library, "%s/lib/modelhost/plugins/lib%s.so",
                         build != NULL ? build : "build", plugin) > 0);
    char *target = realpath(library, NULL);
    assert_non_null(target);
    assert_int_equal(dir_make_all(backend, NULL), MODEL_OK);
    harness_put(backend, "config.json", h->config_text);
    for (size_t i = 0; i < h->n_tensors; i++)
        tensors[i] = &h->tensors[i];
    if (safetensors_write(weights, tensors, h->n_tensors, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(symlink(target, link_path), 0);
    free(backend);
    free(weights);
    free(link_path);
    free(library);
    free(target);
    (void)harness_destroy(h);
    return dir;
}

#endif
