/* fuzz_preprocessor.c - any bytes as preprocessor_config.json; what it says is done to pictures of several
 * shapes, unless they would become large. */
#include "image_preprocess.h"

#include "errors.h"

#include <stdlib.h>

#define MAX_SIDE 300 /* larger results take long, and nothing else */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct preprocessor *preprocessor, uint32_t width, uint32_t height)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct image image = IMAGE_INIT, shaped = IMAGE_INIT;
    if (image_allocate(width, height, &image, &err) != MODEL_OK)
        return;
    for (size_t i = 0, n = (size_t)width * height * 3; i < n; i++)
        image.pixels[i] = (uint8_t)(i * 37);
    if (image_preprocess_shape(preprocessor, &image, &shaped, &err) == MODEL_OK) {
        const size_t n = (size_t)shaped.width * shaped.height * preprocessor->num_channels;
        float *values = malloc(n * sizeof *values); /* exact, for the sanitizer */
        if (values != NULL)
            image_preprocess_values(preprocessor, &shaped, values);
        free(values);
        image_finish(&shaped);
    }
    image_finish(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t sizes[][2] = {{1, 1}, {17, 5}, {6, 40}, {64, 1}};
    struct model_error err = MODEL_ERROR_INIT;
    struct preprocessor p;
    json_node *config = NULL;
    if (json_parse((const char *)data, size, PREPROCESSOR_FILE, &config, &err) != MODEL_OK)
        return 0;
    const bool is_read = preprocessor_read(config, &p, &err) == MODEL_OK;
    json_free(config);
    if (!is_read || p.height > MAX_SIDE || p.width > MAX_SIDE || p.shortest_edge > MAX_SIDE ||
        p.crop_height > MAX_SIDE || p.crop_width > MAX_SIDE)
        return 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        use(&p, sizes[i][0], sizes[i][1]);
    return 0;
}
