/* hosted_instance.h - an instance of a plugin, and what the host knows of its slots.
 *
 * A slot's history is the token ids that it has read, as far as the host knows them (generating text
 * keeps them; other calls forget them): an instance that has read the beginning of a prompt need not read it
 * again. Belongs to whoever took it from its model; one thread at a time. */
#ifndef HOSTED_INSTANCE_H
#define HOSTED_INSTANCE_H

#include "stream_gate.h"

struct slot_history {
    int64_t *ids; /* (n_ids) */
    size_t n_ids, capacity;
    size_t
        n_common; /* the beginning that other texts may go on from: read min_rows or more at a time */
    uint64_t last_used; /* by the instance's clock; 0: never */
    bool is_taken;      /* a sequence is in it that goes on */
    bool is_filled;     /* the plugin may hold something, known or not */
};

/* Whether keep() can have a slot as it was before its end. */
enum slot_rewinds { SLOT_REWINDS_UNKNOWN = 0, SLOT_REWINDS, SLOT_NEVER_REWINDS };

/* What keep() of an instance that stands for one in a worker keeps when the process that held the tokens has ended:
 * nothing, which says nothing of what the plugin can. */
#define HOSTED_INSTANCE_LOST (-1)

struct hosted_instance {
    struct model_instance *plugin;
    struct stream_gate gate;    /* where what it emits goes on */
    struct slot_history *slots; /* (n_slots) */
    uint32_t n_slots;           /* the model's max_slots, or 0: nothing is known */
    uint64_t clock;             /* counts uses of slots */
    size_t min_rows;            /* fewer at a time are read in another rounding (compute_dtype.h) */
    enum slot_rewinds rewinds;
    bool is_in_worker; /* it stands for one in another process, whose end it may tell of */
};

/* Takes the plugin's instance over, also when it fails: it is destroyed then. */
model_status hosted_instance_create(struct model_instance *plugin, uint32_t max_slots,
                                    struct hosted_instance **ret, struct model_error *err);
/* Runs the plugin's destroy(). NULL does nothing. */
void hosted_instance_destroy(struct hosted_instance *instance);

/* How many of the ids the slot has read already, as they would be read now. */
size_t hosted_instance_common(const struct hosted_instance *instance, uint32_t slot,
                              const int64_t *ids, size_t n_ids);
/* The slot that has read the most of them and can have that kept; *ret_common is how many. n_slots > 0. */
uint32_t hosted_instance_best_slot(const struct hosted_instance *instance, const int64_t *ids,
                                   size_t n_ids, size_t *ret_common);

/* The plugin's keep(), with the history following it: slot `to` holds the first *ret_kept tokens of
 * `from` then; after a failure its history is forgotten. [lane-thread] */
model_status hosted_instance_keep(struct hosted_instance *instance, uint32_t to, uint32_t from,
                                  size_t n_tokens, size_t *ret_kept, struct model_error *err);
/* The slot has read these, too. Without memory for it the slot's history is forgotten, and the slot is
 * cleared when it is used next. */
model_status hosted_instance_read(struct hosted_instance *instance, uint32_t slot,
                                  const int64_t *ids, size_t n_ids, struct model_error *err);
/* What the slot holds is not known any more: a run on it was given up, or failed. */
void hosted_instance_forget(struct hosted_instance *instance, uint32_t slot);

/* ---- slots of sequences, between requests a cache of what was read */

/* Takes a slot for ids(n_ids) and has it keep as much of their beginning as any slot has read, *ret_kept. A slot that
 * nobody has taken is rewound if that loses no more than it keeps; else its beginning is copied, so that it stays,
 * into an empty slot or the least recently used. n_slots must be more than are taken. MODEL_INTERNAL: there
 * is none. [lane-thread] */
model_status hosted_instance_take_slot(struct hosted_instance *instance, const int64_t *ids,
                                       size_t n_ids, uint32_t *ret_slot, size_t *ret_kept,
                                       struct model_error *err);
/* Whether what the slot has read last can be taken back. Where nobody knows, it is tried on a copy; not where that
 * fails, of which nothing is to be made: the slot itself is as it was. [lane-thread] */
bool hosted_instance_can_rewind(struct hosted_instance *instance, uint32_t slot);
/* Its sequence has ended: the slot keeps what it has read until it is needed. */
void hosted_instance_release_slot(struct hosted_instance *instance, uint32_t slot);
void hosted_instance_release_slots(struct hosted_instance *instance);
/* Forgets the histories of all slots that are not taken but the n most recently used. Runs no plugin code: they are
 * cleared when they are used next. */
void hosted_instance_forget_oldest(struct hosted_instance *instance, uint32_t n);
/* Forgets them, and has the plugin clear the slots. After a failure they are forgotten all the same. [lane-thread] */
model_status hosted_instance_trim(struct hosted_instance *instance, uint32_t n,
                                  struct model_error *err);

#endif
