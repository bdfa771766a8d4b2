/* worker_channel.c - see worker_channel.h. */
#include "worker_channel.h"
#include "dtype.h"
#include "errors.h"
#include "size.h"

#include <string.h>

bool worker_channel_place(uint64_t size_bytes, uint64_t *at, uint64_t *ret_offset)
{
    uint64_t end = 0;
    if (!size_add(*at, size_bytes, &end) || !size_add(end, WORKER_ALIGNMENT - 1, &end))
        return false;
    *ret_offset = *at;
    *at = end / WORKER_ALIGNMENT * WORKER_ALIGNMENT;
    return true;
}

void worker_channel_ask_ahead(struct worker_exchange *exchange)
{
    (void)__atomic_fetch_add(&exchange->n_asked, 1, __ATOMIC_SEQ_CST);
}

void worker_channel_wake(struct worker_channel *channel)
{
    shared_event_signal(&channel->to_worker);
}

void worker_channel_ask(struct worker_channel *channel, struct worker_exchange *exchange)
{
    worker_channel_ask_ahead(exchange);
    worker_channel_wake(channel);
}

void worker_channel_say(struct worker_channel *channel, struct worker_exchange *exchange)
{
    (void)__atomic_fetch_add(&exchange->n_said, 1, __ATOMIC_SEQ_CST);
    shared_event_signal(&channel->to_host);
}

model_status worker_channel_hear(const struct worker_exchange *exchange, struct worker_say *ret,
                                 struct worker_tensor *tensors, struct model_error *err)
{
    struct worker_say say;
    memcpy(&say, (const void *)&exchange->say, sizeof say);
    say.message[MODEL_ERROR_BYTES - 1] = '\0';
    if (say.n_tensors > SCHEMA_MAX_TENSORS)
        return error_set(err, MODEL_CORRUPT, "the worker tells of %u tensors, at most %d",
                         say.n_tensors, SCHEMA_MAX_TENSORS);
    if (say.n_counts > PLUGIN_COUNTERS_MAX)
        return error_set(err, MODEL_CORRUPT, "the worker tells of %u counters, at most %d",
                         say.n_counts, PLUGIN_COUNTERS_MAX);
    memcpy(tensors, (const void *)exchange->tensors, say.n_tensors * sizeof *tensors);
    *ret = say;
    return MODEL_OK;
}

void worker_channel_count(const struct worker_exchange *exchange, const struct worker_say *say,
                          struct plugin_counters *counters)
{
    for (uint32_t i = 0; i < say->n_counts; i++) {
        struct plugin_count count;
        memcpy(&count, (const void *)&exchange->counts[i], sizeof count);
        count.name[sizeof count.name - 1] = '\0';
        plugin_counters_add(counters, count.name, count.delta);
    }
}

model_status worker_channel_check(const struct worker_tensor *tensor,
                                  const struct worker_segment *segment, struct model_error *err)
{
    uint64_t size_bytes = dtype_size_bytes(tensor->dtype);
    bool good = size_bytes > 0 && tensor->rank <= MODEL_MAX_RANK;
    for (uint32_t i = 0; good && i < tensor->rank; i++)
        good = tensor->shape[i] >= 0 &&
               size_multiply(size_bytes, (uint64_t)tensor->shape[i], &size_bytes);
    good = good && size_bytes == tensor->size_bytes && tensor->offset % WORKER_ALIGNMENT == 0 &&
           tensor->offset <= segment->size_bytes &&
           size_bytes <= segment->size_bytes - tensor->offset;
    return good ? MODEL_OK
                : error_set(err, MODEL_CORRUPT,
                            "the worker tells of a tensor that does not lie in its memory");
}
