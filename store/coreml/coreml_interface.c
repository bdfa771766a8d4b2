/* coreml_interface.c - see coreml_interface.h. */
#include "coreml_interface.h"

#include <string.h>

#define FIRST_FEATURES 8u

/* Lists double: what they outgrow stays in the arena. */
static struct coreml_feature *grow(struct coreml_arena *arena, const struct coreml_features *list)
{
    const size_t capacity = list->n == 0 ? FIRST_FEATURES : list->n * 2;
    struct coreml_feature *grown = coreml_arena_take(arena, capacity, sizeof *grown);
    if (grown != NULL && list->n > 0)
        memcpy(grown, list->items, list->n * sizeof *grown);
    return grown;
}

struct coreml_feature *coreml_interface_add(struct coreml_interface *interface,
                                            struct coreml_features *list, const char *name,
                                            size_t name_bytes)
{
    const bool is_full =
        list->n == 0 || (list->n >= FIRST_FEATURES && (list->n & (list->n - 1)) == 0);
    struct coreml_feature *items = (struct coreml_feature *)list->items;
    char *copy = list->n < COREML_MAX_FEATURES
                     ? coreml_arena_take(&interface->arena, name_bytes + 1, 1)
                     : NULL;
    if (copy != NULL && is_full)
        items = grow(&interface->arena, list);
    if (copy == NULL || items == NULL)
        return NULL;
    memcpy(copy, name, name_bytes);
    list->items = items;
    items[list->n] = (struct coreml_feature){.name = copy, .description = ""};
    return &items[list->n++];
}

void coreml_interface_finish(struct coreml_interface *interface)
{
    coreml_arena_finish(&interface->arena);
    *interface = (struct coreml_interface){.inputs.n = 0};
}
