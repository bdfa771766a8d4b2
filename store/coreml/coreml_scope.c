/* coreml_scope.c - see coreml_scope.h. */
#include "coreml_scope.h"

#include <stdlib.h>
#include <string.h>

struct coreml_scope_entry {
    const void *value;
    bool is_open;
};

/* Room for one more of n. */
static bool grow(void **array, size_t n, size_t *capacity, size_t element_bytes)
{
    if (n < *capacity)
        return true;
    const size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = realloc(*array, wanted * element_bytes);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

static bool reserve(struct coreml_scope *scope)
{
    void *entries = scope->entries, *order = scope->order;
    bool good = grow(&entries, scope->n_entries, &scope->capacity, sizeof *scope->entries);
    scope->entries = entries;
    good = good && grow(&order, scope->n_open, &scope->order_capacity, sizeof *scope->order);
    scope->order = order;
    return good;
}

enum coreml_scope_result coreml_scope_define(struct coreml_scope *scope, const char *name,
                                             const void *value)
{
    int64_t i = string_map_find(&scope->names, name, strlen(name));
    if (i >= 0 && scope->entries[i].is_open)
        return COREML_SCOPE_TAKEN;
    if (!reserve(scope))
        return COREML_SCOPE_NO_MEMORY;
    if (i < 0) {
        if (string_map_add(&scope->names, name, strlen(name), (uint32_t)scope->n_entries) !=
            MODEL_OK)
            return COREML_SCOPE_NO_MEMORY;
        i = (int64_t)scope->n_entries++;
    }
    scope->entries[i] = (struct coreml_scope_entry){value, true};
    scope->order[scope->n_open++] = (size_t)i;
    return COREML_SCOPE_DONE;
}

bool coreml_scope_find(const struct coreml_scope *scope, const char *name, const void **ret_value)
{
    const int64_t i = string_map_find(&scope->names, name, strlen(name));
    if (i < 0 || !scope->entries[i].is_open)
        return false;
    *ret_value = scope->entries[i].value;
    return true;
}

void coreml_scope_close(struct coreml_scope *scope, size_t n_open)
{
    while (scope->n_open > n_open)
        scope->entries[scope->order[--scope->n_open]].is_open = false;
}

void coreml_scope_finish(struct coreml_scope *scope)
{
    string_map_finish(&scope->names);
    free(scope->entries);
    free(scope->order);
    *scope = (struct coreml_scope){.entries = NULL};
}
