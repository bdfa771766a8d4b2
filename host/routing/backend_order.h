/* backend_order.h - which backends of a package are tried, and in which order. No state, any thread. */
#ifndef BACKEND_ORDER_H
#define BACKEND_ORDER_H

#include "modelhost.h"

#include <stdbool.h>

#define BACKEND_MAX        16
#define BACKEND_NAME_BYTES 64 /* with the terminator */

#ifdef __APPLE__
#define BACKEND_ORDER_CORE_ML true /* this system has it */
#else
#define BACKEND_ORDER_CORE_ML false
#endif

struct backend_order {
    char names[BACKEND_MAX][BACKEND_NAME_BYTES];
    size_t n_names;
};

/* "torch", "coreml,coreml:cpu", as it is. MODEL_INVALID_ARGUMENT for what is no list of names. */
model_status backend_order_read(const char *wanted, struct backend_order *ret,
                                struct model_error *err);

/* The folders of <package_dir>/backends, known ones in the order of a table, then the others by name; where there is Core ML,
 * coreml comes first, and behind it "coreml:cpu": the same model by our own kernels. No name at all when the package has
 * none: what it is, is package_open()'s to say. */
model_status backend_order_find(const char *package_dir, bool has_core_ml,
                                struct backend_order *ret, struct model_error *err);

#endif
