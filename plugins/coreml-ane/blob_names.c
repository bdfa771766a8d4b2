/* blob_names.c - a hash table with open addressing, at most half full; see blob_names.h. */
#include "blob_names.h"

#include <string.h>

struct entry {
    const char *name; /* NULL: free */
    uint32_t value;
};

struct blob_names {
    struct entry *entries; /* (mask + 1) */
    size_t mask;
};

struct blob_names *blob_names_create(struct kernels *kernels, size_t n)
{
    struct blob_names *names = kernels_allocate(kernels, sizeof *names);
    size_t capacity = 16;
    while (capacity / 2 < n && capacity < SIZE_MAX / 4 / sizeof(struct entry))
        capacity *= 2;
    if (names == NULL)
        return NULL;
    names->entries = kernels_allocate(kernels, capacity * sizeof *names->entries);
    names->mask = capacity - 1;
    return names->entries != NULL ? names : NULL;
}

/* FNV-1a. */
static size_t hash(const char *name)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (; *name != '\0'; name++)
        h = (h ^ (uint8_t)*name) * 0x100000001B3u;
    return (size_t)(h ^ h >> 32);
}

/* The entry of the name, or the free one where it belongs. */
static struct entry *find(const struct blob_names *names, const char *name)
{
    size_t i = hash(name) & names->mask;
    while (names->entries[i].name != NULL && strcmp(names->entries[i].name, name) != 0)
        i = (i + 1) & names->mask;
    return &names->entries[i];
}

void blob_names_set(struct blob_names *names, const char *name, uint32_t value)
{
    *find(names, name) = (struct entry){name, value};
}

uint32_t blob_names_find(const struct blob_names *names, const char *name)
{
    const struct entry *entry = find(names, name);
    return entry->name != NULL ? entry->value : GRAPH_NONE;
}
