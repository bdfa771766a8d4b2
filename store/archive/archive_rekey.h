/* archive_rekey.h - another passphrase or key for an archive. [any-thread] */
#ifndef ARCHIVE_REKEY_H
#define ARCHIVE_REKEY_H

#include "archive.h"

/* Wraps the data key of an archive that was opened with its secret for another one: a new file beside it, whose
 * contents are the same bytes, takes its place. Whoever has the old file and the old secret still reads the
 * contents. MODEL_INVALID_ARGUMENT: it is not encrypted; MODELHOST_UNAUTHORIZED: it was opened without its secret; MODEL_CORRUPT: the file
 * is damaged, and stays as it was. */
model_status archive_rekey(const struct archive *archive, const struct archive_secret *secret,
                           struct model_error *err);

#endif
