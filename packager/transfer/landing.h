/* landing.h - where the bytes of one file come down: in any order, from many ranges. What lies without a
 * gap from the start is hashed behind the network's back, while the system still has it in memory, and
 * once; only what an earlier process left is read from the disk. When all is there it is synced, its
 * digest checked, and it becomes a blob of the store. Work on the disk is done by a queue's threads, one
 * job of a landing at a time; everything else belongs to one thread. */
#ifndef LANDING_H
#define LANDING_H

#include "disk_queue.h"
#include "hub.h"
#include "partial.h"
#include "partial_claim.h"
#include "store.h"

/* Files up to this size are so cheap to fetch that nothing is kept of a part. */
#define LANDING_SMALL_BYTES (128u << 10)

struct landing_work {
    struct disk_job job;
    bool is_running, is_void; /* void: a restart made its result worthless */
    bool must_settle, must_checkpoint;
    uint64_t hash_to;
    struct buffer map; /* to be written by the checkpoint */
    /* the results */
    model_status status;
    struct model_error err;
    bool has_wrong_bytes;
};

struct landing {
    const struct hub_file *file;
    const struct store *store;
    struct hub_digest header_digest; /* stands in where the list has none */
    struct range_map map;
    uint64_t resumed_bytes; /* were there before */
    uint64_t synced_bytes;  /* of those there at the last checkpoint */
    char *path;             /* of the data */
    char *key;              /* of the partial; NULL: nothing is kept of a part */
    struct partial partial; /* data_fd is the data in any case */
    struct digest *sha256, *git_blob;
    uint64_t hashed_bytes;
    struct landing_work work;
    char sha256_hex[SHA256_HEX_BYTES];
};

/* What names the partial of a file, to be freed; NULL for a file of which nothing is kept in parts. */
char *landing_key(const struct hub_file *file);

/* A new file at `path`, or the partial in a claimed folder, which it takes over on success. */
model_status landing_open_new(struct landing *landing, const struct store *store,
                              const struct hub_file *file, const char *path,
                              struct model_error *err);
model_status landing_open_partial(struct landing *landing, const struct store *store,
                                  const struct hub_file *file, char *dir, const char *boot,
                                  enum partial_origin origin, struct model_error *err);
/* Leaves a partial to anyone, or removes it (keep false) and what is not kept in parts. No job may run. */
void landing_close(struct landing *landing, bool keep);

/* Writes bytes of a range that began at range_start. MODEL_CORRUPT: they go past the file's end. */
model_status landing_write(struct landing *landing, uint64_t range_start, uint64_t at,
                           const void *data, size_t size_bytes, struct model_error *err);
/* What came is void. */
void landing_restart(struct landing *landing);

/* Gives the queue a job when there is one to do and none runs. */
void landing_start_work(struct landing *landing, struct disk_queue *queue);

enum landing_news { LANDING_GOES_ON, LANDING_SETTLED, LANDING_WRONG, LANDING_FAILED };

/* Takes in what the job of this landing did; the queue has given it back. LANDING_SETTLED: the file is a
 * blob of the store, sha256_hex names it. LANDING_WRONG: its bytes are not those that the hub names, and
 * work.err says so. LANDING_FAILED: work.status. */
enum landing_news landing_end_work(struct landing *landing);

/* The sentence for a write that failed with `errnum`. */
model_status landing_disk_error(const struct landing *landing, int errnum, struct model_error *err);

#endif
