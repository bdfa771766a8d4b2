/* mock_bridge.c - see mock_bridge.h. Linked in the place of plugins/coreml-ane/coreml_linked.c; any thread. */
#include "mock_bridge.h"
#include "bridge_calls.h"
#include "bridge_wait.h"
#include "coreml_model.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_PORTS 4 /* one more than there are, which lies may use */

struct coreml_handle {
    char path[4096];
    struct coreml_model *file; /* names are its own; NULL: none was read */
    struct coreml_port inputs[MAX_PORTS], outputs[MAX_PORTS];
    struct coreml_schema schema;
};

static atomic_int n_held, n_compiled;

int mock_bridge_held(void)
{
    return atomic_load(&n_held);
}

int mock_bridge_compiled(void)
{
    return atomic_load(&n_compiled);
}

char *bridge_copy_string(const char *text)
{
    char *copy = strdup(text);
    n_held += copy != NULL;
    return copy;
}

void bridge_free_string(char *text)
{
    n_held--;
    free(text);
}

/* A file of the package whose model is at `path`, <package>/backends/<backend>/<model>. */
static void find_beside(const char *path, const char *name, char *ret, size_t ret_bytes)
{
    const char *slash = strrchr(path, '/');
    (void)snprintf(ret, ret_bytes, "%.*s/../../%s", slash != NULL ? (int)(slash - path) : 0, path,
                   name);
}

static int told_to(const char *path, const char *what)
{
    char name[4200], told[64] = "";
    find_beside(path, "mock", name, sizeof name);
    FILE *file = fopen(name, "r");
    if (file == NULL)
        return 0;
    if (fgets(told, sizeof told, file) == NULL)
        told[0] = '\0';
    (void)fclose(file);
    return strcmp(told, what) == 0;
}

/* Returns when somebody has opened the pipe for writing; -1: there is none. */
static int open_pipe(const char *path)
{
    char name[4200];
    find_beside(path, "pipe", name, sizeof name);
    return open(name, O_RDONLY);
}

static void close_pipe(int pipe)
{
    if (pipe >= 0)
        (void)close(pipe);
}

static void wait_for_pipe(const char *source)
{
    char byte;
    const int pipe = open_pipe(source);
    while (pipe >= 0 && read(pipe, &byte, 1) > 0)
        continue;
    close_pipe(pipe);
}

static model_status failed(char **ret_error, model_status status, const char *text)
{
    if (ret_error != NULL)
        *ret_error = text != NULL ? bridge_copy_string(text) : NULL;
    return status;
}

static FILE *open_source(const char *compiled, const char *mode)
{
    char name[4200];
    (void)snprintf(name, sizeof name, "%s/source", compiled);
    return fopen(name, mode);
}

/* The model that a compiled one was made of; one that has no such file was brought along. False: it is damaged, or none. */
static int find_source(const char *compiled, char *ret, size_t ret_bytes)
{
    FILE *file = open_source(compiled, "r");
    (void)snprintf(ret, ret_bytes, "%s", compiled);
    if (file == NULL)
        return access(compiled, F_OK) == 0;
    const int is_whole = fgets(ret, (int)ret_bytes, file) != NULL;
    (void)fclose(file);
    return is_whole;
}

static model_status write_compiled(const char *source, const char *target)
{
    if (mkdir(target, 0700) != 0)
        return MODEL_IO;
    FILE *file = open_source(target, "w");
    if (file == NULL)
        return MODEL_IO;
    const int is_written = told_to(source, "empties") || fputs(source, file) >= 0;
    return fclose(file) == 0 && is_written ? MODEL_OK : MODEL_IO;
}

/* As the system would choose one; nobody can write to it in a process that may not write there. */
static void choose_target(char *ret, size_t ret_bytes)
{
    char folder[3000];
    const char *parent = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/mock.XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(folder) != NULL)
        (void)rmdir(folder);
    (void)snprintf(ret, ret_bytes, "%s.mlmodelc", folder);
}

model_status bridge_compile_model(const char *source, const char *target, char **ret_path,
                                  char **ret_error)
{
    const int is_in_place = told_to(source, "in place");
    char chosen[4096];
    if (told_to(source, "wait in compile"))
        wait_for_pipe(source);
    if (told_to(source, "crash in compile"))
        abort();
    if (told_to(source, "compile"))
        return failed(ret_error, MODEL_CORRUPT, "told not to compile");
    n_compiled++;
    if (target == NULL && !is_in_place) {
        choose_target(chosen, sizeof chosen);
        target = chosen;
    }
    if (target != NULL && write_compiled(source, target) != MODEL_OK)
        return failed(ret_error, MODEL_IO, "cannot make a folder");
    *ret_path = bridge_copy_string(is_in_place ? source : target);
    return MODEL_OK;
}

/* ---- what the model declares */

static struct coreml_port port_of(const struct coreml_model *file,
                                  const struct coreml_feature *feature)
{
    struct coreml_port port = {.name = feature->name, .dtype = MODEL_F32, .rank = feature->rank};
    const uint32_t first = feature->kind == COREML_FEATURE_IMAGE ? 2 : 0;
    for (uint32_t i = 0; i < feature->rank; i++) {
        port.min[first + i] = feature->min[i] > 0 ? feature->min[i] : 1;
        port.max[first + i] = feature->max[i] >= 0 ? feature->max[i] : INT64_MAX;
    }
    if (feature->kind == COREML_FEATURE_DICTIONARY) {
        const int64_t n = (int64_t)file->n_labels;
        return (struct coreml_port){feature->name, MODEL_F32, 1,
                                    {n},           {n},       COREML_PORT_PROBABILITIES};
    }
    if (feature->kind != COREML_FEATURE_IMAGE) {
        port.dtype = feature->dtype == MODEL_I32 ? MODEL_I32 : MODEL_F32;
        return port;
    }
    const int64_t channels = feature->color == COREML_RGB || feature->color == COREML_BGR ? 3 : 1;
    port.rank = 4;
    port.min[0] = port.max[0] = 1;
    port.min[1] = port.max[1] = channels;
    port.flags = COREML_PORT_IMAGE | (feature->color == COREML_GRAY_F16 ? COREML_PORT_HALF : 0);
    return port;
}

static void mark(struct coreml_port *port, const char *const *bgr, uint32_t n_bgr)
{
    for (uint32_t i = 0; i < n_bgr; i++)
        port->flags |= strcmp(bgr[i], port->name) == 0 ? COREML_PORT_BGR : 0;
}

static void describe(struct coreml_handle *model, const struct coreml_load_options *options)
{
    const struct coreml_features *inputs = &model->file->inputs, *outputs = &model->file->outputs;
    struct coreml_schema *schema = &model->schema;
    for (size_t i = 0; i < inputs->n && schema->n_inputs < MAX_PORTS - 1; i++) {
        model->inputs[schema->n_inputs] = port_of(model->file, &inputs->items[i]);
        mark(&model->inputs[schema->n_inputs++], options->bgr_inputs, options->n_bgr_inputs);
    }
    for (size_t i = 0; i < outputs->n && schema->n_outputs < MAX_PORTS - 1; i++) {
        if (strcmp(outputs->items[i].name, model->file->predicted_label) == 0)
            continue;
        model->outputs[schema->n_outputs] = port_of(model->file, &outputs->items[i]);
        mark(&model->outputs[schema->n_outputs++], options->bgr_outputs, options->n_bgr_outputs);
    }
}

/* ---- and what is said instead, of the first input and output */

static void rename_input(struct coreml_handle *model)
{
    model->inputs[0].name = "z";
}

static void rename_output(struct coreml_handle *model)
{
    model->outputs[0].name = "z";
}

static void make_whole(struct coreml_handle *model)
{
    model->outputs[0].dtype = MODEL_I32;
}

static void lengthen_input(struct coreml_handle *model)
{
    model->inputs[0].min[0] = model->inputs[0].max[0] = 3;
}

static void lengthen_output(struct coreml_handle *model)
{
    model->outputs[0].max[0] = 3;
}

static void add_dimension(struct coreml_handle *model)
{
    struct coreml_port *port = &model->outputs[0];
    port->min[port->rank] = port->max[port->rank] = 1;
    port->rank++;
}

static void turn_around(struct coreml_handle *model)
{
    model->outputs[0].max[0] = 1; /* from 2 */
}

static void forget_sizes(struct coreml_handle *model)
{
    model->outputs[0].rank = 0;
}

static void repeat(struct coreml_handle *model)
{
    model->outputs[model->schema.n_outputs++] = model->outputs[0];
}

static void forget_output(struct coreml_handle *model)
{
    model->schema.n_outputs--;
}

static void make_picture(struct coreml_handle *model)
{
    model->inputs[0] =
        (struct coreml_port){"x", MODEL_F32, 4, {1, 1, 1, 2}, {1, 1, 1, 2}, COREML_PORT_IMAGE};
}

static void make_range(struct coreml_handle *model)
{
    model->inputs[0].min[0] = model->outputs[0].min[0] = 1;
    model->inputs[0].max[0] = model->outputs[0].max[0] = 4;
}

static void make_odd_picture(struct coreml_handle *model)
{
    make_picture(model);
    model->inputs[0].dtype = MODEL_I32;
}

static void forget_halves(struct coreml_handle *model)
{
    model->inputs[0].flags &= ~(uint32_t)COREML_PORT_HALF;
}

static void be_old(struct coreml_handle *model)
{
    model->schema.struct_size = sizeof(size_t);
}

static const struct {
    const char *told;
    void (*change)(struct coreml_handle *model);
} lies[] = {{"wrong name", rename_input},
            {"other output", rename_output},
            {"whole output", make_whole},
            {"longer input", lengthen_input},
            {"longer output", lengthen_output},
            {"deeper output", add_dimension},
            {"wrong size", turn_around},
            {"no sizes", forget_sizes},
            {"twice", repeat},
            {"fewer outputs", forget_output},
            {"picture", make_picture},
            {"odd picture", make_odd_picture},
            {"range", make_range},
            {"no halves", forget_halves},
            {"old schema", be_old}};

model_status bridge_load_model(const char *compiled, const struct coreml_load_options *options,
                               struct coreml_handle **ret, char **ret_error)
{
    char path[4096];
    if (!find_source(compiled, path, sizeof path))
        return failed(ret_error, MODEL_CORRUPT, "the compiled model is damaged");
    if (told_to(path, "load"))
        return failed(ret_error, MODEL_CORRUPT, "told not to load");
    if (told_to(path, "silent"))
        return failed(ret_error, MODEL_CORRUPT, NULL);
    struct coreml_handle *model = calloc(1, sizeof *model);
    if (model == NULL)
        return failed(ret_error, MODEL_OUT_OF_MEMORY, NULL);
    n_held++;
    (void)snprintf(model->path, sizeof model->path, "%s", path);
    model->schema =
        (struct coreml_schema){sizeof model->schema, model->inputs, model->outputs, 0, 0};
    if (coreml_model_open(path, &model->file, NULL) == MODEL_OK)
        describe(model, options);
    else {
        model->inputs[0] = (struct coreml_port){"x", MODEL_F32, 1, {2}, {2}, 0};
        model->outputs[0] = (struct coreml_port){"y", MODEL_F32, 1, {2}, {2}, 0};
        model->schema.n_inputs = model->schema.n_outputs = 1;
    }
    *ret = model;
    return MODEL_OK;
}

model_status bridge_model_schema(struct coreml_handle *model, const struct coreml_schema **ret,
                                 char **ret_error)
{
    if (told_to(model->path, "no schema"))
        return failed(ret_error, MODEL_UNSUPPORTED, "told not to describe");
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        if (told_to(model->path, lies[i].told))
            lies[i].change(model);
    *ret = &model->schema;
    return MODEL_OK;
}

/* ---- predicting */

static int64_t count(const struct model_tensor *tensor)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < tensor->rank; i++)
        n *= tensor->shape[i];
    return n;
}

static float number_of(const struct model_tensor *x, int64_t i)
{
    return x->dtype == MODEL_U8 ? (float)((const uint8_t *)x->data)[i]
                                : ((const float *)x->data)[i];
}

static model_status put_output(const struct coreml_handle *model, const struct model_call *call,
                               uint32_t index, struct model_error *err)
{
    const struct model_tensor *x = call->inputs[0];
    const struct coreml_port *port = model->outputs;
    int64_t shape[MODEL_MAX_RANK];
    while (strcmp(port->name, call->outputs[index]->name) != 0)
        port++;
    const uint32_t rank = port->rank > 0 ? port->rank : x->rank;
    for (uint32_t i = 0; i < rank; i++)
        shape[i] = port->rank == 0 || port->min[i] < port->max[i] ? x->shape[i] : port->min[i];
    const model_status status =
        call->allocate_output(call->context, index, port->dtype, rank, shape, err);
    if (status != MODEL_OK)
        return status;
    float *y = call->outputs[index]->data;
    for (int64_t i = 0; i < count(call->outputs[index]); i++)
        y[i] = MOCK_ADDS + number_of(x, i % count(x));
    return MODEL_OK;
}

/* Until the pipe, which may be -1 and is not looked at then, is closed at its other end. */
static bool is_let_go(void *context, int64_t ms)
{
    struct pollfd pipe = {*(const int *)context, POLLIN, 0};
    return poll(&pipe, 1, (int)ms) > 0;
}

/* As the real one waits. */
static model_status wait_for_core_ml(const struct coreml_handle *model,
                                     const struct model_cancel *cancel)
{
    const bool is_slow = told_to(model->path, "slow");
    if (!is_slow && !told_to(model->path, "hang"))
        return MODEL_OK;
    int pipe = is_slow ? open_pipe(model->path) : -1;
    const model_status status = bridge_wait_until(cancel, is_let_go, &pipe);
    close_pipe(pipe);
    return status;
}

model_status bridge_predict(struct coreml_handle *model, const struct model_call *call,
                            struct model_error *err, char **ret_error)
{
    if (told_to(model->path, "predict"))
        return failed(ret_error, MODEL_INTERNAL, "told not to predict");
    if (told_to(model->path, "crash"))
        abort();
    model_status status = wait_for_core_ml(model, call->cancel);
    if (status != MODEL_OK)
        return failed(ret_error, status, "given up");
    for (uint32_t i = 0; i < call->n_outputs && status == MODEL_OK; i++)
        status = put_output(model, call, i, err);
    return status;
}

void bridge_free_model(struct coreml_handle *model)
{
    n_held--;
    coreml_model_close(model->file);
    free(model);
}

model_status bridge_plan(const char *compiled, const struct coreml_load_options *options,
                         struct coreml_plan_counts *ret, char **ret_error)
{
    char path[4096];
    (void)find_source(compiled, path, sizeof path);
    if (told_to(path, "no plan"))
        return failed(ret_error, MODEL_UNSUPPORTED, "told not to plan");
    if (options->units == COREML_UNITS_CPU_ONLY)
        *ret = (struct coreml_plan_counts){sizeof *ret, 4, 0, 0, 4, 0};
    else if (options->function == NULL || strcmp(options->function, "main") == 0)
        *ret = (struct coreml_plan_counts){sizeof *ret, 4, 3, 0, 1, 0.75};
    else
        *ret = (struct coreml_plan_counts){sizeof *ret, 4, 1, 0, 3, 0.25};
    if (told_to(path, "odd plan"))
        ret->n_cpu = 7;
    return MODEL_OK;
}

const struct coreml_bridge *coreml_bridge_linked(void)
{
    static const struct coreml_bridge bridge = {
        coreml_compile_model, coreml_load_model,  coreml_model_schema, coreml_predict,
        coreml_free_model,    coreml_free_string, coreml_plan};
    return &bridge;
}
