/* archive_private.h - what archive*.c know of an open archive. */
#ifndef ARCHIVE_PRIVATE_H
#define ARCHIVE_PRIVATE_H

#include "archive.h"
#include "archive_payload.h"

#define ARCHIVE_BLOCK_BYTES (1u << 17) /* read at a time */

struct archive {
    char *path; /* absolute */
    int fd;
    enum archive_level level;
    uint64_t file_bytes;
    struct archive_header header;
    char *metadata; /* (header.metadata_bytes), as it stands in the file */
    struct archive_index index;
    struct archive_encryption encryption;    /* of an encrypted one */
    struct archive_cipher *cipher;           /* NULL: not encrypted, or opened without a key */
    const struct archive_secret *secret;     /* while it is opened */
    const struct signature_policy *policy;   /* while it is opened */
    char *signature;                         /* (header.signature_bytes), terminated; NULL: none */
    bool is_folder;                          /* entries are files below path, fd is -1 */
    bool compares_mapped;                    /* at any level: its signature was wanted */
    const struct archive_contents *contents; /* what others have decrypted; NULL: nothing */
};

/* The step of that name. */
model_status archive_check_signature(struct archive *archive, struct model_error *err);
/* Of a folder: opens the file of an entry, whose size is right. To be closed. */
model_status archive_folder_file(const struct archive *archive, const struct archive_entry *entry,
                                 int *ret_fd, struct model_error *err);

/* The parts of ARCHIVE_PARANOID: gaps are zero, and the metadata printed again are the same bytes. */
model_status archive_check_canonical(const struct archive *archive, struct model_error *err);

#endif
