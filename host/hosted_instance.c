/* hosted_instance.c - see hosted_instance.h. */
#include "hosted_instance.h"
#include "errors.h"
#include "thread_guard.h"

#include <stdlib.h>
#include <string.h>

model_status hosted_instance_create(struct model_instance *plugin, uint32_t max_slots,
                                    struct hosted_instance **ret, struct model_error *err)
{
    struct hosted_instance *instance = calloc(1, sizeof *instance);
    struct slot_history *slots = calloc((size_t)max_slots + 1, sizeof *slots);
    model_status status = instance != NULL && slots != NULL ? stream_gate_init(&instance->gate, err)
                                                            : error_no_memory(err, "an instance");
    if (status != MODEL_OK) {
        free(instance);
        free(slots);
        plugin->destroy(plugin);
        return status;
    }
    instance->plugin = plugin;
    instance->slots = slots;
    instance->n_slots = max_slots;
    *ret = instance;
    return MODEL_OK;
}

void hosted_instance_destroy(struct hosted_instance *instance)
{
    if (instance == NULL)
        return;
    thread_guard_enter("destroy");
    instance->plugin->destroy(instance->plugin);
    thread_guard_enter(NULL);
    stream_gate_finish(&instance->gate);
    for (uint32_t i = 0; i < instance->n_slots; i++)
        free(instance->slots[i].ids);
    free(instance->slots);
    free(instance);
}

size_t hosted_instance_common(const struct hosted_instance *instance, uint32_t slot,
                              const int64_t *ids, size_t n_ids)
{
    const struct slot_history *history = &instance->slots[slot];
    size_t n = 0;
    while (n < n_ids && n < history->n_ids && history->ids[n] == ids[n])
        n++;
    return n;
}

uint32_t hosted_instance_best_slot(const struct hosted_instance *instance, const int64_t *ids,
                                   size_t n_ids, size_t *ret_common)
{
    uint32_t best = 0;
    *ret_common = 0;
    for (uint32_t slot = 0; slot < instance->n_slots; slot++) {
        const size_t common = hosted_instance_common(instance, slot, ids, n_ids);
        if (common > *ret_common) {
            *ret_common = common;
            best = slot;
        }
    }
    return best;
}

static model_status reserve(struct slot_history *history, size_t n_ids, struct model_error *err)
{
    if (n_ids <= history->capacity)
        return MODEL_OK;
    const size_t capacity = n_ids < 128 ? 256 : 2 * n_ids;
    int64_t *ids = realloc(history->ids, capacity * sizeof *ids);
    if (ids == NULL)
        return error_no_memory(err, "the history of a slot");
    history->ids = ids;
    history->capacity = capacity;
    return MODEL_OK;
}

model_status hosted_instance_keep(struct hosted_instance *instance, uint32_t to, uint32_t from,
                                  size_t n_tokens, size_t *ret_kept, struct model_error *err)
{
    struct slot_history *history = &instance->slots[to];
    model_status status = reserve(history, n_tokens, err);
    if (status != MODEL_OK)
        return status;
    int64_t kept = -1;
    history->n_ids = 0; /* not known if it fails */
    err->message[0] = '\0';
    thread_guard_enter("keep");
    status = instance->plugin->keep(instance->plugin, to, from, (int64_t)n_tokens, &kept, err);
    thread_guard_enter(NULL);
    if (status != MODEL_OK)
        return status;
    if (kept != 0 && kept != (int64_t)n_tokens)
        return error_set(err, MODEL_INTERNAL, "plugin: keep() of %zu tokens kept %lld", n_tokens,
                         (long long)kept);
    history->n_ids = (size_t)kept;
    if (to != from && kept > 0)
        memcpy(history->ids, instance->slots[from].ids, (size_t)kept * sizeof *history->ids);
    *ret_kept = (size_t)kept;
    return MODEL_OK;
}

model_status hosted_instance_read(struct hosted_instance *instance, uint32_t slot,
                                  const int64_t *ids, size_t n_ids, struct model_error *err)
{
    struct slot_history *history = &instance->slots[slot];
    model_status status = reserve(history, history->n_ids + n_ids, err);
    if (status != MODEL_OK) {
        history->n_ids = 0;
        return status;
    }
    memcpy(history->ids + history->n_ids, ids, n_ids * sizeof *ids);
    history->n_ids += n_ids;
    return MODEL_OK;
}

void hosted_instance_forget(struct hosted_instance *instance, uint32_t n)
{
    for (uint32_t slot = 0; slot < n && slot < instance->n_slots; slot++)
        instance->slots[slot].n_ids = 0;
}
