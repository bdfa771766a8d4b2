/* coreml_blobs.c - see coreml_blobs.h. Everything is little endian and read byte by byte; the words behind the data's
 * place are not initialised by many writers, and are looked at for elements narrower than a byte only. */
#include "coreml_blobs.h"
#include "coreml_program.h"
#include "errors.h"
#include "files.h"
#include "size.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES   64u
#define METADATA_BYTES 64u
#define ALIGNMENT      64u
#define FILE_VERSION   2u
#define SENTINEL       0xDEADBEEFu
#define FOLDER_PREFIX  "@model_path/"
#define AROUND_BYTES                                                                               \
    ((uint64_t)2 << 20) /* a large page: what one read byte may bring into memory */

/* The file's own numbers of dtypes. */
static const int32_t stored_dtypes[] = {
    [1] = COREML_F16,     [2] = COREML_F32,  [3] = COREML_U8,   [4] = COREML_I8,
    [5] = COREML_BF16,    [6] = COREML_I16,  [7] = COREML_U16,  [8] = COREML_I4,
    [9] = COREML_U1,      [10] = COREML_U2,  [11] = COREML_U4,  [12] = COREML_U3,
    [13] = COREML_U6,     [14] = COREML_I32, [15] = COREML_U32, [16] = COREML_F8_E4M3,
    [17] = COREML_F8_E5M2};

static uint64_t read_little(const uint8_t *data, unsigned n_bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n_bytes; i++)
        value |= (uint64_t)data[i] << (8 * i);
    return value;
}

model_status coreml_blob_check_file(const uint8_t *file, uint64_t file_bytes, const char *what,
                                    struct model_error *err)
{
    if (file_bytes < HEADER_BYTES)
        return error_set(err, MODEL_CORRUPT, "%s: %llu bytes, a weight file has at least %u", what,
                         (unsigned long long)file_bytes, HEADER_BYTES);
    const uint64_t version = read_little(file + 4, 4);
    if (version != FILE_VERSION)
        return error_set(err, version == 1 ? MODEL_UNSUPPORTED : MODEL_CORRUPT,
                         "%s: weight file of version %llu, version %u is read%s", what,
                         (unsigned long long)version, FILE_VERSION,
                         version == 1 ? ": convert the model to an ML Program again" : "");
    const uint64_t n_blobs = read_little(file, 4),
                   most = (file_bytes - HEADER_BYTES) / METADATA_BYTES;
    if (n_blobs > most || (n_blobs == 0 && most > 0))
        return error_set(err, MODEL_CORRUPT,
                         "%s: its header counts %llu weights, its %llu bytes have room for %s%llu",
                         what, (unsigned long long)n_blobs, (unsigned long long)file_bytes,
                         most > 0 ? "1 to " : "", (unsigned long long)most);
    return MODEL_OK;
}

static model_status refuse(struct model_error *err, const char *what, uint64_t offset,
                           const char *why)
{
    return error_set(err, MODEL_CORRUPT, "%s: weights at %llu: %s", what,
                     (unsigned long long)offset, why);
}

/* A bool is stored as a byte. */
static bool is_same(uint64_t stored, int32_t wanted)
{
    if (stored == 0 || stored >= sizeof stored_dtypes / sizeof stored_dtypes[0])
        return false;
    const int32_t dtype = stored_dtypes[stored];
    return dtype == wanted || (wanted == COREML_BOOL && dtype == COREML_U8);
}

model_status coreml_blob_view(const uint8_t *file, uint64_t file_bytes, uint64_t offset,
                              int32_t dtype, uint64_t n_elements, const char *what,
                              const uint8_t **ret_data, uint64_t *ret_bytes,
                              struct model_error *err)
{
    const unsigned n_bits = coreml_dtype_bits(dtype);
    uint64_t wanted, end;
    if (offset < HEADER_BYTES || offset % ALIGNMENT != 0 || file_bytes < METADATA_BYTES ||
        offset > file_bytes - METADATA_BYTES)
        return refuse(err, what, offset,
                      "no place for metadata: want a multiple of 64 in the file");
    const uint8_t *metadata = file + offset;
    if (read_little(metadata, 4) != SENTINEL)
        return refuse(err, what, offset, "no metadata is there");
    if (n_bits == 0 || !is_same(read_little(metadata + 4, 4), dtype))
        return error_set(
            err, MODEL_CORRUPT, "%s: weights at %llu: stored as type %llu, the model says %s", what,
            (unsigned long long)offset, (unsigned long long)read_little(metadata + 4, 4),
            coreml_dtype_name(dtype));
    const uint64_t size_bytes = read_little(metadata + 8, 8), data = read_little(metadata + 16, 8);
    if (!size_multiply(n_elements, n_bits, &wanted) || wanted > UINT64_MAX - 7 ||
        size_bytes != (wanted + 7) / 8)
        return error_set(err, MODEL_CORRUPT,
                         "%s: weights at %llu: %llu bytes, %llu elements of %s are %llu", what,
                         (unsigned long long)offset, (unsigned long long)size_bytes,
                         (unsigned long long)n_elements, coreml_dtype_name(dtype),
                         (unsigned long long)((wanted + 7) / 8));
    if (n_bits < 8 && read_little(metadata + 24, 8) != size_bytes * 8 - wanted)
        return refuse(err, what, offset, "the bits behind the last element are miscounted");
    if (data < HEADER_BYTES || data % ALIGNMENT != 0 || !size_add(data, size_bytes, &end) ||
        end > file_bytes)
        return refuse(err, what, offset,
                      "the data is outside the file, or not at a multiple of 64");
    if (data < offset + METADATA_BYTES && end > offset)
        return refuse(err, what, offset, "the data lies over its own metadata");
    *ret_data = file + data;
    *ret_bytes = size_bytes;
    return MODEL_OK;
}

static model_status open_file(struct coreml_blobs *blobs, struct coreml_blob_file *file,
                              struct model_error *err)
{
    const struct model_backend_files *source = blobs->source;
    const char *inside = file->name + strlen(FOLDER_PREFIX);
    const void *data = NULL;
    model_status status;
    if (strncmp(file->name, FOLDER_PREFIX, strlen(FOLDER_PREFIX)) != 0 || !path_is_safe(inside))
        return error_set(
            err, MODEL_CORRUPT,
            "the weight file '%.200s' is not below the model's folder: want " FOLDER_PREFIX
            "weights/weight.bin",
            file->name);
    file->path = text_format("%s%s", blobs->folder, inside);
    if (file->path == NULL)
        return error_no_memory(err, "the weights' path");
    status = source->map(source->context, file->path, &data, &file->size_bytes, err);
    if (status == MODEL_NOT_FOUND || status == MODEL_INVALID_ARGUMENT)
        return MODEL_OK; /* no file is there */
    file->data = data;
    if (status == MODEL_OK)
        status = coreml_blob_check_file(file->data, file->size_bytes, file->path, err);
    file->is_there = status == MODEL_OK;
    return status;
}

model_status coreml_blobs_find(struct coreml_blobs *blobs, const char *name,
                               const struct coreml_blob_file **ret, struct model_error *err)
{
    for (size_t i = 0; i < blobs->n_files; i++)
        if (strcmp(blobs->files[i].name, name) == 0) {
            *ret = &blobs->files[i];
            return MODEL_OK;
        }
    if (blobs->n_files == COREML_MAX_BLOB_FILES)
        return error_set(err, MODEL_UNSUPPORTED, "weights in more than %d files",
                         COREML_MAX_BLOB_FILES);
    struct coreml_blob_file *file = &blobs->files[blobs->n_files++];
    file->name = name;
    model_status status = open_file(blobs, file, err);
    if (status == MODEL_OK)
        *ret = file;
    return status;
}

/* The file that the bytes are in, and where; NULL: none. */
static const struct coreml_blob_file *file_of(const struct coreml_blobs *blobs, const void *data,
                                              uint64_t size_bytes, uint64_t *ret_at)
{
    for (size_t i = 0; i < blobs->n_files; i++) {
        const struct coreml_blob_file *file = &blobs->files[i];
        *ret_at = (uintptr_t)data - (uintptr_t)file->data; /* wraps before the file */
        if (file->is_there && *ret_at <= file->size_bytes &&
            size_bytes <= file->size_bytes - *ret_at)
            return file;
    }
    return NULL;
}

bool coreml_blobs_have(const struct coreml_blobs *blobs, const void *data, uint64_t size_bytes)
{
    uint64_t at;
    return file_of(blobs, data, size_bytes, &at) != NULL;
}

static void discard(const struct coreml_blobs *blobs, const struct coreml_blob_file *file,
                    uint64_t begin, uint64_t end)
{
    blobs->source->discard(blobs->source->context, file->data + begin, end - begin);
}

void coreml_blobs_discard(const struct coreml_blobs *blobs, const void *data, uint64_t size_bytes)
{
    uint64_t at;
    const struct coreml_blob_file *file = file_of(blobs, data, size_bytes, &at);
    if (file == NULL)
        return;
    const uint64_t end = (at + size_bytes + AROUND_BYTES - 1) / AROUND_BYTES * AROUND_BYTES;
    discard(blobs, file, at / AROUND_BYTES * AROUND_BYTES,
            end < file->size_bytes ? end : file->size_bytes);
}

void coreml_blobs_rest(const struct coreml_blobs *blobs)
{
    for (size_t i = 0; i < blobs->n_files; i++)
        if (blobs->files[i].is_there)
            discard(blobs, &blobs->files[i], 0, blobs->files[i].size_bytes);
}

void coreml_blobs_finish(struct coreml_blobs *blobs)
{
    for (size_t i = 0; i < blobs->n_files; i++)
        free(blobs->files[i].path);
    blobs->n_files = 0;
}
