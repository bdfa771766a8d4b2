/* image_batch.c - pictures to one batch, through the model, to labels; see image_pipeline.h. */
#include "image_batch.h"
#include "dtype.h"
#include "errors.h"
#include "labels.h"
#include "loaded_model.h"
#include "pixel_batch.h"
#include "request.h"
#include "result.h"
#include "scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TOP_K     10000
#define DEFAULT_TOP_K 5
#define IMAGE_TASK    "image-classification"

struct image_batch {
    struct request_job job;
    const struct image_pipeline *pipeline;
    struct modelhost_image *images; /* (n_images) */
    void **copies;                  /* (n_images), or NULL when the caller's bytes are used */
    uint32_t n_images;
    struct pixel_batch pixels; /* of the lane */
    uint32_t top_k;
};

/* ---- preparing */

static model_status prepare_job(struct request_job *job, struct modelhost_request *request,
                                struct model_error *err)
{
    struct image_batch *batch = (struct image_batch *)job;
    model_status status = pixel_batch_init(&batch->pipeline->preprocessor, batch->images,
                                           batch->n_images, request->model->services.threads,
                                           &request->cancelled, &batch->pixels, err);
    struct model_tensor *tensor = &batch->pixels.tensor;
    tensor->name = batch->pipeline->pixels->name;
    const struct model_tensor *input = tensor;
    return status == MODEL_OK ? request_set_inputs(request, &input, 1, err) : status;
}

/* ---- answering: for each picture [{"label", "score", "index"}, ...] */

static model_status add_labels(const struct image_batch *batch, const double *scores, size_t n,
                               size_t *order, json_node *answers, struct model_error *err)
{
    json_node *labels = json_add_array(answers, NULL);
    const size_t n_labels = scores_top(scores, n, n < batch->top_k ? n : batch->top_k, order);
    for (size_t i = 0; i < n_labels; i++) {
        json_node *label = labels_add(labels, batch->pipeline->config, order[i], scores[order[i]]);
        if (json_add_number(label, "index", (double)order[i]) == NULL)
            return error_no_memory(err, "the answer");
    }
    return MODEL_OK;
}

/* Whether the scores are logits, which have a row for each picture; others are those of one. */
static bool are_logits(const struct image_batch *batch)
{
    return strcmp(batch->pipeline->scores->name, IMAGE_LOGITS) == 0;
}

/* Scores of a picture's n numbers: logits by config.json, others are scores. */
static model_status score(const struct image_batch *batch, uint32_t index, const float *row,
                          size_t n, double *ret_scores, struct model_error *err)
{
    const char *name = batch->pipeline->scores->name;
    for (size_t k = 0; k < n; k++)
        if (!isfinite(row[k]))
            return error_set(err, MODEL_INTERNAL,
                             "image %u: the model's output '%.100s' holds %s; its weights may be "
                             "damaged",
                             index + 1, name, isnan(row[k]) ? "nan" : "infinity");
    if (are_logits(batch)) {
        labels_score(batch->pipeline->config, row, n, ret_scores);
        return MODEL_OK;
    }
    for (size_t k = 0; k < n; k++)
        ret_scores[k] = (double)row[k];
    return MODEL_OK;
}

/* `rows` is (n_images, n). */
static model_status add_answers(const struct image_batch *batch, const float *rows, size_t n,
                                json_node *answers, struct model_error *err)
{
    double *scores = calloc(n + 1, sizeof *scores);
    size_t *order = calloc(n + 1, sizeof *order);
    model_status status = answers != NULL && scores != NULL && order != NULL
                              ? MODEL_OK
                              : error_no_memory(err, "the answer");
    for (uint32_t i = 0; i < batch->n_images && status == MODEL_OK; i++) {
        status = score(batch, i, rows + i * n, n, scores, err);
        if (status == MODEL_OK)
            status = add_labels(batch, scores, n, order, answers, err);
    }
    free(scores);
    free(order);
    return status;
}

/* How many numbers each picture has; 0: not each of them has a row. */
static size_t row_size(const struct image_batch *batch, const struct model_tensor *scores)
{
    const bool is_whole =
        are_logits(batch) ? scores->shape[0] == batch->n_images : batch->n_images == 1;
    return is_whole ? (size_t)tensor_elements(scores) / batch->n_images : 0;
}

static model_status answer_job(struct request_job *job, struct modelhost_result *result,
                               struct model_error *err)
{
    const struct image_batch *batch = (const struct image_batch *)job;
    const char *name = batch->pipeline->scores->name;
    const struct model_tensor *found = result_find(result, name);
    const size_t n = found != NULL ? row_size(batch, found) : 0;
    if (n == 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "the model's output '%.100s' has no row of labels for each picture", name);
    json_node *answers = json_new_array();
    model_status status = add_answers(batch, found->data, n, answers, err);
    if (status == MODEL_OK) {
        result->json = json_print(answers, false);
        if (result->json == NULL)
            status = error_no_memory(err, "the answer");
    }
    json_free(answers);
    return status;
}

/* ---- making */

static model_status rebind_job(struct request_job *job, struct modelhost_model *model,
                               struct model_error *err)
{
    struct image_pipeline *pipeline = NULL;
    model_status status = loaded_model_image_pipeline(model, &pipeline, err);
    if (status == MODEL_OK)
        ((struct image_batch *)job)->pipeline = pipeline;
    return status;
}

static void destroy_job(struct request_job *job)
{
    image_batch_destroy((struct image_batch *)job);
}

struct request_job *image_batch_job(struct image_batch *batch)
{
    return &batch->job;
}

const char *const *image_batch_output_names(const struct image_batch *batch, uint32_t *ret_n_names)
{
    *ret_n_names = 1;
    return &batch->pipeline->scores->name;
}

static model_status check_options(const struct modelhost_run_options *options,
                                  struct model_error *err)
{
    if (options == NULL)
        return MODEL_OK;
    if (options->top_k > MAX_TOP_K)
        return error_set(err, MODEL_INVALID_ARGUMENT, "top_k is %u, at most %d", options->top_k,
                         MAX_TOP_K);
    if (options->task != NULL && strcmp(options->task, IMAGE_TASK) != 0 &&
        strcmp(options->task, "classify") != 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "unknown task '%.80s' for pictures; there is classify", options->task);
    if (MODEL_HAS(struct modelhost_run_options, options, session) && options->session != NULL)
        return error_set(err, MODEL_UNSUPPORTED, "pictures do not go on with a session");
    return MODEL_OK;
}

static model_status take_image(struct image_batch *batch, uint32_t index,
                               const struct modelhost_image *image, bool copy,
                               struct model_error *err)
{
    if (!MODEL_HAS(struct modelhost_image, image, size_bytes) ||
        (image->data == NULL && image->size_bytes > 0))
        return error_set(err, MODEL_INVALID_ARGUMENT, "image %u is NULL or has no struct_size",
                         index + 1);
    if (image->size_bytes > IMAGE_MAX_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "image %u: it has %zu bytes, want at most %u",
                         index + 1, image->size_bytes, IMAGE_MAX_BYTES);
    batch->images[index] =
        (struct modelhost_image){sizeof batch->images[index], image->data, image->size_bytes};
    if (!copy || image->size_bytes == 0)
        return MODEL_OK;
    batch->copies[index] = malloc(image->size_bytes);
    if (batch->copies[index] == NULL)
        return error_no_memory(err, "a picture");
    memcpy(batch->copies[index], image->data, image->size_bytes);
    batch->images[index].data = batch->copies[index];
    return MODEL_OK;
}

model_status image_batch_create(const struct image_pipeline *pipeline,
                                const struct modelhost_image *images, uint32_t n_images, bool copy,
                                const struct modelhost_run_options *options,
                                struct image_batch **ret, struct model_error *err)
{
    if (n_images == 0 || n_images > PIXEL_BATCH_MAX_IMAGES || images == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%u images, want 1 to %d", n_images,
                         PIXEL_BATCH_MAX_IMAGES);
    model_status status = check_options(options, err);
    if (status != MODEL_OK)
        return status;
    struct image_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return error_no_memory(err, "a batch");
    batch->job = (struct request_job){.prepare = prepare_job,
                                      .answer = answer_job,
                                      .destroy = destroy_job,
                                      .rebind = rebind_job,
                                      .n_items = n_images,
                                      .n_tokens = n_images};
    batch->pipeline = pipeline;
    batch->top_k = options != NULL && options->top_k > 0 ? options->top_k : DEFAULT_TOP_K;
    batch->images = calloc(n_images, sizeof *batch->images);
    batch->copies = calloc(n_images, sizeof *batch->copies);
    batch->n_images = n_images;
    if (batch->images == NULL || batch->copies == NULL)
        status = error_no_memory(err, "a batch");
    for (uint32_t i = 0; i < n_images && status == MODEL_OK; i++)
        status = take_image(batch, i, &images[i], copy, err);
    if (status != MODEL_OK)
        image_batch_destroy(batch);
    else
        *ret = batch;
    return status;
}

void image_batch_destroy(struct image_batch *batch)
{
    if (batch == NULL)
        return;
    for (uint32_t i = 0; i < batch->n_images && batch->copies != NULL; i++)
        free(batch->copies[i]);
    pixel_batch_finish(&batch->pixels);
    free(batch->copies);
    free(batch->images);
    free(batch);
}
