/* deep_check.h - what the digests of a package cannot tell: whether its weights can be opened and are numbers,
 * and whether its plugin is one that this version opens. Runs no code of the package. [any-thread] */
#ifndef DEEP_CHECK_H
#define DEEP_CHECK_H

#include "modelhost.h"

#include <stdbool.h>

/* Opens the weights of every backend of a package's folder, reads all of their elements, and looks at its
 * plugins' files and at the links. report() is called for each thing that was looked at ("backends/cpu/tensor 'x'"
 * only when it is bad): ok, or a sentence; may be NULL. MODEL_CORRUPT names the first that is bad and how many there
 * are. */
model_status deep_check_package(const char *package_dir,
                                void (*report)(void *context, const char *path, model_status status,
                                               const char *sentence),
                                void *context, struct model_error *err);

/* Elements that are no number (NaN), and the index of the first; 0 for types that have none. Pure. */
uint64_t deep_check_count_nan(const struct model_tensor *tensor, uint64_t *ret_first);

#endif
