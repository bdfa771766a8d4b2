/* image_fixture.h - what the tests of host/images/ share: files, digests, the pattern of
 * tests/interop/pillow_truth.py, and PNG files put together by hand. */
#ifndef IMAGE_FIXTURE_H
#define IMAGE_FIXTURE_H

#include "digest.h"
#include "errors.h"
#include "files.h"
#include "image.h"
#include "preprocessor.h"
#include "testing.h"

#define CORPUS "tests/fuzz/corpus/"

typedef model_status (*image_decoder)(const uint8_t *data, size_t size_bytes, struct image *ret,
                                      struct model_error *err);

static inline void assert_digest(const void *data, size_t size_bytes, const char *wanted,
                                 const char *what)
{
    char hex[SHA256_HEX_BYTES];
    assert_int_equal(digest_bytes_sha256(data, size_bytes, hex, NULL), MODEL_OK);
    if (strcmp(hex, wanted) != 0)
        fail_msg("%s: not what Pillow makes of it", what);
}

static inline struct buffer read_whole(const char *path)
{
    struct buffer file = BUFFER_INIT(64u << 20);
    struct model_error err = MODEL_ERROR_INIT;
    if (file_read(path, 64u << 20, &file, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return file;
}

static inline struct buffer read_corpus(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, CORPUS "%s", name);
    return read_whole(path);
}

/* The path of a file in $SHARED/images, which scripts/run-tests.sh sets; skips without. */
static inline const char *shared_image(const char *name, char path[PATH_MAX])
{
    const char *shared = getenv("SHARED");
    if (shared == NULL)
        SKIP_BECAUSE("SHARED is not set");
    (void)snprintf(path, PATH_MAX, "%s/images/%s", shared, name);
    if (!path_is_file(path))
        SKIP_BECAUSE("no %s", path);
    return path;
}

/* An exact copy on the heap, so that a sanitizer sees a read beyond it. */
static inline model_status decode_exact(image_decoder decode, const void *data, size_t size_bytes,
                                        struct image *ret, struct model_error *err)
{
    uint8_t *copy = malloc(size_bytes > 0 ? size_bytes : 1);
    assert_non_null(copy);
    if (size_bytes > 0)
        memcpy(copy, data, size_bytes);
    model_status status = decode(copy, size_bytes, ret, err);
    free(copy);
    return status;
}

static inline void assert_refused(image_decoder decode, const void *data, size_t size_bytes,
                                  model_status wanted, const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct image image = IMAGE_INIT;
    assert_int_equal(decode_exact(decode, data, size_bytes, &image, &err), wanted);
    assert_string_equal(err.message, sentence);
    assert_null(image.pixels);
}

static inline struct preprocessor read_config(const char *text)
{
    struct preprocessor preprocessor = {.num_channels = 0};
    struct model_error err = MODEL_ERROR_INIT;
    json_node *config = NULL;
    if (json_parse(text, strlen(text), PREPROCESSOR_FILE, &config, &err) != MODEL_OK ||
        preprocessor_read(config, &preprocessor, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    json_free(config);
    return preprocessor;
}

/* Every proper beginning of the file is refused with a sentence. */
static inline void assert_truncations_refused(image_decoder decode, const struct buffer *file,
                                              size_t end, size_t step)
{
    for (size_t n = 0; n < end; n += step) {
        struct model_error err = MODEL_ERROR_INIT;
        struct image image = IMAGE_INIT;
        if (decode_exact(decode, file->data, n, &image, &err) != MODEL_INVALID_ARGUMENT)
            fail_msg("the first %zu bytes pass", n);
        assert_true(strlen(err.message) > 20);
    }
}

static inline void make_pattern(uint32_t width, uint32_t height, struct image *ret)
{
    uint32_t state = 12345;
    assert_int_equal(image_allocate(width, height, ret, NULL), MODEL_OK);
    uint8_t *to = ret->pixels;
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            for (uint32_t c = 0; c < 3; c++) {
                state = (state * 1103515245u + 12345u) & 0x7FFFFFFFu;
                *to++ = (uint8_t)(x * 5 + y * 3 + c * 40 + (state >> 16) % 90);
            }
}

/* ---- PNG by hand: its data is deflate's stored blocks */

static inline void append_u32(struct buffer *to, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    assert_int_equal(buffer_append(to, bytes, 4), MODEL_OK);
}

static inline void append_chunk(struct buffer *png, const char *kind, const void *data,
                                size_t size_bytes)
{
    append_u32(png, (uint32_t)size_bytes);
    size_t start = png->size;
    assert_int_equal(buffer_append(png, kind, 4), MODEL_OK);
    if (size_bytes > 0)
        assert_int_equal(buffer_append(png, data, size_bytes), MODEL_OK);
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = start; i < png->size; i++) {
        crc ^= (uint8_t)png->data[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    append_u32(png, ~crc);
}

static inline void append_ihdr(struct buffer *png, uint32_t width, uint32_t height, uint8_t bits,
                               uint8_t color)
{
    struct buffer data = BUFFER_INIT(64);
    const uint8_t rest[5] = {bits, color, 0, 0, 0};
    append_u32(&data, width);
    append_u32(&data, height);
    assert_int_equal(buffer_append(&data, rest, 5), MODEL_OK);
    assert_int_equal(buffer_append(png, "\x89PNG\r\n\x1a\n", 8), MODEL_OK);
    append_chunk(png, "IHDR", data.data, data.size);
    buffer_finish(&data);
}

/* rows: raw scanlines, each behind its filter byte; at most 65,535 bytes. */
static inline void append_idat(struct buffer *png, const uint8_t *rows, size_t size_bytes)
{
    struct buffer data = BUFFER_INIT(70000);
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        a = (a + rows[i]) % 65521;
        b = (b + a) % 65521;
    }
    const uint8_t head[7] = {0x78,
                             0x01,
                             1,
                             (uint8_t)size_bytes,
                             (uint8_t)(size_bytes >> 8),
                             (uint8_t)~size_bytes,
                             (uint8_t)(~size_bytes >> 8)};
    assert_int_equal(buffer_append(&data, head, 7), MODEL_OK);
    assert_int_equal(buffer_append(&data, rows, size_bytes), MODEL_OK);
    append_u32(&data, b << 16 | a);
    append_chunk(png, "IDAT", data.data, data.size);
    buffer_finish(&data);
}

#endif
