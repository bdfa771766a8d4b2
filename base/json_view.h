/* json_view.h - JSON, read and written. cJSON lives behind this header.
 *
 * Reading: the text is checked (size, UTF-8, depth, number of values, nothing behind the value) and becomes a tree of
 * const nodes that live until json_free() of the root. Looking up in a NULL node gives NULL, so paths
 * may be walked without a check at each step. Writing: a tree is built and printed.
 * A tree belongs to one thread while it is built, and may be read by any number afterwards. */
#ifndef JSON_VIEW_H
#define JSON_VIEW_H

#include "modelhost.h"

#include <stdbool.h>

typedef struct cJSON json_node; /* opaque outside json_view.c */

#define JSON_MAX_DEPTH  100
#define JSON_MAX_VALUES ((size_t)1 << 22) /* 262,000 words with 500,000 merges have 1.8 million */

/* ---- reading */

/* `what` names the text in errors ("config.json"). MODEL_CORRUPT: "config.json: not valid JSON at
 * byte 17 ...", or a string with \u0000, which a terminated string cannot hold. */
model_status json_parse(const char *text, size_t size_bytes, const char *what, json_node **ret,
                        struct model_error *err);
/* The same for a text that should be smaller than JSON_MAX_VALUES. Values are objects, arrays and what
 * stands in them; each takes up to 150 bytes of memory besides its text. */
model_status json_parse_limited(const char *text, size_t size_bytes, size_t max_values,
                                const char *what, json_node **ret, struct model_error *err);
/* Whether a text has more values than that: why json_parse_limited() refused it. */
bool json_has_more_values(const char *text, size_t size_bytes, size_t max_values);
/* Reads and parses a file of at most max_bytes; `what` is the path. */
model_status json_parse_file(const char *path, size_t max_bytes, json_node **ret,
                             struct model_error *err);
/* The root only; NULL does nothing. */
void json_free(json_node *root);

bool json_is_object(const json_node *node);
bool json_is_array(const json_node *node);
bool json_is_string(const json_node *node);
bool json_is_number(const json_node *node);
bool json_is_bool(const json_node *node);
bool json_is_null(const json_node *node); /* NULL itself counts */

/* Items of an array, members of an object. */
size_t json_count(const json_node *node);
const json_node *json_first(const json_node *node);
/* The one behind it, NULL after the last. */
const json_node *json_next(const json_node *item);
/* The member's key (under its object), or NULL. */
const char *json_key(const json_node *member);
/* By exact key: linear; NULL when absent. */
const json_node *json_member(const json_node *object, const char *key);
/* By path: "text_config.depths[2]". */
const json_node *json_path(const json_node *node, const char *path);
/* MODEL_CORRUPT, "<what>: the key 'x' stands twice", unless the object's keys differ. What is
 * no object has no keys. */
model_status json_check_unique_keys(const json_node *object, const char *what,
                                    struct model_error *err);

/* The value, or the fallback when the node is NULL or of another kind. */
const char *json_string_or(const json_node *node, const char *fallback);
double json_number_or(const json_node *node, double fallback);
bool json_bool_or(const json_node *node, bool fallback);

/* A whole number in [min, max] (|.| <= 2^53); false: other kind, fraction or out of range. */
bool json_integer(const json_node *node, int64_t min, int64_t max, int64_t *ret);

/* ---- writing: each add returns the new node (owned by its parent), NULL without memory or when the
 * parent is NULL; so a whole tree may be built and only the print be checked: a failed add marks the
 * tree by not being there, therefore check what must not be missing. `key` is NULL in arrays. */

json_node *json_new_object(void);
json_node *json_new_array(void);
json_node *json_add_object(json_node *parent, const char *key);
json_node *json_add_array(json_node *parent, const char *key);
json_node *json_add_string(json_node *parent, const char *key, const char *value);
/* Each zero byte of the text becomes U+FFFD. */
json_node *json_add_text(json_node *parent, const char *key, const char *text, size_t size_bytes);
/* Printed so that reading it gives the same double; null when it is not finite. */
json_node *json_add_number(json_node *parent, const char *key, double value);
json_node *json_add_bool(json_node *parent, const char *key, bool value);
json_node *json_add_null(json_node *parent, const char *key);
/* Moves a tree below parent (freed if that fails) or copies one. */
json_node *json_add_tree(json_node *parent, const char *key, json_node *tree);
json_node *json_add_copy(json_node *parent, const char *key, const json_node *tree);

/* The text, to be freed by the caller; NULL without memory. Pretty: with newlines, and one at the
 * end. */
char *json_print(const json_node *node, bool pretty);

/* Which cJSON is behind this: "1.7.15". */
const char *json_library_version(void);

#endif
