/* image_png.c - see image_png.h. libpng is known here only.
 *
 * libpng leaves by longjmp. So that nothing leaks or is lost, whatever lives across its calls is in one
 * struct png_reader that image_png_decode() owns and cleans up, and the only function between the
 * setjmp() and libpng is read_all(). Warnings are not printed. */
#include "image_png.h"
#include "errors.h"
#include "image_orientation.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

#define MAX_MESSAGE_BYTES 200
#define MAX_EXPANSION     1032 /* of deflate: bytes out of one byte */
#define N_PALETTE         256

struct png_reader {
    jmp_buf jump;
    png_structp png;
    png_infop info;
    const uint8_t *data;
    size_t size_bytes, offset;
    struct image image;
    uint32_t pixel_bytes; /* as libpng hands them over: 1 or 2 to be widened, or 3 */
    uint8_t palette[N_PALETTE][3];
    int is_palette;
    uint32_t orientation;
    model_status status; /* of a failure: already said in err, or MODEL_OK and in message */
    struct model_error *err;
    char message[MAX_MESSAGE_BYTES];
};

static void on_error(png_structp png, png_const_charp message)
{
    struct png_reader *reader = png_get_error_ptr(png);
    size_t n = 0;
    while (message != NULL && message[n] != '\0' && n + 1 < sizeof reader->message) {
        reader->message[n] = message[n];
        n++;
    }
    reader->message[n] = '\0';
    longjmp(reader->jump, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void read_data(png_structp png, png_bytep to, size_t n_bytes)
{
    struct png_reader *reader = png_get_io_ptr(png);
    if (n_bytes > reader->size_bytes - reader->offset) {
        reader->status = error_set(reader->err, MODEL_INVALID_ARGUMENT,
                                   "the PNG ends too early, after %zu bytes", reader->size_bytes);
        longjmp(reader->jump, 1);
    }
    memcpy(to, reader->data + reader->offset, n_bytes);
    reader->offset += n_bytes;
}

/* A failure of ours, as libpng's: what was said is in err. */
static void check(struct png_reader *reader, model_status status)
{
    reader->status = status;
    if (status != MODEL_OK)
        longjmp(reader->jump, 1);
}

static void open_file(struct png_reader *reader)
{
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning);
    if (reader->png == NULL)
        check(reader, error_no_memory(reader->err, "a PNG"));
    reader->info = png_create_info_struct(reader->png);
    if (reader->info == NULL)
        check(reader, error_no_memory(reader->err, "a PNG"));
    png_set_read_fn(reader->png, reader, read_data);
    png_set_user_limits(reader->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* ours are below */
    png_set_chunk_malloc_max(reader->png, IMAGE_MAX_BYTES);
    /* Texts, profiles and the like are passed over; only EXIF is kept. */
    static const png_byte exif[] = {'e', 'X', 'I', 'f', 0};
    png_set_keep_unknown_chunks(reader->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_keep_unknown_chunks(reader->png, PNG_HANDLE_CHUNK_AS_DEFAULT, exif, 1);
    png_read_info(reader->png, reader->info);
}

/* The file's own palette above a gray ramp, which is what indices beyond it show. */
static void read_palette(struct png_reader *reader)
{
    png_colorp colors = NULL;
    int n_colors = 0;
    for (int i = 0; i < N_PALETTE; i++)
        memset(reader->palette[i], i, 3);
    (void)png_get_PLTE(reader->png, reader->info, &colors, &n_colors);
    for (int i = 0; i < n_colors && i < N_PALETTE; i++) {
        reader->palette[i][0] = colors[i].red;
        reader->palette[i][1] = colors[i].green;
        reader->palette[i][2] = colors[i].blue;
    }
    reader->is_palette = 1;
}

/* Whether the file can hold so many pixels at all. */
static model_status check_plausible(const struct png_reader *reader)
{
    const uint64_t n_bytes =
        (uint64_t)png_get_rowbytes(reader->png, reader->info) * reader->image.height;
    if (n_bytes / MAX_EXPANSION <= reader->size_bytes)
        return MODEL_OK;
    return error_set(reader->err, MODEL_INVALID_ARGUMENT,
                     "the PNG says that it has %u x %u pixels, but %zu bytes cannot hold them",
                     reader->image.width, reader->image.height, reader->size_bytes);
}

/* What libpng is to make of the file's pixels: 1 byte (gray, or an index), 2 (gray) or 3. */
static void choose_format(struct png_reader *reader)
{
    png_structp png = reader->png;
    const png_byte type = png_get_color_type(png, reader->info);
    const png_byte bits = png_get_bit_depth(png, reader->info);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        read_palette(reader);
        png_set_packing(png);
        reader->pixel_bytes = 1;
    } else if (type == PNG_COLOR_TYPE_GRAY) {
        if (bits < 8)
            png_set_expand_gray_1_2_4_to_8(png);
        reader->pixel_bytes = bits == 16 ? 2 : 1;
    } else {
        png_set_strip_16(png);
        png_set_strip_alpha(png);
        reader->pixel_bytes = (type & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1;
    }
}

/* Rows are read into the ends of the picture's rows, from where widen() spreads them. */
static void read_rows(struct png_reader *reader)
{
    const struct image *image = &reader->image;
    const int n_passes = png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);
    if (png_get_rowbytes(reader->png, reader->info) != (size_t)image->width * reader->pixel_bytes)
        png_error(reader->png, "rows of an unexpected size");
    const size_t row_bytes = (size_t)image->width * 3;
    uint8_t *first = image->pixels + (size_t)image->width * (3 - reader->pixel_bytes);
    for (int pass = 0; pass < n_passes; pass++)
        for (size_t y = 0; y < image->height; y++)
            png_read_row(reader->png, first + y * row_bytes, NULL);
    png_read_end(reader->png, reader->info);
}

static void read_orientation(struct png_reader *reader)
{
    png_bytep exif = NULL;
    png_uint_32 n_bytes = 0;
    if (png_get_eXIf_1(reader->png, reader->info, &n_bytes, &exif) != 0)
        reader->orientation = image_orientation_read(exif, n_bytes);
}

static void read_all(struct png_reader *reader)
{
    open_file(reader);
    const uint32_t width = png_get_image_width(reader->png, reader->info);
    const uint32_t height = png_get_image_height(reader->png, reader->info);
    check(reader, image_check_size("PNG", width, height, reader->err));
    reader->image.width = width;
    reader->image.height = height;
    check(reader, check_plausible(reader));
    choose_format(reader);
    check(reader, image_allocate(width, height, &reader->image, reader->err));
    read_rows(reader);
    read_orientation(reader);
}

/* Spreads gray values and indices, which lie at the ends of the rows, over the rows. */
static void widen(struct png_reader *reader)
{
    struct image *image = &reader->image;
    for (size_t y = 0; y < image->height && reader->pixel_bytes < 3; y++) {
        uint8_t *to = image->pixels + y * image->width * 3;
        const uint8_t *from = to + (size_t)image->width * (3 - reader->pixel_bytes);
        for (size_t x = 0; x < image->width; x++, to += 3, from += reader->pixel_bytes) {
            uint8_t value = reader->pixel_bytes == 1 ? from[0] : from[0] > 0 ? 255 : from[1];
            if (reader->is_palette)
                memcpy(to, reader->palette[value], 3);
            else
                memset(to, value, 3);
        }
    }
}

/* Whether read_all() came through. */
static int is_read(struct png_reader *reader)
{
    if (setjmp(reader->jump) != 0)
        return 0;
    read_all(reader);
    return 1;
}

model_status image_png_decode(const uint8_t *data, size_t size_bytes, struct image *ret,
                              struct model_error *err)
{
    struct png_reader reader = {
        .data = data, .size_bytes = size_bytes, .orientation = 1, .err = err};
    model_status status = MODEL_OK;
    if (is_read(&reader)) {
        widen(&reader);
        status = image_orientation_apply(&reader.image, reader.orientation, err);
    } else {
        status = reader.status != MODEL_OK ? reader.status
                                           : error_set(err, MODEL_INVALID_ARGUMENT,
                                                       "the PNG is damaged: %s", reader.message);
    }
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    if (status == MODEL_OK)
        *ret = reader.image;
    else
        image_finish(&reader.image);
    return status;
}
