/* store_gc.h - removing from the store what nothing uses.
 *
 * | what                                   | goes when                                                  |
 * |----------------------------------------|------------------------------------------------------------|
 * | a package that no ref leads to         | no host has it open, and it is older than the grace         |
 * | a blob that no package names           | no download or install is at work, and it is older          |
 * | a partial download                     | no download is at work, its owner (is_worked_on) is gone or silent, and nothing was written to it since |
 * | work in progress below tmp/            | its process is gone                                         |
 * | prepared weights, compiled models      | no host used them for 30 days, nor within the grace         |
 * | leases, stamps, histories, times of use | their process, their package is gone                        |
 *
 * While a package that was there cannot be seen (a disk that is not mounted, a manifest that cannot be read), no
 * blob goes: store_unseen.h.
 *
 * A killed collection has removed a part; the next one goes on. [any-thread], any process. */
#ifndef STORE_GC_H
#define STORE_GC_H

#include "store.h"

#include <stdbool.h>

struct store_gc_options {
    int64_t grace_s; /* what was made or used less than this ago stays */
    int64_t now_s;   /* 0: the disk's clock */
    /* Whether somebody works on a partial download, by its name below partial/ and when it last changed; NULL:
     * leases and the grace alone say so. Its context is `context`. */
    bool (*is_worked_on)(void *context, const char *name, int64_t changed_s, int64_t now_s);
    bool dry_run; /* removes nothing, reports the same */
    /* Called for each: "blob", "package", "partial", "staging", "prepared", "compiled"; its name below the store; bytes that this frees. May be
     * NULL. */
    void (*report)(void *context, const char *kind, const char *name, uint64_t size_bytes);
    void *context;
};

struct store_gc_result {
    uint64_t freed_bytes;
    size_t n_removed;
    size_t n_kept; /* blobs and partial downloads that may go later */
    char *note;    /* why they stay, a sentence; NULL: nothing does. To be freed */
};

model_status store_gc(const struct store *store, const struct store_gc_options *options,
                      struct store_gc_result *ret, struct model_error *err);

#endif
