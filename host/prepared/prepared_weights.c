/* prepared_weights.c - see prepared_weights.h. The thread reads blobs, which nobody changes any more, and its own
 * copy of nothing else. */
#include "prepared_weights.h"
#include "errors.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A descriptor that is none says nothing. */
static void close_end(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void close_files(struct prepared_weights *weights)
{
    for (size_t i = 0; i < PREPARED_MAX_FORMS; i++)
        close_end(&weights->files[i]);
}

void prepared_ends_init(struct prepared_ends *ret)
{
    *ret = (struct prepared_ends){.pipe = -1};
    for (size_t i = 0; i < PREPARED_MAX_FORMS; i++)
        ret->files[i] = -1;
}

/* Whether this file is the one, and good. That it is of another library is nothing to be told. */
static bool take_file(struct prepared_weights *weights, int fd, const char *first_key)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct prepared_map *prepared = &weights->blobs->prepared;
    const model_status status =
        prepared_map_open(fd, weights->key, first_key, weights->threads, prepared, &err);
    if (status == MODEL_OK)
        log_write(weights->folder.log, MODEL_LOG_DEBUG, "prepared weights are kept: %zu, %zu bytes",
                  prepared->index.n_blobs, prepared->map.size_bytes);
    else if (status != MODEL_UNSUPPORTED)
        log_write(weights->folder.log, MODEL_LOG_DEBUG,
                  "the file of prepared weights is not used, and made anew: %s", err.message);
    return status == MODEL_OK;
}

/* A plugin's first key names the form that it packs in, so the file can be told when that is asked for. */
static void find_file(void *context, const char *first_key)
{
    struct prepared_weights *weights = context;
    bool is_found = false;
    if (prepared_folder_name(weights->key, first_key, weights->name) != MODEL_OK)
        weights->name[0] = '\0';
    if (weights->files[0] < 0 && weights->name[0] != '\0')
        weights->files[0] = prepared_folder_open(&weights->folder, weights->name);
    for (size_t i = 0; i < PREPARED_MAX_FORMS && !is_found; i++)
        is_found = weights->files[i] >= 0 && take_file(weights, weights->files[i], first_key);
    close_files(weights);
}

void prepared_weights_begin(struct prepared_weights *weights, const struct prepared_folder *folder,
                            const char *key, struct prepared_ends *ends, uint32_t threads,
                            struct packed_blobs *blobs)
{
    struct prepared_ends none;
    prepared_ends_init(&none);
    if (ends == NULL)
        ends = &none;
    *weights = (struct prepared_weights){
        .folder = *folder, .pipe = ends->pipe, .threads = threads, .blobs = blobs};
    memcpy(weights->key, key, sizeof weights->key);
    memcpy(weights->files, ends->files, sizeof weights->files);
    prepared_ends_init(ends);
    if (key[0] == '\0')
        return;
    blobs->find = find_file;
    blobs->find_context = weights;
}

static model_status write_file(struct prepared_weights *weights, struct prepared_blob *blobs,
                               struct model_error *err)
{
    const size_t n = weights->blobs->n_blobs;
    struct prepared_draft draft = {.fd = -1};
    if (weights->pipe >= 0)
        return prepared_file_write(weights->pipe, "the pipe to the host", weights->key, blobs, n,
                                   err);
    model_status status =
        prepared_folder_begin(&weights->folder, prepared_file_bytes(blobs, n), &draft, err);
    if (status == MODEL_OK)
        status = prepared_file_write(draft.fd, draft.path, weights->key, blobs, n, err);
    if (status == MODEL_OK)
        status = prepared_folder_publish(&weights->folder, weights->name, &draft, err);
    prepared_draft_end(&draft);
    return status;
}

static void write_all(void *argument)
{
    struct prepared_weights *weights = argument;
    struct model_error err = MODEL_ERROR_INIT;
    struct prepared_blob *blobs = packed_blobs_list(weights->blobs);
    sigset_t signals; /* a host that reads no more is an error of writing, and no signal */
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    model_status status =
        blobs != NULL ? write_file(weights, blobs, &err) : error_no_memory(&err, "a list");
    const bool is_workers = weights->pipe >= 0; /* then its host says what there is to say */
    close_end(&weights->pipe);
    free(blobs);
    if (status == MODEL_OK)
        log_write(weights->folder.log, MODEL_LOG_DEBUG, "%zu prepared weights are kept now",
                  weights->blobs->n_blobs);
    else if (is_workers)
        log_write(weights->folder.log, MODEL_LOG_DEBUG, "prepared weights are not kept: %s",
                  err.message);
    else
        prepared_folder_say_not_kept(&weights->folder, status, &err);
}

void prepared_weights_made(struct prepared_weights *weights)
{
    const struct packed_blobs *blobs = weights->blobs;
    const bool has_place = weights->pipe >= 0 || weights->folder.store_dir != NULL;
    if (blobs == NULL || weights->name[0] == '\0' || !has_place || blobs->n_made == 0 ||
        blobs->size_bytes < PREPARED_MIN_BYTES) {
        close_end(&weights->pipe); /* there is nothing to come */
        return;
    }
    weights->is_writing = uv_thread_create(&weights->writer, write_all, weights) == 0;
    if (!weights->is_writing)
        close_end(&weights->pipe);
}

void prepared_weights_finish(struct prepared_weights *weights)
{
    if (weights->blobs == NULL)
        return;
    if (weights->is_writing)
        (void)uv_thread_join(&weights->writer);
    close_end(&weights->pipe);
    close_files(weights); /* of a plugin that asked for nothing */
    *weights = (struct prepared_weights){.pipe = -1};
}
