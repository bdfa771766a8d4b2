/* mirror_tokens.h - who may ask a mirror for what: tokens with names and the gated repositories that
 * they open. Only digests of the tokens are kept. A set is filled by one thread, then read by any. */
#ifndef MIRROR_TOKENS_H
#define MIRROR_TOKENS_H

#include "modelhost.h"

#include <stdbool.h>

#define MIRROR_MAX_TOKENS           10000
#define MIRROR_MAX_TOKEN_FILE_BYTES (4u << 20)

struct mirror_tokens;
struct mirror_token;

model_status mirror_tokens_create(struct mirror_tokens **ret, struct model_error *err);
void mirror_tokens_destroy(struct mirror_tokens *tokens);

/* One token that opens every gated repository. */
model_status mirror_tokens_add(struct mirror_tokens *tokens, const char *name, const char *token,
                               struct model_error *err);
/* The lines "NAME TOKEN [ID]...", '#' begins a comment: the ids are the gated repositories that the
 * token opens, '*' is for all of them. A name is letters, digits, '.', '_' and '-'. `what` names the
 * text in errors, which give the line and never show a token: MODEL_INVALID_ARGUMENT. A token that is
 * there already is refused. */
model_status mirror_tokens_parse(struct mirror_tokens *tokens, const char *text, size_t size_bytes,
                                 const char *what, struct model_error *err);
model_status mirror_tokens_read(struct mirror_tokens *tokens, const char *path,
                                struct model_error *err);

size_t mirror_tokens_count(const struct mirror_tokens *tokens);
/* NULL: unknown. Its time does not tell how much of a token was right. */
const struct mirror_token *mirror_tokens_find(const struct mirror_tokens *tokens,
                                              const char *token);
const char *mirror_token_name(const struct mirror_token *token);
bool mirror_token_opens(const struct mirror_token *token, const char *id);

#endif
