/* trie.c - see trie.h.
 *
 * Nodes are placed breadth first: all children of a node lie at base + byte, and a slot is free when
 * its parent is TRIE_NONE. Free slots form a ring (base: next, value: previous) so that looking for a
 * base visits only free slots; after a bounded number of tries the children go behind the last node,
 * so that building takes time linear in the bytes of the keys whatever the keys are. */
#include "trie.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TRIES 32
#define SPAN      256u

struct builder {
    struct trie trie;
    const struct trie_entry *entries;
    uint32_t free_head; /* first free slot, TRIE_NONE when there is none */
    size_t used_end;    /* no node at or behind this slot */
};

/* A node whose children are still to be placed: entries [low, high) share its path of `depth` bytes. */
struct work {
    uint32_t node, low, high, depth;
};

int trie_compare_keys(const struct trie_entry *a, const struct trie_entry *b)
{
    const size_t common = a->key_bytes < b->key_bytes ? a->key_bytes : b->key_bytes;
    const int order = memcmp(a->key, b->key, common);
    return order != 0 ? order : (a->key_bytes > b->key_bytes) - (a->key_bytes < b->key_bytes);
}

static int compare_entries(const void *a, const void *b)
{
    return trie_compare_keys(a, b);
}

static void ring_add(struct builder *b, uint32_t slot)
{
    struct trie_node *nodes = b->trie.nodes;
    nodes[slot].parent = TRIE_NONE;
    if (b->free_head == TRIE_NONE) {
        nodes[slot].base = slot;
        nodes[slot].value = (int32_t)slot;
        b->free_head = slot;
        return;
    }
    uint32_t head = b->free_head;
    uint32_t last = (uint32_t)nodes[head].value;
    nodes[slot].base = head;
    nodes[slot].value = (int32_t)last;
    nodes[last].base = slot;
    nodes[head].value = (int32_t)slot;
}

static void ring_remove(struct builder *b, uint32_t slot)
{
    struct trie_node *nodes = b->trie.nodes;
    uint32_t next = nodes[slot].base;
    uint32_t previous = (uint32_t)nodes[slot].value;
    nodes[previous].base = next;
    nodes[next].value = (int32_t)previous;
    if (b->free_head == slot)
        b->free_head = next != slot ? next : TRIE_NONE;
}

/* Makes slots up to `end` exist. */
static model_status grow(struct builder *b, size_t end)
{
    if (end <= b->trie.n_nodes)
        return MODEL_OK;
    size_t n_nodes = b->trie.n_nodes + b->trie.n_nodes / 2 + SPAN;
    if (n_nodes < end)
        n_nodes = end;
    if (n_nodes > INT32_MAX)
        return MODEL_UNSUPPORTED;
    struct trie_node *nodes = realloc(b->trie.nodes, n_nodes * sizeof *nodes);
    if (nodes == NULL)
        return MODEL_OUT_OF_MEMORY;
    b->trie.nodes = nodes;
    for (size_t i = b->trie.n_nodes; i < n_nodes; i++)
        ring_add(b, (uint32_t)i);
    b->trie.n_nodes = n_nodes;
    return MODEL_OK;
}

static bool fits(const struct builder *b, uint32_t base, const unsigned char *labels,
                 size_t n_labels)
{
    for (size_t i = 1; i < n_labels; i++) {
        size_t slot = (size_t)base + labels[i];
        if (slot < b->trie.n_nodes && b->trie.nodes[slot].parent != TRIE_NONE)
            return false;
    }
    return true;
}

/* A base such that all slots base + label are free. A search that fails turns the ring, so that the
 * next one does not try the same small gaps again. */
static uint32_t find_base(struct builder *b, const unsigned char *labels, size_t n_labels)
{
    uint32_t slot = b->free_head;
    for (int tries = 0; slot != TRIE_NONE && tries < MAX_TRIES; tries++) {
        if (slot > labels[0] && fits(b, slot - labels[0], labels, n_labels))
            return slot - labels[0];
        slot = b->trie.nodes[slot].base;
        if (slot == b->free_head)
            break;
    }
    b->free_head = slot;
    return (uint32_t)(b->used_end > labels[0] ? b->used_end - labels[0] : b->used_end);
}

/* The bytes that follow the path of `w`, and where each one's entries begin. */
static size_t collect_labels(const struct builder *b, const struct work *w, uint32_t from,
                             unsigned char labels[SPAN], uint32_t starts[SPAN + 1])
{
    size_t n = 0;
    for (uint32_t i = from; i < w->high; i++) {
        unsigned char label = (unsigned char)b->entries[i].key[w->depth];
        if (n == 0 || labels[n - 1] != label) {
            labels[n] = label;
            starts[n++] = i;
        }
    }
    starts[n] = w->high;
    return n;
}

/* Places the children of one node and queues them. */
static model_status place(struct builder *b, const struct work *w, struct work *queue, size_t *tail)
{
    unsigned char labels[SPAN];
    uint32_t starts[SPAN + 1];
    uint32_t from = w->low;
    if (b->entries[from].key_bytes == w->depth) { /* sorted: the shortest comes first */
        b->trie.nodes[w->node].value = b->entries[from].value;
        from++;
    }
    size_t n = collect_labels(b, w, from, labels, starts);
    if (n == 0)
        return MODEL_OK;
    uint32_t base = find_base(b, labels, n);
    model_status status = grow(b, (size_t)base + SPAN);
    if (status != MODEL_OK)
        return status;
    b->trie.nodes[w->node].base = base;
    for (size_t i = 0; i < n; i++) {
        uint32_t child = base + labels[i];
        ring_remove(b, child);
        b->trie.nodes[child] = (struct trie_node){0, w->node, -1};
        if (child >= b->used_end)
            b->used_end = child + 1;
        queue[(*tail)++] = (struct work){child, starts[i], starts[i + 1], w->depth + 1};
    }
    return MODEL_OK;
}

/* Gives back what lies behind the last node and its span. */
static void trim(struct builder *b)
{
    size_t n_nodes = b->used_end + SPAN;
    struct trie_node *nodes =
        n_nodes < b->trie.n_nodes ? realloc(b->trie.nodes, n_nodes * sizeof *nodes) : NULL;
    if (nodes == NULL)
        return;
    b->trie.nodes = nodes;
    b->trie.n_nodes = n_nodes;
}

static model_status check_entries(const struct trie_entry *entries, size_t n_entries,
                                  const struct trie_entry **ret_duplicate, size_t *ret_bytes)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n_entries; i++) {
        bytes += entries[i].key_bytes;
        if (bytes > TRIE_MAX_KEY_BYTES)
            return MODEL_UNSUPPORTED;
        if (entries[i].key_bytes == 0 ||
            (i > 0 && compare_entries(&entries[i - 1], &entries[i]) == 0)) {
            *ret_duplicate = &entries[i];
            return MODEL_INVALID_ARGUMENT;
        }
    }
    *ret_bytes = bytes;
    return MODEL_OK;
}

model_status trie_build(struct trie_entry *entries, size_t n_entries, struct trie *ret,
                        const struct trie_entry **ret_duplicate)
{
    struct builder b = {.entries = entries, .free_head = TRIE_NONE, .used_end = 1};
    struct work *queue = NULL;
    size_t bytes = 0;
    if (n_entries > 0)
        qsort(entries, n_entries, sizeof *entries, compare_entries);
    model_status status = check_entries(entries, n_entries, ret_duplicate, &bytes);
    if (status == MODEL_OK)
        status = grow(&b, SPAN);
    if (status != MODEL_OK)
        goto fail;
    ring_remove(&b, TRIE_ROOT);
    b.trie.nodes[TRIE_ROOT] = (struct trie_node){0, TRIE_NONE - 1, -1};
    status = MODEL_OUT_OF_MEMORY;
    queue = malloc((bytes + 1) * sizeof *queue); /* a node per byte at most */
    if (queue == NULL)
        goto fail;
    size_t tail = 0;
    queue[tail++] = (struct work){TRIE_ROOT, 0, (uint32_t)n_entries, 0};
    for (size_t head = 0; head < tail && n_entries > 0; head++) {
        status = place(&b, &queue[head], queue, &tail);
        if (status != MODEL_OK)
            goto fail;
    }
    free(queue);
    trim(&b);
    *ret = b.trie;
    return MODEL_OK;
fail:
    free(queue);
    free(b.trie.nodes);
    return status;
}

void trie_finish(struct trie *trie)
{
    free(trie->nodes);
    *trie = (struct trie){0};
}

uint32_t trie_walk(const struct trie *trie, uint32_t node, const char *key, size_t key_bytes)
{
    for (size_t i = 0; i < key_bytes && node != TRIE_NONE; i++)
        node = trie_step(trie, node, (unsigned char)key[i]);
    return node;
}

int32_t trie_find(const struct trie *trie, const char *key, size_t key_bytes)
{
    uint32_t node = trie_walk(trie, TRIE_ROOT, key, key_bytes);
    return node != TRIE_NONE ? trie->nodes[node].value : -1;
}

int32_t trie_longest(const struct trie *trie, uint32_t node, const char *text, size_t text_bytes,
                     size_t *ret_bytes)
{
    int32_t best = -1;
    for (size_t i = 0; i < text_bytes; i++) {
        node = trie_step(trie, node, (unsigned char)text[i]);
        if (node == TRIE_NONE)
            break;
        if (trie->nodes[node].value >= 0) {
            best = trie->nodes[node].value;
            *ret_bytes = i + 1;
        }
    }
    return best;
}
