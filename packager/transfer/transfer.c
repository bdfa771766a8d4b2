/* transfer.c - see transfer.h: which files are under way, who fetches what of them, and the loop around
 * it. The loop's thread owns everything; what the queue's threads touch is a landing's. */
#include "errors.h"
#include "files.h"
#include "hub_private.h"
#include "transfer_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FETCHES     2 /* of a file whose bytes are wrong */
#define DISK_THREADS    8
#define LONGEST_WAIT_MS 100
#define LOOK_MS         200 /* between looks at what others are fetching */

int64_t transfer_now_ms(const struct transfer_state *state)
{
    const struct hub_clock *clock = &state->transfer->hub->clock;
    return clock->now_ms(clock->context);
}

static const struct log_sink *log_of(const struct transfer_state *state)
{
    return &state->transfer->hub->config.log;
}

void transfer_fail(struct transfer_state *state, model_status status, const struct model_error *err)
{
    if (state->status != MODEL_OK)
        return;
    state->status = status;
    (void)error_set(state->err, status, "%s", err->message);
}

/* ---- files */

static void drop_streams(struct transfer_state *state, const struct active *file)
{
    for (size_t i = 0; i < state->n_streams; i++)
        if (state->streams[i].file == file)
            stream_drop(&state->streams[i]);
}

static void close_file(struct transfer_state *state, struct active *file, bool keep)
{
    drop_streams(state, file);
    landing_close(&file->landing, keep);
    free(file->url);
    free(file->known_url);
    free(file->etag);
    *file = (struct active){0};
}

void transfer_start_over(struct transfer_state *state, struct active *file)
{
    file->epoch++;
    state->done_bytes -= file->counted_bytes;
    file->counted_bytes = 0;
    landing_restart(&file->landing);
}

void transfer_wrong_bytes(struct transfer_state *state, struct active *file,
                          const struct model_error *err)
{
    struct model_error last = *err;
    if (file->landing.resumed_bytes == 0)
        file->n_fetches++;
    if (file->n_fetches >= MAX_FETCHES) {
        error_advise(&last, "it was fetched twice; try again later, and if that does not help the "
                            "server or a proxy damages it");
        file->is_worthless = true; /* closed at the end: a job may be at it */
        transfer_fail(state, MODEL_CORRUPT, &last);
        return;
    }
    log_write(log_of(state), MODEL_LOG_WARN, "%s; fetching it once more", err->message);
    drop_streams(state, file);
    transfer_start_over(state, file);
}

static void tell_done(struct transfer_state *state)
{
    const struct download_plan *plan = state->transfer->plan;
    for (; state->n_told < plan->n_files && state->states[state->n_told] == FILE_DONE;
         state->n_told++)
        if (state->transfer->file_done != NULL)
            state->transfer->file_done(state->transfer->context, &plan->files[state->n_told]);
}

static void note_done(struct transfer_state *state, size_t index)
{
    state->states[index] = FILE_DONE;
    state->n_done++;
    tell_done(state);
}

/* Opens the partial of a file; MODEL_BUSY: it is another's. *ret_found: the store has the file by now. */
static model_status open_partial(struct transfer_state *state, struct active *file, size_t index,
                                 const char *key, bool *ret_found, struct model_error *err)
{
    const struct transfer *transfer = state->transfer;
    struct plan_file *planned = &transfer->plan->files[index];
    const char *dir = store_dir(transfer->store);
    struct partial_owner owner;
    enum partial_origin origin;
    char *claimed = NULL;
    const struct hub_clock *clock = &transfer->hub->clock;
    partial_owner_init(&owner);
    model_status status =
        partial_claim(dir, key, &owner, clock->now_s(clock->context), &claimed, &origin, err);
    if (status != MODEL_OK)
        return status;
    *ret_found = state->states[index] == FILE_ELSEWHERE && transfer->look_up != NULL &&
                 transfer->look_up(transfer->context, planned);
    if (*ret_found) {
        partial_remove(claimed);
        return MODEL_OK;
    }
    status = landing_open_partial(&file->landing, transfer->store, planned->file, claimed,
                                  owner.boot, origin, err);
    if (status != MODEL_OK)
        partial_release(dir, key, claimed);
    return status;
}

static model_status open_landing(struct transfer_state *state, struct active *file, size_t index,
                                 bool *ret_found, struct model_error *err)
{
    const struct transfer *transfer = state->transfer;
    const struct hub_file *wanted = transfer->plan->files[index].file;
    char *key = landing_key(wanted);
    model_status status;
    if (key != NULL) {
        status = open_partial(state, file, index, key, ret_found, err);
    } else {
        char *part = text_format("%s/%zu.part", transfer->staging, index);
        status = part == NULL
                     ? error_no_memory(err, "a path")
                     : landing_open_new(&file->landing, transfer->store, wanted, part, err);
        free(part);
    }
    free(key);
    return status;
}

/* Opens the file, if nobody else works on it. */
static void open_file(struct transfer_state *state, struct active *file, size_t index)
{
    const struct transfer *transfer = state->transfer;
    const struct hub_file *wanted = transfer->plan->files[index].file;
    struct model_error err = MODEL_ERROR_INIT;
    bool was_elsewhere = state->states[index] == FILE_ELSEWHERE, found = false;
    model_status status = open_landing(state, file, index, &found, &err);
    if (status == MODEL_BUSY) {
        if (!was_elsewhere)
            log_write(log_of(state), MODEL_LOG_INFO,
                      "another process is fetching '%.200s'; waiting for it", wanted->path);
        state->n_elsewhere += !was_elsewhere;
        state->states[index] = FILE_ELSEWHERE;
        return;
    }
    state->n_elsewhere -= was_elsewhere;
    if (status == MODEL_OK && found) {
        state->done_bytes += wanted->size_bytes;
        transfer->plan->files[index].here_bytes = wanted->size_bytes;
        note_done(state, index);
        return;
    }
    if (status == MODEL_OK) {
        file->is_open = true;
        file->index = index;
        file->beat_ms = transfer_now_ms(state);
        file->counted_bytes = file->landing.resumed_bytes;
        state->done_bytes += file->counted_bytes;
        state->states[index] = FILE_ACTIVE;
        status = hub_file_url(transfer->hub, transfer->model, wanted->path, &file->url, &err);
    }
    if (status != MODEL_OK)
        transfer_fail(state, status, &err);
    else if (file->landing.resumed_bytes > 0)
        log_write(log_of(state), MODEL_LOG_INFO, "'%.200s': %llu of %llu bytes are here already",
                  wanted->path, (unsigned long long)file->landing.resumed_bytes,
                  (unsigned long long)wanted->size_bytes);
}

/* What others were fetching may be there now, or free. */
static void look_elsewhere(struct transfer_state *state)
{
    const struct transfer *transfer = state->transfer;
    int64_t now_ms = transfer_now_ms(state);
    if (state->n_elsewhere == 0 || now_ms < state->look_ms)
        return;
    state->look_ms = now_ms + LOOK_MS;
    size_t slot = 0;
    for (size_t i = 0; i < transfer->plan->n_files && state->status == MODEL_OK; i++) {
        if (state->states[i] != FILE_ELSEWHERE)
            continue;
        while (slot < state->n_actives && state->actives[slot].is_open)
            slot++;
        if (slot == state->n_actives)
            return;
        open_file(state, &state->actives[slot], i);
    }
}

static void open_files(struct transfer_state *state)
{
    const struct download_plan *plan = state->transfer->plan;
    for (size_t slot = 0; slot < state->n_actives && state->status == MODEL_OK; slot++) {
        struct active *file = &state->actives[slot];
        while (!file->is_open && state->next_index < plan->n_files && state->status == MODEL_OK) {
            size_t index = state->next_index++;
            if (state->states[index] == FILE_TODO)
                open_file(state, file, index);
        }
    }
    look_elsewhere(state);
}

/* ---- work on the disk */

static struct active *active_of(struct transfer_state *state, const struct disk_job *job)
{
    for (size_t i = 0; i < state->n_actives; i++)
        if (&state->actives[i].landing == job->owner)
            return &state->actives[i];
    return NULL;
}

/* The work on a file failed. That its partial is not there any more means that we were silent for so long
 * that another process took it over: then it is for that one to end it. */
static void end_failed(struct transfer_state *state, struct active *file)
{
    const struct landing *landing = &file->landing;
    size_t index = file->index;
    if (landing->key == NULL || path_is_file(landing->path)) {
        transfer_fail(state, landing->work.status, &landing->work.err);
        return;
    }
    log_write(log_of(state), MODEL_LOG_WARN, "another process took '%.200s' over",
              landing->file->path);
    state->done_bytes -= file->counted_bytes;
    close_file(state, file, false);
    state->states[index] = FILE_ELSEWHERE;
    state->n_elsewhere++;
}

static void take_jobs(struct transfer_state *state)
{
    struct disk_job *job;
    while ((job = disk_queue_take(state->queue)) != NULL) {
        struct active *file = active_of(state, job);
        assert(file != NULL); /* the queue has jobs of these landings only */
        struct landing *landing = &file->landing;
        struct plan_file *planned = &state->transfer->plan->files[file->index];
        size_t index = file->index;
        switch (landing_end_work(landing)) {
        case LANDING_SETTLED:
            memcpy(planned->sha256, landing->sha256_hex, sizeof planned->sha256);
            planned->here_bytes = landing->resumed_bytes;
            close_file(state, file, false);
            note_done(state, index);
            break;
        case LANDING_WRONG:
            transfer_wrong_bytes(state, file, &landing->work.err);
            break;
        case LANDING_FAILED:
            end_failed(state, file);
            break;
        case LANDING_GOES_ON:
            break;
        }
    }
}

static void start_jobs(struct transfer_state *state)
{
    for (size_t i = 0; i < state->n_actives; i++) {
        struct active *file = &state->actives[i];
        if (!file->is_open)
            continue;
        landing_start_work(&file->landing, state->queue);
        int64_t now_ms = transfer_now_ms(state);
        if (file->landing.key != NULL && now_ms - file->beat_ms >= PARTIAL_BEAT_S * 1000) {
            partial_beat(file->landing.partial.dir);
            file->beat_ms = now_ms;
        }
    }
}

/* ---- the loop */

/* Gives idle streams something to do, and starts those whose time has come. How long until the next one's
 * has. */
static int64_t start_streams(struct transfer_state *state)
{
    int64_t now_ms = transfer_now_ms(state), wait_ms = LONGEST_WAIT_MS;
    size_t slot = 0;
    for (size_t i = 0; i < state->n_streams && state->status == MODEL_OK; i++) {
        struct stream *stream = &state->streams[i];
        if (stream->file != NULL && stream->epoch != stream->file->epoch && !stream->is_begun)
            stream_drop(stream); /* it waited while its file started over */
        while (stream->file == NULL && slot < state->n_actives)
            if (!state->actives[slot].is_open || !stream_assign(stream, &state->actives[slot]))
                slot++;
        if (stream->file == NULL || stream->is_begun)
            continue;
        int64_t from_ms =
            stream->not_before_ms > state->hold_ms ? stream->not_before_ms : state->hold_ms;
        if (from_ms <= now_ms)
            stream_begin(stream);
        else if (from_ms - now_ms < wait_ms)
            wait_ms = from_ms - now_ms;
    }
    return wait_ms;
}

static struct stream *stream_of(struct transfer_state *state, const struct hub_call *call)
{
    for (size_t i = 0; i < state->n_streams; i++)
        if (&state->streams[i].call == call)
            return &state->streams[i];
    return NULL;
}

static void check_cancelled(struct transfer_state *state)
{
    const struct hub_config *config = &state->transfer->hub->config;
    struct model_error err = MODEL_ERROR_INIT;
    if (config->cancelled != NULL && config->cancelled(config->cancel_context))
        transfer_fail(state, error_set(&err, MODEL_CANCELLED, "interrupted"), &err);
}

static void run(struct transfer_state *state)
{
    size_t n_files = state->transfer->plan->n_files;
    while (state->status == MODEL_OK) {
        take_jobs(state);
        open_files(state);
        start_jobs(state);
        take_jobs(state);
        if (state->status != MODEL_OK || state->n_done == n_files)
            break;
        int64_t wait_ms = start_streams(state);
        check_cancelled(state);
        if (state->status != MODEL_OK)
            break;
        struct hub_call *call = state->transport.wait(state->transport.context, wait_ms);
        struct stream *stream = call != NULL ? stream_of(state, call) : NULL;
        assert((stream != NULL) == (call != NULL)); /* the transport has calls of these only */
        if (stream != NULL)
            stream_end(stream);
    }
}

/* A process may have died between adding a file to the store and removing its partial. */
static void tidy(const struct transfer *transfer, const struct hub_file *file)
{
    const struct hub_clock *clock = &transfer->hub->clock;
    struct partial_owner self;
    char *key = landing_key(file);
    if (key != NULL) {
        partial_owner_init(&self);
        partial_tidy(store_dir(transfer->store), key, &self, clock->now_s(clock->context));
    }
    free(key);
}

static model_status init(struct transfer_state *state, const struct transfer *transfer,
                         struct model_error *err)
{
    size_t n_files = transfer->plan->n_files;
    unsigned n_connections =
        transfer->max_connections != 0 ? transfer->max_connections : TRANSFER_CONNECTIONS;
    *state = (struct transfer_state){.transfer = transfer, .err = err};
    state->transport = transfer->hub->transport;
    state->n_actives = transfer->max_workers != 0 ? transfer->max_workers : TRANSFER_WORKERS;
    state->n_streams = state->n_actives > n_connections ? state->n_actives : n_connections;
    state->actives = calloc(state->n_actives, sizeof *state->actives);
    state->streams = calloc(state->n_streams, sizeof *state->streams);
    state->states = calloc(n_files + 1, 1);
    if (state->actives == NULL || state->streams == NULL || state->states == NULL)
        return error_no_memory(err, "the transfer");
    for (size_t i = 0; i < state->n_streams; i++) {
        state->streams[i].state = state;
        hub_response_init(&state->streams[i].call.response);
    }
    for (size_t i = 0; i < n_files; i++)
        if (transfer->plan->files[i].in_store) {
            tidy(transfer, transfer->plan->files[i].file);
            state->states[i] = FILE_DONE;
            state->n_done++;
        }
    return disk_queue_create(state->transport.wake != NULL ? DISK_THREADS : 0,
                             state->transport.wake, state->transport.context, &state->queue, err);
}

static void finish(struct transfer_state *state)
{
    for (size_t i = 0; state->streams != NULL && i < state->n_streams; i++)
        stream_drop(&state->streams[i]);
    if (state->queue != NULL)
        disk_queue_drain(state->queue);
    disk_queue_destroy(state->queue);
    for (size_t i = 0; state->actives != NULL && i < state->n_actives; i++)
        if (state->actives[i].is_open)
            close_file(state, &state->actives[i], !state->actives[i].is_worthless);
    for (size_t i = 0; state->streams != NULL && i < state->n_streams; i++) {
        hub_attempt_finish(&state->streams[i].attempt);
        hub_response_finish(&state->streams[i].call.response);
        free(state->streams[i].address);
    }
    free(state->streams);
    free(state->actives);
    free(state->states);
}

model_status transfer_run(const struct transfer *transfer, struct model_error *err)
{
    struct model_error own = MODEL_ERROR_INIT;
    struct transfer_state state;
    model_status status = init(&state, transfer, err != NULL ? err : &own);
    if (status == MODEL_OK) {
        tell_done(&state);
        run(&state);
        status = state.status;
    }
    finish(&state);
    return status;
}
