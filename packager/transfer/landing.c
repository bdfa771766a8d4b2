/* landing.c - see landing.h. */
#include "landing.h"
#include "errors.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_STEP_BYTES  (4u << 20)  /* a job is worth its while from here on */
#define CHECKPOINT_BYTES (64u << 20) /* that a power cut may cost */
#define BLOCK_BYTES      (256u << 10)

model_status landing_disk_error(const struct landing *landing, int errnum, struct model_error *err)
{
    const char *dir = store_dir(landing->store);
    if (errnum == ENOSPC || errnum == EDQUOT)
        return error_set(
            err, MODEL_IO,
            "no space left on the disk while writing '%.200s' to the store %.400s; free some, or "
            "choose another disk with --store DIR",
            landing->file->path, dir);
    (void)error_set_errno(err, errnum, "cannot write '%.200s' to the store %.400s",
                          landing->file->path, dir);
    error_advise(err, "see to it, or choose another --store");
    return MODEL_IO;
}

/* ---- jobs, on a thread of the queue */

static void drop_digests(struct landing *landing)
{
    digest_destroy(landing->sha256);
    digest_destroy(landing->git_blob);
    landing->sha256 = landing->git_blob = NULL;
    landing->hashed_bytes = 0;
}

static model_status make_digests(struct landing *landing, struct model_error *err)
{
    const struct hub_file *file = landing->file;
    if (landing->sha256 != NULL)
        return MODEL_OK;
    model_status status = digest_create_sha256(&landing->sha256, err);
    if (status == MODEL_OK && file->digest.kind != HUB_DIGEST_SHA256)
        status = digest_create_git_blob(file->size_bytes, &landing->git_blob, err);
    return status;
}

/* Asks the system to begin with the writing, so that the sync at the end has little to wait for. */
static void start_writing(int fd, uint64_t from, uint64_t to)
{
#ifdef SYNC_FILE_RANGE_WRITE
    if (to - from >= HASH_STEP_BYTES)
        (void)sync_file_range(fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
#else
    (void)fd, (void)from, (void)to;
#endif
}

static model_status hash_to(struct landing *landing, uint64_t to, struct model_error *err)
{
    int fd = landing->partial.data_fd;
    uint64_t from = landing->hashed_bytes;
    char *block = malloc(BLOCK_BYTES);
    model_status status =
        block != NULL ? make_digests(landing, err) : error_no_memory(err, "a block of a file");
    while (status == MODEL_OK && landing->hashed_bytes < to) {
        uint64_t left = to - landing->hashed_bytes;
        size_t want = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
        ssize_t n = pread(fd, block, want, (off_t)landing->hashed_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            status = landing_disk_error(landing, n < 0 ? errno : EIO, err);
            break;
        }
        digest_update(landing->sha256, block, (size_t)n);
        if (landing->git_blob != NULL)
            digest_update(landing->git_blob, block, (size_t)n);
        landing->hashed_bytes += (uint64_t)n;
    }
    free(block);
    start_writing(fd, from, landing->hashed_bytes);
    return status;
}

static model_status compare(struct landing *landing, const char *kind, const char *found,
                            const char *wanted, struct model_error *err)
{
    if (strcmp(found, wanted) == 0)
        return MODEL_OK;
    landing->work.has_wrong_bytes = true;
    return error_set(err, MODEL_CORRUPT,
                     "the file '%s' came with wrong bytes: its %s is %s, want %s",
                     landing->file->path, kind, found, wanted);
}

/* The list's digest counts before that of the headers. */
static model_status check_digest(struct landing *landing, struct model_error *err)
{
    const struct hub_file *file = landing->file;
    const struct hub_digest *want =
        file->digest.kind != HUB_DIGEST_NONE ? &file->digest : &landing->header_digest;
    char sha1[SHA1_HEX_BYTES] = "";
    digest_finish_hex(landing->sha256, landing->sha256_hex);
    landing->sha256 = NULL;
    if (landing->git_blob != NULL)
        digest_finish_hex(landing->git_blob, sha1);
    landing->git_blob = NULL;
    landing->hashed_bytes = 0;
    if (want->kind == HUB_DIGEST_SHA256)
        return compare(landing, "SHA-256", landing->sha256_hex, want->hex, err);
    if (want->kind == HUB_DIGEST_GIT_BLOB)
        return compare(landing, "git SHA-1", sha1, want->hex, err);
    return error_set(err, MODEL_CORRUPT,
                     "the hub gives no digest for '%s', so its bytes cannot be checked; is this a "
                     "hub?",
                     file->path);
}

/* The whole file: its digest, the disk, and the store. */
static model_status settle(struct landing *landing, struct model_error *err)
{
    model_status status = check_digest(landing, err);
    if (status == MODEL_OK && fsync(landing->partial.data_fd) != 0)
        status = landing_disk_error(landing, errno, err);
    if (status == MODEL_OK)
        status = store_add_blob(landing->store, landing->path, landing->sha256_hex, err);
    return status;
}

static void run_job(struct disk_job *job)
{
    struct landing *landing = job->owner;
    struct landing_work *work = &landing->work;
    work->status = hash_to(landing, work->hash_to, &work->err);
    if (work->status == MODEL_OK && work->must_checkpoint)
        work->status = partial_checkpoint(&landing->partial, &work->map, &work->err);
    if (work->status == MODEL_OK && work->must_settle)
        work->status = settle(landing, &work->err);
}

/* ---- opening and closing */

char *landing_key(const struct hub_file *file)
{
    if (file->digest.kind == HUB_DIGEST_NONE || file->size_bytes <= LANDING_SMALL_BYTES)
        return NULL;
    return text_format("%s-%llu", file->digest.hex, (unsigned long long)file->size_bytes);
}

static void init(struct landing *landing, const struct store *store, const struct hub_file *file)
{
    *landing = (struct landing){
        .file = file,
        .store = store,
        .partial = {.data_fd = -1, .live_fd = -1},
        .work = {.job = {.run = run_job}, .map = BUFFER_INIT(RANGE_MAP_MAX_BYTES)},
    };
    landing->work.job.owner = landing;
}

model_status landing_open_new(struct landing *landing, const struct store *store,
                              const struct hub_file *file, const char *path,
                              struct model_error *err)
{
    init(landing, store, file);
    landing->path = text_format("%s", path);
    if (landing->path == NULL)
        return error_no_memory(err, "a path");
    model_status status = range_map_init(&landing->map, file->size_bytes, err);
    if (status == MODEL_OK) {
        landing->partial.data_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (landing->partial.data_fd < 0)
            status = landing_disk_error(landing, errno, err);
    }
    if (status != MODEL_OK) {
        range_map_finish(&landing->map);
        free(landing->path);
        landing->path = NULL;
    }
    return status;
}

model_status landing_open_partial(struct landing *landing, const struct store *store,
                                  const struct hub_file *file, char *dir, const char *boot,
                                  enum partial_origin origin, struct model_error *err)
{
    init(landing, store, file);
    landing->path = path_join(dir, "data");
    landing->key = landing_key(file);
    model_status status =
        landing->path != NULL && landing->key != NULL ? MODEL_OK : error_no_memory(err, "a path");
    if (status == MODEL_OK)
        status = partial_open(&landing->partial, dir, file->size_bytes, boot,
                              origin == PARTIAL_SPLIT, &landing->map, err);
    if (status != MODEL_OK) {
        free(landing->path);
        free(landing->key);
        landing->path = landing->key = NULL;
        return status;
    }
    landing->resumed_bytes = range_map_there_bytes(&landing->map);
    landing->synced_bytes = landing->resumed_bytes;
    return MODEL_OK;
}

void landing_close(struct landing *landing, bool keep)
{
    partial_close(&landing->partial);
    if (landing->key == NULL)
        (void)(landing->path != NULL && unlink(landing->path));
    else if (keep)
        partial_release(store_dir(landing->store), landing->key, landing->partial.dir);
    else
        partial_remove(landing->partial.dir);
    drop_digests(landing);
    buffer_finish(&landing->work.map);
    range_map_finish(&landing->map);
    free(landing->path);
    free(landing->key);
    *landing = (struct landing){.partial = {.data_fd = -1, .live_fd = -1}};
}

/* ---- bytes */

model_status landing_write(struct landing *landing, uint64_t range_start, uint64_t at,
                           const void *data, size_t size_bytes, struct model_error *err)
{
    const struct hub_file *file = landing->file;
    const char *from = data;
    uint64_t first, last;
    if (at > file->size_bytes || size_bytes > file->size_bytes - at) {
        return error_set(err, MODEL_CORRUPT,
                         "the file '%s' is longer than the %llu bytes that the hub announced",
                         file->path, (unsigned long long)file->size_bytes);
    }
    while (size_bytes > 0) {
        ssize_t n = pwrite(landing->partial.data_fd, from, size_bytes, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return landing_disk_error(landing, n < 0 ? errno : EIO, err);
        from += n;
        at += (uint64_t)n;
        size_bytes -= (size_t)n;
    }
    range_map_note(&landing->map, range_start, at, &first, &last);
    if (landing->key != NULL)
        partial_note(&landing->partial, &landing->map, first, last);
    return MODEL_OK;
}

void landing_restart(struct landing *landing)
{
    range_map_clear(&landing->map);
    landing->resumed_bytes = landing->synced_bytes = 0;
    if (landing->key != NULL)
        partial_restart(&landing->partial, &landing->map);
    if (landing->work.is_running)
        landing->work.is_void = true;
    else
        drop_digests(landing);
}

/* ---- work */

void landing_start_work(struct landing *landing, struct disk_queue *queue)
{
    struct landing_work *work = &landing->work;
    uint64_t front = range_map_front_bytes(&landing->map);
    uint64_t there = range_map_there_bytes(&landing->map);
    bool is_complete = range_map_is_complete(&landing->map);
    if (work->is_running)
        return;
    work->must_settle = is_complete;
    work->must_checkpoint =
        landing->key != NULL && !is_complete && there - landing->synced_bytes >= CHECKPOINT_BYTES;
    if (!is_complete && !work->must_checkpoint && front - landing->hashed_bytes < HASH_STEP_BYTES)
        return;
    if (work->must_checkpoint) {
        buffer_clear(&work->map);
        work->must_checkpoint = range_map_write(&landing->map, "", &work->map, NULL) == MODEL_OK;
        landing->synced_bytes = there;
    }
    work->hash_to = front;
    work->is_running = true;
    work->is_void = work->has_wrong_bytes = false;
    work->status = MODEL_OK;
    error_init(&work->err);
    disk_queue_push(queue, &work->job);
}

enum landing_news landing_end_work(struct landing *landing)
{
    struct landing_work *work = &landing->work;
    work->is_running = false;
    if (work->is_void) {
        drop_digests(landing);
        if (landing->key != NULL)
            partial_restart(&landing->partial, &landing->map);
        return LANDING_GOES_ON;
    }
    if (work->has_wrong_bytes)
        return LANDING_WRONG;
    if (work->status != MODEL_OK)
        return LANDING_FAILED;
    return work->must_settle ? LANDING_SETTLED : LANDING_GOES_ON;
}
