/* store_census.h - what is in a store and who uses it: blobs and the packages that name them, partial
 * downloads, leases. What `gc` and `cache ls` begin with. [any-thread] */
#ifndef STORE_CENSUS_H
#define STORE_CENSUS_H

#include "store_lease.h"
#include "string_map.h"

struct census_blob {
    uint32_t n_packages; /* that name it */
    uint32_t last;       /* the last of them, an index */
    int64_t changed_s;   /* when it was written, or a link to it was made or removed */
};

struct census_package {
    char *target; /* "<key>/<digest>" */
    char *dir;
    char *id, *revision, *created;
    uint64_t size_bytes;      /* of its files, each content once */
    uint64_t own_bytes;       /* of that, what no other package uses */
    int64_t changed_s;        /* when its folder was made or last changed */
    int64_t last_use_s;       /* 0: never by a host */
    bool is_named, is_in_use; /* a ref leads to it; a host has it open */
    bool is_left_out;         /* its blobs are not counted: see store_census_take() */
};

/* Bytes of an interrupted download, work in progress, or prepared weights or a compiled form of a model. */
struct census_part {
    char *name; /* "partial/x", "tmp/y", "prepared/z", "compiled/z" */
    uint64_t size_bytes;
    int64_t changed_s; /* or used, of prepared weights and compiled models */
    bool is_in_use;    /* by a living lease */
    bool is_foreign;   /* its name is none that a store gives: never deleted */
};

struct store_census {
    int64_t now_s; /* by the disk's clock */
    struct store_blobs list;
    struct census_blob *blobs; /* (list.n_blobs) */
    struct string_map by_digest;
    struct census_package *packages; /* (n_packages), ordered by target */
    size_t n_packages;
    struct census_part *parts; /* (n_parts) */
    size_t n_parts;
    struct store_leases leases;
    char *unknown; /* a sentence: why it is not known which blobs are used; NULL: it is */
};

/* Looks at everything, reads manifests and no weights. now_s 0: the disk's clock. leave_out(context,
 * package) says that a package's blobs shall not count as used, as if it were gone; NULL: none. */
model_status store_census_take(const struct store *store, int64_t now_s,
                               bool (*leave_out)(void *context,
                                                 const struct census_package *package),
                               void *context, struct store_census *ret, struct model_error *err);
void store_census_finish(struct store_census *census);

/* The bytes of blobs that no package names. */
uint64_t store_census_unused_bytes(const struct store_census *census, size_t *ret_n_blobs);

#endif
