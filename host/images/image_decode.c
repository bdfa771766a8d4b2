/* image_decode.c - see image_decode.h. */
#include "image_decode.h"
#include "errors.h"
#include "image_jpeg.h"
#include "image_png.h"

#include <stdio.h>
#include <string.h>

struct format {
    const char *name;
    const char *magic;
    size_t offset, magic_bytes;
    model_status (*decode)(const uint8_t *data, size_t size_bytes, struct image *ret,
                           struct model_error *err); /* NULL: known by name only */
};

#define MAGIC(offset_, text_) text_, offset_, sizeof(text_) - 1

static const struct format formats[] = {
    {"PNG", MAGIC(0, "\x89PNG\r\n\x1a\n"), image_png_decode},
    {"JPEG", MAGIC(0, "\xFF\xD8\xFF"), image_jpeg_decode},
    {"GIF", MAGIC(0, "GIF8"), NULL},
    {"WebP", MAGIC(8, "WEBP"), NULL},
    {"BMP", MAGIC(0, "BM"), NULL},
    {"TIFF", MAGIC(0, "II*\0"), NULL},
    {"TIFF", MAGIC(0, "MM\0*"), NULL},
    {"AVIF", MAGIC(4, "ftypavif"), NULL},
    {"HEIC", MAGIC(4, "ftypheic"), NULL},
    {"HEIC", MAGIC(4, "ftypmif1"), NULL},
    {"JPEG XL", MAGIC(0, "\xFF\x0A"), NULL},
    {"JPEG XL", MAGIC(4, "JXL \r\n"), NULL},
    {"JPEG 2000", MAGIC(4, "jP  \r\n"), NULL},
    {"PDF", MAGIC(0, "%PDF-"), NULL},
};

static const struct format *find_format(const uint8_t *data, size_t size_bytes)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (size_bytes >= formats[i].offset + formats[i].magic_bytes &&
            memcmp(data + formats[i].offset, formats[i].magic, formats[i].magic_bytes) == 0)
            return &formats[i];
    return NULL;
}

static model_status refuse_unknown(const uint8_t *data, size_t size_bytes, struct model_error *err)
{
    char text[3 * 8 + 1] = "";
    for (size_t i = 0; i < size_bytes && i < 8; i++)
        (void)snprintf(text + 3 * i, sizeof text - 3 * i, " %02x", data[i]);
    return error_set(err, MODEL_UNSUPPORTED,
                     "not a picture of a known format (it begins with%s); want a PNG or a JPEG",
                     text);
}

model_status image_decode(const void *data, size_t size_bytes, struct image *ret,
                          struct model_error *err)
{
    if (size_bytes == 0 || data == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "it is empty; want a PNG or a JPEG");
    if (size_bytes > IMAGE_MAX_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "it has %zu bytes, want at most %u",
                         size_bytes, IMAGE_MAX_BYTES);
    const struct format *format = find_format(data, size_bytes);
    if (format == NULL)
        return refuse_unknown(data, size_bytes, err);
    if (format->decode == NULL)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s is not supported; want a PNG or a JPEG: convert it first",
                         format->name);
    return format->decode(data, size_bytes, ret, err);
}
