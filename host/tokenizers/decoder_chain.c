/* decoder_chain.c - tokens through the steps of a decoder; see pipeline.h. [any-thread] */
#include "pipeline.h"

#include <string.h>

#define MAX_HELD_BYTES (64u << 20)

struct decoder_next {
    const struct decoder_chain *chain;
    struct decoder_state *states;
    size_t step; /* n_steps: the end */
    struct buffer *ret;
};

model_status decoder_emit(const struct decoder_next *next, const char *text, size_t text_bytes,
                          bool ends)
{
    if (next->step == next->chain->n_steps)
        return buffer_append(next->ret, text, text_bytes);
    const struct decoder *step = &next->chain->steps[next->step];
    struct decoder_state *state = &next->states[next->step];
    const struct decoder_next behind = {next->chain, next->states, next->step + 1, next->ret};
    if (step->type->pieces || (ends && state->token.size == 0))
        return step->type->push(step, state, text, text_bytes, ends, &behind);
    model_status status = buffer_append(&state->token, text, text_bytes);
    if (status == MODEL_OK && ends) {
        status = step->type->push(step, state, state->token.data, state->token.size, true, &behind);
        buffer_clear(&state->token);
    }
    return status;
}

model_status decoder_chain_push(const struct decoder_chain *chain, struct decoder_state *states,
                                const char *token, struct buffer *ret)
{
    const struct decoder_next first = {chain, states, 0, ret};
    return decoder_emit(&first, token, strlen(token), true);
}

model_status decoder_chain_end(const struct decoder_chain *chain, struct decoder_state *states,
                               struct buffer *ret)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < chain->n_steps && status == MODEL_OK; i++) {
        const struct decoder *step = &chain->steps[i];
        const struct decoder_next behind = {chain, states, i + 1, ret};
        if (step->type->finish != NULL)
            status = step->type->finish(step, &states[i], &behind);
    }
    return status;
}

void decoder_state_init(struct decoder_state *state)
{
    *state = (struct decoder_state){.held = BUFFER_INIT(MAX_HELD_BYTES),
                                    .token = BUFFER_INIT(MAX_HELD_BYTES)};
}

void decoder_state_finish(struct decoder_state *state)
{
    buffer_finish(&state->held);
    buffer_finish(&state->token);
}
