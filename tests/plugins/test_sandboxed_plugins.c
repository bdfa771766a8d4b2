/* test_sandboxed_plugins.c - every plugin of the tree computes in the sandbox of workers what it computes
 * outside, to the last bit. Each run is a child of its own: host, lanes, OpenMP, oneDNN and all. */
#include "errors.h"
#include "files.h"
#include "plugin_harness.h"
#include "testing.h"
#include "worker_sandbox.h"

#include <sys/wait.h>
#include <unistd.h>

#define N_BATCH 2

static const struct {
    const char *name, *library; /* below BUILD */
    const char *model;          /* a folder with config.json and model.safetensors */
    bool is_shared;             /* of $SHARED/models, else of the tree */
} cases[] = {
    {"bert", "lib/modelhost/plugins/libbert.so", "examples/demo/hub/modelhost/facts-bert-mini", 0},
    {"lstm", "lib/modelhost/plugins/liblstm.so", "examples/demo/hub/modelhost/tales-char-lstm", 0},
    {"gpt2", "lib/modelhost/plugins/libgpt2.so", "real/capp-gpt2", 1},
    {"resnet", "lib/modelhost/plugins/libresnet.so", "resnet-50-synth", 1},
    {"gan", "examples/gan.so", "examples/gan/package/backends/cpu", 0},
    {"cifar-resnet", "examples/cifar-resnet.so", "real/cifar10-resnet20", 1},
    {"silero-vad", "examples/silero-vad.so", "real/silero-vad-16k", 1},
    {"textgenrnn", "examples/textgenrnn.so", "real/textgenrnn-base", 1},
};

/* ---- a package of links */

static void link_file(const char *folder, const char *name, const char *to)
{
    char *path = path_join(folder, name), *target = realpath(to, NULL);
    assert_non_null(target);
    assert_int_equal(symlink(target, path), 0);
    free(path);
    free(target);
}

/* The path of a file of the model; NULL: it is not here. */
static char *model_file(size_t i, const char *name)
{
    if (cases[i].is_shared && strstr(cases[i].model, "synth") == NULL)
        return harness_shared_file(cases[i].model, name);
    char *folder = cases[i].is_shared ? harness_synth_model(cases[i].model)
                                      : text_format("%s", cases[i].model);
    char *path = folder != NULL ? path_join(folder, name) : NULL;
    free(folder);
    return path;
}

/* NULL: the model is not here. */
static char *make_model_package(size_t i)
{
    const char *build = getenv("BUILD");
    char *config = model_file(i, "config.json"), *weights = model_file(i, "model.safetensors");
    char *library = path_join(build != NULL ? build : "build", cases[i].library), *dir = NULL;
    if (config != NULL && weights != NULL) {
        dir = scratch_dir();
        char *backend = path_join(dir, "backends/cpu");
        assert_int_equal(dir_make_all(backend, NULL), MODEL_OK);
        link_file(backend, "libmodel.so", library);
        link_file(backend, "config.json", config);
        link_file(backend, "model.safetensors", weights);
        free(backend);
    }
    free(library);
    free(config);
    free(weights);
    return dir;
}

/* ---- one run with inputs that every model takes */

static int64_t size_of(const struct model_dimension *dimension)
{
    if (dimension->min == dimension->max)
        return dimension->min;
    const bool is_batch = dimension->name != NULL && strcmp(dimension->name, "batch") == 0;
    const int64_t size = is_batch ? N_BATCH : dimension->max > 512 ? 512 : dimension->max;
    return size < dimension->min ? dimension->min : size;
}

/* Ones for ids and masks, a ramp for numbers. The data is freed with the process. */
static void make_input(const struct model_tensor_spec *spec, struct model_tensor *ret)
{
    size_t n = 1;
    *ret = (struct model_tensor){
        .struct_size = sizeof *ret, .name = spec->name, .dtype = spec->dtype, .rank = spec->rank};
    for (uint32_t i = spec->rank; i-- > 0;) {
        ret->shape[i] = size_of(&spec->shape[i]);
        ret->strides[i] = (int64_t)n;
        n *= (size_t)ret->shape[i];
    }
    ret->size_bytes = n * (spec->dtype == MODEL_F32 ? sizeof(float) : sizeof(int64_t));
    ret->data = malloc((size_t)ret->size_bytes);
    if (ret->data == NULL)
        _exit(3);
    for (size_t i = 0; i < n; i++)
        if (spec->dtype == MODEL_F32)
            ((float *)ret->data)[i] = (float)(i % 100) / 100;
        else
            ((int64_t *)ret->data)[i] = 1;
}

static model_status run_once(struct modelhost_model *model, struct modelhost_result **ret,
                             struct model_error *err)
{
    const struct model_description *description = modelhost_description(model);
    struct model_tensor inputs[8];
    const struct model_tensor *pointers[8];
    uint32_t n = 0;
    for (uint32_t i = 0; i < description->n_inputs && n < 8; i++)
        if ((description->inputs[i]->flags & MODEL_SPEC_OPTIONAL) == 0) {
            make_input(description->inputs[i], &inputs[n]);
            pointers[n] = &inputs[n];
            n++;
        }
    return modelhost_run(model, pointers, n, NULL, ret, err);
}

/* In the child: what the model answers goes into the pipe, else a sentence to stderr. */
static int compute(const char *dir, bool is_inside, int fd)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    options.store_dir = options.plugin_path = dir;
    model_status status = is_inside ? worker_sandbox_enter(NULL, &err) : MODEL_OK;
    if (status == MODEL_OK)
        status = modelhost_create(&options, &host, &err);
    if (status == MODEL_OK)
        status = modelhost_load(host, dir, &model, &err);
    if (status == MODEL_OK)
        status = run_once(model, &result, &err);
    for (uint32_t i = 0; status == MODEL_OK && i < modelhost_result_count(result); i++) {
        const struct model_tensor *output = modelhost_result_at(result, i);
        const char *data = output->data;
        for (size_t done = 0; done < output->size_bytes;) {
            const ssize_t n = write(fd, data + done, (size_t)output->size_bytes - done);
            if (n <= 0)
                return 2;
            done += (size_t)n;
        }
    }
    if (status != MODEL_OK)
        (void)dprintf(STDERR_FILENO, "%s: %s\n", is_inside ? "inside" : "outside", err.message);
    modelhost_result_destroy(result);
    modelhost_release(model);
    modelhost_destroy(host);
    return status != MODEL_OK;
}

static struct buffer answer_of(const char *dir, bool is_inside)
{
    struct buffer answer = BUFFER_INIT((size_t)64 << 20);
    char part[4096];
    int fds[2], wait_status = 0;
    ssize_t n = 0;
    assert_int_equal(pipe(fds), 0);
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(compute(dir, is_inside, fds[1]));
    (void)close(fds[1]);
    while ((n = read(fds[0], part, sizeof part)) > 0)
        assert_int_equal(buffer_append(&answer, part, (size_t)n), MODEL_OK);
    (void)close(fds[0]);
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_true(WIFEXITED(wait_status));
    assert_int_equal(WEXITSTATUS(wait_status), 0);
    return answer;
}

static void check_case(size_t i)
{
    char *dir = make_model_package(i);
    if (dir == NULL)
        SKIP_BECAUSE("needs %s of SHARED", cases[i].model);
    struct buffer outside = answer_of(dir, false), inside = answer_of(dir, true);
    assert_true(outside.size > 0);
    assert_int_equal(outside.size, inside.size);
    assert_memory_equal(outside.data, inside.data, outside.size);
    buffer_finish(&outside);
    buffer_finish(&inside);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

static void check_state(void **state)
{
    check_case(*(const size_t *)*state);
}

int main(void)
{
    enum { N_CASES = sizeof cases / sizeof cases[0] };
    static size_t numbers[N_CASES];
    struct CMUnitTest tests[N_CASES];
    for (size_t i = 0; i < N_CASES; i++) {
        numbers[i] = i;
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = check_state, .initial_state = &numbers[i]};
    }
    return cmocka_run_group_tests_name("inside as outside", tests, NULL, NULL);
}
