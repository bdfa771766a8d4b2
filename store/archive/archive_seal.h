/* archive_seal.h - a payload on its way into an archive, encrypted chunk by chunk if the archive is. One owner, one
 * thread at a time. */
#ifndef ARCHIVE_SEAL_H
#define ARCHIVE_SEAL_H

#include "archive_cipher.h"
#include "archive_write.h"

/* What is known of the entries is their payloads: says how long they are in the file, and in the header that they
 * are encrypted, if options->secret wants it; *ret_cipher stays NULL else. */
model_status archive_seal_plan(const struct archive_options *options, struct archive_index *index,
                               struct archive_header *header,
                               struct archive_encryption *ret_encryption,
                               struct archive_cipher **ret_cipher, struct model_error *err);

/* Where the bytes go. */
struct archive_sink {
    model_status (*put)(void *context, const void *data, size_t size_bytes,
                        struct model_error *err);
    void *context;
};

struct archive_seal {
    struct archive_sink sink;
    bool is_plain;
    struct archive_chunks chunks;
    uint64_t number; /* of the chunk that is being filled */
    size_t fill_bytes;
    uint8_t *chunk; /* with room for its tag */
};

/* cipher NULL: bytes go through as they are. */
model_status archive_seal_init(struct archive_seal *seal, const struct archive_cipher *cipher,
                               const char *path, uint64_t payload_bytes, struct archive_sink sink,
                               struct model_error *err);
model_status archive_seal_put(struct archive_seal *seal, const void *data, size_t size_bytes,
                              struct model_error *err);
/* After the whole payload. A seal that was not ended wrote no last chunk. */
model_status archive_seal_end(struct archive_seal *seal, struct model_error *err);
/* All zero, or finished already: does nothing. */
void archive_seal_finish(struct archive_seal *seal);

#endif
