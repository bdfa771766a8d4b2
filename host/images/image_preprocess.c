/* image_preprocess.c - see image_preprocess.h. Follows transformers' image_transforms.py: the same
 * roundings of sizes and offsets, and values in the same precisions (the product with rescale_factor in
 * double, the rest in float), so that every value is the same float. [any-thread] */
#include "image_preprocess.h"
#include "errors.h"

#include <math.h>
#include <string.h>

/* One direction of resize and crop: `part` pixels of the resized ones, from `start`, go to the result's
 * pixels from `offset`; what is left of the result is black. */
struct span {
    uint32_t resized, start, part, offset, result;
};

static struct span crop_span(uint32_t resized, uint32_t crop)
{
    if (resized >= crop)
        return (struct span){resized, (resized - crop) / 2, crop, 0, crop};
    return (struct span){resized, 0, resized, (crop - resized + 1) / 2, crop};
}

/* What a picture is resized to. */
static model_status resized_size(const struct preprocessor *preprocessor, const struct image *image,
                                 uint32_t *ret_width, uint32_t *ret_height, struct model_error *err)
{
    uint32_t width = image->width, height = image->height;
    if (preprocessor->do_resize && preprocessor->height > 0) {
        width = preprocessor->width;
        height = preprocessor->height;
    } else if (preprocessor->do_resize) {
        const uint32_t edge = preprocessor->shortest_edge;
        uint32_t *shorter = width <= height ? &width : &height;
        uint32_t *longer = width <= height ? &height : &width;
        const double length = floor((double)((uint64_t)edge * *longer) / (double)*shorter);
        if (length > IMAGE_MAX_RESIZED_SIDE)
            return error_set(
                err, MODEL_INVALID_ARGUMENT,
                "with a shortest edge of %u its %u x %u pixels would become %.0f long, "
                "want at most %d",
                edge, image->width, image->height, length, IMAGE_MAX_RESIZED_SIDE);
        *shorter = edge;
        *longer = (uint32_t)length;
    }
    *ret_width = width;
    *ret_height = height;
    return MODEL_OK;
}

/* ITU-R 601-2 luma, as Pillow's convert("L") rounds it. */
static void make_gray(struct image *image)
{
    uint8_t *pixel = image->pixels;
    for (size_t i = 0, n = (size_t)image->width * image->height; i < n; i++, pixel += 3) {
        const uint32_t luma =
            (pixel[0] * 19595u + pixel[1] * 38470u + pixel[2] * 7471u + 0x8000u) >> 16;
        memset(pixel, (int)luma, 3);
    }
}

/* Puts the part on black. */
static model_status pad(const struct image *part, const struct span *across,
                        const struct span *down, struct image *ret, struct model_error *err)
{
    struct image out = IMAGE_INIT;
    model_status status = image_allocate(across->result, down->result, &out, err);
    if (status != MODEL_OK)
        return status;
    const size_t row_bytes = (size_t)part->width * 3;
    for (size_t y = 0; y < part->height; y++)
        memcpy(out.pixels + ((y + down->offset) * out.width + across->offset) * 3,
               part->pixels + y * row_bytes, row_bytes);
    *ret = out;
    return MODEL_OK;
}

static model_status check_result(const struct span *across, const struct span *down,
                                 struct model_error *err)
{
    if (across->result <= PREPROCESSOR_MAX_SIDE && down->result <= PREPROCESSOR_MAX_SIDE)
        return MODEL_OK;
    return error_set(err, MODEL_INVALID_ARGUMENT,
                     "it would become %u x %u pixels for the model, want sides of at most %d",
                     across->result, down->result, PREPROCESSOR_MAX_SIDE);
}

model_status image_preprocess_shape(const struct preprocessor *preprocessor, struct image *image,
                                    struct image *ret, struct model_error *err)
{
    uint32_t width = 0, height = 0;
    model_status status = resized_size(preprocessor, image, &width, &height, err);
    if (status != MODEL_OK)
        return status;
    struct span across = {width, 0, width, 0, width}, down = {height, 0, height, 0, height};
    if (preprocessor->do_center_crop) {
        across = crop_span(width, preprocessor->crop_width);
        down = crop_span(height, preprocessor->crop_height);
    }
    status = check_result(&across, &down, err);
    if (status != MODEL_OK)
        return status;
    if (preprocessor->num_channels == 1)
        make_gray(image);
    const struct image_box box = {across.start, down.start, across.part, down.part};
    struct image part = IMAGE_INIT;
    status = image_resize(image, width, height, preprocessor->filter, &box, &part, err);
    if (status == MODEL_OK && part.width == across.result && part.height == down.result) {
        *ret = part;
        return MODEL_OK;
    }
    if (status == MODEL_OK)
        status = pad(&part, &across, &down, ret, err);
    image_finish(&part);
    return status;
}

void image_preprocess_values(const struct preprocessor *preprocessor, const struct image *image,
                             float *ret_values)
{
    const size_t n = (size_t)image->width * image->height;
    const uint32_t last = preprocessor->num_channels - 1;
    for (uint32_t c = 0; c < preprocessor->num_channels; c++) {
        const float mean = (float)preprocessor->mean[c], std = (float)preprocessor->std[c];
        float values[256];
        for (uint32_t v = 0; v < 256; v++) {
            values[v] =
                preprocessor->do_rescale ? (float)(v * preprocessor->rescale_factor) : (float)v;
            if (preprocessor->do_normalize)
                values[v] = (values[v] - mean) / std;
        }
        const uint8_t *pixel = image->pixels + (preprocessor->do_flip ? last - c : c);
        for (size_t i = 0; i < n; i++, pixel += 3)
            *ret_values++ = values[*pixel];
    }
}
