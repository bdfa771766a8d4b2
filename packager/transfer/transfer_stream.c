/* transfer_stream.c - one connection's work in a transfer (transfer.h): a range of a file, asked for,
 * checked and written as it comes, and tried again when it breaks off. It begins at the hub until it is
 * known where that leads to; an address that was signed expires, and is asked for again then. */
#include "errors.h"
#include "hub_private.h"
#include "transfer_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MUCH_BYTES     (64u << 10) /* after so much an attempt was worth it */
#define MAX_ETAG_BYTES 256

static const struct hub_file *file_of(const struct stream *stream)
{
    return stream->file->landing.file;
}

static bool is_void(const struct stream *stream)
{
    return stream->epoch != stream->file->epoch;
}

/* ---- the answer's head */

static bool is_plain(const struct hub_response *response)
{
    const char *encoding = response->headers[HUB_CONTENT_ENCODING];
    return encoding == NULL || encoding[0] == '\0' || strcasecmp(encoding, "identity") == 0;
}

static void keep_text(char **at, const char *text)
{
    free(*at);
    *at = text != NULL ? strdup(text) : NULL; /* without memory it is just not known */
}

/* Whether an ETag is strong, and may stand in a header of ours. */
static bool is_strong(const char *etag)
{
    size_t n = 0;
    if (etag == NULL || etag[0] != '"')
        return false;
    while (etag[n] > 0x20 && etag[n] < 0x7f)
        n++;
    return etag[n] == '\0' && n >= 2 && n < MAX_ETAG_BYTES && etag[n - 1] == '"';
}

/* Remembers where the hub led to, so that other ranges can go there at once. */
static void keep_address(struct stream *stream)
{
    struct active *file = stream->file;
    const char *etag = stream->call.response.headers[HUB_ETAG];
    if (stream->is_from_known)
        return;
    keep_text(&file->known_url, stream->attempt.url);
    keep_text(&file->etag, is_strong(etag) ? etag : NULL);
    file->known_may_show_token = stream->attempt.may_show_token;
    if (stream->attempt.digest.kind != HUB_DIGEST_NONE)
        file->landing.header_digest = stream->attempt.digest;
}

/* The server sends all of the file, whatever was asked for: this stream takes it, from its start. */
static void take_whole(struct stream *stream)
{
    struct active *file = stream->file;
    uint64_t start, end;
    transfer_start_over(stream->state, file);
    file->is_whole = true;
    (void)range_map_take(&file->landing.map, UINT64_MAX, &start, &end);
    stream->epoch = file->epoch;
    stream->start = stream->at = stream->attempt_at = 0;
    stream->end = file_of(stream)->size_bytes;
}

static model_status check_range(const struct stream *stream, struct model_error *err)
{
    const char *text = stream->call.response.headers[HUB_CONTENT_RANGE];
    uint64_t start, end, total, size_bytes = file_of(stream)->size_bytes;
    if (!hub_content_range_read(text, &start, &end, &total))
        return error_set(err, MODELHOST_NETWORK,
                         "%.200s sends a part of '%.200s' without saying which; is this a hub?",
                         stream->attempt.url, file_of(stream)->path);
    if (total != UINT64_MAX && total != size_bytes)
        return error_set(err, MODEL_CORRUPT,
                         "the file '%s' has %llu bytes at %.200s, but the hub announced %llu",
                         file_of(stream)->path, (unsigned long long)total, stream->attempt.url,
                         (unsigned long long)size_bytes);
    if (start != stream->at || end > stream->end)
        return error_set(err, MODELHOST_NETWORK,
                         "%.200s sends other bytes of '%.200s' than it was asked for (%.60s); is "
                         "this a hub?",
                         stream->attempt.url, file_of(stream)->path, text);
    return MODEL_OK;
}

static model_status accept_head(struct stream *stream, struct model_error *err)
{
    const struct hub_response *response = &stream->call.response;
    model_status status = MODEL_OK;
    if (!is_plain(response))
        return error_set(err, MODELHOST_NETWORK,
                         "%.200s sends '%.200s' as '%.40s' though it was asked for plain bytes; "
                         "is there a proxy in between that changes files?",
                         stream->attempt.url, file_of(stream)->path,
                         response->headers[HUB_CONTENT_ENCODING]);
    if (response->status == 206) {
        status = check_range(stream, err);
        stream->file->takes_ranges = status == MODEL_OK;
    } else if (stream->call.exchange.range_end != 0) {
        take_whole(stream);
    }
    if (status == MODEL_OK)
        keep_address(stream);
    stream->is_accepted = true;
    return status;
}

static model_status write_bytes(void *context, const void *data, size_t size_bytes,
                                struct model_error *err)
{
    struct stream *stream = context;
    struct active *file = stream->file;
    struct transfer_state *state = stream->state;
    model_status status = MODEL_OK;
    if (is_void(stream))
        return error_set(err, MODEL_CANCELLED, "the file started over");
    if (!stream->is_accepted)
        status = accept_head(stream, err);
    if (status == MODEL_OK && size_bytes > stream->end - stream->at &&
        stream->end < file_of(stream)->size_bytes)
        status = error_set(err, MODELHOST_NETWORK,
                           "%.200s sends more of '%.200s' than it was asked for; is this a hub?",
                           stream->attempt.url, file_of(stream)->path);
    if (status == MODEL_OK)
        status = landing_write(&file->landing, stream->start, stream->at, data, size_bytes, err);
    if (status != MODEL_OK)
        return status;
    stream->at += size_bytes;
    file->counted_bytes += size_bytes;
    state->done_bytes += size_bytes;
    if (state->transfer->advance != NULL)
        state->transfer->advance(state->transfer->context, file->index, state->done_bytes);
    return MODEL_OK;
}

/* ---- beginning */

bool stream_assign(struct stream *stream, struct active *file)
{
    const struct transfer_state *state = stream->state;
    const struct transfer *transfer = state->transfer;
    uint64_t most = transfer->range_bytes != 0 ? transfer->range_bytes : TRANSFER_RANGE_BYTES;
    unsigned max_streams =
        transfer->max_connections != 0 ? transfer->max_connections : TRANSFER_CONNECTIONS;
    if (file->n_streams >= max_streams || (file->n_streams > 0 && !file->takes_ranges) ||
        !range_map_take(&file->landing.map, file->is_whole ? UINT64_MAX : most, &stream->start,
                        &stream->end))
        return false;
    stream->file = file;
    stream->epoch = file->epoch;
    stream->at = stream->start;
    stream->n_attempts = 0;
    stream->not_before_ms = 0;
    file->n_streams++;
    return true;
}

void stream_drop(struct stream *stream)
{
    struct active *file = stream->file;
    if (file == NULL)
        return;
    if (stream->is_begun)
        stream->state->transport.abandon(stream->state->transport.context, &stream->call);
    if (!is_void(stream))
        range_map_give_back(&file->landing.map, stream->start, stream->end);
    file->n_streams--;
    stream->file = NULL;
    stream->is_begun = false;
}

/* One exchange of the attempt. */
static void begin_exchange(struct stream *stream)
{
    struct transfer_state *state = stream->state;
    const struct active *file = stream->file;
    struct model_error err = MODEL_ERROR_INIT;
    bool is_all = stream->at == 0 && stream->end == file_of(stream)->size_bytes;
    stream->call.exchange = (struct hub_exchange){
        .sink = {.write = write_bytes, .context = stream},
        .range_start = is_all ? 0 : stream->at,
        .range_end = is_all ? 0 : stream->end,
        .if_range = stream->is_from_known ? file->etag : NULL,
    };
    stream->is_accepted = false;
    model_status status =
        hub_attempt_prepare(state->transfer->hub, &stream->attempt, &stream->call.exchange, &err);
    if (status != MODEL_OK) {
        transfer_fail(state, status, &err);
        return;
    }
    stream->is_begun = true;
    state->transport.begin(state->transport.context, &stream->call);
}

void stream_begin(struct stream *stream)
{
    struct active *file = stream->file;
    struct model_error err = MODEL_ERROR_INIT;
    stream->is_from_known = file->known_url != NULL;
    stream->attempt_at = stream->at;
    keep_text(&stream->address, stream->is_from_known ? file->known_url : file->url);
    model_status status =
        stream->address == NULL
            ? error_no_memory(&err, "a URL")
            : hub_attempt_start(&stream->attempt, stream->address,
                                !stream->is_from_known || file->known_may_show_token, &err);
    if (status == MODEL_OK)
        begin_exchange(stream);
    else
        transfer_fail(stream->state, status, &err);
}

/* ---- ending */

/* Waits for another attempt, or fails with what `err` says; reason NULL: the server's answer. */
static void try_again(struct stream *stream, model_status status, enum hub_failure failure,
                      struct model_error *err)
{
    struct transfer_state *state = stream->state;
    const struct hub *hub = state->transfer->hub;
    const struct hub_response *response = &stream->call.response;
    long code = response->status;
    if (stream->at - stream->attempt_at >= MUCH_BYTES)
        stream->n_attempts = 0;
    int n = ++stream->n_attempts;
    int64_t asked_ms = status == MODEL_OK ? hub_asked_wait_ms(hub, response) : -1;
    int64_t wait_ms = hub_backoff_ms(asked_ms, n), now_ms = transfer_now_ms(state);
    int n_worth = hub_attempt_worth(&stream->attempt, status, failure, code);
    if (n < n_worth && wait_ms >= 0) {
        stream->not_before_ms = now_ms + wait_ms;
        if (state->hold_ms <= now_ms) /* one sentence for all that the server sends away */
            hub_say_again(hub, status != MODEL_OK ? err->message : NULL, code, wait_ms, n, n_worth);
        if (asked_ms >= 0 && stream->not_before_ms > state->hold_ms)
            state->hold_ms = stream->not_before_ms;
        return;
    }
    if (status == MODELHOST_NETWORK)
        hub_advise(hub, failure, err);
    if (status == MODEL_OK) {
        struct hub_subject subject = {state->transfer->model->id, state->transfer->model->commit,
                                      file_of(stream)->path};
        bool had_token = stream->attempt.may_show_token && hub->config.token != NULL;
        status = hub_explain(response, hub->endpoint, &subject, had_token, asked_ms, err);
    }
    transfer_fail(state, status, err);
}

/* All of the answer came. */
static void end_body(struct stream *stream, struct model_error *err)
{
    const struct hub_file *file = file_of(stream);
    model_status status = stream->is_accepted ? MODEL_OK : accept_head(stream, err);
    if (status != MODEL_OK) {
        transfer_fail(stream->state, status, err);
    } else if (stream->at == stream->end) {
        stream_drop(stream);
    } else if (stream->call.response.status == 200) {
        (void)error_set(err, MODEL_CORRUPT, "the file '%s' came with %llu bytes, want %llu",
                        file->path, (unsigned long long)stream->at,
                        (unsigned long long)file->size_bytes);
        transfer_wrong_bytes(stream->state, stream->file, err);
    } else {
        (void)error_set(err, MODELHOST_NETWORK, "the answer of %.200s ends too early",
                        stream->attempt.url);
        try_again(stream, MODELHOST_NETWORK, HUB_BROKE_OFF, err);
    }
}

/* An answer without bytes of the file. */
static void end_refusal(struct stream *stream, struct model_error *err)
{
    struct active *file = stream->file;
    long code = stream->call.response.status;
    if (stream->is_from_known && (code == 403 || code == 404 || code == 410)) {
        keep_text(&file->known_url, NULL); /* it has expired: ask the hub again */
        stream->not_before_ms = 0;
        return;
    }
    if (code == 416 && !file->is_whole) {
        log_write(&stream->state->transfer->hub->config.log, MODEL_LOG_WARN,
                  "the server has no such part of '%.200s': fetching it whole",
                  file_of(stream)->path);
        take_whole(stream);
        stream->not_before_ms = 0;
        return;
    }
    try_again(stream, MODEL_OK, HUB_FAILED_FOR_GOOD, err);
}

void stream_end(struct stream *stream)
{
    struct hub_call *call = &stream->call;
    struct model_error err = MODEL_ERROR_INIT;
    bool is_redirect = false;
    stream->is_begun = false;
    if (is_void(stream)) {
        stream_drop(stream);
        return;
    }
    if (call->status == MODEL_CORRUPT) {
        transfer_wrong_bytes(stream->state, stream->file, &call->err);
        return;
    }
    if (call->status != MODEL_OK) {
        try_again(stream, call->status, call->failure, &call->err);
        return;
    }
    model_status status = hub_attempt_take(&stream->attempt, &call->response, &is_redirect, &err);
    if (status != MODEL_OK)
        transfer_fail(stream->state, status, &err);
    else if (is_redirect)
        begin_exchange(stream);
    else if (call->response.status == 200 ||
             (call->response.status == 206 && call->exchange.range_end != 0))
        end_body(stream, &err);
    else
        end_refusal(stream, &err);
}
