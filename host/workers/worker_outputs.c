/* worker_outputs.c - see worker_outputs.h. */
#include "worker_outputs.h"
#include "errors.h"

#include <unistd.h>

#define MIN_BYTES 65536ull

model_status worker_address_share(struct worker_address *address, uint64_t size_bytes,
                                  struct worker_segment **ret, uint32_t *ret_id,
                                  struct model_error *err)
{
    struct worker_segment *segment = NULL;
    uint64_t rounded = MIN_BYTES;
    int fd = -1;
    while (rounded < size_bytes && rounded <= WORKER_MAX_OUTPUT_BYTES)
        rounded *= 2;
    if (rounded > WORKER_MAX_OUTPUT_BYTES)
        return error_set(err, MODEL_OUT_OF_MEMORY, "out of memory for %llu bytes of tensors",
                         (unsigned long long)size_bytes);
    model_status status = worker_segment_create(rounded, &segment, &fd, err);
    if (status != MODEL_OK)
        return status;
    const uint32_t id = ++address->n_segments;
    status = worker_slot_share(address->slot, address->generation, address->link, id,
                               segment->size_bytes, fd, err);
    (void)close(fd);
    if (status != MODEL_OK) {
        worker_segment_drop(segment);
        return status;
    }
    *ret = segment;
    *ret_id = id;
    return MODEL_OK;
}

static bool is_idle(const struct worker_segment *segment)
{
    return atomic_load(&segment->references) == 1;
}

/* The place of a segment that is best replaced: none, else one that nobody uses, else one that a result
 * will keep alive. WORKER_OUTPUT_SEGMENTS: the call has them all. */
static size_t place_for_new(const struct worker_outputs *outputs)
{
    size_t best = WORKER_OUTPUT_SEGMENTS;
    for (size_t i = 0; i < WORKER_OUTPUT_SEGMENTS; i++) {
        if (outputs->items[i].segment == NULL)
            return i;
        if (outputs->items[i].in_call)
            continue;
        if (best == WORKER_OUTPUT_SEGMENTS || is_idle(outputs->items[i].segment))
            best = i;
    }
    return best;
}

static size_t find_idle(const struct worker_outputs *outputs, uint64_t min_bytes)
{
    size_t best = WORKER_OUTPUT_SEGMENTS;
    for (size_t i = 0; i < WORKER_OUTPUT_SEGMENTS; i++) {
        const struct worker_segment *segment = outputs->items[i].segment;
        if (segment == NULL || outputs->items[i].in_call || segment->size_bytes < min_bytes ||
            !is_idle(segment))
            continue;
        if (best == WORKER_OUTPUT_SEGMENTS ||
            segment->size_bytes < outputs->items[best].segment->size_bytes)
            best = i;
    }
    return best;
}

/* The worker does not need it any more; a result may. */
static void give_up(struct worker_outputs *outputs, struct worker_address *address, size_t at)
{
    struct worker_segment *segment = outputs->items[at].segment;
    if (segment == NULL)
        return;
    worker_slot_drop_segment(address->slot, address->generation, address->link,
                             outputs->items[at].id, segment->size_bytes);
    worker_segment_drop(segment);
    outputs->items[at].segment = NULL;
}

model_status worker_outputs_take(struct worker_outputs *outputs, struct worker_address *address,
                                 uint64_t min_bytes, struct worker_segment **ret, uint32_t *ret_id,
                                 struct model_error *err)
{
    size_t at = find_idle(outputs, min_bytes);
    if (at == WORKER_OUTPUT_SEGMENTS) {
        struct worker_segment *segment = NULL;
        uint32_t id = 0;
        at = place_for_new(outputs);
        if (at == WORKER_OUTPUT_SEGMENTS)
            return error_set(err, MODEL_OUT_OF_MEMORY,
                             "the outputs of a call are in too many pieces");
        give_up(outputs, address, at);
        model_status status = worker_address_share(address, min_bytes, &segment, &id, err);
        if (status == MODEL_OUT_OF_MEMORY) {
            for (size_t i = 0; i < WORKER_OUTPUT_SEGMENTS; i++)
                if (!outputs->items[i].in_call)
                    give_up(outputs, address, i);
            status = worker_address_share(address, min_bytes, &segment, &id, err);
        }
        if (status != MODEL_OK)
            return status;
        outputs->items[at].segment = segment;
        outputs->items[at].id = id;
    }
    outputs->items[at].in_call = true;
    *ret = outputs->items[at].segment;
    *ret_id = outputs->items[at].id;
    return MODEL_OK;
}

struct worker_segment *worker_outputs_find(const struct worker_outputs *outputs, uint32_t id)
{
    for (size_t i = 0; i < WORKER_OUTPUT_SEGMENTS; i++)
        if (outputs->items[i].in_call && outputs->items[i].id == id)
            return outputs->items[i].segment;
    return NULL;
}

void worker_outputs_end_call(struct worker_outputs *outputs, uint32_t but_id)
{
    for (size_t i = 0; i < WORKER_OUTPUT_SEGMENTS; i++)
        outputs->items[i].in_call = outputs->items[i].in_call && outputs->items[i].id == but_id;
}

void worker_outputs_finish(struct worker_outputs *outputs)
{
    for (size_t i = 0; i < WORKER_OUTPUT_SEGMENTS; i++)
        worker_segment_drop(outputs->items[i].segment);
    *outputs = (struct worker_outputs){.items = {{NULL, 0, false}}};
}
