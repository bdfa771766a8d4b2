/* plugin_slots.c - see plugin_slots.h. */
#include "kernels.h"

#include <string.h>

struct slots {
    struct plugin_instance base;
    int64_t n_read[PLUGIN_SLOTS]; /* positions */
    _Alignas(64) char states[];   /* (PLUGIN_SLOTS, state_bytes) */
};

static size_t state_bytes(const struct slots *slots)
{
    return (slots->base.model->instance_bytes - sizeof *slots) / PLUGIN_SLOTS;
}

static model_status keep(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err)
{
    struct slots *slots = (struct slots *)self;
    const size_t bytes = state_bytes(slots);
    char *state = slots->states + to * bytes;
    (void)err;
    if (n_tokens != slots->n_read[from] || n_tokens == 0) {
        memset(state, 0, bytes);
        slots->n_read[to] = 0;
    } else if (to != from) {
        memcpy(state, slots->states + from * bytes, bytes);
        slots->n_read[to] = n_tokens;
    }
    *ret_kept = slots->n_read[to];
    return MODEL_OK;
}

void plugin_slots_init(struct plugin_model *model, size_t bytes)
{
    model->instance_bytes = sizeof(struct slots) + PLUGIN_SLOTS * bytes;
    model->keep = keep;
    model->description.max_slots = PLUGIN_SLOTS;
    model->description.instance_bytes = model->instance_bytes;
}

void plugin_slots_read(const struct plugin_instance *instance, const struct model_call *call,
                       size_t n, void *states)
{
    const struct slots *slots = (const struct slots *)instance;
    const size_t bytes = state_bytes(slots);
    if (call->slots == NULL)
        memset(states, 0, n * bytes);
    for (size_t i = 0; i < n && call->slots != NULL; i++)
        memcpy((char *)states + i * bytes, slots->states + call->slots[i] * bytes, bytes);
}

void plugin_slots_write(struct plugin_instance *instance, const struct model_call *call,
                        int64_t n_positions, const void *states)
{
    struct slots *slots = (struct slots *)instance;
    const size_t bytes = state_bytes(slots);
    for (size_t i = 0; i < call->n_slots && call->slots != NULL; i++) {
        memcpy(slots->states + call->slots[i] * bytes, (const char *)states + i * bytes, bytes);
        slots->n_read[call->slots[i]] += n_positions;
    }
}
