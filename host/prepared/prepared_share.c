/* prepared_share.c - see prepared_share.h. */
#include "prepared_share.h"
#include "clock.h"
#include "errors.h"
#include "files.h"
#include "prepared_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES                                                                                \
    ((size_t)8 << 20) /* written at once, so that the system keeps it in large pages */
#define PIPE_BYTES (1 << 20)
#define SLICE_NS   (10 * NS_PER_MS) /* between looks at a token that cannot wake */

struct prepared_share {
    struct prepared_folder folder;
    char key[SHA256_HEX_BYTES];
    uint8_t *piece; /* (PIECE_BYTES), the thread's */
    int pipe;       /* that it reads; before it starts and when it has ended, nobody's */

    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t ended;
    uv_thread_t thread;
    bool has_thread, is_receiving;
};

model_status prepared_share_create(const struct prepared_folder *folder, const char *key,
                                   struct prepared_share **ret, struct model_error *err)
{
    struct prepared_share *share = calloc(1, sizeof *share);
    if (share == NULL)
        return error_no_memory(err, "a model");
    share->folder = *folder;
    memcpy(share->key, key, sizeof share->key);
    share->pipe = -1;
    if (uv_mutex_init(&share->mutex) != 0) {
        free(share);
        return error_no_memory(err, "a model");
    }
    if (uv_cond_init(&share->ended) != 0) {
        uv_mutex_destroy(&share->mutex);
        free(share);
        return error_no_memory(err, "a model");
    }
    *ret = share;
    return MODEL_OK;
}

/* ---- the thread */

/* Fills the piece as far as something comes and `left` allows. *ret_bytes 0: the other end is closed. */
static model_status read_piece(struct prepared_share *share, size_t filled, uint64_t left,
                               size_t *ret_bytes, struct model_error *err)
{
    const size_t most = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    while (filled < most) {
        const ssize_t n = read(share->pipe, share->piece + filled, most - filled);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot read from a worker");
        if (n == 0)
            break;
        filled += (size_t)n;
    }
    *ret_bytes = filled;
    return MODEL_OK;
}

static model_status take_file(struct prepared_share *share, size_t filled, uint64_t file_bytes,
                              struct prepared_draft *draft, struct model_error *err)
{
    model_status status = prepared_folder_begin(&share->folder, file_bytes, draft, err);
    for (uint64_t left = file_bytes; status == MODEL_OK && left > 0; filled = 0) {
        size_t n = 0;
        status = read_piece(share, filled, left, &n, err);
        if (status == MODEL_OK && n == 0)
            status = error_set(err, MODEL_CORRUPT, "a worker ended before it had sent them all");
        if (status == MODEL_OK)
            status = file_write_all(draft->fd, draft->path, share->piece, n, err);
        left -= n;
    }
    return status;
}

/* What has come is looked at as if it had been found in the store. Its first blob says which of the model's it is. */
static model_status check_file(const struct prepared_share *share,
                               const struct prepared_draft *draft, char ret_name[SHA256_HEX_BYTES],
                               struct model_error *err)
{
    struct prepared_map map = {.guard = NULL};
    model_status status = prepared_map_open(draft->fd, share->key, NULL, 1, &map, err);
    if (status == MODEL_OK)
        status = prepared_folder_name(share->key, map.index.blobs[0].key, ret_name);
    prepared_map_close(&map);
    return status;
}

static model_status take_all(struct prepared_share *share, struct model_error *err)
{
    struct prepared_draft draft = {.fd = -1};
    char name[SHA256_HEX_BYTES];
    size_t n = 0;
    model_status status = read_piece(share, 0, PREPARED_HEADER_BYTES, &n, err);
    if (status != MODEL_OK || n == 0)
        return status; /* the worker has nothing new */
    const uint64_t file_bytes = prepared_file_announced(share->piece, n);
    status = file_bytes >= n ? take_file(share, n, file_bytes, &draft, err)
                             : error_set(err, MODEL_CORRUPT, "a worker sent something else");
    if (status == MODEL_OK)
        status = check_file(share, &draft, name, err);
    if (status == MODEL_OK)
        status = prepared_folder_publish(&share->folder, name, &draft, err);
    prepared_draft_end(&draft);
    return status;
}

static void receive(void *argument)
{
    struct prepared_share *share = argument;
    struct model_error err = MODEL_ERROR_INIT;
    share->piece = malloc(PIECE_BYTES);
    model_status status =
        share->piece != NULL ? take_all(share, &err) : error_no_memory(&err, "a buffer");
    if (status != MODEL_OK)
        prepared_folder_say_not_kept(&share->folder, status, &err);
    free(share->piece);
    (void)close(share->pipe); /* a worker that still writes is told so */
    uv_mutex_lock(&share->mutex);
    share->is_receiving = false;
    uv_cond_broadcast(&share->ended);
    uv_mutex_unlock(&share->mutex);
}

/* ---- handing over */

/* Under the mutex. Returns the end to write to, or -1. */
static int start_receiving(struct prepared_share *share)
{
    int ends[2];
    if (share->has_thread)
        (void)uv_thread_join(&share->thread); /* has ended */
    share->has_thread = false;
#ifdef __linux__
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    (void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* fewer turns; as it is, if not */
#else
    if (pipe(ends) != 0)
        return -1;
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
#endif
    share->pipe = ends[0];
    share->has_thread = share->is_receiving = uv_thread_create(&share->thread, receive, share) == 0;
    if (share->has_thread)
        return ends[1];
    (void)close(ends[0]);
    (void)close(ends[1]);
    return -1;
}

void prepared_share_hand_over(struct prepared_share *share, struct prepared_ends *ret)
{
    memcpy(ret->key, share->key, sizeof ret->key);
    prepared_folder_open_all(&share->folder, share->key, ret->files);
    uv_mutex_lock(&share->mutex);
    ret->pipe = share->is_receiving ? -1 : start_receiving(share);
    uv_mutex_unlock(&share->mutex);
}

static bool is_raised(const uint32_t *cancelled)
{
    return cancelled != NULL && __atomic_load_n(cancelled, __ATOMIC_ACQUIRE) != 0;
}

void prepared_share_wait(struct prepared_share *share, int64_t until_ns, const uint32_t *cancelled)
{
    const int64_t slice_ns = cancelled != NULL ? SLICE_NS : INT64_MAX;
    if (share == NULL)
        return;
    uv_mutex_lock(&share->mutex);
    for (int64_t now_ns = clock_now_ns();
         share->is_receiving && now_ns < until_ns && !is_raised(cancelled);
         now_ns = clock_now_ns()) {
        const int64_t left_ns = until_ns - now_ns;
        (void)uv_cond_timedwait(&share->ended, &share->mutex,
                                (uint64_t)(left_ns < slice_ns ? left_ns : slice_ns));
    }
    uv_mutex_unlock(&share->mutex);
}

void prepared_share_destroy(struct prepared_share *share)
{
    if (share == NULL)
        return;
    if (share->has_thread)
        (void)uv_thread_join(&share->thread);
    uv_cond_destroy(&share->ended);
    uv_mutex_destroy(&share->mutex);
    free(share);
}
