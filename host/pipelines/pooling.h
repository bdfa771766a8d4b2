/* pooling.h - from token vectors to one vector for a text, as sentence-transformers does it.
 *
 * Follows sentence_transformers.models.Pooling and Normalize: modules.json lists Transformer, Pooling and
 * perhaps Normalize; <Pooling's path>/config.json says which modes. Several modes are concatenated in
 * the order cls, max, mean, mean_sqrt_len, weighted mean, last token. Without modules.json: the mean over the
 * mask, not normalised. sentence_bert_config.json beside it may bound a text's tokens. */
#ifndef POOLING_H
#define POOLING_H

#include "modelhost.h"

#include <stdbool.h>

struct archive;

enum pooling_mode {
    POOLING_CLS,
    POOLING_MAX,
    POOLING_MEAN,
    POOLING_MEAN_SQRT_LEN,
    POOLING_WEIGHTED_MEAN,
    POOLING_LAST_TOKEN,
    POOLING_N_MODES
};

struct pooling {
    bool modes[POOLING_N_MODES];
    bool normalize;     /* to length 1 (L2) */
    int64_t max_tokens; /* max_seq_length of sentence_bert_config.json; 0: not said */
};

/* Reads <package_dir>/modules.json (in the archive, if there is one) and what it points to. MODEL_UNSUPPORTED names a module that is not
 * one of the three, or says that Normalize does not follow Pooling. */
model_status pooling_read(const struct archive *archive, const char *package_dir,
                          struct pooling *ret, struct model_error *err);

/* Values of one pooled vector. */
int64_t pooling_size(const struct pooling *pooling, int64_t hidden_size);

/* Pools (n_tokens, hidden_size) under a mask (n_tokens; 0: not there) into out (pooling_size). A text
 * without a visible token gives zeros. */
void pooling_apply(const struct pooling *pooling, const float *hidden_states, const int64_t *mask,
                   size_t n_tokens, size_t hidden_size, float *out);

#endif
