/* transfer.h - one file from the hub to the disk, checked while it is written. One thread at a time. */
#ifndef TRANSFER_H
#define TRANSFER_H

#include "hub.h"

struct transfer {
    struct hub *hub;
    const struct hub_model *model;
    const struct hub_file *file;
    const char *part_path; /* a new file; removed again on failure */
    const char *store_dir; /* what a person is told of it */
    /* Told how much of this file is there, also when it starts over; may be NULL. */
    void (*advance)(void *context, uint64_t received_bytes);
    void *advance_context;
    const struct log_sink *log;
};

/* Fetches it; on success the file at part_path is complete and synced, its size and the hub's digest
 * are right, and ret_sha256 is its digest. Wrong bytes are fetched once more before that is
 * MODEL_CORRUPT, naming the file, what was found and what was wanted. MODEL_IO: the disk. */
model_status transfer_run(const struct transfer *transfer, char ret_sha256[SHA256_HEX_BYTES],
                          struct model_error *err);

#endif
