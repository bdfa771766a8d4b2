/* image.c - see image.h. [any-thread] */
#include "image.h"
#include "errors.h"

#include <stdlib.h>

model_status image_check_size(const char *what, uint64_t width, uint64_t height,
                              struct model_error *err)
{
    if (width == 0 || height == 0 || width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the %s has %llu x %llu pixels, want sides of 1 to %u", what,
                         (unsigned long long)width, (unsigned long long)height, IMAGE_MAX_SIDE);
    if (width * height > IMAGE_MAX_PIXELS)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the %s has %llu x %llu pixels, want at most %u in all", what,
                         (unsigned long long)width, (unsigned long long)height, IMAGE_MAX_PIXELS);
    return MODEL_OK;
}

model_status image_allocate(uint32_t width, uint32_t height, struct image *ret,
                            struct model_error *err)
{
    uint8_t *pixels = calloc((size_t)width * height, 3);
    if (pixels == NULL)
        return error_no_memory(err, "a picture");
    *ret = (struct image){pixels, width, height};
    return MODEL_OK;
}

void image_finish(struct image *image)
{
    free(image->pixels);
    *image = (struct image)IMAGE_INIT;
}
