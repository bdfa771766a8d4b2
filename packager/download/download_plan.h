/* download_plan.h - what a download will do, decided before a byte moves: which files, where they go,
 * which of them the store has already. Pure but for looking into the store. */
#ifndef DOWNLOAD_PLAN_H
#define DOWNLOAD_PLAN_H

#include "file_selection.h"
#include "store.h"

struct plan_file {
    const struct hub_file *file; /* in the list the plan was made from */
    char *package_path;
    char sha256[SHA256_HEX_BYTES]; /* known beforehand or filled in by the transfer; "" before */
    bool in_store;                 /* its blob is there: nothing to fetch (see download_reuse()) */
    uint64_t here_bytes; /* of what was to fetch: an earlier or another download had brought it */
};

struct download_plan {
    struct plan_file *files; /* (n_files), ordered by path in the repository */
    size_t n_files;
    uint64_t total_bytes;
    uint64_t fetch_bytes; /* of the files that are not in the store */
};

/* The list must outlive the plan. store NULL: everything is to be fetched; force: as if the store had
 * nothing. */
model_status download_plan_make(const struct hub_files *files, const enum file_verdict *verdicts,
                                const struct store *store, bool force, struct download_plan *ret,
                                struct model_error *err);
void download_plan_finish(struct download_plan *plan);

/* Whether two files of the package differ in upper and lower case of their names only, and which. */
bool download_plan_find_twins(const struct download_plan *plan, size_t *ret_first,
                              size_t *ret_second);

/* Whether a package has all that the plan wants. Files without a SHA-256 beforehand count by name and
 * size: the caller has made sure that the package is of the same commit. */
bool download_plan_satisfied_by(const struct download_plan *plan, const struct manifest *manifest);

/* MODEL_IO, saying how much is wanted and how much there is, when the disk below dir has no room.
 * have_bytes of what is to be fetched take their room already. */
model_status download_plan_check_room(const struct download_plan *plan, uint64_t have_bytes,
                                      const char *dir, struct model_error *err);

#endif
