/* archive_frames.c - see archive_frames.h. Frames need nothing of each other, so a thread takes the next
 * one until there is none. */
#include "archive_frames.h"
#include "archive_zstd.h"
#include "cipher_primitives.h"
#include "errors.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_THREADS 8

/* ---- side by side */

struct team {
    size_t n;
    model_status (*work)(void *context, size_t i, struct model_error *err);
    void *context;
    _Atomic size_t next;
    _Atomic int failed;
    pthread_mutex_t mutex; /* guards what follows */
    size_t failed_at;      /* the lowest */
    model_status status;
    struct model_error err;
};

static void note_failure(struct team *team, size_t i, model_status status,
                         const struct model_error *err)
{
    (void)pthread_mutex_lock(&team->mutex);
    if (team->status == MODEL_OK || i < team->failed_at) {
        team->failed_at = i;
        team->status = status;
        team->err = *err;
    }
    (void)pthread_mutex_unlock(&team->mutex);
    atomic_store(&team->failed, 1);
}

/* Those below one that failed have all been taken by then. */
static void *work_through(void *argument)
{
    struct team *team = argument;
    struct model_error err = MODEL_ERROR_INIT;
    for (size_t i = 0; atomic_load(&team->failed) == 0;) {
        i = atomic_fetch_add(&team->next, 1);
        if (i >= team->n)
            break;
        const model_status status = team->work(team->context, i, &err);
        if (status != MODEL_OK)
            note_failure(team, i, status, &err);
    }
    return NULL;
}

model_status archive_parallel(size_t n,
                              model_status (*work)(void *context, size_t i,
                                                   struct model_error *err),
                              void *context, struct model_error *err)
{
    pthread_t threads[MAX_THREADS];
    struct team team = {
        .n = n, .work = work, .context = context, .mutex = PTHREAD_MUTEX_INITIALIZER};
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = cpus < 1 ? 1 : cpus > MAX_THREADS ? MAX_THREADS : (size_t)cpus;
    size_t n_threads = 0;
    wanted = wanted < n ? wanted : n;
    while (n_threads + 1 < wanted &&
           pthread_create(&threads[n_threads], NULL, work_through, &team) == 0)
        n_threads++;
    (void)work_through(&team);
    for (size_t i = 0; i < n_threads; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_mutex_destroy(&team.mutex);
    return team.status == MODEL_OK ? MODEL_OK : error_set(err, team.status, "%s", team.err.message);
}

/* ---- decoding */

struct decoding {
    const struct archive_source_file *file;
    const struct archive_index *index;
    const struct archive_entry *entry;
    size_t first;
    const uint64_t *offsets; /* of the frames from `first` on, in the payload */
    uint8_t *data;
};

static size_t content_bytes(const struct archive_index *index, const struct archive_entry *entry,
                            size_t frame)
{
    const uint64_t left = entry->size_bytes - (uint64_t)frame * index->frame_bytes;
    return left < index->frame_bytes ? (size_t)left : index->frame_bytes;
}

/* Which entry of which archive it is that cannot be decoded. */
static model_status say_where(const struct decoding *decoding, model_status status,
                              struct model_error *err)
{
    if (status != MODEL_CORRUPT)
        return status;
    error_prefix(err, "%s: decompression: entry '%.200s'", decoding->file->path,
                 decoding->entry->path);
    error_advise(err, "get the file again");
    return status;
}

static model_status decode_one(void *context, size_t i, struct model_error *err)
{
    const struct decoding *decoding = context;
    const size_t frame = decoding->first + i;
    const size_t n_bytes = decoding->entry->frames[frame];
    const size_t want_bytes = content_bytes(decoding->index, decoding->entry, frame);
    if (n_bytes > archive_zstd_bound(decoding->index->frame_bytes))
        return say_where(decoding,
                         error_set(err, MODEL_CORRUPT,
                                   "a frame of %zu bytes is larger than any of its content",
                                   n_bytes),
                         err);
    uint8_t *stored = malloc(n_bytes);
    if (stored == NULL)
        return error_no_memory(err, "a frame of an archive");
    model_status status = archive_payload_read(decoding->file, decoding->entry,
                                               decoding->offsets[i], stored, n_bytes, err);
    if (status == MODEL_OK) /* what the layer below refuses it has named */
        status = say_where(decoding,
                           archive_zstd_decompress(
                               stored, n_bytes, decoding->data + i * decoding->index->frame_bytes,
                               want_bytes, err),
                           err);
    if (decoding->entry->is_encrypted) /* it was decrypted by now */
        secret_wipe(stored, n_bytes);
    free(stored);
    return status;
}

model_status archive_frames_decode(const struct archive_source_file *file,
                                   const struct archive_index *index,
                                   const struct archive_entry *entry, size_t first, size_t n,
                                   uint8_t *data, struct model_error *err)
{
    uint64_t *offsets = calloc(n > 0 ? n : 1, sizeof *offsets);
    uint64_t offset = 0;
    if (offsets == NULL)
        return error_no_memory(err, "the frames of an archive");
    for (size_t i = 0; i < first + n; i++) {
        if (i >= first)
            offsets[i - first] = offset;
        offset += entry->frames[i];
    }
    struct decoding decoding = {file, index, entry, first, offsets, data};
    model_status status = archive_parallel(n, decode_one, &decoding, err);
    free(offsets);
    return status;
}

/* ---- encoding */

struct encoding {
    const uint8_t *data;
    size_t size_bytes;
    uint32_t frame_bytes;
    int level;
    struct archive_frame *frames;
};

static model_status encode_one(void *context, size_t i, struct model_error *err)
{
    const struct encoding *encoding = context;
    const size_t begin = i * encoding->frame_bytes, left = encoding->size_bytes - begin;
    const size_t n_bytes = left < encoding->frame_bytes ? left : encoding->frame_bytes;
    const size_t bound = archive_zstd_bound(n_bytes);
    struct archive_frame frame = {malloc(bound), 0};
    if (frame.data == NULL)
        return error_no_memory(err, "a frame of an archive");
    model_status status = archive_zstd_compress(encoding->data + begin, n_bytes, encoding->level,
                                                frame.data, bound, &frame.size_bytes, err);
    if (status == MODEL_OK)
        encoding->frames[i] = frame;
    else
        free(frame.data);
    return status;
}

model_status archive_frames_encode(const uint8_t *data, size_t size_bytes, uint32_t frame_bytes,
                                   int level, struct archive_frame *ret_frames,
                                   struct model_error *err)
{
    const size_t n = archive_n_frames(size_bytes, frame_bytes);
    struct encoding encoding = {data, size_bytes, frame_bytes, level, ret_frames};
    memset(ret_frames, 0, n * sizeof *ret_frames);
    model_status status = archive_parallel(n, encode_one, &encoding, err);
    for (size_t i = 0; i < n && status != MODEL_OK; i++) {
        free(ret_frames[i].data);
        ret_frames[i] = (struct archive_frame){NULL, 0};
    }
    return status;
}
