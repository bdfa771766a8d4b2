/* archive_read.c - see archive.h: the contents of entries. Whatever becomes of a content, it passes through
 * the digest on its way; only what is mapped from the file is compared on its own. */
#include "archive_frames.h"
#include "archive_private.h"
#include "cipher_primitives.h"
#include "errors.h"
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BATCH_BYTES (32u << 20) /* of contents that are decoded together */

static const char *text_of(const struct archive_entry *entry)
{
    return path_base(entry->path);
}

static model_status compare(const struct archive *archive, const struct archive_entry *entry,
                            struct digest *digest, struct model_error *err)
{
    char found[SHA256_HEX_BYTES];
    digest_finish_hex(digest, found);
    if (strcmp(found, entry->sha256) == 0)
        return MODEL_OK;
    if (archive->is_folder)
        return error_set(err, MODEL_CORRUPT,
                         "%s/%s is not the file that was signed: SHA-256 %.12s..., want %.12s...; "
                         "get the package again",
                         archive->path, entry->path, found, entry->sha256);
    return error_set(err, MODEL_CORRUPT,
                     "%s: digests: entry '%.200s' has SHA-256 %.12s..., want %.12s...; get the "
                     "file again",
                     archive->path, entry->path, found, entry->sha256);
}

static model_status compare_bytes(const struct archive *archive, const struct archive_entry *entry,
                                  const void *data, struct model_error *err)
{
    struct digest *digest = NULL;
    model_status status = digest_create_sha256(&digest, err);
    if (status != MODEL_OK)
        return status;
    digest_update(digest, data, (size_t)entry->size_bytes);
    return compare(archive, entry, digest, err);
}

/* ---- piece by piece */

struct sink {
    model_status (*take)(void *context, const uint8_t *data, size_t size_bytes,
                         struct model_error *err);
    void *context;
};

static struct archive_source_file source_of(const struct archive *archive)
{
    return (struct archive_source_file){archive->fd, archive->path, archive->cipher,
                                        archive->encryption.source};
}

static const struct archive_content *shared_content(const struct archive *archive,
                                                    const struct archive_entry *entry)
{
    return archive_contents_find(archive->contents, entry->path);
}

/* How much content one call of produce() gives: whole frames, whole chunks. */
static size_t piece_bytes(const struct archive *archive, const struct archive_entry *entry)
{
    const size_t unit = entry->method == ARCHIVE_ZSTD_FRAMES ? archive->index.frame_bytes
                        : entry->is_encrypted                ? archive->encryption.chunk_bytes
                                                             : ARCHIVE_BLOCK_BYTES;
    const size_t most = unit == ARCHIVE_BLOCK_BYTES ? unit
                        : BATCH_BYTES / unit > 0    ? BATCH_BYTES / unit * unit
                                                    : unit;
    return entry->size_bytes < most ? (size_t)entry->size_bytes : most;
}

static model_status produce(const struct archive *archive, const struct archive_entry *entry,
                            uint64_t at, size_t n_bytes, uint8_t *data, struct model_error *err)
{
    const uint32_t frame = archive->index.frame_bytes;
    const struct archive_source_file file = source_of(archive);
    const struct archive_content *shared = shared_content(archive, entry);
    if (shared != NULL)
        return file_read_at(shared->fd, entry->path, data, n_bytes, at, err);
    if (entry->method == ARCHIVE_STORED)
        return archive_payload_read_parallel(&file, entry, at, data, n_bytes, err);
    return archive_frames_decode(&file, &archive->index, entry, (size_t)(at / frame),
                                 archive_n_frames(n_bytes, frame), data, err);
}

/* The whole content through the digest and the sink; of a folder it is that of fd. */
static model_status pour_open(const struct archive *archive, const struct archive_entry *entry,
                              const struct sink *sink, struct model_error *err)
{
    const size_t most = piece_bytes(archive, entry);
    struct digest *digest = NULL;
    uint8_t *data = malloc(most > 0 ? most : 1);
    model_status status =
        data != NULL ? digest_create_sha256(&digest, err) : error_no_memory(err, entry->path);
    if (status == MODEL_OK && entry->size_bytes == 0 && entry->is_encrypted)
        status = produce(archive, entry, 0, 0, data, err); /* its one chunk is authentic */
    for (uint64_t at = 0; at < entry->size_bytes && status == MODEL_OK;) {
        const uint64_t left = entry->size_bytes - at;
        const size_t n_bytes = left < most ? (size_t)left : most;
        status = produce(archive, entry, at, n_bytes, data, err);
        if (status == MODEL_OK) {
            digest_update(digest, data, n_bytes);
            status = sink->take(sink->context, data, n_bytes, err);
        }
        at += n_bytes;
    }
    if (data != NULL && entry->is_encrypted)
        secret_wipe(data, most);
    free(data);
    if (status == MODEL_OK)
        return compare(archive, entry, digest, err);
    digest_destroy(digest);
    return status;
}

/* A file of a folder is opened once: what is compared is what was read. */
static model_status pour(const struct archive *archive, const struct archive_entry *entry,
                         const struct sink *sink, struct model_error *err)
{
    struct archive file = *archive;
    if (!archive->is_folder)
        return pour_open(archive, entry, sink, err);
    model_status status = archive_folder_file(archive, entry, &file.fd, err);
    if (status != MODEL_OK)
        return status;
    status = pour_open(&file, entry, sink, err);
    (void)close(file.fd);
    return status;
}

static model_status take_nothing(void *context, const uint8_t *data, size_t size_bytes,
                                 struct model_error *err)
{
    (void)context;
    (void)data;
    (void)size_bytes;
    (void)err;
    return MODEL_OK;
}

model_status archive_check_entry(const struct archive *archive, const struct archive_entry *entry,
                                 struct model_error *err)
{
    return pour(archive, entry, &(struct sink){take_nothing, NULL}, err);
}

struct target {
    int fd;
    const char *path;
};

static model_status take_to_file(void *context, const uint8_t *data, size_t size_bytes,
                                 struct model_error *err)
{
    const struct target *target = context;
    return file_write_all(target->fd, target->path, data, size_bytes, err);
}

model_status archive_unpack(const struct archive *archive, const struct archive_entry *entry,
                            int fd, const char *target, struct model_error *err)
{
    struct target file = {fd, target};
    return pour(archive, entry, &(struct sink){take_to_file, &file}, err);
}

static model_status take_to_buffer(void *context, const uint8_t *data, size_t size_bytes,
                                   struct model_error *err)
{
    return buffer_append(context, data, size_bytes) == MODEL_OK
               ? MODEL_OK
               : error_no_memory(err, "the content of an entry");
}

model_status archive_read(const struct archive *archive, const struct archive_entry *entry,
                          size_t max_bytes, struct buffer *ret, struct model_error *err)
{
    if (entry->size_bytes > max_bytes)
        return error_set(err, MODEL_CORRUPT, "%s/%s: %llu bytes, the limit is %zu", archive->path,
                         entry->path, (unsigned long long)entry->size_bytes, max_bytes);
    const size_t before = ret->size;
    if (buffer_reserve(ret, (size_t)entry->size_bytes) != MODEL_OK)
        return error_no_memory(err, entry->path);
    model_status status = pour(archive, entry, &(struct sink){take_to_buffer, ret}, err);
    if (status != MODEL_OK) { /* nobody sees what its digest is not of */
        ret->size = before;
        if (ret->data != NULL)
            ret->data[before] = '\0';
    }
    return status;
}

static model_status take_to_memory(void *context, const uint8_t *data, size_t size_bytes,
                                   struct model_error *err)
{
    uint8_t **end = context;
    (void)err;
    memcpy(*end, data, size_bytes);
    *end += size_bytes;
    return MODEL_OK;
}

model_status archive_read_into(const struct archive *archive, const struct archive_entry *entry,
                               uint8_t *memory, struct model_error *err)
{
    return pour(archive, entry, &(struct sink){take_to_memory, &memory}, err);
}

model_status archive_read_part(const struct archive *archive, const struct archive_entry *entry,
                               uint64_t offset, size_t n_bytes, uint8_t *ret,
                               struct model_error *err)
{
    if (offset > entry->size_bytes || n_bytes > entry->size_bytes - offset)
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%.200s' has %llu bytes", entry->path,
                         (unsigned long long)entry->size_bytes);
    return produce(archive, entry, offset, n_bytes, ret, err);
}

/* ---- files in memory and mappings */

static void leave_out_of_dumps(void *data, size_t size_bytes)
{
#ifdef MADV_DONTDUMP
    (void)madvise(data, size_bytes, MADV_DONTDUMP);
#else
    (void)data;
    (void)size_bytes;
#endif
}

/* All frames or chunks at once, straight into their place. */
static model_status decode_into(const struct archive *archive, const struct archive_entry *entry,
                                const struct memory_file *file, struct model_error *err)
{
    const size_t n_bytes = (size_t)entry->size_bytes;
    if (ftruncate(file->fd, (off_t)entry->size_bytes) != 0)
        return error_set_errno(err, errno, "no memory for '%.200s'", entry->path);
    void *data = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    if (data == MAP_FAILED)
        return error_set_errno(err, errno, "no memory for '%.200s'", entry->path);
    if (entry->is_encrypted)
        leave_out_of_dumps(data, n_bytes);
    const struct archive_source_file source = source_of(archive);
    model_status status =
        entry->method == ARCHIVE_ZSTD_FRAMES
            ? archive_frames_decode(&source, &archive->index, entry, 0, entry->n_frames, data, err)
            : archive_payload_read_parallel(&source, entry, 0, data, n_bytes, err);
    if (status == MODEL_OK)
        status = compare_bytes(archive, entry, data, err);
    (void)munmap(data, n_bytes);
    return status;
}

model_status archive_memory_file(const struct archive *archive, const struct archive_entry *entry,
                                 struct memory_file *ret, struct model_error *err)
{
    struct memory_file file = MEMORY_FILE_NONE;
    const bool is_copied = entry->size_bytes == 0 || archive_is_in_place(entry) ||
                           shared_content(archive, entry) != NULL;
    model_status status = memory_file_create(text_of(entry), &file, err);
    if (status == MODEL_OK)
        status = is_copied ? archive_unpack(archive, entry, file.fd, file.path, err)
                           : decode_into(archive, entry, &file, err);
    if (status == MODEL_OK)
        status = memory_file_seal(&file, err);
    if (status == MODEL_OK)
        *ret = file;
    else
        memory_file_close(&file);
    return status;
}

static model_status map_decoded(const struct archive *archive, const struct archive_entry *entry,
                                struct file_map *ret, struct model_error *err)
{
    struct memory_file file = MEMORY_FILE_NONE;
    model_status status = archive_memory_file(archive, entry, &file, err);
    if (status == MODEL_OK)
        status = file_map_open_fd(file.fd, entry->path, ret, err);
    if (status == MODEL_OK && entry->is_encrypted)
        file_map_conceal(ret);
    memory_file_close(&file);
    return status;
}

static model_status map_shared(const struct archive_content *shared, const struct archive *archive,
                               const struct archive_entry *entry, struct file_map *ret,
                               struct model_error *err)
{
    struct file_map map = {.fd = -1};
    model_status status = file_map_open_fd(shared->fd, entry->path, &map, err);
    if (status == MODEL_OK && map.size_bytes != entry->size_bytes)
        status = error_set(err, MODEL_CORRUPT,
                           "%s: entry '%.200s' was decrypted to %zu bytes, want %llu: the file was "
                           "replaced; load the model again",
                           archive->path, entry->path, map.size_bytes,
                           (unsigned long long)entry->size_bytes);
    if (status != MODEL_OK) {
        file_map_close(&map);
        return status;
    }
    file_map_conceal(&map);
    *ret = map;
    return MODEL_OK;
}

bool archive_is_in_place(const struct archive_entry *entry)
{
    return entry->method == ARCHIVE_STORED && !entry->is_encrypted;
}

bool archive_is_mappable(const struct archive *archive, const struct archive_entry *entry)
{
    return archive_is_in_place(entry) || shared_content(archive, entry) != NULL;
}

static model_status map_file(const struct archive *archive, const struct archive_entry *entry,
                             struct file_map *ret, struct model_error *err)
{
    int fd = -1;
    model_status status = archive_folder_file(archive, entry, &fd, err);
    if (status != MODEL_OK)
        return status;
    status = file_map_open_range(fd, entry->path, 0, entry->size_bytes, ret, err);
    (void)close(fd);
    return status;
}

/* By reading, so that a file which is cut short meanwhile is an error; these are the pages of the mapping. */
static model_status compare_file(const struct archive *archive, const struct archive_entry *entry,
                                 int fd, struct model_error *err)
{
    struct archive file = *archive;
    file.fd = fd;
    return pour_open(&file, entry, &(struct sink){take_nothing, NULL}, err);
}

model_status archive_map_lazily(const struct archive *archive, const struct archive_entry *entry,
                                struct file_map *ret, struct model_error *err)
{
    const struct archive_content *shared = shared_content(archive, entry);
    if (shared != NULL)
        return map_shared(shared, archive, entry, ret, err);
    if (archive->is_folder)
        return map_file(archive, entry, ret, err);
    return archive_is_in_place(entry)
               ? file_map_open_range(archive->fd, archive->path, entry->offset, entry->size_bytes,
                                     ret, err)
               : map_decoded(archive, entry, ret, err);
}

model_status archive_check_mapped(const struct archive *archive, const struct archive_entry *entry,
                                  const struct file_map *map, struct model_error *err)
{
    if (archive->is_folder)
        return compare_file(archive, entry, map->fd, err);
    if (archive->level == ARCHIVE_PARANOID)
        return compare_bytes(archive, entry, map->data, err);
    if ((archive->level == ARCHIVE_STANDARD || archive->compares_mapped) &&
        archive_is_in_place(entry))
        return archive_check_entry(archive, entry, err); /* by reading: the map stays untouched */
    return MODEL_OK;
}

model_status archive_map(const struct archive *archive, const struct archive_entry *entry,
                         struct file_map *ret, struct model_error *err)
{
    struct file_map map = {.fd = -1};
    model_status status = archive_map_lazily(archive, entry, &map, err);
    if (status == MODEL_OK)
        status = archive_check_mapped(archive, entry, &map, err);
    if (status == MODEL_OK)
        *ret = map;
    else
        file_map_close(&map);
    return status;
}
