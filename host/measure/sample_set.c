/* sample_set.c - see sample_set.h. Covered by tests/system/test_quantize.sh. */
#include "sample_set.h"
#include "dtype.h"
#include "errors.h"
#include "image_input.h"
#include "pixel_batch.h"
#include "text_task.h"

#include <stdlib.h>

#define PICTURE_SIDE 224

/* Takes what was made; `whole`: all of it is there. */
static model_status take(struct sample_set *set, struct made_inputs *inputs, bool whole,
                         struct model_error *err)
{
    if (!whole || inputs == NULL || set->n == set->max) {
        made_inputs_destroy(inputs);
        return whole && inputs != NULL ? MODEL_OK : error_no_memory(err, "the samples");
    }
    set->samples[set->n++] = inputs;
    return MODEL_OK;
}

/* ---- texts */

/* input_ids and what goes with it, of one window. */
static bool add_window(struct made_inputs *inputs, const struct model_description *description,
                       const struct encoding *encoding, const struct encoding_window *window)
{
    const int64_t shape[] = {1, (int64_t)window->n_tokens};
    const struct {
        const char *name;
        const int64_t *data;
    } rows[] = {{"input_ids", encoding->ids + window->first},
                {"attention_mask", encoding->attention_mask + window->first},
                {"token_type_ids", encoding->type_ids + window->first}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model_tensor like;
        if (schema_find(description->inputs, description->n_inputs, rows[i].name) == NULL)
            continue;
        tensor_init(&like, rows[i].name, MODEL_I64, 2, shape, NULL);
        if (!made_inputs_add(inputs, &like, rows[i].data, GUARDED_AT_END))
            return false;
    }
    return true;
}

/* Special tokens alone say nothing of a model. */
static bool has_text(const struct encoding *encoding)
{
    for (size_t i = 0; i < encoding->n_tokens; i++)
        if (encoding->special_mask[i] == 0)
            return true;
    return false;
}

static model_status add_encoding(struct sample_set *set, const struct modelhost_model *model,
                                 const struct encoding *encoding, struct model_error *err)
{
    const struct encoding_window whole = {0, encoding->n_tokens};
    const size_t n = encoding->n_windows > 0 ? encoding->n_windows : 1;
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n && set->n < set->max && status == MODEL_OK; i++) {
        struct made_inputs *inputs = calloc(1, sizeof *inputs);
        const struct encoding_window *window =
            encoding->n_windows > 0 ? &encoding->windows[i] : &whole;
        if (window->n_tokens == 0) {
            free(inputs);
            continue;
        }
        const bool good =
            inputs != NULL && add_window(inputs, model->model->description, encoding, window);
        status = take(set, inputs, good, err);
    }
    return status;
}

model_status sample_set_add_text(struct sample_set *set, struct modelhost_model *model,
                                 const char *text, size_t text_bytes, int64_t n_tokens,
                                 struct model_error *err)
{
    struct text_pipeline *pipeline = NULL;
    struct encoding encoding = {.n_tokens = 0};
    model_status status = loaded_model_pipeline(model, &pipeline, err);
    if (status != MODEL_OK)
        return status;
    const struct tokenizer_options options = {
        .add_special_tokens = true,
        .truncation = TOKENIZER_ON,
        .max_tokens = n_tokens < pipeline->max_tokens ? n_tokens : pipeline->max_tokens,
        .windows = true,
        .padding = TOKENIZER_OFF};
    status =
        tokenizer_encode(pipeline->tokenizer, text, text_bytes, NULL, 0, &options, &encoding, err);
    if (status == MODEL_OK && !has_text(&encoding))
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "the text has no tokens, nothing can be measured with it");
    if (status == MODEL_OK)
        status = add_encoding(set, model, &encoding, err);
    encoding_finish(&encoding);
    set->source = "texts";
    set->is_text = true;
    return status;
}

/* ---- pictures, tensors, and made ones */

model_status sample_set_add_images(struct sample_set *set, struct modelhost_model *model,
                                   const struct modelhost_image *images, uint32_t n_images,
                                   struct model_error *err)
{
    const struct model_tensor_spec *pixels = NULL;
    struct preprocessor preprocessor;
    model_status status = image_input_find(model->model->description, &pixels, err);
    if (status == MODEL_OK)
        status = image_input_load(&model->package, pixels, &preprocessor, err);
    for (uint32_t i = 0; i < n_images && status == MODEL_OK; i++) {
        struct pixel_batch batch = {.values = NULL};
        status = pixel_batch_init(&preprocessor, &images[i], 1, 1, NULL, &batch, err);
        if (status != MODEL_OK)
            break;
        struct made_inputs *inputs = calloc(1, sizeof *inputs);
        batch.tensor.name = pixels->name;
        const bool good = inputs != NULL &&
                          made_inputs_add(inputs, &batch.tensor, batch.tensor.data, GUARDED_AT_END);
        status = take(set, inputs, good, err);
        pixel_batch_finish(&batch);
    }
    set->source = "images";
    return status;
}

model_status sample_set_add_tensors(struct sample_set *set, const struct modelhost_model *model,
                                    const char *path, struct model_error *err)
{
    const struct model_description *description = model->model->description;
    struct weights *file = NULL;
    struct schema_binding binding;
    model_status status = weights_open_file(path, &file, err);
    struct made_inputs *inputs = calloc(1, sizeof *inputs);
    bool good = inputs != NULL;
    for (uint32_t i = 0; i < description->n_inputs && status == MODEL_OK && good; i++) {
        struct model_tensor view = {.struct_size = sizeof view};
        if (weights_find(file, description->inputs[i]->name, &view) != MODEL_OK)
            continue;
        view.name = description->inputs[i]->name; /* the file's own ends with it */
        good = made_inputs_add(inputs, &view, view.data, GUARDED_AT_END);
    }
    if (status == MODEL_OK && good)
        status = schema_check_inputs(description, inputs->list, inputs->n, &binding, err);
    weights_destroy(file);
    set->source = "tensors";
    if (status == MODEL_OK)
        return take(set, inputs, good, err);
    made_inputs_destroy(inputs);
    return status;
}

model_status sample_set_add_made(struct sample_set *set, const struct modelhost_model *model,
                                 size_t n, int64_t n_tokens, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        const struct made_options options = {
            .batch = 1, .picture = PICTURE_SIDE, .other = n_tokens, .seed = i};
        struct made_inputs *inputs =
            made_inputs_create(model->model->description, model->config, &options, err);
        status = inputs != NULL ? take(set, inputs, true, err) : MODEL_UNSUPPORTED;
    }
    set->source = "made";
    return status;
}

void sample_set_finish(struct sample_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        made_inputs_destroy(set->samples[i]);
    set->n = 0;
}
