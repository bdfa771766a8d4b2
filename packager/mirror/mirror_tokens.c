/* mirror_tokens.c - see mirror_tokens.h. */
#include "mirror_tokens.h"
#include "buffer.h"
#include "digest.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_NAME_BYTES  64
#define MAX_TOKEN_BYTES 512
#define BLANKS          " \t\r"

struct mirror_token {
    char name[MAX_NAME_BYTES + 1];
    char digest[SHA256_HEX_BYTES];
    bool opens_all;
    char **ids; /* (n_ids) */
    size_t n_ids;
};

struct mirror_tokens {
    struct mirror_token *tokens; /* (n_tokens) */
    size_t n_tokens;
};

model_status mirror_tokens_create(struct mirror_tokens **ret, struct model_error *err)
{
    struct mirror_tokens *tokens = calloc(1, sizeof *tokens);
    if (tokens == NULL)
        return error_no_memory(err, "a list of tokens");
    *ret = tokens;
    return MODEL_OK;
}

static void token_finish(struct mirror_token *token)
{
    for (size_t i = 0; i < token->n_ids; i++)
        free(token->ids[i]);
    free(token->ids);
}

void mirror_tokens_destroy(struct mirror_tokens *tokens)
{
    if (tokens == NULL)
        return;
    for (size_t i = 0; i < tokens->n_tokens; i++)
        token_finish(&tokens->tokens[i]);
    free(tokens->tokens);
    free(tokens);
}

/* ---- adding */

static bool is_name(const char *name, size_t size_bytes)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return size_bytes > 0 && size_bytes <= MAX_NAME_BYTES && strspn(name, letters) >= size_bytes;
}

static bool is_token(const char *token, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        if (token[i] <= ' ' || token[i] >= 0x7F)
            return false;
    return size_bytes > 0 && size_bytes <= MAX_TOKEN_BYTES;
}

/* Takes the token over. */
static model_status append(struct mirror_tokens *tokens, struct mirror_token *token,
                           struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; status == MODEL_OK && i < tokens->n_tokens; i++)
        if (strcmp(tokens->tokens[i].digest, token->digest) == 0)
            status =
                error_set(err, MODEL_INVALID_ARGUMENT, "the token of '%s' is the one of '%s', too",
                          token->name, tokens->tokens[i].name);
    if (status == MODEL_OK && tokens->n_tokens == MIRROR_MAX_TOKENS)
        status = error_set(err, MODEL_INVALID_ARGUMENT, "more than %d tokens", MIRROR_MAX_TOKENS);
    struct mirror_token *grown =
        status == MODEL_OK ? realloc(tokens->tokens, (tokens->n_tokens + 1) * sizeof *grown) : NULL;
    if (status == MODEL_OK && grown == NULL)
        status = error_no_memory(err, "a list of tokens");
    if (status != MODEL_OK) {
        token_finish(token);
        return status;
    }
    tokens->tokens = grown;
    tokens->tokens[tokens->n_tokens++] = *token;
    return MODEL_OK;
}

static model_status make(const char *name, size_t name_bytes, const char *text, size_t text_bytes,
                         struct mirror_token *ret, struct model_error *err)
{
    *ret = (struct mirror_token){0};
    if (!is_name(name, name_bytes))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "a token's name is up to %d letters, digits, '.', '_' and '-'",
                         MAX_NAME_BYTES);
    memcpy(ret->name, name, name_bytes);
    if (!is_token(text, text_bytes))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the token of '%s' is not up to %d printable characters", ret->name,
                         MAX_TOKEN_BYTES);
    return digest_bytes_sha256(text, text_bytes, ret->digest, err);
}

model_status mirror_tokens_add(struct mirror_tokens *tokens, const char *name, const char *token,
                               struct model_error *err)
{
    struct mirror_token made;
    model_status status = make(name, strlen(name), token, strlen(token), &made, err);
    made.opens_all = true;
    return status == MODEL_OK ? append(tokens, &made, err) : status;
}

/* ---- reading a file */

/* The next word of a line, its size in *ret_bytes; 0 at the end. */
static const char *next_word(const char *line, size_t *ret_bytes)
{
    line += strspn(line, BLANKS);
    *ret_bytes = *line == '#' ? 0 : strcspn(line, BLANKS);
    return line;
}

static model_status add_id(struct mirror_token *token, const char *id, size_t id_bytes,
                           struct model_error *err)
{
    if (id_bytes == 1 && id[0] == '*') {
        token->opens_all = true;
        return MODEL_OK;
    }
    char *copy = strndup(id, id_bytes);
    char **grown = copy != NULL ? realloc(token->ids, (token->n_ids + 1) * sizeof(char *)) : NULL;
    if (grown == NULL) {
        free(copy);
        return error_no_memory(err, "a list of tokens");
    }
    token->ids = grown;
    token->ids[token->n_ids++] = copy;
    return MODEL_OK;
}

static model_status take_line(struct mirror_tokens *tokens, const char *line,
                              struct model_error *err)
{
    size_t name_bytes, text_bytes, id_bytes;
    const char *name = next_word(line, &name_bytes);
    if (name_bytes == 0)
        return MODEL_OK;
    const char *text = next_word(name + name_bytes, &text_bytes);
    if (text_bytes == 0)
        return error_set(err, MODEL_INVALID_ARGUMENT, "want NAME TOKEN [ID]...");
    struct mirror_token token;
    model_status status = make(name, name_bytes, text, text_bytes, &token, err);
    const char *id = text + text_bytes;
    while (status == MODEL_OK && (id = next_word(id, &id_bytes), id_bytes > 0)) {
        status = add_id(&token, id, id_bytes, err);
        id += id_bytes;
    }
    if (status != MODEL_OK) {
        token_finish(&token);
        return status;
    }
    return append(tokens, &token, err);
}

model_status mirror_tokens_parse(struct mirror_tokens *tokens, const char *text, size_t size_bytes,
                                 const char *what, struct model_error *err)
{
    model_status status = MODEL_OK;
    size_t at = 0, n_line = 0;
    if (memchr(text, '\0', size_bytes) != NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%s: a zero byte in it; want a text", what);
    while (status == MODEL_OK && at < size_bytes) {
        const char *end = memchr(text + at, '\n', size_bytes - at);
        size_t line_bytes = end != NULL ? (size_t)(end - text) - at : size_bytes - at;
        char *line = text_format("%.*s", (int)line_bytes, text + at);
        status =
            line != NULL ? take_line(tokens, line, err) : error_no_memory(err, "a list of tokens");
        free(line);
        at += line_bytes + 1;
        n_line++;
    }
    if (status != MODEL_OK)
        error_prefix(err, "%.300s, line %zu", what, n_line);
    return status;
}

model_status mirror_tokens_read(struct mirror_tokens *tokens, const char *path,
                                struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MIRROR_MAX_TOKEN_FILE_BYTES);
    size_t n_before = tokens->n_tokens;
    model_status status = file_read(path, MIRROR_MAX_TOKEN_FILE_BYTES, &text, err);
    if (status == MODEL_OK && text.data != NULL)
        status = mirror_tokens_parse(tokens, text.data, text.size, path, err);
    buffer_finish(&text);
    if (status == MODEL_OK && tokens->n_tokens == n_before)
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "%.300s: no token in it; want lines of NAME TOKEN [ID]...", path);
    return status;
}

/* ---- asking */

size_t mirror_tokens_count(const struct mirror_tokens *tokens)
{
    return tokens != NULL ? tokens->n_tokens : 0;
}

/* Digests are compared: what their first differing digit tells is of no use. */
const struct mirror_token *mirror_tokens_find(const struct mirror_tokens *tokens, const char *token)
{
    char digest[SHA256_HEX_BYTES];
    if (digest_bytes_sha256(token, strlen(token), digest, NULL) != MODEL_OK)
        return NULL;
    for (size_t i = 0; i < mirror_tokens_count(tokens); i++)
        if (strcmp(tokens->tokens[i].digest, digest) == 0)
            return &tokens->tokens[i];
    return NULL;
}

const char *mirror_token_name(const struct mirror_token *token)
{
    return token->name;
}

bool mirror_token_opens(const struct mirror_token *token, const char *id)
{
    for (size_t i = 0; i < token->n_ids; i++)
        if (strcasecmp(token->ids[i], id) == 0)
            return true;
    return token->opens_all;
}
