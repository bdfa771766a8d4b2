/* pickle_machine.h - what the opcodes of a pickle work on: the bytes still to be read, a stack of values, a
 * stack of marks and a memo, each with a limit. Part of pickle_reader.c; one thread. */
#ifndef PICKLE_MACHINE_H
#define PICKLE_MACHINE_H

#include "pickle_values.h"

#define PICKLE_MAX_STACK (1u << 22)
#define PICKLE_MAX_MARKS 1000u

#define MEMO_UNSET UINT32_MAX

struct pickle_machine {
    const uint8_t *data;
    size_t at, size_bytes;
    const char *what;
    struct model_error *err;
    struct pickle *pickle;
    uint32_t *stack; /* (n_stack) */
    uint32_t n_stack, stack_capacity;
    uint32_t marks[PICKLE_MAX_MARKS]; /* (n_marks), heights of the stack */
    uint32_t n_marks;
    uint32_t *memo; /* (memo_capacity), MEMO_UNSET where nothing is */
    uint32_t memo_capacity, n_memo;
    bool stopped;
};

/* Fails with a sentence: "<what>: broken pickle at byte 17: <problem>". */
model_status machine_refuse(const struct pickle_machine *machine, const char *problem);
/* Gives a status of pickle_values.h its sentence. */
model_status machine_say(const struct pickle_machine *machine, model_status status);

/* The next n bytes. */
model_status machine_take(struct pickle_machine *machine, size_t n, const uint8_t **ret);
/* A little-endian number of n <= 8 bytes. */
model_status machine_take_number(struct pickle_machine *machine, unsigned n, uint64_t *ret);

model_status machine_push(struct pickle_machine *machine, uint32_t value);
model_status machine_push_new(struct pickle_machine *machine, struct pickle_value value);
/* Whether n values may be taken: nothing below the last mark may be. */
model_status machine_want(const struct pickle_machine *machine, uint32_t n);
/* The values above the last mark leave the stack, and are still readable there until the next push. */
model_status machine_take_marked(struct pickle_machine *machine, const uint32_t **ret,
                                 uint32_t *ret_n);
/* Puts the topmost value into a slot of the memo. */
model_status machine_remember(struct pickle_machine *machine, uint64_t slot);
/* Frees stack and memo; the pickle is the caller's. */
void machine_finish(struct pickle_machine *machine);

#endif
