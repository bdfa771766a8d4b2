/* archive_sign.h - gives an archive a signature, or another one. [any-thread] */
#ifndef ARCHIVE_SIGN_H
#define ARCHIVE_SIGN_H

#include "archive.h"

/* Writes the archive anew beside itself with this signature, and renames; contents are copied as they are
 * stored, nothing is unpacked or decrypted. MODEL_UNSUPPORTED: an encrypted archive that has no room for it before its first entry,
 * because what says where its entries lie is bound to its key. */
model_status archive_sign(const char *path, const char *signature, struct model_error *err);

#endif
