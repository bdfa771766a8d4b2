/* store_paths.h - the inside of the store: its struct, its folders, its refs. For the files of the
 * store only (store*.c). */
#ifndef STORE_PATHS_H
#define STORE_PATHS_H

#include "files.h"
#include "store.h"

#include <time.h>

struct store {
    char *dir; /* absolute */
};

/* Removes what killed processes left under tmp/: entries that were not written to, nor anything in them,
 * in the 24 hours before `now`. Errors are ignored. store_make_staging() does it with the clock's time. */
void store_clean_staging(const struct store *store, time_t now);

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
/* What a ref says, "<key>/<digest>", checked; to be freed. MODEL_NOT_FOUND without one. */
model_status store_ref_read(const char *path, char **ret_target, struct model_error *err);

/* One ref of the store. */
struct store_ref {
    char *key, *revision, *target, *path;
};

struct store_refs {
    struct store_ref *refs; /* (n_refs), ordered by key, then file name */
    size_t n_refs;
};

/* All refs; broken ones are left out. */
model_status store_refs_read(const struct store *store, struct store_refs *ret,
                             struct model_error *err);
void store_refs_finish(struct store_refs *refs);

/* The target "<key>/<digest>" that a name means. The rules are those of store_find(). To be freed. */
model_status store_find_target(const struct store *store, const char *name, char **ret_target,
                               struct model_error *err);

#endif
