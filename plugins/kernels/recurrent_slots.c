/* recurrent_slots.c - see recurrent_slots.h. */
#include "recurrent_slots.h"
#include "kernels.h"

#include <string.h>

struct recurrent_instance {
    struct plugin_instance base;
    int64_t n_read[RECURRENT_SLOTS]; /* positions that a slot has read */
    /* (RECURRENT_SLOTS, state): h(n_states, h_width), then c(n_states, c_width); zeros at first. */
    float states[];
};

static const struct recurrent *model_of(const struct plugin_instance *instance)
{
    return ((const struct recurrent_model *)instance->model)->recurrent;
}

static size_t state_width(const struct recurrent *recurrent)
{
    return recurrent_n_states(recurrent) *
           (recurrent_h_width(recurrent) + recurrent_c_width(recurrent));
}

void recurrent_slots_read(const struct plugin_instance *instance, const uint32_t *slots,
                          size_t batch, float *h, float *c)
{
    const struct recurrent_instance *own = (const struct recurrent_instance *)instance;
    const struct recurrent *recurrent = model_of(instance);
    const size_t h_width = recurrent_h_width(recurrent), c_width = recurrent_c_width(recurrent);
    const size_t n_states = recurrent_n_states(recurrent);
    for (size_t item = 0; item < batch; item++) {
        const float *from = own->states + slots[item] * state_width(recurrent);
        for (size_t i = 0; i < n_states; i++, from += h_width)
            memcpy(h + (i * batch + item) * h_width, from, h_width * sizeof *h);
        for (size_t i = 0; i < n_states && c_width > 0; i++, from += c_width)
            memcpy(c + (i * batch + item) * c_width, from, c_width * sizeof *c);
    }
}

void recurrent_slots_write(struct plugin_instance *instance, const uint32_t *slots, size_t batch,
                           const float *h, const float *c)
{
    struct recurrent_instance *own = (struct recurrent_instance *)instance;
    const struct recurrent *recurrent = model_of(instance);
    const size_t h_width = recurrent_h_width(recurrent), c_width = recurrent_c_width(recurrent);
    const size_t n_states = recurrent_n_states(recurrent);
    for (size_t item = 0; item < batch; item++) {
        float *to = own->states + slots[item] * state_width(recurrent);
        for (size_t i = 0; i < n_states; i++, to += h_width)
            memcpy(to, h + (i * batch + item) * h_width, h_width * sizeof *to);
        for (size_t i = 0; i < n_states && c_width > 0; i++, to += c_width)
            memcpy(to, c + (i * batch + item) * c_width, c_width * sizeof *to);
    }
}

void recurrent_slots_count(struct plugin_instance *instance, uint32_t slot, int64_t n, bool anew)
{
    struct recurrent_instance *own = (struct recurrent_instance *)instance;
    own->n_read[slot] = anew ? n : own->n_read[slot] + n;
}

static model_status keep(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err)
{
    struct recurrent_instance *own = (struct recurrent_instance *)self;
    const size_t width = state_width(model_of(&own->base));
    if (to >= RECURRENT_SLOTS || from >= RECURRENT_SLOTS || n_tokens < 0 ||
        n_tokens > own->n_read[from])
        return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                            "%lld positions of slot %u into slot %u: want slots below %d, and no "
                            "more positions than were read",
                            (long long)n_tokens, from, to, RECURRENT_SLOTS);
    const bool whole = n_tokens == own->n_read[from];
    float *state = own->states + to * width;
    if (!whole || n_tokens == 0)
        memset(state, 0, width * sizeof *state);
    else if (to != from)
        memcpy(state, own->states + from * width, width * sizeof *state);
    own->n_read[to] = whole ? n_tokens : 0;
    *ret_kept = own->n_read[to];
    return MODEL_OK;
}

void recurrent_model_remember(struct recurrent_model *model)
{
    model->model.keep = keep;
    model->model.description.max_slots = RECURRENT_SLOTS;
    model->model.instance_bytes = sizeof(struct recurrent_instance) +
                                  RECURRENT_SLOTS * state_width(model->recurrent) * sizeof(float);
}
