/* mirror_hash.h - the digests of one file of a repository, as the hub gives them. A hasher belongs to
 * one thread; the rest is pure. */
#ifndef MIRROR_HASH_H
#define MIRROR_HASH_H

#include "mirror_snapshot.h"

struct mirror_hasher {
    const atomic_bool
        *stop; /* when it becomes true, hashing ends with MODEL_CANCELLED; may be NULL */
    unsigned char *block;
    size_t n_hashed; /* files */
    uint64_t hashed_bytes;
};

model_status mirror_hasher_init(struct mirror_hasher *hasher, const atomic_bool *stop,
                                struct model_error *err);
void mirror_hasher_finish(struct mirror_hasher *hasher);

/* Fills in everything of file but its path. MODEL_BUSY: it changes while it is read;
 * MODELHOST_UNAUTHORIZED: it may not be read. */
model_status mirror_hash_file(struct mirror_hasher *hasher, const char *real_path,
                              struct mirror_file *file, struct model_error *err);

/* Git's SHA-1 of a blob. */
model_status mirror_name_blob(const void *data, size_t size_bytes, char ret_hex[SHA1_HEX_BYTES],
                              struct model_error *err);

#endif
