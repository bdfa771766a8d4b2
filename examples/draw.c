/* draw.c - pictures out of a model that makes them of noise: examples/gan, or any with an input of noise
 * F32 [batch, n] and an output F32 [batch, 1 or 3, height, width] in [-1, 1]. Writes 64 as one PNG.
 *
 *   cc draw.c $(pkg-config --cflags --libs modelhost) -lpng -o draw
 *   ./draw PACKAGE OUT.png [SEED]
 */
#include <math.h>
#include <modelhost.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 8, COLUMNS = 8, MAX_NOISE = 1024 };

/* Two numbers of the standard normal distribution (Box and Muller 1958), from a simple generator. */
static void normal(uint64_t *seed, float *ret)
{
    double u[2];
    for (int i = 0; i < 2; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        u[i] = ((double)(*seed >> 40) + 0.5) / (double)(1 << 24);
    }
    ret[0] = (float)(sqrt(-2 * log(u[0])) * cos(6.283185307179586 * u[1]));
    ret[1] = (float)(sqrt(-2 * log(u[0])) * sin(6.283185307179586 * u[1]));
}

/* pixels [ROWS COLUMNS, channels, height, width] -> a PNG of all of them. */
static int write_png(const struct model_tensor *pixels, const char *path)
{
    const size_t channels = (size_t)pixels->shape[1], height = (size_t)pixels->shape[2];
    const size_t width = (size_t)pixels->shape[3], line = COLUMNS * width * channels;
    const float *x = pixels->data;
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)(COLUMNS * width),
                       .height = (png_uint_32)(ROWS * height),
                       .format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};
    unsigned char *bytes = malloc(ROWS * height * line);
    if (bytes == NULL)
        return 0;
    for (size_t i = 0; i < (size_t)ROWS * COLUMNS * channels * height * width; i++) {
        const size_t column = i % width, row = i / width % height;
        const size_t channel = i / width / height % channels, n = i / width / height / channels;
        const float value = fminf(fmaxf(x[i], -1.0f), 1.0f);
        bytes[(n / COLUMNS * height + row) * line + (n % COLUMNS * width + column) * channels +
              channel] = (unsigned char)lrintf((value + 1) * 127.5f);
    }
    const int written = png_image_write_to_file(&image, path, 0, bytes, 0, NULL);
    if (!written)
        fprintf(stderr, "draw: %s: %s\n", path, image.message);
    free(bytes);
    return written;
}

/* Noise of the size that the model wants -> its pictures. */
static model_status draw(struct modelhost_model *model, uint64_t seed,
                         struct modelhost_result **ret, struct model_error *err)
{
    static float noise[ROWS * COLUMNS * MAX_NOISE];
    const struct model_tensor_spec *spec = modelhost_description(model)->inputs[0];
    const int64_t n = spec->rank == 2 && spec->dtype == MODEL_F32 ? spec->shape[1].max : 0;
    if (n < 1 || n > MAX_NOISE) {
        (void)snprintf(err->message, sizeof err->message, "the model's first input is no noise");
        return MODEL_INVALID_ARGUMENT;
    }
    for (int64_t i = 0; i + 1 < ROWS * COLUMNS * n; i += 2)
        normal(&seed, noise + i);
    struct model_tensor input = {.struct_size = sizeof input,
                                 .name = spec->name,
                                 .data = noise,
                                 .size_bytes = (uint64_t)(ROWS * COLUMNS * n) * sizeof *noise,
                                 .dtype = MODEL_F32,
                                 .rank = 2,
                                 .shape = {ROWS * COLUMNS, n},
                                 .strides = {n, 1}};
    const struct model_tensor *const inputs[] = {&input};
    return modelhost_run(model, inputs, 1, NULL, ret, err);
}

int main(int argc, char **argv)
{
    struct model_error err = {sizeof err, ""};
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    struct modelhost_result *result = NULL;
    const uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    int done = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: draw PACKAGE OUT.png [SEED]\n");
        return 2;
    }
    if (modelhost_create(NULL, &host, &err) == MODEL_OK &&
        modelhost_load(host, argv[1], &model, &err) == MODEL_OK &&
        draw(model, seed, &result, &err) == MODEL_OK)
        done = write_png(modelhost_result_at(result, 0), argv[2]);
    else
        fprintf(stderr, "draw: %s\n", err.message);
    modelhost_result_destroy(result);
    modelhost_release(model);
    modelhost_destroy(host);
    return done ? 0 : 1;
}
