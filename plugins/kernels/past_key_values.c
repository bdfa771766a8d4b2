/* past_key_values.c - see past_key_values.h. */
#include "attention_panels.h"

#include <string.h>

static size_t n_pages_for(size_t n_tokens)
{
    return (n_tokens + PAST_PAGE - 1) / PAST_PAGE;
}

size_t past_layer_bytes(const struct kernels *kernels, size_t num_heads, size_t head_size,
                        size_t n_positions)
{
    return num_heads * (attention_keys_bytes(kernels, head_size, n_positions) +
                        attention_values_bytes(kernels, head_size, n_positions));
}

static size_t layers_bytes(const struct past_key_values *past)
{
    return past->num_layers *
           past_layer_bytes(past->kernels, past->num_heads, past->head_size, PAST_PAGE);
}

static size_t page_bytes(const struct past_key_values *past)
{
    return layers_bytes(past) + PAST_PAGE * sizeof(int32_t);
}

int32_t *past_position(const struct past_key_values *past, uint32_t slot, size_t index)
{
    char *page = past->slots[slot].pages[index / PAST_PAGE];
    return (int32_t *)(void *)(page + layers_bytes(past)) + index % PAST_PAGE;
}

size_t past_next_position(const struct past_key_values *past, uint32_t slot)
{
    const size_t n = past->slots[slot].n_tokens;
    return n > 0 ? (size_t)*past_position(past, slot, n - 1) + 1 : 0;
}

size_t past_slot_bytes(const struct past_key_values *past, size_t n_tokens)
{
    return n_pages_for(n_tokens) * page_bytes(past);
}

static void release_pages(struct past_key_values *past, struct past_slot *slot, size_t n_kept)
{
    const struct model_services *services = past->kernels->services;
    while (slot->n_pages > n_kept)
        services->release(services->context, slot->pages[--slot->n_pages]);
    if (n_kept == 0) {
        services->release(services->context, slot->pages);
        slot->pages = NULL;
    }
}

void past_finish(struct past_key_values *past)
{
    for (size_t i = 0; i < PAST_MAX_SLOTS && past->kernels != NULL; i++)
        release_pages(past, &past->slots[i], 0);
}

model_status past_reserve(struct past_key_values *past, uint32_t slot, size_t n_tokens,
                          struct model_error *err)
{
    const struct model_services *services = past->kernels->services;
    struct past_slot *own = &past->slots[slot];
    const size_t n_pages = n_pages_for(n_tokens);
    if (own->pages == NULL && n_pages > 0)
        own->pages = services->allocate(services->context,
                                        n_pages_for(past->max_tokens) * sizeof *own->pages);
    for (; own->pages != NULL && own->n_pages < n_pages; own->n_pages++) {
        own->pages[own->n_pages] = services->allocate(services->context, page_bytes(past));
        if (own->pages[own->n_pages] == NULL)
            break;
    }
    if (own->n_pages >= n_pages)
        return MODEL_OK;
    return kernels_fail(err, MODEL_OUT_OF_MEMORY,
                        "no memory for the keys and values of %zu positions in slot %u (%zu bytes)",
                        n_tokens, (unsigned)slot, past_slot_bytes(past, n_tokens));
}

model_status past_keep(struct past_key_values *past, uint32_t to, uint32_t from, int64_t n_tokens,
                       int64_t *ret_kept, struct model_error *err)
{
    if (to >= PAST_MAX_SLOTS || from >= PAST_MAX_SLOTS)
        return kernels_fail(err, MODEL_INVALID_ARGUMENT, "slot %u, want 0 to %d (max_slots)",
                            (unsigned)(to >= PAST_MAX_SLOTS ? to : from), PAST_MAX_SLOTS - 1);
    struct past_slot *source = &past->slots[from], *target = &past->slots[to];
    if (n_tokens < 0 || (size_t)n_tokens > source->n_tokens)
        return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                            "slot %u holds %zu positions, %lld of them cannot be kept",
                            (unsigned)from, source->n_tokens, (long long)n_tokens);
    const size_t n = (size_t)n_tokens;
    if (to != from) {
        model_status status = past_reserve(past, to, n, err);
        if (status != MODEL_OK)
            return status;
        for (size_t i = 0; i < n_pages_for(n); i++)
            memcpy(target->pages[i], source->pages[i], page_bytes(past));
    }
    release_pages(past, target, n_pages_for(n));
    target->n_tokens = n;
    *ret_kept = n_tokens;
    return MODEL_OK;
}
