/* mirror_catalog.h - which repositories lie in a folder, and by which names they may be asked for.
 * Belongs to one thread. */
#ifndef MIRROR_CATALOG_H
#define MIRROR_CATALOG_H

#include "log.h"

#include <stdbool.h>

struct mirror_snapshot;
struct store;
struct mirror_wait;
struct mirror_archive;

/* A name of old, as --alias old=ns/new gives it. */
struct mirror_alias {
    const char *from, *to;
};

struct mirror_repository {
    char *id;     /* "ns/name" or "name" */
    char *folder; /* absolute and real */
    bool is_present;
    bool is_pulled;                 /* its files are found by mirror_pull_path() */
    struct mirror_archive *archive; /* its files lie in it, and never change; NULL: in the folder */
    /* For mirror_repository.c: */
    struct mirror_snapshot *snapshot; /* NULL before the first scan */
    uint64_t scanned_ms;
    bool is_scanning;
    struct mirror_wait *first_wait, **last_wait;
};

struct mirror_catalog {
    char *root;                /* absolute and real */
    const char *only_id;       /* root is a file, which is this repository; NULL: a folder */
    const struct store *store; /* the folder is a store: its packages are the repositories */
    const struct log_sink *log;
    const struct mirror_alias *aliases; /* (n_aliases), the caller's */
    size_t n_aliases;
    const char *const *gated; /* (n_gated), the caller's: ids of those whose files want a token */
    size_t n_gated;
    struct mirror_repository *
        *repositories; /* (n_repositories), sorted by id, never moved or freed */
    size_t n_repositories;
};

/* Looks through the folder: ROOT/ns/name are repositories, and ROOT/name if a file in it says that it
 * is a model (config.json, weights, ...). MODEL_NOT_FOUND: no such folder. */
model_status mirror_catalog_init(const char *folder, const struct store *store,
                                 const struct mirror_alias *aliases, size_t n_aliases,
                                 const struct log_sink *log, struct mirror_catalog *ret,
                                 struct model_error *err);
/* The same for a file that is one repository; its id is the caller's. */
model_status mirror_catalog_init_file(const char *file, const char *id,
                                      const struct mirror_alias *aliases, size_t n_aliases,
                                      const struct log_sink *log, struct mirror_catalog *ret,
                                      struct model_error *err);
/* Looks again: new ones are added, vanished ones marked. */
model_status mirror_catalog_refresh(struct mirror_catalog *catalog, struct model_error *err);
/* MODEL_NOT_FOUND, naming it, when a gated id or an alias's target is no repository: a mistyped one
 * would leave the repository open, or the alias dead. */
model_status mirror_catalog_check_names(const struct mirror_catalog *catalog,
                                        struct model_error *err);
bool mirror_catalog_is_gated(const struct mirror_catalog *catalog, const char *id);
/* Frees everything but the snapshots. */
void mirror_catalog_finish(struct mirror_catalog *catalog);

/* The repository of a name: exactly; by alias; in another case; or the only "ns/name" for a bare
 * "name". Compare its id with the one asked for: where they differ, the client is to be redirected.
 * NULL: none, or more than one. */
struct mirror_repository *mirror_catalog_find(const struct mirror_catalog *catalog, const char *id);
/* Exactly or by alias only. */
struct mirror_repository *mirror_catalog_find_named(const struct mirror_catalog *catalog,
                                                    const char *id);

#endif
