/* transfer.h - the files of a plan from the hub into the store: many at once, large ones by several
 * connections, each range of them where it belongs (landing.h). What breaks off goes on where it was; what
 * an earlier process left goes on, too; what another process is fetching is waited for. One thread runs it,
 * and a few do the work on the disk. */
#ifndef TRANSFER_H
#define TRANSFER_H

#include "download_plan.h"
#include "hub.h"

#define TRANSFER_WORKERS         8 /* by default */
#define TRANSFER_CONNECTIONS     4
#define TRANSFER_MAX_WORKERS     64
#define TRANSFER_MAX_CONNECTIONS 16
#define TRANSFER_RANGE_BYTES     (16u << 20)

struct transfer {
    struct hub *hub;
    const struct hub_model *model;
    const struct store *store;
    struct download_plan *plan; /* gets digests as they become known */
    const char *staging;        /* a folder for files that are not kept in parts */
    unsigned max_workers;       /* files at once; 0: TRANSFER_WORKERS */
    unsigned
        max_connections;  /* for one file; 0: TRANSFER_CONNECTIONS; in all: the larger of both */
    uint64_t range_bytes; /* what a connection fetches at once; 0: TRANSFER_RANGE_BYTES */
    /* Whether the store has the file by now, which is noted in it then. */
    bool (*look_up)(void *context, struct plan_file *planned);
    /* Told of the file that moved, and of the bytes of all files that are there. May be NULL. */
    void (*advance)(void *context, size_t file_index, uint64_t done_bytes);
    /* Told of each file in the plan's order, also of those that the store had. May be NULL. */
    void (*file_done)(void *context, const struct plan_file *planned);
    void *context;
};

/* On success every file of the plan is a blob of the store, checked against the hub's digest, and has its
 * sha256. Wrong bytes are fetched once more before that is MODEL_CORRUPT. MODEL_IO: the disk. What arrived
 * of large files stays in the store's partial/ when it fails. */
model_status transfer_run(const struct transfer *transfer, struct model_error *err);

#endif
