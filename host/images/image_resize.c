/* image_resize.c - see image_resize.h. Each output pixel of one direction is a weighted sum of a run of
 * input pixels: its taps. Weights are made in double precision and rounded to 22 fraction bits, so that
 * sums of 8-bit values fit 32 bits. [any-thread] */
#include "image_resize.h"
#include "errors.h"
#include "image_resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

/* ---- the filters: weight at distance x, in units of the larger of the two pixel sizes */

static double box_weight(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double bilinear_weight(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double hamming_weight(double x)
{
    x = fabs(x);
    if (x == 0.0)
        return 1.0;
    /* Pillow's constants are single-precision. */
    return x < 1.0 ? sin(x * PI) / (x * PI) * ((double)0.54f + (double)0.46f * cos(x * PI)) : 0.0;
}

/* Keys' cubic with a = -0.5. */
static double bicubic_weight(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
}

static double sinc(double x)
{
    return x == 0.0 ? 1.0 : sin(x * PI) / (x * PI);
}

static double lanczos_weight(double x)
{
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
}

static const struct {
    double (*weight)(double x);
    double support; /* weights are 0 farther away */
} filters[IMAGE_N_FILTERS] = {
    [IMAGE_LANCZOS] = {lanczos_weight, 3.0}, [IMAGE_BILINEAR] = {bilinear_weight, 1.0},
    [IMAGE_BICUBIC] = {bicubic_weight, 2.0}, [IMAGE_BOX] = {box_weight, 0.5},
    [IMAGE_HAMMING] = {hamming_weight, 1.0},
};

/* ---- taps of one direction */

static void finish_taps(struct taps *taps)
{
    free(taps->runs);
    free(taps->weights);
    free(taps->pairs);
}

static int32_t to_fixed(double weight)
{
    const double scaled = weight * (1 << RESAMPLE_FRACTION_BITS);
    return (int32_t)(scaled < 0.0 ? scaled - 0.5 : scaled + 0.5);
}

/* The taps of the output pixel around `center`, in input pixels; `stretch` is the filter's, 1 or more.
 * `exact` is room for max_count weights. */
static void make_run(struct taps *taps, uint32_t index, enum image_filter filter, double center,
                     double stretch, uint32_t in_size, double *exact)
{
    const double support = filters[filter].support * stretch, scale = 1.0 / stretch;
    const double from = center - support + 0.5, to = center + support + 0.5;
    const uint32_t first = from > 0.0 ? (uint32_t)from : 0;
    const uint32_t end = to < in_size ? (uint32_t)to : in_size;
    const uint32_t count = end - first;
    int32_t *weights = taps->weights + (size_t)index * taps->max_count;
    double sum = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        exact[i] = filters[filter].weight(((double)(i + first) - center + 0.5) * scale);
        sum += exact[i];
    }
    for (uint32_t i = 0; i < count; i++)
        weights[i] = to_fixed(sum != 0.0 ? exact[i] / sum : exact[i]);
    taps->runs[index] = (struct run){first, count};
}

/* The taps of output pixels [start, start + n) of out_size. */
static model_status make_taps(uint32_t in_size, uint32_t out_size, uint32_t start, uint32_t n,
                              enum image_filter filter, struct taps *ret, struct model_error *err)
{
    const double scale = (double)in_size / out_size;
    const double stretch = scale > 1.0 ? scale : 1.0;
    struct taps taps = {.n = n};
    taps.max_count = (uint32_t)ceil(filters[filter].support * stretch) * 2 + 1;
    taps.runs = calloc(n, sizeof *taps.runs);
    taps.weights = calloc((size_t)n * taps.max_count, sizeof *taps.weights);
    double *exact = calloc(taps.max_count, sizeof *exact);
    model_status status = taps.runs != NULL && taps.weights != NULL && exact != NULL
                              ? MODEL_OK
                              : error_no_memory(err, "resizing");
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++)
        make_run(&taps, i, filter, ((double)(start + i) + 0.5) * scale, stretch, in_size, exact);
    free(exact);
    if (status == MODEL_OK)
        status = taps_pair(&taps, err);
    if (status == MODEL_OK)
        *ret = taps;
    else
        finish_taps(&taps);
    return status;
}

/* ---- the two passes */

/* Rows [first, first + between->height) of the picture, resampled to the columns. */
static void run_rows(const struct image *image, uint32_t first, const struct taps *columns,
                     struct image *between)
{
    const size_t in_bytes = (size_t)image->width * 3, out_bytes = (size_t)between->width * 3;
    for (uint32_t y = 0; y < between->height; y++) {
        const size_t behind = (image->height - first - y - 1) * in_bytes;
        resample_row(image->pixels + (first + y) * in_bytes, columns,
                     behind >= RESAMPLE_SLACK_BYTES, between->pixels + y * out_bytes);
    }
}

static void run_columns(const struct image *between, uint32_t first, const struct taps *rows,
                        struct image *out)
{
    const size_t n_values = (size_t)out->width * 3;
    for (uint32_t y = 0; y < out->height; y++)
        resample_column(between->pixels + (rows->runs[y].first - first) * n_values, n_values, rows,
                        y, out->pixels + y * n_values);
}

static model_status check_memory(uint64_t width, uint64_t height, struct model_error *err)
{
    if (width * height <= IMAGE_MAX_PIXELS)
        return MODEL_OK;
    return error_set(err, MODEL_INVALID_ARGUMENT,
                     "resizing it takes %llu x %llu pixels, want at most %u in all",
                     (unsigned long long)width, (unsigned long long)height, IMAGE_MAX_PIXELS);
}

static model_status resample(const struct image *image, const struct taps *columns,
                             const struct taps *rows, struct image *out, struct model_error *err)
{
    const uint32_t first = rows->runs[0].first;
    const struct run last = rows->runs[rows->n - 1];
    struct image between = IMAGE_INIT;
    model_status status = check_memory(columns->n, last.first + last.count - first, err);
    if (status == MODEL_OK)
        status = image_allocate(columns->n, last.first + last.count - first, &between, err);
    if (status == MODEL_OK) {
        run_rows(image, first, columns, &between);
        run_columns(&between, first, rows, out);
    }
    image_finish(&between);
    return status;
}

/* ---- nearest: positions add up in steps, as Pillow's do, rounding included */

static uint32_t *nearest_positions(uint32_t in_size, uint32_t out_size, uint32_t start, uint32_t n)
{
    uint32_t *positions = calloc(n, sizeof *positions);
    const double step = (double)in_size / out_size;
    double at = step * 0.5;
    for (uint32_t i = 0; i < start + n && positions != NULL; i++, at += step)
        if (i >= start)
            positions[i - start] = at < in_size ? (uint32_t)at : in_size - 1;
    return positions;
}

static model_status take_nearest(const struct image *image, uint32_t width, uint32_t height,
                                 const struct image_box *box, struct image *out,
                                 struct model_error *err)
{
    uint32_t *columns = nearest_positions(image->width, width, box->left, box->width);
    uint32_t *rows = nearest_positions(image->height, height, box->top, box->height);
    const int is_there = columns != NULL && rows != NULL;
    uint8_t *to = out->pixels;
    for (uint32_t y = 0; y < box->height && is_there; y++) {
        const uint8_t *row = image->pixels + (size_t)rows[y] * image->width * 3;
        for (uint32_t x = 0; x < box->width; x++, to += 3)
            memcpy(to, row + (size_t)columns[x] * 3, 3);
    }
    free(columns);
    free(rows);
    return is_there ? MODEL_OK : error_no_memory(err, "resizing");
}

static model_status check_box(uint32_t width, uint32_t height, const struct image_box *box,
                              struct model_error *err)
{
    if (width == 0 || height == 0 || width > IMAGE_MAX_RESIZED_SIDE ||
        height > IMAGE_MAX_RESIZED_SIDE)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "it would be resized to %u x %u pixels, want sides of 1 to %d", width,
                         height, IMAGE_MAX_RESIZED_SIDE);
    if (box->width == 0 || box->height == 0 || box->left > width || box->top > height ||
        box->width > width - box->left || box->height > height - box->top)
        return error_set(err, MODEL_INTERNAL, "a box of %u x %u at (%u, %u) is not in %u x %u",
                         box->width, box->height, box->left, box->top, width, height);
    return check_memory(box->width, box->height, err);
}

model_status image_resize(const struct image *image, uint32_t width, uint32_t height,
                          enum image_filter filter, const struct image_box *box, struct image *ret,
                          struct model_error *err)
{
    struct image out = IMAGE_INIT;
    struct taps columns = {.n = 0}, rows = {.n = 0};
    model_status status = check_box(width, height, box, err);
    if (status == MODEL_OK)
        status = image_allocate(box->width, box->height, &out, err);
    if (status == MODEL_OK && filter == IMAGE_NEAREST)
        status = take_nearest(image, width, height, box, &out, err);
    if (status == MODEL_OK && filter != IMAGE_NEAREST)
        status = make_taps(image->width, width, box->left, box->width, filter, &columns, err);
    if (status == MODEL_OK && filter != IMAGE_NEAREST)
        status = make_taps(image->height, height, box->top, box->height, filter, &rows, err);
    if (status == MODEL_OK && filter != IMAGE_NEAREST)
        status = resample(image, &columns, &rows, &out, err);
    finish_taps(&columns);
    finish_taps(&rows);
    if (status == MODEL_OK)
        *ret = out;
    else
        image_finish(&out);
    return status;
}
