/* pickle_values.h - what a pickle is made of, once it is read: values that know nothing to do.
 *
 * Values are numbered; containers hold numbers, so that a value may stand in several places, or a list in
 * itself, as pickles allow: whoever walks them limits depth and steps. Texts point into the pickle's
 * bytes, which must outlive them. Belongs to one thread. */
#ifndef PICKLE_VALUES_H
#define PICKLE_VALUES_H

#include "modelhost.h"

#include <stdbool.h>

#define PICKLE_MAX_VALUES (1u << 23)
#define PICKLE_MAX_ITEMS  (1u << 25) /* of all containers together */

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INTEGER,
    PICKLE_BIG_INTEGER, /* text: its little-endian bytes */
    PICKLE_NUMBER,
    PICKLE_TEXT,  /* str: any bytes, not terminated */
    PICKLE_BYTES, /* bytes: the same */
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,   /* items: key, value, key, value */
    PICKLE_GLOBAL, /* a name that is known; see pickle_globals.h */
    PICKLE_STORAGE,
    PICKLE_TENSOR,
    PICKLE_OPAQUE /* something that no tensor depends on: a device */
};

/* Memory of a checkpoint, still to be found by its key. */
struct pickle_storage {
    const char *key; /* (key_bytes) */
    uint32_t key_bytes;
    int32_t dtype; /* 0: bytes, the tensor knows */
    uint64_t n_elements;
};

struct pickle_tensor {
    uint32_t storage; /* the value's number */
    int32_t dtype;
    uint64_t offset; /* in elements */
    uint32_t rank;
    int64_t shape[MODEL_MAX_RANK];
    int64_t strides[MODEL_MAX_RANK]; /* in elements, not negative */
};

struct pickle_value {
    enum pickle_kind kind;
    uint32_t n; /* bytes of a text, items of a container */
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *text;
        uint32_t *items; /* (n), owned */
        const struct pickle_global *global;
        struct pickle_storage *storage; /* owned */
        struct pickle_tensor *tensor;   /* owned */
    };
};

struct pickle {
    struct pickle_value *values; /* (n_values) */
    uint32_t n_values;
    uint32_t n_items;
    uint32_t root;
};

/* A new value; MODEL_CORRUPT over the limit, MODEL_OUT_OF_MEMORY, both without a sentence. */
model_status pickle_add(struct pickle *pickle, struct pickle_value value, uint32_t *ret);
/* A tuple, list or dict of these items. */
model_status pickle_add_items(struct pickle *pickle, enum pickle_kind kind, const uint32_t *items,
                              uint32_t n, uint32_t *ret);
/* Appends to a list or dict. */
model_status pickle_extend(struct pickle *pickle, uint32_t container, const uint32_t *items,
                           uint32_t n);
/* All zero is fine. */
void pickle_finish(struct pickle *pickle);

static inline const struct pickle_value *pickle_at(const struct pickle *pickle, uint32_t index)
{
    return &pickle->values[index];
}
/* The i-th item of a container. */
static inline const struct pickle_value *pickle_item(const struct pickle *pickle,
                                                     const struct pickle_value *container,
                                                     uint32_t i)
{
    return &pickle->values[container->items[i]];
}
/* Whether it is a str with this text. */
bool pickle_is_text(const struct pickle_value *value, const char *text);
/* The value of a dict's key; NULL when it has none, or is no dict. */
const struct pickle_value *pickle_member(const struct pickle *pickle,
                                         const struct pickle_value *dict, const char *key);

#endif
