/* backend_order.h - which backends of a package are tried, and in which order. No state, any thread. */
#ifndef BACKEND_ORDER_H
#define BACKEND_ORDER_H

#include "modelhost.h"

#define BACKEND_MAX        16
#define BACKEND_NAME_BYTES 64 /* with the terminator */

struct backend_order {
    char names[BACKEND_MAX][BACKEND_NAME_BYTES];
    size_t n_names;
};

/* `wanted`: "torch", "coreml,cpu"; NULL: the folders of <package_dir>/backends, known ones in the order of a
 * table, then the others by name. No name at all when the package has none or one: what it is, is
 * package_open()'s to say. MODEL_INVALID_ARGUMENT for what is no list of names. */
model_status backend_order_find(const char *package_dir, const char *wanted,
                                struct backend_order *ret, struct model_error *err);

#endif
