/* trie.h - a set of byte strings with a number each, for "the longest entry that starts here": a
 * double-array trie. Built once, then read by any thread. Twelve bytes per node. */
#ifndef TRIE_H
#define TRIE_H

#include "modelhost.h"

#include <stdbool.h>

#define TRIE_ROOT 0u
#define TRIE_NONE UINT32_MAX

struct trie_node {
    uint32_t base;   /* the child by byte c is node base + c, if that node's parent is this one */
    uint32_t parent; /* TRIE_NONE: a free slot */
    int32_t value;   /* -1: no entry ends here */
};

struct trie {
    struct trie_node *nodes; /* (n_nodes), with room so that base + 255 is inside */
    size_t n_nodes;
};

struct trie_entry {
    const char *key;
    uint32_t key_bytes; /* > 0 */
    int32_t value;      /* >= 0 */
};

/* Byte by byte, shorter ones first; as memcmp(). */
int trie_compare_keys(const struct trie_entry *a, const struct trie_entry *b);

/* All keys together; a larger set is refused. */
#define TRIE_MAX_KEY_BYTES (8u << 20)

/* Sorts the entries. MODEL_INVALID_ARGUMENT, with *ret_duplicate set, when a key stands twice or is
 * empty; MODEL_UNSUPPORTED when the keys are too many bytes. */
model_status trie_build(struct trie_entry *entries, size_t n_entries, struct trie *ret,
                        const struct trie_entry **ret_duplicate);
void trie_finish(struct trie *trie);

/* The child of `node` by byte c, or TRIE_NONE. */
static inline uint32_t trie_step(const struct trie *trie, uint32_t node, unsigned char c)
{
    uint32_t child = trie->nodes[node].base + c;
    return trie->nodes[child].parent == node ? child : TRIE_NONE;
}

/* The node at the end of a path from `node`, or TRIE_NONE. */
uint32_t trie_walk(const struct trie *trie, uint32_t node, const char *key, size_t key_bytes);
/* The value of a key, or -1. */
int32_t trie_find(const struct trie *trie, const char *key, size_t key_bytes);
/* The value of the longest entry that is a prefix of text, below `node`, and its length; or -1. */
int32_t trie_longest(const struct trie *trie, uint32_t node, const char *text, size_t text_bytes,
                     size_t *ret_bytes);

#endif
