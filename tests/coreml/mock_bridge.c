/* mock_bridge.c - see mock_bridge.h. Linked in the place of plugins/coreml-ane/coreml_linked.c; any thread. */
#include "mock_bridge.h"
#include "coreml_bridge.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct coreml_handle {
    char path[4096];
    struct coreml_port inputs[1], outputs[2];
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

static char *hand_out(const char *text)
{
    char *copy = strdup(text);
    n_held += copy != NULL;
    return copy;
}

static void free_string(char *text)
{
    n_held -= text != NULL;
    free(text);
}

static int told_to(const char *path, const char *what)
{
    char name[4200], told[64] = "";
    const char *slash = strrchr(path, '/');
    (void)snprintf(name, sizeof name, "%.*s/mock", slash != NULL ? (int)(slash - path) : 0, path);
    FILE *file = fopen(name, "r");
    if (file == NULL)
        return 0;
    if (fgets(told, sizeof told, file) == NULL)
        told[0] = '\0';
    (void)fclose(file);
    return strcmp(told, what) == 0;
}

/* The source is <package>/backends/<backend>/<model>. */
static void wait_for_pipe(const char *source)
{
    char name[4200], byte;
    const char *slash = strrchr(source, '/');
    (void)snprintf(name, sizeof name, "%.*s/../../pipe", slash != NULL ? (int)(slash - source) : 0,
                   source);
    const int pipe = open(name, O_RDONLY);
    while (pipe >= 0 && read(pipe, &byte, 1) > 0)
        continue;
    if (pipe >= 0)
        (void)close(pipe);
}

static model_status failed(char **ret_error, model_status status, const char *text)
{
    if (ret_error != NULL)
        *ret_error = text != NULL ? hand_out(text) : NULL;
    return status;
}

static FILE *open_source(const char *compiled, const char *mode)
{
    char name[4200];
    (void)snprintf(name, sizeof name, "%s/source", compiled);
    return fopen(name, mode);
}

/* The model that a compiled one was made of; one that has no such file was brought along. False: it is damaged. */
static int find_source(const char *compiled, char *ret, size_t ret_bytes)
{
    FILE *file = open_source(compiled, "r");
    (void)snprintf(ret, ret_bytes, "%s", compiled);
    if (file == NULL)
        return 1;
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

static model_status compile_model(const char *source, const char *target, char **ret_path,
                                  char **ret_error)
{
    if (told_to(source, "wait in compile"))
        wait_for_pipe(source);
    if (told_to(source, "crash in compile"))
        abort();
    if (told_to(source, "compile"))
        return failed(ret_error, MODEL_CORRUPT, "told not to compile");
    n_compiled++;
    if (target != NULL && write_compiled(source, target) != MODEL_OK)
        return failed(ret_error, MODEL_IO, "cannot make a folder");
    *ret_path = hand_out(target != NULL ? target : source);
    return MODEL_OK;
}

static model_status load_model(const char *compiled, const struct coreml_load_options *options,
                               struct coreml_handle **ret, char **ret_error)
{
    char path[4096];
    if (!find_source(compiled, path, sizeof path))
        return failed(ret_error, MODEL_CORRUPT, "the compiled model is damaged");
    if (options == NULL || options->struct_size != sizeof *options)
        return failed(ret_error, MODEL_INVALID_ARGUMENT, "no options");
    if (told_to(path, "load"))
        return failed(ret_error, MODEL_CORRUPT, "told not to load");
    if (told_to(path, "silent"))
        return failed(ret_error, MODEL_CORRUPT, NULL);
    struct coreml_handle *model = calloc(1, sizeof *model);
    if (model == NULL)
        return failed(ret_error, MODEL_OUT_OF_MEMORY, NULL);
    n_held++;
    (void)snprintf(model->path, sizeof model->path, "%s", path);
    const struct coreml_port port = {"x", MODEL_F32, 1, {2}, {2}, 0};
    model->inputs[0] = model->outputs[0] = model->outputs[1] = port;
    if (told_to(path, "picture") || told_to(path, "odd picture"))
        model->inputs[0] = (struct coreml_port){"x",
                                                told_to(path, "picture") ? MODEL_F32 : MODEL_I32,
                                                4,
                                                {1, 1, 1, 2},
                                                {1, 1, 1, 2},
                                                COREML_PORT_IMAGE};
    if (told_to(path, "range")) {
        model->inputs[0].min[0] = model->outputs[0].min[0] = 1;
        model->inputs[0].max[0] = model->outputs[0].max[0] = 4;
    }
    model->outputs[0].name = model->outputs[1].name = "y";
    model->schema =
        (struct coreml_schema){sizeof model->schema, model->inputs, model->outputs, 1, 1};
    *ret = model;
    return MODEL_OK;
}

static model_status model_schema(struct coreml_handle *model, const struct coreml_schema **ret,
                                 char **ret_error)
{
    if (told_to(model->path, "no schema"))
        return failed(ret_error, MODEL_UNSUPPORTED, "told not to describe");
    if (told_to(model->path, "old schema"))
        model->schema.struct_size = sizeof(size_t);
    if (told_to(model->path, "wrong name"))
        model->inputs[0].name = "z";
    if (told_to(model->path, "wrong size"))
        model->outputs[0].max[0] = 1;
    if (told_to(model->path, "twice"))
        model->schema.n_outputs = 2;
    *ret = &model->schema;
    return MODEL_OK;
}

static model_status predict(struct coreml_handle *model, const struct model_call *call,
                            struct model_error *err, char **ret_error)
{
    const struct model_tensor *x = call->inputs[0];
    const int64_t shape = x->shape[x->rank - 1];
    if (told_to(model->path, "predict"))
        return failed(ret_error, MODEL_INTERNAL, "told not to predict");
    if (told_to(model->path, "crash"))
        abort();
    while (told_to(model->path, "hang"))
        (void)pause();
    for (uint32_t i = 0; i < call->n_outputs; i++) {
        const model_status status =
            call->allocate_output(call->context, i, MODEL_F32, 1, &shape, err);
        if (status != MODEL_OK)
            return status;
        float *y = call->outputs[i]->data;
        for (int64_t k = 0; k < shape; k++)
            y[k] = MOCK_ADDS + (x->dtype == MODEL_U8 ? (float)((const uint8_t *)x->data)[k]
                                                     : ((const float *)x->data)[k]);
    }
    return MODEL_OK;
}

static void free_model(struct coreml_handle *model)
{
    n_held -= model != NULL;
    free(model);
}

static model_status plan(const char *compiled, const struct coreml_load_options *options,
                         struct coreml_plan_counts *ret, char **ret_error)
{
    char path[4096];
    (void)find_source(compiled, path, sizeof path);
    if (told_to(path, "no plan"))
        return failed(ret_error, MODEL_UNSUPPORTED, "told not to plan");
    *ret = options->units == COREML_UNITS_CPU_ONLY
               ? (struct coreml_plan_counts){sizeof *ret, 4, 0, 0, 4, 0}
               : (struct coreml_plan_counts){sizeof *ret, 4, 3, 0, 1, 0.75};
    return MODEL_OK;
}

const struct coreml_bridge *coreml_bridge_linked(void)
{
    static const struct coreml_bridge bridge = {compile_model, load_model,  model_schema, predict,
                                                free_model,    free_string, plan};
    return &bridge;
}
