/* fuzz_image_png.c - any bytes as a PNG, once as they are and once with the checksums of their chunks made
 * right, so that changes reach what is behind them; what decodes is resized as well. */
#include "image_png.h"
#include "image_resize.h"

#include "errors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t checksum(const uint8_t *data, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

/* Chunks: length, kind, data, checksum; all of 4 bytes but the data. */
static void mend_checksums(uint8_t *data, size_t size)
{
    for (size_t at = 8; size - at >= 12;) {
        const uint32_t length = (uint32_t)data[at] << 24 | (uint32_t)data[at + 1] << 16 |
                                (uint32_t)data[at + 2] << 8 | data[at + 3];
        if (length > size - at - 12)
            return;
        const uint32_t crc = checksum(data + at + 4, length + 4u);
        for (uint32_t i = 0; i < 4; i++)
            data[at + 8 + length + i] = (uint8_t)(crc >> (24 - 8 * i));
        at += 12u + length;
    }
}

static void decode(const uint8_t *data, size_t size)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct image image = IMAGE_INIT, resized = IMAGE_INIT;
    if (image_png_decode(data, size, &image, &err) != MODEL_OK)
        return;
    const struct image_box box = {1, 2, 9, 7};
    const enum image_filter filter = (enum image_filter)(data[size - 1] % IMAGE_N_FILTERS);
    if ((uint64_t)image.width * image.height < 1u << 18 &&
        image_resize(&image, 12, 11, filter, &box, &resized, &err) == MODEL_OK)
        image_finish(&resized);
    image_finish(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode(data, size);
    if (size < 20)
        return 0;
    uint8_t *mended = malloc(size);
    if (mended != NULL) {
        memcpy(mended, data, size);
        mend_checksums(mended, size);
        decode(mended, size);
    }
    free(mended);
    return 0;
}
