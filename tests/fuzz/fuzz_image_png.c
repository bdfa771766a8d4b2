/* fuzz_image_png.c - any bytes as a PNG; what decodes is resized as well. */
#include "image_png.h"
#include "image_resize.h"

#include "errors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct image image = IMAGE_INIT, resized = IMAGE_INIT;
    if (image_png_decode(data, size, &image, &err) != MODEL_OK)
        return 0;
    const struct image_box box = {1, 2, 9, 7};
    const enum image_filter filter = (enum image_filter)(data[size - 1] % IMAGE_N_FILTERS);
    if ((uint64_t)image.width * image.height < 1u << 18 &&
        image_resize(&image, 12, 11, filter, &box, &resized, &err) == MODEL_OK)
        image_finish(&resized);
    image_finish(&image);
    return 0;
}
