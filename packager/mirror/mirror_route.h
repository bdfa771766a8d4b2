/* mirror_route.h - what an address of the hub asks for. Pure functions on untrusted text; a route owns
 * its strings. [any-thread] */
#ifndef MIRROR_ROUTE_H
#define MIRROR_ROUTE_H

#include "modelhost.h"

#include <stdbool.h>

enum mirror_route_kind {
    MIRROR_INDEX,      /* / */
    MIRROR_WHOAMI,     /* /api/whoami-v2 */
    MIRROR_LIST,       /* /api/models */
    MIRROR_INFO,       /* /api/models/ID[/revision/REV] */
    MIRROR_TREE,       /* /api/models/ID/tree/REV[/PATH] */
    MIRROR_PATHS_INFO, /* /api/models/ID/paths-info/REV */
    MIRROR_REFS,       /* /api/models/ID/refs */
    MIRROR_COMMITS,    /* /api/models/ID/commits/REV */
    MIRROR_XET_TOKEN,  /* /api/models/ID/xet-read-token/REV: never there */
    MIRROR_RESOLVE,    /* /ID/resolve/REV/PATH */
    MIRROR_RAW,        /* /ID/raw/REV/PATH: as git stores it, a pointer for a large file */
    MIRROR_CACHED,     /* /api/resolve-cache/models/ID/COMMIT/PATH: where resolve may lead */
    MIRROR_CDN         /* /~cdn/ID/resolve/COMMIT/PATH, at the content network only */
};

struct mirror_route {
    enum mirror_route_kind kind;
    char *id;               /* "ns/name" or "name"; NULL where there is none */
    char *revision;         /* decoded; "main" where the address has none */
    char *path;             /* decoded, without slashes at the ends; "" for the top */
    size_t id_at, id_bytes; /* where the id stands in the raw path: what a redirect replaces */
};

/* Reads a raw (percent-encoded) path. MODEL_NOT_FOUND: no address of a hub; MODEL_INVALID_ARGUMENT:
 * broken percent-encoding. A revision may be one encoded segment (refs%2Fpr%2F1) or plain (refs/pr/1).
 * Whether the path is safe, or there, is not looked at: it is only ever compared with names. */
model_status mirror_route_parse(const char *raw_path, struct mirror_route *ret,
                                struct model_error *err);
void mirror_route_finish(struct mirror_route *route);
/* Whether it asks for a file, not for what the API says of the repository. */
bool mirror_route_is_file(const struct mirror_route *route);

#endif
