/* store_unseen.h - packages that the store should have and that cannot be seen: packages/, or a part of it,
 * lies on a disk that is not mounted, is a link that leads elsewhere, or may not be read. While there are such,
 * nobody knows which blobs are used. [any-thread] */
#ifndef STORE_UNSEEN_H
#define STORE_UNSEEN_H

#include "store.h"

#include <stdbool.h>

/* Whether a stamp says that there is a package "<key>/<digest>" where none is to be seen. A removal takes the
 * stamp first, so that one that was stopped leaves none. */
bool store_target_is_unseen(const struct store *store, const char *target);

/* *ret_why is a sentence about the first that cannot be seen, with what to do; NULL: all can be. To be freed. */
model_status store_find_unseen(const struct store *store, char **ret_why, struct model_error *err);

#endif
