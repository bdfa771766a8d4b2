/* archive_write.c - see archive_write.h.
 *
 * The metadata stand before the entries and know their digests and sizes, so files are read twice: once
 * to learn these (frames go to a nameless file meanwhile), once to be copied. What differs the second time was
 * written to. */
#include "archive_write.h"
#include "archive_frames.h"
#include "archive_seal.h"
#include "coreml_package.h"
#include "errors.h"
#include "files.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_FRAMES 8 /* compressed side by side */
#define BLOCK_BYTES  (1u << 17)

struct writing {
    const char *target;
    char *resolved; /* what target is a link to; NULL: it is none */
    const struct archive_options *options;
    struct archive_source *sources; /* (index.n_entries), in the order of the entries */
    struct archive_index index;
    struct archive_header header;
    struct scratch file;   /* beside the target */
    int frames_fd;         /* of a file without a name */
    uint8_t *block;        /* a batch of contents */
    struct digest *digest; /* of the whole file */
    uint64_t written_bytes;
    struct archive_encryption encryption;
    struct archive_cipher *cipher; /* NULL: not encrypted */
};

static bool is_cancelled(const struct writing *writing)
{
    return writing->options->is_cancelled != NULL &&
           writing->options->is_cancelled(writing->options->context);
}

/* What a model maps: safetensors, and all of a Core ML model. */
static bool is_weights(const char *path)
{
    static const char suffix[] = ".safetensors";
    const size_t n = strlen(path), n_suffix = sizeof suffix - 1;
    return (n > n_suffix && strcmp(path + n - n_suffix, suffix) == 0) ||
           coreml_container_length(path) > 0;
}

static bool is_compressible(const struct writing *writing, const struct archive_entry *entry)
{
    return writing->options->level > 0 && entry->size_bytes > 0 &&
           strcmp(entry->path, "metadata.json") != 0 && /* a signature is of it as it is stored */
           (writing->options->compress_weights || !is_weights(entry->path));
}

/* ---- first: what each file is */

static model_status open_source(const struct archive_source *source, int *ret_fd,
                                uint64_t *ret_bytes, struct model_error *err)
{
    struct stat info;
    const int fd = open(source->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", source->file);
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        *ret_fd = fd;
        *ret_bytes = (uint64_t)info.st_size;
        return MODEL_OK;
    }
    (void)close(fd);
    return error_set(err, MODEL_INVALID_ARGUMENT, "%s is not a regular file", source->file);
}

/* One batch of frames to the nameless file. */
static model_status add_frames(struct writing *writing, struct archive_entry *entry,
                               size_t size_bytes, struct model_error *err)
{
    struct archive_frame frames[BATCH_FRAMES];
    const size_t n = archive_n_frames(size_bytes, ARCHIVE_FRAME_BYTES);
    model_status status = archive_frames_encode(writing->block, size_bytes, ARCHIVE_FRAME_BYTES,
                                                writing->options->level, frames, err);
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        status = file_write_all(writing->frames_fd, writing->target, frames[i].data,
                                frames[i].size_bytes, err);
        entry->frames[entry->n_frames++] = (uint32_t)frames[i].size_bytes;
        entry->stored_bytes += frames[i].size_bytes;
    }
    for (size_t i = 0; i < n; i++)
        free(frames[i].data);
    return status;
}

/* Compressed in vain, or so well that a reader would take it for a bomb: stored as it is. */
static model_status keep_or_drop_frames(struct writing *writing, struct archive_entry *entry,
                                        off_t frames_begin, struct model_error *err)
{
    const bool is_kept = entry->method == ARCHIVE_ZSTD_FRAMES &&
                         entry->stored_bytes < entry->size_bytes &&
                         entry->size_bytes <= entry->stored_bytes * ARCHIVE_MAX_RATIO;
    if (is_kept)
        return MODEL_OK;
    free(entry->frames);
    entry->frames = NULL;
    entry->n_frames = 0;
    entry->method = ARCHIVE_STORED;
    entry->stored_bytes = entry->size_bytes;
    if (lseek(writing->frames_fd, frames_begin, SEEK_SET) < 0)
        return error_set_errno(err, errno, "cannot seek beside %s", writing->target);
    return MODEL_OK;
}

static model_status read_source(struct writing *writing, int fd, const char *file,
                                struct archive_entry *entry, struct digest *digest,
                                struct model_error *err)
{
    model_status status = MODEL_OK;
    const size_t batch = (size_t)BATCH_FRAMES * ARCHIVE_FRAME_BYTES;
    for (uint64_t at = 0; at < entry->size_bytes && status == MODEL_OK; at += batch) {
        const uint64_t left = entry->size_bytes - at;
        const size_t n_bytes = left < batch ? (size_t)left : batch;
        status = is_cancelled(writing) ? error_set(err, MODEL_CANCELLED, "interrupted")
                                       : file_read_at(fd, file, writing->block, n_bytes, at, err);
        if (status == MODEL_OK) {
            digest_update(digest, writing->block, n_bytes);
            if (entry->method == ARCHIVE_ZSTD_FRAMES)
                status = add_frames(writing, entry, n_bytes, err);
        }
    }
    return status;
}

static model_status learn(struct writing *writing, const struct archive_source *source,
                          struct archive_entry *entry, struct model_error *err)
{
    int fd = -1;
    struct digest *digest = NULL;
    const off_t frames_begin = lseek(writing->frames_fd, 0, SEEK_CUR);
    model_status status = open_source(source, &fd, &entry->size_bytes, err);
    if (status != MODEL_OK)
        return status;
    if (is_compressible(writing, entry)) {
        entry->method = ARCHIVE_ZSTD_FRAMES;
        entry->frames =
            calloc(archive_n_frames(entry->size_bytes, ARCHIVE_FRAME_BYTES), sizeof *entry->frames);
        if (entry->frames == NULL)
            status = error_no_memory(err, "the frames of an archive");
    }
    if (status == MODEL_OK)
        status = digest_create_sha256(&digest, err);
    if (status == MODEL_OK)
        status = read_source(writing, fd, source->file, entry, digest, err);
    (void)close(fd);
    if (status != MODEL_OK) {
        digest_destroy(digest);
        return status;
    }
    digest_finish_hex(digest, entry->sha256);
    if (source->sha256 != NULL && strcmp(source->sha256, entry->sha256) != 0)
        return error_set(err, MODEL_CORRUPT,
                         "%s is not what metadata.json lists: SHA-256 %.12s..., want %.12s...",
                         source->file, entry->sha256, source->sha256);
    return keep_or_drop_frames(writing, entry, frames_begin, err);
}

/* ---- last: the bytes */

static model_status put(struct writing *writing, const void *data, size_t size_bytes,
                        struct model_error *err)
{
    digest_update(writing->digest, data, size_bytes);
    writing->written_bytes += size_bytes;
    return file_write_all(writing->file.fd, writing->target, data, size_bytes, err);
}

static model_status put_payload(void *context, const void *data, size_t size_bytes,
                                struct model_error *err)
{
    return put(context, data, size_bytes, err);
}

static model_status put_encryption(struct writing *writing, struct model_error *err)
{
    uint8_t bytes[ARCHIVE_ENCRYPTION_SIZE_BYTES];
    if (writing->cipher == NULL)
        return MODEL_OK;
    model_status status = archive_cipher_bind(writing->cipher, writing->header.metadata_sha256,
                                              &writing->encryption, err);
    if (status != MODEL_OK)
        return status;
    archive_encryption_write(&writing->encryption, bytes);
    return put(writing, bytes, sizeof bytes, err);
}

static model_status put_zeros_until(struct writing *writing, uint64_t offset,
                                    struct model_error *err)
{
    static const uint8_t zeros[ARCHIVE_ALIGNMENT];
    return put(writing, zeros, (size_t)(offset - writing->written_bytes), err);
}

/* From a file of its own or, for frames, from where they were put. */
static model_status copy(struct writing *writing, int fd, const char *file, uint64_t offset,
                         uint64_t size_bytes, struct digest *digest, struct archive_seal *seal,
                         struct model_error *err)
{
    model_status status = MODEL_OK;
    for (uint64_t at = 0; at < size_bytes && status == MODEL_OK;) {
        const uint64_t left = size_bytes - at;
        const size_t n_bytes = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
        status = is_cancelled(writing)
                     ? error_set(err, MODEL_CANCELLED, "interrupted")
                     : file_read_at(fd, file, writing->block, n_bytes, offset + at, err);
        if (status == MODEL_OK && digest != NULL)
            digest_update(digest, writing->block, n_bytes);
        if (status == MODEL_OK)
            status = archive_seal_put(seal, writing->block, n_bytes, err);
        at += n_bytes;
    }
    return status == MODEL_OK ? archive_seal_end(seal, err) : status;
}

static model_status copy_source(struct writing *writing, const struct archive_source *source,
                                const struct archive_entry *entry, struct archive_seal *seal,
                                struct model_error *err)
{
    int fd = -1;
    uint64_t size_bytes = 0;
    char sha256[SHA256_HEX_BYTES] = "";
    struct digest *digest = NULL;
    model_status status = open_source(source, &fd, &size_bytes, err);
    if (status != MODEL_OK)
        return status;
    if (size_bytes == entry->size_bytes)
        status = digest_create_sha256(&digest, err);
    if (status == MODEL_OK && digest != NULL)
        status = copy(writing, fd, source->file, 0, size_bytes, digest, seal, err);
    (void)close(fd);
    if (status != MODEL_OK) {
        digest_destroy(digest);
        return status;
    }
    if (digest != NULL)
        digest_finish_hex(digest, sha256);
    if (strcmp(sha256, entry->sha256) != 0)
        return error_set(err, MODEL_CORRUPT, "%s was written to while it was packed; pack it again",
                         source->file);
    return MODEL_OK;
}

static model_status put_entry(struct writing *writing, size_t i, uint64_t *frames_at,
                              struct model_error *err)
{
    const struct archive_entry *entry = &writing->index.entries[i];
    struct archive_seal seal = {.is_plain = true};
    model_status status = put_zeros_until(writing, entry->offset, err);
    if (status == MODEL_OK)
        status = archive_seal_init(&seal, entry->is_encrypted ? writing->cipher : NULL, entry->path,
                                   entry->payload_bytes,
                                   (struct archive_sink){put_payload, writing}, err);
    if (status == MODEL_OK && entry->method == ARCHIVE_STORED) {
        status = copy_source(writing, &writing->sources[i], entry, &seal, err);
    } else if (status == MODEL_OK) {
        status = copy(writing, writing->frames_fd, writing->target, *frames_at,
                      entry->payload_bytes, NULL, &seal, err);
        *frames_at += entry->payload_bytes;
    }
    archive_seal_finish(&seal);
    return status;
}

static model_status put_entries(struct writing *writing, struct model_error *err)
{
    uint64_t frames_at = 0;
    model_status status = MODEL_OK;
    for (size_t i = 0; i < writing->index.n_entries && status == MODEL_OK; i++)
        status = put_entry(writing, i, &frames_at, err);
    return status;
}

/* The whole file's digest goes into the header last. */
static model_status finish_file(struct writing *writing, struct model_error *err)
{
    char hex[SHA256_HEX_BYTES];
    digest_finish_hex(writing->digest, hex);
    writing->digest = NULL;
    archive_digest_of_hex(hex, writing->header.file_sha256);
    if (pwrite(writing->file.fd, writing->header.file_sha256, ARCHIVE_DIGEST_BYTES,
               ARCHIVE_DIGEST_OFFSET) != ARCHIVE_DIGEST_BYTES ||
        fsync(writing->file.fd) != 0)
        return error_set_errno(err, errno, "cannot write %s", writing->target);
    return scratch_publish(&writing->file, writing->target, err);
}

static model_status put_file(struct writing *writing, struct model_error *err)
{
    char *text = NULL, hex[SHA256_HEX_BYTES];
    uint8_t bytes[ARCHIVE_HEADER_BYTES];
    model_status status = archive_index_place(&writing->index, &writing->header, &text, err);
    if (status != MODEL_OK)
        return status;
    status = digest_bytes_sha256(text, strlen(text), hex, err);
    if (status == MODEL_OK)
        status = digest_create_sha256(&writing->digest, err);
    if (status == MODEL_OK) {
        archive_digest_of_hex(hex, writing->header.metadata_sha256);
        archive_header_write(&writing->header, bytes);
        status = put(writing, bytes, sizeof bytes, err);
    }
    if (status == MODEL_OK)
        status = put(writing, text, strlen(text), err);
    free(text);
    if (status == MODEL_OK)
        status = put_encryption(writing, err);
    if (status == MODEL_OK && writing->options->signature != NULL)
        status =
            put(writing, writing->options->signature, strlen(writing->options->signature), err);
    if (status == MODEL_OK)
        status = put_entries(writing, err);
    return status == MODEL_OK ? finish_file(writing, err) : status;
}

/* ---- all of it */

static int compare_sources(const void *a, const void *b)
{
    return strcmp(((const struct archive_source *)a)->path,
                  ((const struct archive_source *)b)->path);
}

static model_status start(struct writing *writing, const struct archive_source *sources,
                          size_t n_sources, struct model_error *err)
{
    if (n_sources == 0 || n_sources > ARCHIVE_MAX_ENTRIES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%zu files, an archive has 1 to %d",
                         n_sources, ARCHIVE_MAX_ENTRIES);
    writing->sources = calloc(n_sources, sizeof *writing->sources);
    writing->index.entries = calloc(n_sources, sizeof *writing->index.entries);
    writing->index.frame_bytes = ARCHIVE_FRAME_BYTES;
    writing->block = malloc((size_t)BATCH_FRAMES * ARCHIVE_FRAME_BYTES);
    if (writing->sources == NULL || writing->index.entries == NULL || writing->block == NULL)
        return error_no_memory(err, "an archive");
    memcpy(writing->sources, sources, n_sources * sizeof *sources);
    qsort(writing->sources, n_sources, sizeof *sources, compare_sources);
    for (size_t i = 0; i < n_sources; i++) {
        const char *path = writing->sources[i].path;
        if (!path_is_safe(path) || (i > 0 && strcmp(path, writing->sources[i - 1].path) == 0))
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "'%.200s' cannot be in an archive: it is no safe name, or twice there",
                             path);
        writing->index.entries[i].path = text_format("%s", path);
        writing->index.n_entries = i + 1;
        if (writing->index.entries[i].path == NULL)
            return error_no_memory(err, "an archive");
    }
    return MODEL_OK;
}

/* The file beside the target, and one for frames, whose name nobody needs. */
static model_status make_files(struct writing *writing, struct model_error *err)
{
    struct scratch frames = SCRATCH_NONE;
    scratch_sweep(writing->target);
    model_status status = scratch_file(writing->target, &frames, err);
    if (status == MODEL_OK && (writing->frames_fd = fcntl(frames.fd, F_DUPFD_CLOEXEC, 0)) < 0)
        status = error_set_errno(err, errno, "cannot make a file beside %s", writing->target);
    scratch_discard(&frames);
    return status == MODEL_OK ? scratch_file(writing->target, &writing->file, err) : status;
}

static void finish(struct writing *writing)
{
    scratch_discard(&writing->file);
    if (writing->frames_fd >= 0)
        (void)close(writing->frames_fd);
    digest_destroy(writing->digest);
    archive_cipher_destroy(writing->cipher);
    archive_index_finish(&writing->index);
    free(writing->resolved);
    free(writing->sources);
    free(writing->block);
}

model_status archive_write(const char *target, const struct archive_source *sources,
                           size_t n_sources, const struct archive_options *options,
                           struct archive_summary *ret, struct model_error *err)
{
    struct writing writing = {
        .target = target, .options = options, .file = SCRATCH_NONE, .frames_fd = -1};
    struct archive_summary summary = {.n_entries = n_sources};
    model_status status = start(&writing, sources, n_sources, err);
    if (status == MODEL_OK)
        status = file_check_target(target, &writing.resolved, err);
    if (writing.resolved != NULL)
        writing.target = writing.resolved;
    if (status == MODEL_OK)
        status = make_files(&writing, err);
    for (size_t i = 0; i < writing.index.n_entries && status == MODEL_OK; i++) {
        status = learn(&writing, &writing.sources[i], &writing.index.entries[i], err);
        summary.content_bytes += writing.index.entries[i].size_bytes;
        if (status == MODEL_OK && options->source_done != NULL)
            options->source_done(options->context, writing.index.entries[i].path,
                                 writing.index.entries[i].size_bytes);
    }
    if (status == MODEL_OK && summary.content_bytes > ARCHIVE_MAX_BYTES)
        status = error_set(err, MODEL_INVALID_ARGUMENT, "the package has more than %llu bytes",
                           (unsigned long long)ARCHIVE_MAX_BYTES);
    if (status == MODEL_OK)
        status = archive_seal_plan(options, &writing.index, &writing.header, &writing.encryption,
                                   &writing.cipher, err);
    if (options->signature != NULL) {
        writing.header.flags |= ARCHIVE_SIGNED;
        writing.header.signature_bytes = strlen(options->signature);
    }
    if (status == MODEL_OK)
        status = put_file(&writing, err);
    summary.file_bytes = writing.header.file_bytes;
    finish(&writing);
    if (status == MODEL_OK && ret != NULL)
        *ret = summary;
    return status;
}
