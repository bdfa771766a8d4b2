/* archive_zstd.c - see archive_zstd.h: the one place that knows libzstd. */
#include "archive_zstd.h"
#include "errors.h"

#include <stdbool.h>
#include <string.h>
#include <zstd.h>

size_t archive_zstd_bound(size_t size_bytes)
{
    return ZSTD_compressBound(size_bytes);
}

model_status archive_zstd_compress(const void *data, size_t size_bytes, int level, void *frame,
                                   size_t frame_capacity, size_t *ret_frame_bytes,
                                   struct model_error *err)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    if (context == NULL)
        return error_no_memory(err, "a compressor");
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1);
    size_t n = ZSTD_compress2(context, frame, frame_capacity, data, size_bytes);
    ZSTD_freeCCtx(context);
    if (ZSTD_isError(n))
        return error_set(err, MODEL_INTERNAL, "zstd cannot compress: %s", ZSTD_getErrorName(n));
    *ret_frame_bytes = n;
    return MODEL_OK;
}

/* RFC 8878, 3.1.1: four bytes that all frames begin with, then flags. */
static bool has_checksum(const uint8_t *frame, size_t frame_bytes)
{
    static const uint8_t magic[] = {0x28, 0xB5, 0x2F, 0xFD};
    const uint8_t checksum_flag = 1u << 2;
    return frame_bytes > sizeof magic && memcmp(frame, magic, sizeof magic) == 0 &&
           (frame[sizeof magic] & checksum_flag) != 0;
}

model_status archive_zstd_decompress(const void *frame, size_t frame_bytes, void *data,
                                     size_t size_bytes, struct model_error *err)
{
    const unsigned long long content_bytes = ZSTD_getFrameContentSize(frame, frame_bytes);
    if (content_bytes == ZSTD_CONTENTSIZE_ERROR || content_bytes == ZSTD_CONTENTSIZE_UNKNOWN)
        return error_set(err, MODEL_CORRUPT, "not a zstd frame that states its size");
    if (!has_checksum(frame, frame_bytes))
        return error_set(err, MODEL_CORRUPT, "a zstd frame without a checksum");
    if (content_bytes != size_bytes)
        return error_set(err, MODEL_CORRUPT,
                         "a zstd frame says it holds %llu bytes, the metadata says %zu",
                         content_bytes, size_bytes);
    if (ZSTD_findFrameCompressedSize(frame, frame_bytes) != frame_bytes)
        return error_set(err, MODEL_CORRUPT, "not one zstd frame of %zu bytes", frame_bytes);
    size_t n = ZSTD_decompress(data, size_bytes, frame, frame_bytes);
    if (ZSTD_isError(n) || n != size_bytes)
        return error_set(err, MODEL_CORRUPT, "a damaged zstd frame: %s",
                         ZSTD_isError(n) ? ZSTD_getErrorName(n) : "it ended early");
    return MODEL_OK;
}

const char *archive_zstd_version(void)
{
    return ZSTD_versionString();
}
