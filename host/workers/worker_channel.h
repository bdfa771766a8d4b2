/* worker_channel.h - the memory in which a host and one instance in a worker talk about calls.
 *
 * One thread on each side. Each call is an exchange: the host asks (ask, with n_asked counted up), the worker says
 * something (say, n_said counted up): that the call is done, or, while it runs, that it wants more memory for
 * outputs or has tensors for the stream; the host's next ask answers that. Exchanges are a ring that both sides go
 * round in order, so that the host may ask ahead: the worker finds the next call without being woken. Tensors lie in
 * segments (worker_segment.h) that both sides have mapped; here is only where.
 *
 * The host trusts nothing in here: it reads what the worker says once, into memory of its own, and checks that.
 * It never reads what it wrote itself. */
#ifndef WORKER_CHANNEL_H
#define WORKER_CHANNEL_H

#include "plugin_counters.h"
#include "schema.h"
#include "shared_event.h"
#include "worker_segment.h"

#define WORKER_ALIGNMENT 64 /* of tensors in segments */
#define WORKER_EXCHANGES 16 /* calls that may be asked for at a time */

enum worker_asks { WORKER_ASK_RUN = 1, WORKER_ASK_KEEP, WORKER_ASK_GO_ON, WORKER_ASK_END };
enum worker_says { WORKER_SAY_DONE = 1, WORKER_SAY_GROW, WORKER_SAY_EMIT };

/* Where a tensor is, and what. */
struct worker_tensor {
    uint32_t spec; /* index of the description's input or output */
    uint32_t segment;
    int32_t dtype;
    uint32_t rank;
    int64_t shape[MODEL_MAX_RANK];
    uint64_t offset, size_bytes; /* in the segment */
};

/* What the host asks. */
struct worker_ask {
    uint32_t what; /* enum worker_asks */
    /* RUN */
    uint32_t n_inputs, n_outputs, n_slots;
    uint32_t streams;      /* 1: the caller wants what is emitted */
    uint64_t slots_offset; /* in the segment of the inputs */
    uint32_t input_segment;
    uint32_t output_segment; /* RUN, GO_ON: where outputs go from now on */
    uint64_t outputs_offset; /* which part of it */
    uint64_t outputs_bytes;
    int64_t deadline_ns;
    uint64_t request_id; /* RUN, KEEP: what is logged meanwhile is about it; 0: unknown */
    /* KEEP */
    uint32_t to, from;
    int64_t n_tokens;
    /* GO_ON */
    int32_t status; /* what the worker is told about what it said */
};

/* What the worker says. */
struct worker_say {
    uint32_t what; /* enum worker_says */
    int32_t status;
    uint32_t n_tensors;  /* DONE, EMIT */
    uint32_t n_counts;   /* DONE: of counts */
    uint64_t size_bytes; /* GROW: what is wanted */
    int64_t kept;        /* DONE of a keep() */
    int64_t run_ns;      /* DONE: what the plugin took; a hint */
    char message[MODEL_ERROR_BYTES];
};

struct worker_exchange {
    _Alignas(64) uint32_t cancelled; /* as model_cancel's */
    _Alignas(64) uint32_t n_asked;
    struct worker_ask ask;
    struct worker_tensor inputs[SCHEMA_MAX_TENSORS];
    uint32_t outputs[SCHEMA_MAX_TENSORS]; /* indices of those that are wanted */
    _Alignas(64) uint32_t n_said;
    struct worker_say say;
    struct worker_tensor tensors[SCHEMA_MAX_TENSORS];
    struct plugin_count counts[PLUGIN_COUNTERS_MAX]; /* what the plugin has counted since */
};

struct worker_channel {
    _Alignas(64) struct shared_event to_worker;
    _Alignas(64) struct shared_event to_host;
    struct worker_exchange exchanges[WORKER_EXCHANGES];
};

/* The one behind it. */
static inline uint32_t worker_channel_next(uint32_t exchange)
{
    return (exchange + 1) % WORKER_EXCHANGES;
}

/* Size and place of data that lies at `at` in a segment: the next place behind it; false when that overflows. */
bool worker_channel_place(uint64_t size_bytes, uint64_t *at, uint64_t *ret_offset);

/* Posts what has been written into ask or say, and wakes the other side if it sleeps. */
void worker_channel_ask(struct worker_channel *channel, struct worker_exchange *exchange);
void worker_channel_say(struct worker_channel *channel, struct worker_exchange *exchange);
/* Posts an ask without waking: the next worker_channel_ask() or worker_channel_wake() does. */
void worker_channel_ask_ahead(struct worker_exchange *exchange);
void worker_channel_wake(struct worker_channel *channel);

/* Reads what the worker says into memory of the host: *ret and tensors(ret->n_tensors), with the counts
 * inside bounds and the text ended. MODEL_CORRUPT when the counts are not. */
model_status worker_channel_hear(const struct worker_exchange *exchange, struct worker_say *ret,
                                 struct worker_tensor *tensors, struct model_error *err);

/* Adds what the plugin has counted, which worker_channel_hear() has found to be say->n_counts names, to the
 * host's counters, which take good names only. */
void worker_channel_count(const struct worker_exchange *exchange, const struct worker_say *say,
                          struct plugin_counters *counters);

/* The data of a tensor that the worker tells of, in this segment: inside, aligned, of the size that its
 * shape says. MODEL_CORRUPT otherwise. */
model_status worker_channel_check(const struct worker_tensor *tensor,
                                  const struct worker_segment *segment, struct model_error *err);

#endif
