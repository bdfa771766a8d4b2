/* graph_shared.c - see graph_shared.h. */
#include "graph_shared.h"

#include "graph_passes.h"
#include "graph_services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    const void *data;
    size_t size_bytes;
    uint64_t hash; /* of the key */
    char key[];
};

struct graph_shared {
    struct kernels *kernels;
    struct entry *first;
};

/* ---- hashes */

/* Two of them, since the numbers of weights that differ in one must not be taken for each other. */
struct hashes {
    uint64_t a, b;
};

static void add_word(struct hashes *h, uint64_t word)
{
    h->a = (h->a ^ word) * 0x9E3779B97F4A7C15u;
    h->a ^= h->a >> 32;
    h->b = (h->b + word) * 0xD6E8FEB86659FD93u;
    h->b ^= h->b >> 29;
}

static struct hashes hash_of(const void *data, size_t size_bytes)
{
    struct hashes h = {size_bytes, ~(uint64_t)size_bytes};
    const char *bytes = data;
    uint64_t word;
    for (; size_bytes >= sizeof word; size_bytes -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        add_word(&h, word);
    }
    word = 0;
    memcpy(&word, bytes, size_bytes);
    add_word(&h, word);
    return h;
}

/* ---- which constant it is */

struct text {
    char *at;
    size_t left; /* 0: it was too long */
};

static void append(struct text *text, const char *more, size_t n_bytes)
{
    if (n_bytes >= text->left) {
        text->left = 0;
        return;
    }
    memcpy(text->at, more, n_bytes);
    text->at += n_bytes;
    text->left -= n_bytes;
    *text->at = '\0';
}

static void append_constant(struct text *text, const struct graph_value *value)
{
    char name[96];
    const size_t n = graph_shape_size(&value->shape);
    int used;
    if (value->constant != NULL && !value->is_own) {
        used =
            snprintf(name, sizeof name, "(file %p %d %zu)", value->constant, (int)value->dtype, n);
    } else {
        const int32_t dtype = value->constant != NULL ? value->dtype : MODEL_F32;
        const void *data = value->constant != NULL ? value->constant : (const void *)value->numbers;
        const struct hashes h = hash_of(data, n * graph_number_bytes(dtype));
        used = snprintf(name, sizeof name, "(own %016llx%016llx %d %zu)", (unsigned long long)h.a,
                        (unsigned long long)h.b, (int)dtype, n);
    }
    append(text, name, (size_t)used);
}

/* A name of this graph: of a weight, of several that begin with it ("node17.norm"), or of a value; else false. */
static bool append_named(struct text *text, const struct graph *graph, const char *word,
                         size_t n_bytes)
{
    char name[WEIGHT_NAME_BYTES];
    bool is_any = false;
    if (n_bytes >= sizeof name)
        return false;
    memcpy(name, word, n_bytes);
    name[n_bytes] = '\0';
    const uint32_t value = graph_services_value(graph, name);
    if (value != GRAPH_NONE) {
        append_constant(text, &graph->values[value]);
        return true;
    }
    for (size_t i = 0; i < OPERATOR_MAX_WEIGHTS; i++) {
        const uint32_t part = graph_services_part(graph, name, i);
        if (part == GRAPH_NONE)
            continue;
        char place[16];
        append(text, place, (size_t)snprintf(place, sizeof place, "%zu", i));
        append_constant(text, &graph->values[part]);
        is_any = true;
    }
    return is_any;
}

bool graph_content_key(const struct graph *graph, const char *key,
                       char content[GRAPH_CONTENT_BYTES])
{
    struct text text = {content, GRAPH_CONTENT_BYTES};
    content[0] = '\0';
    while (*key != '\0' && text.left > 0) {
        const size_t n = strcspn(key, " ");
        if (n == 0 || !append_named(&text, graph, key, n))
            append(&text, key, n > 0 ? n : 1);
        key += n > 0 ? n : 1;
    }
    return text.left > 0;
}

/* ---- the table */

struct graph_shared *graph_shared_create(struct kernels *kernels)
{
    struct graph_shared *shared = kernels_allocate(kernels, sizeof *shared);
    if (shared != NULL)
        shared->kernels = kernels;
    return shared;
}

bool graph_shared_add(struct graph_shared *shared, const char *content, size_t size_bytes,
                      const void *data)
{
    const size_t n = strlen(content);
    struct entry *entry = kernels_allocate(shared->kernels, sizeof *entry + n + 1);
    if (entry == NULL)
        return false;
    *entry = (struct entry){shared->first, data, size_bytes, hash_of(content, n).a};
    memcpy(entry->key, content, n + 1);
    shared->first = entry;
    return true;
}

const void *graph_shared_find(const struct graph_shared *shared, const char *content,
                              size_t size_bytes)
{
    const uint64_t hash = hash_of(content, strlen(content)).a;
    for (const struct entry *entry = shared->first; entry != NULL; entry = entry->next)
        if (entry->hash == hash && entry->size_bytes == size_bytes &&
            strcmp(entry->key, content) == 0)
            return entry->data;
    return NULL;
}
