/* pickle_globals.h - the few names that a pickle of tensors may ask for, and what becomes of a "call".
 * Nothing is executed: each name stands for a way to read its arguments. [any-thread]; a pickle belongs
 * to one thread. */
#ifndef PICKLE_GLOBALS_H
#define PICKLE_GLOBALS_H

#include "pickle_values.h"

enum pickle_role {
    PICKLE_ORDERED_DICT,
    PICKLE_REBUILD_TENSOR,
    PICKLE_REBUILD_PARAMETER,
    PICKLE_STORAGE_CLASS, /* dtype */
    PICKLE_DTYPE,         /* dtype */
    PICKLE_SIZE,
    PICKLE_DEVICE
};

struct pickle_global {
    const char *name; /* "torch.FloatStorage" */
    enum pickle_role role;
    int32_t dtype;
};

/* The global of a module and a name; NULL when it is none of these. */
const struct pickle_global *pickle_find_global(const char *module, size_t module_bytes,
                                               const char *name, size_t name_bytes);

/* What a call of callable with arguments gives. MODEL_CORRUPT with a sentence that begins with `what`:
 * the arguments are not what this name takes. */
model_status pickle_call(struct pickle *pickle, uint32_t callable, uint32_t arguments,
                         const char *what, uint32_t *ret, struct model_error *err);
/* What a persistent id stands for: ('storage', class, key, location, n_elements[, None]). */
model_status pickle_persistent(struct pickle *pickle, uint32_t id, const char *what, uint32_t *ret,
                               struct model_error *err);
/* Values of this kind, as errors call them: "a number". */
const char *pickle_kind_text(enum pickle_kind kind);

#endif
