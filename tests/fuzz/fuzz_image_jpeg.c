/* fuzz_image_jpeg.c - any bytes as a JPEG. */
#include "image_jpeg.h"

#include "errors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct image image = IMAGE_INIT;
    if (image_jpeg_decode(data, size, &image, &err) == MODEL_OK)
        image_finish(&image);
    return 0;
}
