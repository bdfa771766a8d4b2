/* mirror_snapshot.h - one repository as it lies in a folder: its files with their digests, and the
 * commit that stands for exactly this content. Immutable once made. [any-thread] */
#ifndef MIRROR_SNAPSHOT_H
#define MIRROR_SNAPSHOT_H

#include "digest.h"
#include "log.h"

#include <stdatomic.h>
#include <stdbool.h>

struct stat;

#define MIRROR_MAX_FILES     100000
#define MIRROR_POINTER_BYTES 200

/* By what a change is noticed. */
struct mirror_stamp {
    uint64_t size_bytes, device, inode;
    int64_t modified_ns, changed_ns;
};

struct mirror_file {
    char *path; /* below the repository, '/' between parts */
    struct mirror_stamp stamp;
    int64_t hashed_ns;            /* by the wall clock, when hashing began */
    bool is_lfs;                  /* the hub keeps it outside git: large, or weights by its name */
    char etag[SHA256_HEX_BYTES];  /* SHA-256 if is_lfs, else blob_id */
    char blob_id[SHA1_HEX_BYTES]; /* git's: of the pointer if is_lfs, else of the content */
    size_t pointer_bytes;         /* 0 unless is_lfs */
};

struct mirror_snapshot {
    struct mirror_file *files; /* (n_files), sorted by path */
    size_t n_files;
    uint64_t total_bytes;
    int64_t modified_ns; /* the newest file's */
    char commit[SHA1_HEX_BYTES];
};

/* Reads `folder`, which lies in `root` (both absolute and real). Hidden names, symbolic links that
 * leave root or lead to folders, what is no regular file, what may not be read and what lies more than
 * 16 folders deep are left out, with a warning. Digests are taken from
 * `previous` (may be NULL) where the stamp is the same. `stop`, when it becomes true, ends it with
 * MODEL_CANCELLED. MODEL_NOT_FOUND: no such folder; MODEL_BUSY: a file changes while it is read. */
model_status mirror_snapshot_create(const char *root, const char *folder,
                                    const struct mirror_snapshot *previous, const atomic_bool *stop,
                                    const struct log_sink *log, struct mirror_snapshot **ret,
                                    struct model_error *err);
void mirror_snapshot_destroy(struct mirror_snapshot *snapshot);

/* By exact path; NULL when absent. */
const struct mirror_file *mirror_snapshot_find(const struct mirror_snapshot *snapshot,
                                               const char *path);
/* The range [*ret_first, *ret_last) of the files below a folder ("" is the top). */
void mirror_snapshot_below(const struct mirror_snapshot *snapshot, const char *folder,
                           size_t *ret_first, size_t *ret_last);

/* What git holds in place of a large file; returns its length. */
size_t mirror_pointer_text(const char *sha256, uint64_t size_bytes, char ret[MIRROR_POINTER_BYTES]);
bool mirror_is_lfs(const char *path, uint64_t size_bytes);
struct mirror_stamp mirror_stamp_of(const struct stat *info);
bool mirror_stamp_equal(const struct mirror_stamp *a, const struct mirror_stamp *b);

#endif
