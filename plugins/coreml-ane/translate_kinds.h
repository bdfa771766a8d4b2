/* translate_kinds.h - the kinds of layers that are computed, by their numbers in the format. */
#ifndef TRANSLATE_KINDS_H
#define TRANSLATE_KINDS_H

#include "translate.h"

/* What a layer reads and makes. */
enum layer_takes {
    MAPS,    /* maps */
    EACH,    /* maps, where all are maps that go together; else exact values */
    PRODUCT, /* a map of four dimensions or more; an exact value of less */
    EXACT    /* exact values */
};

struct layer_kind {
    int32_t kind;
    translate_layer *translate;
    enum layer_takes takes;
    int32_t argument; /* of the function */
};

/* NULL: it is not computed. */
const struct layer_kind *layer_kind_find(int32_t kind);

#endif
