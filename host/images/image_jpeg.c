/* image_jpeg.c - see image_jpeg.h. libjpeg is known here only.
 *
 * libjpeg leaves by longjmp. So that nothing leaks or is lost, whatever lives across its calls is in one
 * struct jpeg_reader that image_jpeg_decode() owns and cleans up, and the only function between the
 * setjmp() and libjpeg is read_all(). Warnings are not printed. */
#include "image_jpeg.h"
#include "errors.h"
#include "image_orientation.h"

#include <setjmp.h>
#include <stdio.h> /* jpeglib.h wants it */
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
/* behind it, which it needs */
#include <jerror.h>

#define MAX_SCANS        100      /* of a progressive file; common ones have about 10 */
#define PIXELS_PER_BYTE  512      /* at most: a block of 8 x 8 takes a bit at least */
#define EXIF_PREFIX      "Exif\0" /* and one more byte */
#define EXIF_PREFIX_SIZE 6u

struct jpeg_reader {
    struct jpeg_decompress_struct jpeg; /* client_data is this reader */
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    size_t size_bytes;
    struct image image;
    uint8_t *row; /* (width, 4): of a CMYK picture */
    uint32_t orientation;
    model_status status; /* of a failure: already said in err, or MODEL_OK and in message */
    struct model_error *err;
    char message[JMSG_LENGTH_MAX];
};

/* A failure of ours, as libjpeg's: what was said is in err. */
static void check(struct jpeg_reader *reader, model_status status)
{
    reader->status = status;
    if (status != MODEL_OK)
        longjmp(reader->jump, 1);
}

static void on_error(j_common_ptr jpeg)
{
    struct jpeg_reader *reader = jpeg->client_data;
    jpeg->err->format_message(jpeg, reader->message);
    longjmp(reader->jump, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
    struct jpeg_reader *reader = jpeg->client_data;
    if (level < 0 && jpeg->err->msg_code == JWRN_HIT_MARKER)
        check(reader, error_set(reader->err, MODEL_INVALID_ARGUMENT,
                                "the JPEG has less data than its %u x %u pixels need",
                                reader->jpeg.image_width, reader->jpeg.image_height));
}

static void on_output(j_common_ptr jpeg)
{
    (void)jpeg;
}

/* ---- the source: all of it is there from the start, so asking for more is its early end */

static void start_source(j_decompress_ptr jpeg)
{
    (void)jpeg;
}

static boolean refuse_more(j_decompress_ptr jpeg)
{
    struct jpeg_reader *reader = jpeg->client_data;
    check(reader, error_set(reader->err, MODEL_INVALID_ARGUMENT,
                            "the JPEG ends too early, after %zu bytes", reader->size_bytes));
    return FALSE;
}

static void skip_data(j_decompress_ptr jpeg, long n_bytes)
{
    if (n_bytes <= 0)
        return;
    if ((size_t)n_bytes > jpeg->src->bytes_in_buffer)
        (void)refuse_more(jpeg);
    jpeg->src->next_input_byte += n_bytes;
    jpeg->src->bytes_in_buffer -= (size_t)n_bytes;
}

/* ---- reading */

/* Called now and then: ends a file whose scans go on and on. */
static void watch_scans(j_common_ptr common)
{
    struct jpeg_reader *reader = common->client_data;
    if (reader->jpeg.input_scan_number > MAX_SCANS)
        check(reader, error_set(reader->err, MODEL_INVALID_ARGUMENT,
                                "the JPEG has more than %d scans", MAX_SCANS));
}

static void open_file(struct jpeg_reader *reader, const uint8_t *data)
{
    j_decompress_ptr jpeg = &reader->jpeg;
    jpeg->err = jpeg_std_error(&reader->errors);
    jpeg->client_data = reader;
    reader->errors.error_exit = on_error;
    reader->errors.emit_message = on_message;
    reader->errors.output_message = on_output;
    jpeg_create_decompress(jpeg); /* keeps err and client_data */
    reader->source = (struct jpeg_source_mgr){.next_input_byte = data,
                                              .bytes_in_buffer = reader->size_bytes,
                                              .init_source = start_source,
                                              .fill_input_buffer = refuse_more,
                                              .skip_input_data = skip_data,
                                              .resync_to_restart = jpeg_resync_to_restart,
                                              .term_source = start_source};
    jpeg->src = &reader->source;
    reader->progress.progress_monitor = watch_scans;
    jpeg->progress = &reader->progress;
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xFFFF);
    (void)jpeg_read_header(jpeg, TRUE);
}

static model_status check_header(const struct jpeg_reader *reader)
{
    const struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    model_status status =
        image_check_size("JPEG", jpeg->image_width, jpeg->image_height, reader->err);
    if (status != MODEL_OK)
        return status;
    if (jpeg->num_components != 1 && jpeg->num_components != 3 && jpeg->num_components != 4)
        return error_set(reader->err, MODEL_INVALID_ARGUMENT,
                         "the JPEG has %d components, want 1 (gray), 3 (colour) or 4 (CMYK)",
                         jpeg->num_components);
    const uint64_t n_pixels = (uint64_t)jpeg->image_width * jpeg->image_height;
    if (!jpeg->arith_code && n_pixels / PIXELS_PER_BYTE > reader->size_bytes)
        return error_set(reader->err, MODEL_INVALID_ARGUMENT,
                         "the JPEG says that it has %u x %u pixels, but %zu bytes cannot hold them",
                         jpeg->image_width, jpeg->image_height, reader->size_bytes);
    return MODEL_OK;
}

/* The first EXIF counts. */
static void read_orientation(struct jpeg_reader *reader)
{
    for (jpeg_saved_marker_ptr m = reader->jpeg.marker_list; m != NULL; m = m->next) {
        if (m->marker != JPEG_APP0 + 1 || m->data_length < EXIF_PREFIX_SIZE ||
            memcmp(m->data, EXIF_PREFIX, EXIF_PREFIX_SIZE - 1) != 0)
            continue;
        reader->orientation =
            image_orientation_read(m->data + EXIF_PREFIX_SIZE, m->data_length - EXIF_PREFIX_SIZE);
        return;
    }
}

/* a * b / 255, rounded. */
static uint8_t multiply(uint32_t a, uint32_t b)
{
    const uint32_t product = a * b + 128;
    return (uint8_t)((product + (product >> 8)) >> 8);
}

/* From inverted CMYK, where 255 is no ink: a colour is what its ink and the black leave. */
static void convert_row(const uint8_t *from, uint32_t width, uint8_t *to)
{
    for (uint32_t x = 0; x < width; x++, from += 4, to += 3)
        for (uint32_t c = 0; c < 3; c++)
            to[c] = (uint8_t)(from[3] - multiply(255u - from[c], from[3]));
}

static void read_rows(struct jpeg_reader *reader)
{
    j_decompress_ptr jpeg = &reader->jpeg;
    const size_t row_bytes = (size_t)jpeg->output_width * 3;
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *to = reader->image.pixels + jpeg->output_scanline * row_bytes;
        JSAMPROW row = reader->row != NULL ? reader->row : to;
        (void)jpeg_read_scanlines(jpeg, &row, 1);
        if (reader->row != NULL)
            convert_row(reader->row, jpeg->output_width, to);
    }
    (void)jpeg_finish_decompress(jpeg);
}

static void read_all(struct jpeg_reader *reader, const uint8_t *data)
{
    j_decompress_ptr jpeg = &reader->jpeg;
    open_file(reader, data);
    check(reader, check_header(reader));
    read_orientation(reader);
    jpeg->out_color_space = jpeg->num_components == 4 ? JCS_CMYK : JCS_RGB;
    check(reader,
          image_allocate(jpeg->image_width, jpeg->image_height, &reader->image, reader->err));
    if (jpeg->num_components == 4) {
        reader->row = malloc((size_t)jpeg->image_width * 4);
        check(reader, reader->row != NULL ? MODEL_OK : error_no_memory(reader->err, "a row"));
    }
    (void)jpeg_start_decompress(jpeg);
    read_rows(reader);
}

/* Whether read_all() came through. */
static int is_read(struct jpeg_reader *reader, const uint8_t *data)
{
    if (setjmp(reader->jump) != 0)
        return 0;
    read_all(reader, data);
    return 1;
}

model_status image_jpeg_decode(const uint8_t *data, size_t size_bytes, struct image *ret,
                               struct model_error *err)
{
    struct jpeg_reader reader = {.size_bytes = size_bytes, .orientation = 1, .err = err};
    model_status status = MODEL_OK;
    if (!is_read(&reader, data))
        status = reader.status != MODEL_OK
                     ? reader.status
                     : error_set(err, MODEL_INVALID_ARGUMENT,
                                 "the JPEG is damaged, or of a kind that is not supported: %s",
                                 reader.message);
    jpeg_destroy_decompress(&reader.jpeg);
    free(reader.row);
    if (status == MODEL_OK)
        status = image_orientation_apply(&reader.image, reader.orientation, err);
    if (status == MODEL_OK)
        *ret = reader.image;
    else
        image_finish(&reader.image);
    return status;
}
