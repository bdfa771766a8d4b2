/* weights_index.h - model.safetensors.index.json: which shard holds which tensor. Part of weights.c.
 *
 *   {"metadata":{"total_size":...}, "weight_map":{"<tensor>":"model-00001-of-00002.safetensors"}}
 *
 * "metadata" is not believed and not read. */
#ifndef WEIGHTS_INDEX_H
#define WEIGHTS_INDEX_H

#include "archive.h"
#include "string_map.h"

#define WEIGHTS_INDEX_NAME       "model.safetensors.index.json"
#define WEIGHTS_INDEX_MAX_BYTES  (64u << 20)
#define WEIGHTS_INDEX_MAX_SHARDS 10000

struct weights_index {
    struct string_map shard_of; /* tensor name -> index into shards */
    const char **shards;        /* (n_shards), safe relative names, in order of appearance */
    size_t n_shards;
    char *text; /* owns the names */
};

/* Reads it. MODEL_NOT_FOUND when there is none; MODEL_CORRUPT for a name that stands twice, an
 * unsafe shard name, a missing weight_map. */
model_status weights_index_read(const struct archive *archive, const char *path,
                                struct weights_index *ret, struct model_error *err);
/* The same from text, which it takes over on success. */
model_status weights_index_parse(char *text, size_t size_bytes, const char *what,
                                 struct weights_index *ret, struct model_error *err);
void weights_index_finish(struct weights_index *index);

#endif
