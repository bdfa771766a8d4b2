/* coreml_scope.h - the names of a function or network while it is read: what is defined, and where it can be seen.
 * One owner. */
#ifndef COREML_SCOPE_H
#define COREML_SCOPE_H

#include "string_map.h"

#include <stdbool.h>

struct coreml_scope {
    struct string_map names; /* to places in entries */
    struct coreml_scope_entry *entries;
    size_t n_entries, capacity;
    size_t *order; /* (n_open) entries that can be seen, in the order of their definition */
    size_t n_open, order_capacity;
};

enum coreml_scope_result { COREML_SCOPE_DONE, COREML_SCOPE_TAKEN, COREML_SCOPE_NO_MEMORY };

/* Defines a name (not copied), with a value that may be NULL. TAKEN: it can be seen already. */
enum coreml_scope_result coreml_scope_define(struct coreml_scope *scope, const char *name,
                                             const void *value);
/* Whether it can be seen; its value. */
bool coreml_scope_find(const struct coreml_scope *scope, const char *name, const void **ret_value);
/* Inner names end: coreml_scope_close(scope, scope->n_open as it was before them). */
void coreml_scope_close(struct coreml_scope *scope, size_t n_open);
void coreml_scope_finish(struct coreml_scope *scope);

#endif
