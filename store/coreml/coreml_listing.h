/* coreml_listing.h - an ML Program as text (model.mil, which compiled models have): its functions and operators, counted, and what it takes and gives.
 * Enough to tell what such a model is; nothing runs from it. [any-thread] */
#ifndef COREML_LISTING_H
#define COREML_LISTING_H

#include "coreml_interface.h"

#include <stdbool.h>

#define COREML_MAX_LISTING_BYTES ((size_t)64 << 20)

struct coreml_listed {
    char *name;
    uint64_t n;
};

struct coreml_listing {
    char *opset;                     /* of the first function: "ios16" */
    struct coreml_listed *functions; /* (n_functions), n: operations in it */
    size_t n_functions;
    struct coreml_listed *operators; /* (n_operators), the most frequent first; without const */
    size_t n_operators;
    uint64_t n_operations;
    struct coreml_interface interface; /* of the first function */
};

/* MODEL_CORRUPT: "<what>: line 3: ..." where it does not begin as a program does, a string or bracket does not end, there
 * is no function, or the first one has no (TYPE NAME, ...) behind it. */
model_status coreml_listing_parse(const char *text, size_t size_bytes, const char *what,
                                  struct coreml_listing *ret, struct model_error *err);
void coreml_listing_finish(struct coreml_listing *listing);

#endif
