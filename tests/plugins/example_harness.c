/* example_harness.c - see example_harness.h. */
#include "example_harness.h"

#include "dtype.h"
#include "errors.h"
#include "files.h"
#include "testing.h"

#include <math.h>
#include <unistd.h>

static void link_file(const char *target, const char *folder, const char *name)
{
    char *real = realpath(target, NULL), *path = path_join(folder, name);
    if (real == NULL)
        fail_msg("%s is not there", target);
    assert_int_equal(symlink(real, path), 0);
    free(real);
    free(path);
}

char *example_model(const char *name)
{
    char *folder = harness_shared_file(name, "config.json");
    if (folder != NULL)
        *strrchr(folder, '/') = '\0';
    return folder;
}

struct example example_open(const char *plugin, const char *folder)
{
    static const char *const files[] = {"config.json", "model.safetensors"};
    const char *build = getenv("BUILD");
    struct example example = {.package = scratch_dir(), .err = MODEL_ERROR_INIT};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    char *backend = path_join(example.package, "backends/cpu");
    char *library = text_format("%s/examples/%s.so", build != NULL ? build : "build", plugin);
    char *reference = path_join(folder, "reference.safetensors");
    assert_int_equal(dir_make_all(backend, NULL), MODEL_OK);
    link_file(library, backend, "libmodel.so");
    for (size_t i = 0; i < 2; i++) {
        char *file = path_join(folder, files[i]);
        link_file(file, backend, files[i]);
        free(file);
    }
    example.reference = harness_create(NULL, "{}", 1);
    if (path_is_file(reference))
        harness_open(example.reference, reference);
    options.store_dir = options.plugin_path = example.package;
    options.lanes = options.threads = 1;
    if (modelhost_create(&options, &example.host, &example.err) != MODEL_OK ||
        modelhost_load(example.host, example.package, &example.model, &example.err) != MODEL_OK)
        fail_msg("%s", example.err.message);
    free(reference);
    free(library);
    free(backend);
    return example;
}

void example_close(struct example *example)
{
    modelhost_release(example->model);
    modelhost_destroy(example->host);
    assert_int_equal(harness_destroy(example->reference), 0);
    assert_int_equal(dir_remove_all(example->package, NULL), MODEL_OK);
    free(example->package);
}

struct modelhost_result *example_run(struct example *example, const struct model_tensor *first,
                                     const struct model_tensor *second, const char *output,
                                     struct modelhost_session *session)
{
    const struct model_tensor *inputs[] = {first, second};
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    options.output_names = &output;
    options.n_output_names = 1;
    options.session = session;
    if (modelhost_run(example->model, inputs, second != NULL ? 2 : 1, &options, &result,
                      &example->err) != MODEL_OK)
        fail_msg("%s", example->err.message);
    return result;
}

void example_assert_close(const struct model_tensor *found, const struct model_tensor *want,
                          double max_abs)
{
    const float *a = found->data, *b = want->data;
    double worst = 0;
    assert_int_equal(found->size_bytes, want->size_bytes);
    for (size_t i = 0; i < found->size_bytes / sizeof *a; i++) {
        const double error = fabs((double)a[i] - (double)b[i]);
        if (!(error <= max_abs))
            fail_msg("%s: element %zu is %g, want %g", want->name, i, (double)a[i], (double)b[i]);
        worst = error > worst ? error : worst;
    }
    printf("%s: max abs %.2g\n", want->name, worst);
}

struct model_tensor example_slice(const struct model_tensor *tensor, const char *name,
                                  int64_t first, int64_t n)
{
    struct model_tensor slice;
    int64_t shape[MODEL_MAX_RANK];
    const size_t bytes = (size_t)tensor->size_bytes / (size_t)tensor->shape[0];
    memcpy(shape, tensor->shape, sizeof shape);
    shape[0] = n;
    tensor_init(&slice, name, tensor->dtype, tensor->rank, shape,
                (char *)tensor->data + (size_t)first * bytes);
    return slice;
}
