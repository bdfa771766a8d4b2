/* store_paths.h - the inside of the store: its struct, its folders, its refs. For the files of the
 * store only (store*.c). */
#ifndef STORE_PATHS_H
#define STORE_PATHS_H

#include "files.h"
#include "papers_lock.h"
#include "store.h"

#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

struct store_checked; /* store_check.c */
struct store_held;    /* store_staging.c */

/* What an open store knows beyond its files. */
struct store_memory {
    pthread_mutex_t lock;          /* guards all of it */
    struct store_checked *checked; /* (n_checked of checked_capacity), ordered by digest */
    size_t n_checked, checked_capacity;
    struct store_held *held; /* (n_held), the staging folders in use */
    size_t n_held;
};

struct store {
    char *dir; /* absolute */
    struct store_memory *memory;
    struct papers_wait wait; /* set before others know the store */
};

/* ---- work in progress */

/* Releases the locks of all staging folders that are still held; the folders stay. */
void store_release_staging(struct store_memory *memory);

/* Removes what killed processes left under tmp/: folders that nobody holds any more, and, where folders
 * cannot be locked, those that were not written to, nor anything in them, in the 24 hours before `now`.
 * Errors are ignored. store_make_staging() does it with the clock's time. */
void store_clean_staging(const struct store *store, time_t now);

/* ---- checking (store_check.c) */

bool store_file_has_digest(const char *path, const char *sha256);
/* Remembers that the blob's bytes are known to be right. */
void store_note_good_blob(const struct store *store, const char *blob, const char *sha256);
/* Notes that the files of the package are right as they are. A stamp that cannot be written costs a
 * reading of the package later on, nothing else. */
void store_stamp_write(const struct store *store, const char *dir, const struct manifest *manifest);
void store_stamp_remove(const struct store *store, const char *target);

/* ---- packages (store_walk.c) */

/* "<key>/<digest>" of a package's folder; points into dir; NULL when it is not one of this store. */
const char *store_target_of(const struct store *store, const char *dir);
bool store_target_is_good(const char *target);
/* Calls visit for every folder packages/<key>/<digest>, until one does not return MODEL_OK. */
model_status store_walk_packages(const struct store *store,
                                 model_status (*visit)(void *context, const char *target,
                                                       const char *dir),
                                 void *context, struct model_error *err);
/* A blob was damaged and is replaced: gives every package that shares the damaged file the new one. */
void store_heal_packages(const struct store *store, const char *blob, const char *sha256,
                         const struct stat *damaged);

/* "blobs/sha256/ab" of a digest; to be freed. */
char *store_blob_folder(const char *sha256);

/* ---- links */

/* How a package's file came to be made of a blob; also a mask of what may be tried, in this order. */
enum store_link_method {
    STORE_LINK_REFLINK = 1u << 0,
    STORE_LINK_HARD = 1u << 1,
    STORE_LINK_SYMBOLIC = 1u << 2,
    STORE_LINK_COPY = 1u << 3,
    STORE_LINK_ANY = 15
};

/* Makes `target` out of a blob; `relative` is the blob's path as seen from target's folder. Returns
 * the last method's error when none works. */
model_status store_link_blob(const char *blob, const char *target, const char *relative,
                             unsigned methods, struct model_error *err);

/* "<store>/refs/<key>/<revision, percent-encoded>"; MODEL_INVALID_ARGUMENT for an empty or too long
 * revision or one with control characters. To be freed. */
model_status store_ref_path(const struct store *store, const char *key, const char *revision,
                            char **ret, struct model_error *err);
/* The revision that a ref's file name stands for; to be freed; NULL: not one of our names. */
char *store_ref_revision(const char *file_name);
/* Points a ref at "<key>/<digest>". */
model_status store_ref_write(const struct store *store, const char *key, const char *revision,
                             const char *target, struct model_error *err);
/* The same; is_back: it is led back to what it meant before (store_history.h). */
model_status store_ref_move(const struct store *store, const char *key, const char *revision,
                            const char *target, bool is_back, struct model_error *err);
/* What a ref says, "<key>/<digest>", checked; to be freed. MODEL_NOT_FOUND without one. */
model_status store_ref_read(const char *path, char **ret_target, struct model_error *err);

/* One ref of the store. A package that a killed process made visible and gave no ref has its own names
 * as refs without a file: path is NULL then. */
struct store_ref {
    char *key, *revision, *target, *path;
};

struct store_refs {
    struct store_ref
        *refs; /* (n_refs), ordered by key; those of a key with a file before those without */
    size_t n_refs;
};

/* All refs; broken ones are left out. */
model_status store_refs_read(const struct store *store, struct store_refs *ret,
                             struct model_error *err);
void store_refs_finish(struct store_refs *refs);
/* Takes the ref's strings over; false without memory. */
bool store_refs_append(struct store_refs *refs, struct store_ref *ref);
/* Adds the refs without a file (store_walk.c); store_refs_read() does it. */
model_status store_refs_add_orphans(const struct store *store, struct store_refs *refs,
                                    struct model_error *err);

/* The target "<key>/<digest>" that a name means. The rules are those of store_find(). To be freed. */
model_status store_find_target(const struct store *store, const char *name, char **ret_target,
                               struct model_error *err);
/* The targets that a name means to store_remove(): without a revision all there are of the model. Ends
 * with NULL; each string and the array are to be freed (store_targets_free()). */
model_status store_find_targets(const struct store *store, const char *name, char ***ret_targets,
                                struct model_error *err);
void store_targets_free(char **targets);

/* Removes the blobs that packages used, which are gone, and no other does. Adds to *ret_freed_bytes. *ret_note is set when
 * none may be, since what others use is not known: a sentence, to be freed. */
model_status store_free_blobs(const struct store *store, const struct manifest *manifests,
                              size_t n_manifests, char **ret_note, uint64_t *ret_freed_bytes,
                              struct model_error *err);

#endif
