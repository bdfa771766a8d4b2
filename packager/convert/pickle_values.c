/* pickle_values.c - see pickle_values.h. Arrays double when their count reaches a power of two, so that no
 * capacity need be kept. */
#include "pickle_values.h"

#include <stdlib.h>
#include <string.h>

#define MIN_CAPACITY 4u

static bool is_full(uint32_t n)
{
    return n == 0 || (n >= MIN_CAPACITY && (n & (n - 1)) == 0);
}

static size_t next_capacity(uint32_t n)
{
    return n < MIN_CAPACITY ? MIN_CAPACITY : (size_t)n * 2;
}

model_status pickle_add(struct pickle *pickle, struct pickle_value value, uint32_t *ret)
{
    if (pickle->n_values >= PICKLE_MAX_VALUES)
        return MODEL_CORRUPT;
    if (is_full(pickle->n_values)) {
        void *larger =
            realloc(pickle->values, next_capacity(pickle->n_values) * sizeof *pickle->values);
        if (larger == NULL)
            return MODEL_OUT_OF_MEMORY;
        pickle->values = larger;
    }
    pickle->values[pickle->n_values] = value;
    *ret = pickle->n_values++;
    return MODEL_OK;
}

model_status pickle_extend(struct pickle *pickle, uint32_t container, const uint32_t *items,
                           uint32_t n)
{
    struct pickle_value *value = &pickle->values[container];
    if (n > PICKLE_MAX_ITEMS - pickle->n_items)
        return MODEL_CORRUPT;
    for (uint32_t i = 0; i < n; i++) {
        if (is_full(value->n)) {
            void *larger = realloc(value->items, next_capacity(value->n) * sizeof *value->items);
            if (larger == NULL)
                return MODEL_OUT_OF_MEMORY;
            value->items = larger;
        }
        value->items[value->n++] = items[i];
        pickle->n_items++;
    }
    return MODEL_OK;
}

model_status pickle_add_items(struct pickle *pickle, enum pickle_kind kind, const uint32_t *items,
                              uint32_t n, uint32_t *ret)
{
    uint32_t added = 0;
    model_status status =
        pickle_add(pickle, (struct pickle_value){.kind = kind, .items = NULL}, &added);
    if (status == MODEL_OK)
        status = pickle_extend(pickle, added, items, n);
    if (status == MODEL_OK)
        *ret = added;
    return status;
}

void pickle_finish(struct pickle *pickle)
{
    for (uint32_t i = 0; i < pickle->n_values; i++) {
        struct pickle_value *value = &pickle->values[i];
        switch (value->kind) {
        case PICKLE_TUPLE:
        case PICKLE_LIST:
        case PICKLE_DICT:
            free(value->items);
            break;
        case PICKLE_STORAGE:
            free(value->storage);
            break;
        case PICKLE_TENSOR:
            free(value->tensor);
            break;
        default:
            break;
        }
    }
    free(pickle->values);
    *pickle = (struct pickle){0};
}

bool pickle_is_text(const struct pickle_value *value, const char *text)
{
    return value->kind == PICKLE_TEXT && value->n == strlen(text) &&
           memcmp(value->text, text, value->n) == 0;
}

const struct pickle_value *pickle_member(const struct pickle *pickle,
                                         const struct pickle_value *dict, const char *key)
{
    for (uint32_t i = 0; dict->kind == PICKLE_DICT && i + 1 < dict->n; i += 2)
        if (pickle_is_text(pickle_item(pickle, dict, i), key))
            return pickle_item(pickle, dict, i + 1);
    return NULL;
}
