/* recurrent_slots.h - the states that an instance keeps between calls; not for plugins. [lane-thread] */
#ifndef RECURRENT_SLOTS_H
#define RECURRENT_SLOTS_H

#include "recurrent_batch.h"

/* Between the slots of a call's items and the batch's states as torch has them:
 * h(n_states, batch, h_width), c(n_states, batch, c_width). */
void recurrent_slots_read(const struct plugin_instance *instance, const uint32_t *slots,
                          size_t batch, float *h, float *c);
void recurrent_slots_write(struct plugin_instance *instance, const uint32_t *slots, size_t batch,
                           const float *h, const float *c);
/* Adds to the number of positions that a slot has read; anew: sets it. */
void recurrent_slots_count(struct plugin_instance *instance, uint32_t slot, int64_t n, bool anew);

#endif
