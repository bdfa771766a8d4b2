/* hub_answers.h - the JSON of a hub's answers, read as hostile. Pure. [any-thread] */
#ifndef HUB_ANSWERS_H
#define HUB_ANSWERS_H

#include "hub.h"

/* The answer of /api/models/{id}/revision/{rev}. requested_id stands in where it names none. */
model_status hub_parse_model(const char *text, size_t size_bytes, const char *requested_id,
                             struct hub_model *ret, struct model_error *err);

/* Appends the files of one page of /api/models/{id}/tree/{rev}; folders are left out. On failure
 * *files is still the caller's to finish. */
model_status hub_parse_tree_page(const char *text, size_t size_bytes, struct hub_files *files,
                                 struct model_error *err);

/* Orders the files of all pages and checks them against each other: no path twice, no file that is
 * also a folder. */
model_status hub_files_complete(struct hub_files *files, struct model_error *err);

/* Whether an id is "ns/name" or "name" of the hub's letters; else MODEL_INVALID_ARGUMENT. */
model_status hub_check_id(const char *id, struct model_error *err);

#endif
