/* author_manifest.h - the manifest of a folder that somebody made by hand, so that it can be signed. [any-thread] */
#ifndef AUTHOR_MANIFEST_H
#define AUTHOR_MANIFEST_H

#include "log.h"
#include "manifest.h"

#include <time.h>

/* Lists all files below `dir` but those whose names begin with '.' and what the manifest and its signature are.
 * id: "ns/name"; revision NULL: 40 digits of what the files are. Links may lead to files below the folder only,
 * and no folder may have a name that packages keep: MODEL_CORRUPT; files that have one and are no papers are left out
 * with a warning. *ret is to be finished. */
model_status author_manifest_make(const char *dir, const char *id, const char *revision, time_t now,
                                  const struct log_sink *log, struct manifest *ret,
                                  struct model_error *err);

#endif
