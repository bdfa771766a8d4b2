/* mirror_answers.h - the JSON that a hub answers with, made from a snapshot. Each function returns a
 * new text (free()), NULL without memory. [any-thread] */
#ifndef MIRROR_ANSWERS_H
#define MIRROR_ANSWERS_H

#include "mirror_snapshot.h"

struct mirror_catalog;

/* GET /api/models/ID: with_blobs adds size, blobId and lfs to the siblings. */
char *mirror_answer_info(const char *id, const struct mirror_snapshot *snapshot, bool is_gated,
                         bool with_blobs);

struct mirror_tree_query {
    const char *path; /* "": the top */
    bool is_recursive, is_expanded;
    size_t offset, limit; /* in items */
};
/* GET .../tree/REV/PATH: one page of it; *ret_more says whether another follows. *ret_found is false
 * when there is no such folder (and the text is NULL). */
char *mirror_answer_tree(const struct mirror_snapshot *snapshot,
                         const struct mirror_tree_query *query, bool *ret_found, bool *ret_more);

/* POST .../paths-info/REV: what there is of these paths (n_paths). */
char *mirror_answer_paths(const struct mirror_snapshot *snapshot, char *const *paths,
                          size_t n_paths, bool is_expanded);
char *mirror_answer_refs(const struct mirror_snapshot *snapshot);
char *mirror_answer_commits(const struct mirror_snapshot *snapshot);
/* name: the token's. */
char *mirror_answer_whoami(const char *name);
/* GET /api/models: search and author may be NULL; only what is in memory, nothing is hashed. */
char *mirror_answer_list(const struct mirror_catalog *catalog, const char *search,
                         const char *author, size_t limit);

/* The body of a paths-info request, a form ("paths=a&paths=b&expand=true") or JSON by its content type;
 * MODEL_INVALID_ARGUMENT when it is neither. */
struct mirror_paths {
    char **paths; /* (n) */
    size_t n;
    bool is_expanded;
};
model_status mirror_paths_parse(const char *content_type, const char *body, size_t size_bytes,
                                struct mirror_paths *ret, struct model_error *err);
void mirror_paths_finish(struct mirror_paths *paths);

/* "1", "true", "True", ... */
bool mirror_is_true(const char *text);

#endif
