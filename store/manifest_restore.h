/* manifest_restore.h - the text that a damaged metadata.json was, so that the signature over it is of something again.
 * [any-thread] */
#ifndef MANIFEST_RESTORE_H
#define MANIFEST_RESTORE_H

#include "manifest.h"

/* `manifest` is what the package is, made anew: its files are right, but when and by which name it was asked for is not
 * known. That is taken from the damaged text. NULL, unless the outcome is what is damaged but for a few bytes; to
 * be freed. */
char *manifest_restore(const struct manifest *manifest, const char *damaged, size_t n_bytes);

#endif
