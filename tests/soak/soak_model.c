/* soak_model.c - see soak_model.h: loading, making cases, and learning the right answers. */
#include "soak_model.h"
#include "soak_random.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT 4096

static const char *const texts[] = {"Paris is the [MASK] of France.", "A dog is an [MASK]."};
static const char *const prompts[] = {"Once upon", "The fox"};

/* ---- inputs from a description */

static int64_t size_of(const struct model_dimension *dimension, uint32_t variant)
{
    int64_t size = 5 + (int64_t)variant;
    if (dimension->name == NULL)
        return dimension->min;
    if (strcmp(dimension->name, "batch") == 0)
        size = 1;
    else if (strcmp(dimension->name, "height") == 0 || strcmp(dimension->name, "width") == 0)
        size = 32;
    return size < dimension->min ? dimension->min : size > dimension->max ? dimension->max : size;
}

static size_t item_bytes(int32_t dtype)
{
    return dtype == MODEL_F32 || dtype == MODEL_I32 ? 4 : dtype == MODEL_I64 ? 8 : 0;
}

static void fill(struct model_tensor *tensor, size_t n, uint64_t *random)
{
    const bool is_flag =
        strstr(tensor->name, "mask") != NULL || strstr(tensor->name, "type") != NULL;
    for (size_t i = 0; i < n; i++) {
        const uint64_t number =
            is_flag ? strstr(tensor->name, "mask") != NULL : 1 + soak_random_below(random, 9);
        if (tensor->dtype == MODEL_F32)
            ((float *)tensor->data)[i] = (float)soak_random_below(random, 2000) / 1000 - 1;
        else if (tensor->dtype == MODEL_I64)
            ((int64_t *)tensor->data)[i] = (int64_t)number;
        else
            ((int32_t *)tensor->data)[i] = (int32_t)number;
    }
}

static bool make_input(const struct model_tensor_spec *spec, uint32_t variant, uint64_t *random,
                       struct model_tensor *ret)
{
    size_t n = 1;
    *ret = (struct model_tensor){
        .struct_size = sizeof *ret, .name = spec->name, .dtype = spec->dtype, .rank = spec->rank};
    for (uint32_t i = 0; i < spec->rank; i++) {
        ret->shape[i] = size_of(&spec->shape[i], variant);
        n *= (size_t)ret->shape[i];
    }
    for (uint32_t i = spec->rank; i > 0; i--)
        ret->strides[i - 1] = i == spec->rank ? 1 : ret->strides[i] * ret->shape[i];
    ret->size_bytes = n * item_bytes(spec->dtype);
    ret->data = ret->size_bytes > 0 ? malloc((size_t)ret->size_bytes) : NULL;
    if (ret->data != NULL)
        fill(ret, n, random);
    return ret->data != NULL;
}

/* Where all inputs are optional, one is wanted: numbers rather than ids. NULL: there are compulsory ones. */
static const struct model_tensor_spec *only_choice(const struct model_description *description)
{
    const struct model_tensor_spec *choice = NULL;
    for (uint32_t i = 0; i < description->n_inputs; i++) {
        const struct model_tensor_spec *spec = description->inputs[i];
        if ((spec->flags & MODEL_SPEC_OPTIONAL) == 0)
            return NULL;
        if (choice == NULL && spec->dtype == MODEL_F32)
            choice = spec;
    }
    return choice;
}

bool soak_case_make(const struct modelhost_model *model, uint32_t variant, struct soak_case *ret)
{
    const struct model_description *description = modelhost_description(model);
    uint64_t random = variant;
    const struct model_tensor_spec *chosen = only_choice(description);
    *ret = (struct soak_case){.form = SOAK_TENSORS};
    for (uint32_t i = 0; i < description->n_inputs; i++) {
        const struct model_tensor_spec *spec = description->inputs[i];
        if ((spec->flags & MODEL_SPEC_OPTIONAL) != 0 && spec != chosen)
            continue;
        if (ret->n_inputs == SOAK_MAX_INPUTS ||
            !make_input(spec, variant, &random, &ret->inputs[ret->n_inputs]))
            return false;
        ret->pointers[ret->n_inputs] = &ret->inputs[ret->n_inputs];
        ret->n_inputs++;
    }
    return ret->n_inputs > 0;
}

void soak_case_free(struct soak_case *asked)
{
    for (uint32_t i = 0; i < asked->n_inputs; i++)
        free(asked->inputs[i].data);
    free(asked->text);
    free(asked->streamed);
}

/* ---- the right answers */

/* Keeps the case of which the model answers something; `asked` is in its place already. */
static void learn(struct soak_model *model, bool is_wanted)
{
    struct soak_case *asked = &model->cases[model->n_cases];
    char streamed[MAX_TEXT] = "";
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost_result *result = NULL;
    const bool streams = asked->form == SOAK_GENERATION;
    const model_status status =
        soak_ask(model->model, asked, streams ? streamed : NULL, sizeof streamed, &result, &err);
    if (status != MODEL_OK) {
        if (is_wanted)
            soak_tally_wrong(&model->tally, "a first answer", status, err.message);
        soak_case_free(asked);
        return;
    }
    asked->digest = soak_digest(result);
    asked->streamed = streams ? strdup(streamed) : NULL;
    modelhost_result_destroy(result);
    model->n_cases++;
}

static void learn_all(struct soak_model *model)
{
    const char *task = modelhost_description(model->model)->task;
    for (uint32_t i = 0; i < 3; i++) {
        struct soak_case *asked = &model->cases[model->n_cases];
        if (soak_case_make(model->model, i, asked))
            learn(model, true);
        else
            soak_case_free(asked);
    }
    /* Not every package has a tokenizer. */
    for (uint32_t i = 0; task != NULL && i < 2; i++) {
        const bool generates = strcmp(task, "text-generation") == 0;
        model->cases[model->n_cases] =
            (struct soak_case){.form = generates ? SOAK_GENERATION : SOAK_TEXT,
                               .text = strdup(generates ? prompts[i] : texts[i])};
        learn(model, false);
    }
}

/* ---- loading */

static char *join(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL)
        (void)snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static bool load_one(struct soak_models *models, struct modelhost *host, const char *folder,
                     const char *name, int32_t isolation)
{
    struct model_error err = {.struct_size = sizeof err};
    struct soak_model *model = &models->list[models->n];
    if (models->n == SOAK_MAX_MODELS) {
        fprintf(stderr, "soak: more than %d models in %s\n", SOAK_MAX_MODELS, folder);
        return false;
    }
    *model = (struct soak_model){.name = strdup(name),
                                 .folder = join(folder, name),
                                 .fault = soak_fault_find(name),
                                 .options = MODELHOST_LOAD_OPTIONS_INIT};
    model->tally.name = model->name;
    model->tally.where = isolation == MODELHOST_WORKER ? "workers" : "in process";
    model->options.isolation = isolation;
    model->options.breaker_success_rate = -1; /* faults are what it is asked for */
    if (isolation == MODELHOST_WORKER) {
        model->options.workers = 1 + models->n % 2;
        model->options.worker_memory_bytes =
            model->fault != NULL ? model->fault->worker_memory_bytes : 0;
    }
    models->n++;
    const model_status status =
        modelhost_load_with(host, model->folder, &model->options, &model->model, &err);
    if (status != MODEL_OK)
        fprintf(stderr, "soak: %s\n", err.message);
    return status == MODEL_OK;
}

static bool load_both(struct soak_models *models, struct modelhost *host, const char *folder,
                      const char *name)
{
    if (!load_one(models, host, folder, name, MODELHOST_INPROC))
        return false;
    struct soak_model *first = &models->list[models->n - 1];
    first->owns_cases = true;
    learn_all(first);
    if (first->n_cases == 0)
        fprintf(stderr, "soak: %s: nothing could be asked\n", name);
    if (!load_one(models, host, folder, name, MODELHOST_WORKER))
        return false;
    struct soak_model *second = &models->list[models->n - 1];
    memcpy(second->cases, first->cases, sizeof first->cases);
    second->n_cases = first->n_cases;
    return first->n_cases > 0;
}

static bool is_among(const char *mode, const char *const *modes)
{
    bool is_found = modes == NULL;
    for (size_t i = 0; modes != NULL && modes[i] != NULL; i++)
        is_found = is_found || strcmp(modes[i], mode) == 0;
    return is_found;
}

static bool load_entry(struct soak_models *models, struct modelhost *host, const char *folder,
                       const char *name, const char *const *modes, bool with_others)
{
    const struct soak_fault *fault = soak_fault_find(name);
    if (fault == NULL)
        return !with_others || load_both(models, host, folder, name);
    if (!is_among(fault->mode, modes))
        return true;
    return (!fault->in_process || load_one(models, host, folder, name, MODELHOST_INPROC)) &&
           load_one(models, host, folder, name, MODELHOST_WORKER);
}

bool soak_models_load(struct soak_models *models, struct modelhost *host, const char *folder,
                      const char *const *modes, bool with_others)
{
    struct dirent **entries = NULL;
    const int n = scandir(folder, &entries, NULL, alphasort);
    bool is_good = n > 0;
    for (int i = 0; i < n; i++) {
        if (is_good && entries[i]->d_name[0] != '.')
            is_good = load_entry(models, host, folder, entries[i]->d_name, modes, with_others);
        free(entries[i]);
    }
    free(entries);
    if (is_good && models->n == 0)
        fprintf(stderr, "soak: no package to be used in %s\n", folder);
    return is_good && models->n > 0;
}

void soak_models_release(struct soak_models *models)
{
    for (uint32_t i = 0; i < models->n; i++) {
        modelhost_release(models->list[i].model);
        models->list[i].model = NULL;
    }
}

void soak_models_free(struct soak_models *models)
{
    for (uint32_t i = 0; i < models->n; i++) {
        for (uint32_t k = 0; models->list[i].owns_cases && k < models->list[i].n_cases; k++)
            soak_case_free(&models->list[i].cases[k]);
        free(models->list[i].name);
        free(models->list[i].folder);
    }
    models->n = 0;
}
