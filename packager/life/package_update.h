/* package_update.h - what the hub has by now of a package of the store, and getting it. */
#ifndef PACKAGE_UPDATE_H
#define PACKAGE_UPDATE_H

#include "download.h"

enum file_change { FILE_ADDED = 1, FILE_REMOVED, FILE_CHANGED };

struct changed_file {
    enum file_change change;
    char *path; /* in the repository */
    uint64_t old_bytes, new_bytes;
};

struct package_update {
    char *id, *ref;
    char *from, *to;            /* commits; the same: there is nothing new */
    char *dir;                  /* the package now; NULL after a dry run */
    struct changed_file *files; /* (n_files), ordered by path */
    size_t n_files;
    uint64_t fetch_bytes;
};

/* Asks the hub of `options` what the entry's ref means now and compares; unless dry_run it gets what is new
 * (id, revision, store_dir, and rules where the package is a part of a repository, are set here). A
 * package without weights keeps to the files that it has. */
model_status package_update_run(const struct store_entry *entry, const char *ref,
                                const char *store_folder, const struct download_options *options,
                                bool dry_run, struct package_update *ret, struct model_error *err);
void package_update_finish(struct package_update *update);

/* Pure: what is different between the files of a package and a plan of its next version. Files of which
 * the hub gives git's digest are compared by the blobs of the store; store NULL: by size. */
model_status package_update_compare(const struct store *store, const struct manifest *manifest,
                                    const struct download_plan *plan, struct package_update *ret,
                                    struct model_error *err);

#endif
