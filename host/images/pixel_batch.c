/* pixel_batch.c - see pixel_batch.h. Pictures are prepared side by side, each into its own small one; the
 * floats are written when all are known to have one shape. */
#include "pixel_batch.h"
#include "dtype.h"
#include "errors.h"
#include "image_decode.h"
#include "image_preprocess.h"
#include "parallel.h"

#include <stdlib.h>

struct item {
    const struct modelhost_image *file;
    struct image image; /* as the model is to see it */
    model_status status;
    struct model_error error;
};

struct work {
    const struct preprocessor *preprocessor;
    const uint32_t *cancelled;
    struct item *items; /* (n_items) */
    uint32_t n_items;
    float *values;
    size_t item_values;
};

static model_status cancel_status(const struct work *work)
{
    return work->cancelled != NULL
               ? (model_status)__atomic_load_n(work->cancelled, __ATOMIC_RELAXED)
               : MODEL_OK;
}

static void prepare_item(void *argument, size_t index)
{
    const struct work *work = argument;
    struct item *item = &work->items[index];
    struct image image = IMAGE_INIT;
    item->status = cancel_status(work);
    if (item->status == MODEL_OK)
        item->status = image_decode(item->file->data, item->file->size_bytes, &image, &item->error);
    if (item->status == MODEL_OK)
        item->status =
            image_preprocess_shape(work->preprocessor, &image, &item->image, &item->error);
    image_finish(&image);
}

static void write_item(void *argument, size_t index)
{
    const struct work *work = argument;
    image_preprocess_values(work->preprocessor, &work->items[index].image,
                            work->values + index * work->item_values);
}

/* The first picture that failed, or that is not as the first one. */
static model_status check_items(const struct work *work, struct model_error *err)
{
    const struct image *first = &work->items[0].image;
    if (cancel_status(work) != MODEL_OK)
        return error_set(err, cancel_status(work), "stopped while pictures were read");
    for (uint32_t i = 0; i < work->n_items; i++) {
        const struct item *item = &work->items[i];
        if (item->status != MODEL_OK)
            return error_set(err, item->status, "image %u: %s", i + 1, item->error.message);
        if (item->image.width != first->width || item->image.height != first->height)
            return error_set(
                err, MODEL_INVALID_ARGUMENT,
                "image %u: it becomes %u x %u pixels, the first one %u x %u; pictures of "
                "one call want one size, so run them one by one",
                i + 1, item->image.width, item->image.height, first->width, first->height);
    }
    return MODEL_OK;
}

static model_status lay_out(struct work *work, uint32_t threads, struct pixel_batch *ret,
                            struct model_error *err)
{
    const struct image *first = &work->items[0].image;
    const uint64_t num_channels = work->preprocessor->num_channels;
    /* Sides are 8,192 at most, so that nothing overflows. */
    const uint64_t item_values = num_channels * first->width * first->height;
    const uint64_t size_bytes = item_values * work->n_items * sizeof(float);
    if (size_bytes > PIXEL_BATCH_MAX_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "pixel_values of %u pictures take %llu bytes, want at most %u; give fewer",
                         work->n_items, (unsigned long long)size_bytes, PIXEL_BATCH_MAX_BYTES);
    work->item_values = (size_t)item_values;
    work->values = aligned_alloc(64, ((size_t)size_bytes + 63) / 64 * 64);
    if (work->values == NULL)
        return error_no_memory(err, "pixel_values");
    parallel_run(threads, work->n_items, write_item, work);
    ret->values = work->values;
    ret->shape[0] = work->n_items;
    ret->shape[1] = (int64_t)num_channels;
    ret->shape[2] = first->height;
    ret->shape[3] = first->width;
    tensor_init(&ret->tensor, "pixel_values", MODEL_F32, 4, ret->shape, ret->values);
    return MODEL_OK;
}

model_status pixel_batch_init(const struct preprocessor *preprocessor,
                              const struct modelhost_image *images, uint32_t n_images,
                              uint32_t threads, const uint32_t *cancelled, struct pixel_batch *ret,
                              struct model_error *err)
{
    if (n_images == 0 || n_images > PIXEL_BATCH_MAX_IMAGES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%u images, want 1 to %d", n_images,
                         PIXEL_BATCH_MAX_IMAGES);
    struct work work = {.preprocessor = preprocessor, .cancelled = cancelled, .n_items = n_images};
    work.items = calloc(n_images, sizeof *work.items);
    if (work.items == NULL)
        return error_no_memory(err, "pictures");
    for (uint32_t i = 0; i < n_images; i++) {
        work.items[i].file = &images[i];
        work.items[i].error.struct_size = sizeof work.items[i].error;
    }
    parallel_run(threads, n_images, prepare_item, &work);
    model_status status = check_items(&work, err);
    if (status == MODEL_OK)
        status = lay_out(&work, threads, ret, err);
    for (uint32_t i = 0; i < n_images; i++)
        image_finish(&work.items[i].image);
    free(work.items);
    return status;
}

void pixel_batch_finish(struct pixel_batch *batch)
{
    free(batch->values);
    batch->values = NULL;
}
