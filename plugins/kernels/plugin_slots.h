/* plugin_slots.h - the memory of a model whose sequences are remembered by a state of a fixed size:
 * what a slot of model_abi.h ("memory of sequences") is then, and keep().
 *
 * The plugin says how large a state is, an array or a struct of its own. All zeros is the state of a
 * sequence of which nothing was read. A state only knows its end: keep() copies and clears it, but
 * cannot have it as it was some positions before. */
#ifndef PLUGIN_SLOTS_H
#define PLUGIN_SLOTS_H

#include "plugin_model.h"

#define PLUGIN_SLOTS 64

/* The model has PLUGIN_SLOTS slots: sets max_slots, instance_bytes and keep; its instances are a
 * plugin_instance and the slots. In build(). [create-thread] */
void plugin_slots_init(struct plugin_model *model, size_t state_bytes);

/* The states with which the n items of a call begin, into states(n, state_bytes): those of its
 * slots, or zeros. [lane-thread] */
void plugin_slots_read(const struct plugin_instance *instance, const struct model_call *call,
                       size_t n, void *states);
/* When nothing can fail any more: the states after n_positions more, into the call's slots. A call
 * without slots leaves no trace. [lane-thread] */
void plugin_slots_write(struct plugin_instance *instance, const struct model_call *call,
                        int64_t n_positions, const void *states);

#endif
