/* store_lease.h - who uses the store right now: a small file for each folder of work in progress and for
 * each package that a host has open, so that `gc` leaves alone what they use.
 *
 *   <store>/leases/<unique>   {"format_version":1, "kind":"writer"|"reader", "subject":"tmp/ab12.held" or
 *                              "packages/<key>/<digest>", "machine":"...", "host":"...", "pid":1,
 *                              "started":"..."}
 *   <store>/used/<key>/<digest>   an empty file, written to when a host opens the package and when it
 *                              closes it: its time is that of the last use
 *
 * No lock is trusted. A lease is dead when its process is: the same machine (one boot, one space of process
 * numbers) and no process of that number and start. Of a process elsewhere the lease's own time tells, which
 * its holder renews: after STORE_LEASE_STALE_S it counts as dead. Times are compared by the clock of the
 * disk, not by that of either machine. [any-thread] */
#ifndef STORE_LEASE_H
#define STORE_LEASE_H

#include "store.h"

#include <stdbool.h>
#include <time.h>

#define STORE_LEASE_STALE_S (24 * 60 * 60)
#define STORE_LEASE_RENEW_S (60 * 60)

enum store_lease_kind {
    STORE_LEASE_WRITER = 1, /* adds blobs that no package names yet */
    STORE_LEASE_READER      /* has a package open */
};

struct store_lease;

/* Leaves a lease. subject: "packages/<key>/<digest>" or "tmp/<name>". A reader's is renewed by a thread of
 * its own, which sleeps; a writer's folder shows by itself that it is written to. MODEL_IO where the
 * store may only be read: nobody collects garbage there. */
model_status store_lease_take(const struct store *store, enum store_lease_kind kind,
                              const char *subject, struct store_lease **ret,
                              struct model_error *err);
/* The same for a package's folder; NULL in *ret when it is none of a store's (an author's folder). */
model_status store_lease_package(const char *package_dir, struct store_lease **ret,
                                 struct model_error *err);
/* Renews its time. */
void store_lease_renew(struct store_lease *lease);
/* Removes it; NULL does nothing. */
void store_lease_end(struct store_lease *lease);

/* ---- what others have left */

struct store_lease_record {
    enum store_lease_kind kind;
    char *subject, *machine, *host, *started;
    int64_t pid;
    int64_t renewed_s; /* when, by the disk's clock */
    char *path;
    bool is_alive;
};

struct store_leases {
    struct store_lease_record *records; /* (n_records) */
    size_t n_records;
};

/* How a process is looked at: this machine's name for itself, and when a process of a number started, NULL
 * when there is none (in `text`, 32 bytes). */
struct store_witness {
    const char *machine;
    const char *(*started)(void *context, int64_t pid, char text[32]);
    void *context;
};

/* All leases. now_s: by the disk's clock, see store_disk_time(); witness NULL: this machine's. One that
 * cannot be read counts by its time alone. */
model_status store_leases_read(const struct store *store, int64_t now_s,
                               const struct store_witness *witness, struct store_leases *ret,
                               struct model_error *err);
void store_leases_finish(struct store_leases *leases);
/* The first living lease about this; NULL: there is none. */
const struct store_lease_record *store_leases_holder(const struct store_leases *leases,
                                                     const char *subject);
/* Whether there is one. */
bool store_leases_hold(const struct store_leases *leases, const char *subject);
size_t store_leases_count(const struct store_leases *leases, enum store_lease_kind kind);

/* What time it is on the store's disk; the machine's time where nothing can be written. */
int64_t store_disk_time(const struct store *store);
/* When a host last opened or closed the package, 0: never. */
int64_t store_last_use(const struct store *store, const char *target);

/* Pure: whether the process that left the record may still be there. */
bool store_lease_is_alive(const struct store_lease_record *record, int64_t now_s,
                          const struct store_witness *witness);
/* Reads a lease's text; the record's path and time are the caller's. MODEL_CORRUPT: none of ours. */
model_status store_lease_parse(const char *text, size_t size_bytes, struct store_lease_record *ret,
                               struct model_error *err);
void store_lease_record_finish(struct store_lease_record *record);

#endif
