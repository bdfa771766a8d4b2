/* encoding.h - a text as a model takes it: ids, and where each came from. Belongs to one thread at a
 * time; clear-and-reuse is its purpose: encoding into the same struct again allocates nothing once it
 * has grown to the size of its texts.
 *
 *   struct encoding encoding = ENCODING_INIT;
 *   tokenizer_encode(tokenizer, text, text_bytes, NULL, 0, &options, &encoding, &err);
 *   ... encoding.ids[i], i < encoding.n_tokens ...
 *   encoding_finish(&encoding);
 */
#ifndef ENCODING_H
#define ENCODING_H

#include "normalized_text.h"

/* Tokens [first, first + n_tokens) of the arrays. */
struct encoding_window {
    size_t first, n_tokens;
};

struct encoding {
    size_t n_tokens;         /* of the first window: what most callers want */
    int64_t *ids;            /* each array: (n_stored) */
    int64_t *type_ids;       /* 0 for the first text, 1 for the pair, by BERT's template */
    int64_t *attention_mask; /* 0 for padding */
    struct text_span
        *spans;        /* in BYTES of the text that `sequences` names; 0, 0 for special tokens */
    int32_t *words;    /* which word of its text; -1 for special tokens */
    int8_t *sequences; /* 0: text, 1: pair, -1: special token or padding */
    uint8_t *special_mask; /* 1: put there by the post-processor or by padding */
    bool truncated;        /* something of the texts is not in the first window */

    /* The first window, and with tokenizer_options.windows also the rest of a truncated text, piece by
     * piece, each with its special tokens. */
    struct encoding_window *windows; /* (n_windows) */
    size_t n_windows;

    /* Private. */
    size_t n_stored, capacity, windows_capacity;
    struct encoding_scratch *scratch;
};

#define ENCODING_INIT                                                                              \
    {                                                                                              \
        0                                                                                          \
    }

void encoding_finish(struct encoding *encoding);

/* ---- for the tokenizer */

/* Room for n_tokens in all. */
model_status encoding_reserve(struct encoding *encoding, size_t n_tokens);
/* Room for n_windows in all. */
model_status encoding_reserve_windows(struct encoding *encoding, size_t n_windows);

struct padding {
    int64_t id, type_id;
    bool left;
};

/* Fills every window up to n_tokens. */
model_status encoding_pad(struct encoding *encoding, size_t n_tokens,
                          const struct padding *padding);

#endif
