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
    while (n < n_ids && n < history->n_common && history->ids[n] == ids[n])
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
        const bool is_whole = common == instance->slots[slot].n_ids;
        if (common > *ret_common && (is_whole || instance->rewinds != SLOT_NEVER_REWINDS)) {
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
    const bool is_part = n_tokens > 0 && n_tokens < instance->slots[from].n_ids;
    const size_t n_common = instance->slots[from].n_common;
    history->n_ids = history->n_common = 0; /* not known if it fails */
    history->is_filled = true;
    err->message[0] = '\0';
    thread_guard_enter("keep");
    status = instance->plugin->keep(instance->plugin, to, from, (int64_t)n_tokens, &kept, err);
    thread_guard_enter(NULL);
    if (status != MODEL_OK)
        return status;
    const bool is_lost = instance->is_in_worker && kept == HOSTED_INSTANCE_LOST;
    if (is_lost)
        kept = 0;
    if (kept != 0 && kept != (int64_t)n_tokens)
        return error_set(err, MODEL_INTERNAL, "plugin: keep() of %zu tokens kept %lld", n_tokens,
                         (long long)kept);
    history->n_ids = (size_t)kept;
    history->n_common = history->n_ids < n_common ? history->n_ids : n_common;
    history->is_filled = kept > 0;
    history->last_used = ++instance->clock;
    if (is_part && !is_lost && (kept > 0 || instance->rewinds == SLOT_REWINDS_UNKNOWN))
        instance->rewinds = kept > 0 ? SLOT_REWINDS : SLOT_NEVER_REWINDS;
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
    history->is_filled = true;
    history->last_used = ++instance->clock;
    if (status != MODEL_OK) {
        history->n_ids = history->n_common = 0;
        return status;
    }
    if (history->n_common == history->n_ids && n_ids >= instance->min_rows)
        history->n_common += n_ids;
    memcpy(history->ids + history->n_ids, ids, n_ids * sizeof *ids);
    history->n_ids += n_ids;
    return MODEL_OK;
}

void hosted_instance_forget(struct hosted_instance *instance, uint32_t slot)
{
    instance->slots[slot].n_ids = instance->slots[slot].n_common = 0;
    instance->slots[slot].is_filled = true;
}

/* ---- taking slots */

/* Whether `a` had better go than `b`. */
static bool goes_before(const struct slot_history *a, const struct slot_history *b)
{
    const bool a_knows = a->n_ids > 0, b_knows = b->n_ids > 0;
    return a_knows != b_knows ? b_knows : a_knows && a->last_used < b->last_used;
}

/* The slot to be written over, other than `but` if there is one; n_slots: none is free. */
static uint32_t slot_to_write(const struct hosted_instance *instance, uint32_t but)
{
    uint32_t best = instance->n_slots;
    for (uint32_t i = 0; i < instance->n_slots; i++) {
        const struct slot_history *slot = &instance->slots[i];
        if (!slot->is_taken && i != but &&
            (best == instance->n_slots || goes_before(slot, &instance->slots[best])))
            best = i;
    }
    const bool is_last = best == instance->n_slots && but < instance->n_slots;
    return is_last && !instance->slots[but].is_taken ? but : best;
}

/* Where the first `common` tokens of slot `from` are to go on. */
static uint32_t slot_to_go_on(const struct hosted_instance *instance, uint32_t from, size_t common)
{
    const struct slot_history *slot = &instance->slots[from];
    if (common == 0)
        return slot_to_write(instance, instance->n_slots);
    return !slot->is_taken && slot->n_common - common <= common ? from
                                                                : slot_to_write(instance, from);
}

model_status hosted_instance_take_slot(struct hosted_instance *instance, const int64_t *ids,
                                       size_t n_ids, uint32_t *ret_slot, size_t *ret_kept,
                                       struct model_error *err)
{
    size_t common = 0, kept = 0;
    uint32_t from = hosted_instance_best_slot(instance, ids, n_ids, &common);
    const uint32_t to = slot_to_go_on(instance, from, common);
    if (to == instance->n_slots)
        return error_set(err, MODEL_INTERNAL, "all %u slots are taken", instance->n_slots);
    if (common == 0)
        from = to;
    model_status status = hosted_instance_keep(instance, to, from, common, &kept, err);
    if (status != MODEL_OK)
        return status;
    instance->slots[to].is_taken = true;
    instance->slots[from].last_used = ++instance->clock; /* somebody begins like it */
    *ret_slot = to;
    *ret_kept = kept;
    return MODEL_OK;
}

bool hosted_instance_can_rewind(struct hosted_instance *instance, uint32_t slot)
{
    struct model_error unheard = MODEL_ERROR_INIT; /* nobody asked for a second slot */
    const size_t n_ids = instance->slots[slot].n_ids;
    const uint32_t spare = slot_to_write(instance, slot);
    size_t kept = 0;
    if (instance->rewinds == SLOT_REWINDS_UNKNOWN && n_ids > 1 && spare < instance->n_slots &&
        spare != slot) {
        model_status status =
            hosted_instance_keep(instance, spare, slot, n_ids - 1, &kept, &unheard);
        if (status == MODEL_OK)
            status = hosted_instance_keep(instance, spare, spare, 0, &kept, &unheard);
        if (status != MODEL_OK)
            return false;
    }
    return instance->rewinds == SLOT_REWINDS ||
           (instance->rewinds == SLOT_REWINDS_UNKNOWN && n_ids > 1);
}

void hosted_instance_release_slot(struct hosted_instance *instance, uint32_t slot)
{
    instance->slots[slot].is_taken = false;
}

void hosted_instance_release_slots(struct hosted_instance *instance)
{
    for (uint32_t slot = 0; slot < instance->n_slots; slot++)
        hosted_instance_release_slot(instance, slot);
}

/* How many known slots that nobody has taken were used behind this one. */
static uint32_t n_younger(const struct hosted_instance *instance, uint32_t slot)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < instance->n_slots; i++)
        n += !instance->slots[i].is_taken && i != slot &&
             goes_before(&instance->slots[slot], &instance->slots[i]);
    return n;
}

void hosted_instance_forget_oldest(struct hosted_instance *instance, uint32_t n)
{
    for (uint32_t i = 0; i < instance->n_slots; i++) {
        const struct slot_history *slot = &instance->slots[i];
        if (slot->n_ids > 0 && !slot->is_taken && n_younger(instance, i) >= n)
            hosted_instance_forget(instance, i);
    }
}

model_status hosted_instance_trim(struct hosted_instance *instance, uint32_t n,
                                  struct model_error *err)
{
    model_status status = MODEL_OK;
    hosted_instance_forget_oldest(instance, n); /* also where clearing fails */
    for (uint32_t i = 0; i < instance->n_slots && status == MODEL_OK; i++) {
        const struct slot_history *slot = &instance->slots[i];
        size_t kept = 0;
        if (slot->is_filled && !slot->is_taken && slot->n_ids == 0)
            status = hosted_instance_keep(instance, i, i, 0, &kept, err);
    }
    return status;
}
