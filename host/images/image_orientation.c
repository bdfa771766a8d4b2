/* image_orientation.c - see image_orientation.h. Follows TIFF 6.0 and Exif 2.3: an orientation says where
 * the picture's first row and column belong. [any-thread] */
#include "image_orientation.h"

#include <stdbool.h>
#include <stddef.h>

#define TAG_ORIENTATION 0x0112u
#define TYPE_BYTE       1u
#define TYPE_SHORT      3u
#define TYPE_LONG       4u
#define ENTRY_BYTES     12u

struct tiff {
    const uint8_t *data;
    size_t size_bytes;
    bool is_little;
};

/* The number of n bytes at an offset that was checked. */
static uint32_t number_at(const struct tiff *tiff, size_t offset, uint32_t n_bytes)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < n_bytes; i++) {
        uint32_t byte = tiff->data[offset + (tiff->is_little ? n_bytes - 1 - i : i)];
        value = value << 8 | byte;
    }
    return value;
}

/* The value of a directory's entry that holds one small number; 0 for any other. */
static uint32_t entry_value(const struct tiff *tiff, size_t entry)
{
    uint32_t type = number_at(tiff, entry + 2, 2), count = number_at(tiff, entry + 4, 4);
    uint32_t n_bytes = type == TYPE_BYTE ? 1 : type == TYPE_SHORT ? 2 : type == TYPE_LONG ? 4 : 0;
    return count == 1 && n_bytes > 0 ? number_at(tiff, entry + 8, n_bytes) : 0;
}

uint32_t image_orientation_read(const uint8_t *exif, size_t size_bytes)
{
    struct tiff tiff = {exif, size_bytes, false};
    if (size_bytes < 8 || exif[0] != exif[1] || (exif[0] != 'I' && exif[0] != 'M'))
        return 1;
    tiff.is_little = exif[0] == 'I';
    size_t directory = number_at(&tiff, 4, 4);
    if (number_at(&tiff, 2, 2) != 42 || directory > size_bytes - 2)
        return 1;
    uint32_t n_entries = number_at(&tiff, directory, 2);
    size_t entry = directory + 2;
    for (uint32_t i = 0; i < n_entries && size_bytes - entry >= ENTRY_BYTES; i++) {
        if (number_at(&tiff, entry, 2) == TAG_ORIENTATION) {
            uint32_t value = entry_value(&tiff, entry);
            return value >= 1 && value <= 8 ? value : 1;
        }
        entry += ENTRY_BYTES;
    }
    return 1;
}

model_status image_orientation_apply(struct image *image, uint32_t orientation,
                                     struct model_error *err)
{
    /* Where pixel (0, 0) of the upright picture lies, and whether its rows are columns. */
    static const struct {
        bool from_right, from_bottom, transpose;
    } turns[9] = {[2] = {true, false, false}, [3] = {true, true, false}, [4] = {false, true, false},
                  [5] = {false, false, true}, [6] = {false, true, true}, [7] = {true, true, true},
                  [8] = {true, false, true}};
    if (orientation < 2 || orientation > 8)
        return MODEL_OK;
    const ptrdiff_t width = image->width, height = image->height;
    const ptrdiff_t step_x = turns[orientation].from_right ? -3 : 3;
    const ptrdiff_t step_y = (turns[orientation].from_bottom ? -3 : 3) * width;
    const bool transpose = turns[orientation].transpose;
    struct image upright = IMAGE_INIT;
    model_status status = image_allocate(transpose ? image->height : image->width,
                                         transpose ? image->width : image->height, &upright, err);
    if (status != MODEL_OK)
        return status;
    const uint8_t *start = image->pixels + (step_x < 0 ? (width - 1) * 3 : 0) +
                           (step_y < 0 ? (height - 1) * width * 3 : 0);
    const ptrdiff_t across = transpose ? step_y : step_x, down = transpose ? step_x : step_y;
    uint8_t *to = upright.pixels;
    for (ptrdiff_t y = 0; y < (ptrdiff_t)upright.height; y++) {
        const uint8_t *row = start + y * down;
        for (ptrdiff_t x = 0; x < (ptrdiff_t)upright.width; x++, to += 3) {
            const uint8_t *from = row + x * across;
            to[0] = from[0];
            to[1] = from[1];
            to[2] = from[2];
        }
    }
    image_finish(image);
    *image = upright;
    return MODEL_OK;
}
