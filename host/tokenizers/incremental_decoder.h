/* incremental_decoder.h - tokens to text, one token at a time, for text that is shown while it is made.
 *
 *   struct incremental_decoder decoder;
 *   incremental_decoder_init(&decoder, tokenizer, true);
 *   while (... next id ...)
 *       status = incremental_decoder_push(&decoder, id, &text, &err);
 *   status = incremental_decoder_finish(&decoder, &text, &err);
 *
 * Each push appends what is complete by then and will not change: never half a UTF-8 character. The
 * pieces together are, byte for byte, what tokenizer_decode() makes of all ids. What is held back is
 * the start of a character, or what the file's decoder can only decide on later.
 * Belongs to one thread; borrows the tokenizer. The
 * struct must not be copied. */
#ifndef INCREMENTAL_DECODER_H
#define INCREMENTAL_DECODER_H

#include "pipeline.h"
#include "tokenizer.h"

struct incremental_decoder {
    const struct tokenizer *tokenizer;
    bool skip_special_tokens;
    /* Private. */
    struct decoder_state states[PIPELINE_MAX_STEPS];
};

/* Allocates nothing. */
void incremental_decoder_init(struct incremental_decoder *decoder,
                              const struct tokenizer *tokenizer, bool skip_special_tokens);

/* Appends the text that is complete with this token. An id that no token has adds nothing, as in
 * tokenizer_decode(). MODEL_INVALID_ARGUMENT: ret_text's maximum is reached, MODEL_OUT_OF_MEMORY; after
 * a failure only incremental_decoder_finish() may follow. */
model_status incremental_decoder_push(struct incremental_decoder *decoder, int64_t id,
                                      struct buffer *ret_text, struct model_error *err);

/* Appends what is left, U+FFFD for broken bytes, and frees the decoder's memory in any case. Without
 * ret_text (NULL) it only frees. The decoder is as after init then. */
model_status incremental_decoder_finish(struct incremental_decoder *decoder,
                                        struct buffer *ret_text, struct model_error *err);

#endif
