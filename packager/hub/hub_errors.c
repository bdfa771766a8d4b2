/* hub_errors.c - what a hub's refusal means to a person: status and sentence. The server's own words
 * are hostile text: cut, and without control characters. */
#include "errors.h"
#include "hub.h"
#include "hub_url.h"
#include "json_view.h"
#include "utf8.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_WORDS_BYTES 240

/* What the server says: X-Error-Message, or "error" of a JSON body; "" when nothing. */
static void read_words(const struct hub_response *response, char ret[MAX_WORDS_BYTES])
{
    const char *words = response->headers[HUB_ERROR_MESSAGE];
    json_node *root = NULL;
    if (words == NULL && response->error_body.size > 0 &&
        json_parse(response->error_body.data, response->error_body.size, "error", &root, NULL) ==
            MODEL_OK)
        words = json_string_or(json_member(root, "error"), NULL);
    size_t n = words != NULL ? strnlen(words, MAX_WORDS_BYTES - 1) : 0;
    if (n > 0)
        n = utf8_valid_prefix(words, n);
    for (size_t i = 0; i < n; i++)
        ret[i] = (unsigned char)words[i] < 0x20 || words[i] == 0x7f ? ' ' : words[i];
    ret[n] = '\0';
    json_free(root);
}

/* A mirror has none of the official hub's pages, but may say itself what it wants. */
static bool has_pages(const char *endpoint)
{
    return strcmp(endpoint, HUB_DEFAULT_ENDPOINT) == 0;
}

static model_status explain_gated(const char *endpoint, const char *id, bool had_token,
                                  const char *words, struct model_error *err)
{
    const char *before = words[0] != '\0' ? " (" : "", *after = words[0] != '\0' ? ")" : "";
    if (!has_pages(endpoint))
        return error_set(err, MODELHOST_UNAUTHORIZED, "the model '%s' is gated at %.200s%s%s%s; %s",
                         id, endpoint, before, words, after,
                         had_token ? "the token has not been let in: ask who runs the server"
                                   : "give a token with HF_TOKEN or --token");
    if (had_token)
        return error_set(err, MODELHOST_UNAUTHORIZED,
                         "the model '%s' is gated and your account has not been let in: ask for "
                         "access at %.200s/%s",
                         id, endpoint, id);
    return error_set(err, MODELHOST_UNAUTHORIZED,
                     "the model '%s' is gated: ask for access at %.200s/%s, then give your token "
                     "with HF_TOKEN or --token (made at %.200s/settings/tokens)",
                     id, endpoint, id, endpoint);
}

static model_status explain_no_model(const char *endpoint, const char *id, bool had_token,
                                     struct model_error *err)
{
    return error_set(err, MODEL_NOT_FOUND, "no such model: '%s' at %.200s%s", id, endpoint,
                     had_token ? ", or your token may not see it; check the name"
                               : "; check the name, or give a token with HF_TOKEN or --token if it "
                                 "is private");
}

static model_status explain_unauthorized(const struct hub_response *response, const char *endpoint,
                                         const char *id, bool had_token, const char *words,
                                         struct model_error *err)
{
    const char *before = words[0] != '\0' ? " (" : "", *after = words[0] != '\0' ? ")" : "";
    if (response->status == 401 && !had_token)
        return explain_no_model(endpoint, id, false, err);
    if (response->status == 401)
        return error_set(err, MODELHOST_UNAUTHORIZED,
                         "%.200s does not accept the token%s%s%s; check HF_TOKEN, --token or the "
                         "token file%s",
                         endpoint, before, words, after,
                         has_pages(endpoint) ? ", or make a new one at " HUB_DEFAULT_ENDPOINT
                                               "/settings/tokens"
                                             : "");
    return error_set(err, MODELHOST_UNAUTHORIZED, "no access to '%s' at %.200s%s%s%s; %s", id,
                     endpoint, before, words, after,
                     had_token ? "the token may not read this model"
                               : "give a token with HF_TOKEN or --token");
}

static model_status explain_not_found(const char *endpoint, const struct hub_subject *subject,
                                      bool had_token, const char *code, struct model_error *err)
{
    if (strcasecmp(code, "RevisionNotFound") == 0)
        return error_set(err, MODEL_NOT_FOUND,
                         "the model '%s' has no revision '%.200s'; see %.200s/%s for its branches",
                         subject->id, subject->revision, endpoint, subject->id);
    if (strcasecmp(code, "EntryNotFound") == 0 || (code[0] == '\0' && subject->path != NULL))
        return error_set(err, MODEL_NOT_FOUND, "the model '%s' has no file '%.200s' at revision %s",
                         subject->id, subject->path != NULL ? subject->path : "?",
                         subject->revision);
    return explain_no_model(endpoint, subject->id, had_token, err);
}

static model_status explain_too_many(const char *endpoint, bool had_token, const char *words,
                                     int64_t wait_ms, struct model_error *err)
{
    char wait[48] = "wait a few minutes";
    if (wait_ms >= 0)
        (void)snprintf(wait, sizeof wait, "wait %lld s", (long long)(wait_ms / 1000));
    return error_set(err, MODELHOST_RATE_LIMITED,
                     "%.200s says that there were too many requests%s%s; %s%s", endpoint,
                     words[0] != '\0' ? ": " : "", words, wait,
                     had_token ? "" : ", or give a token, which is allowed more");
}

/* Any other answer. A busy server that asks for a longer wait than is worth sitting through is a
 * limit, not a fault. */
static model_status explain_other(const struct hub_response *response, const char *endpoint,
                                  const struct hub_subject *subject, const char *words,
                                  int64_t wait_ms, struct model_error *err)
{
    bool is_busy = response->status >= 500 || response->status == 408;
    bool is_limit = is_busy && wait_ms > HUB_MAX_WAIT_MS;
    char advice[48] = "try again later";
    if (is_limit)
        (void)snprintf(advice, sizeof advice, "wait %lld s", (long long)(wait_ms / 1000));
    return error_set(err, is_limit ? MODELHOST_RATE_LIMITED : MODELHOST_NETWORK,
                     "%.200s answers %ld for '%s'%s%.100s%s%s; %s", endpoint, response->status,
                     subject->id, subject->path != NULL ? ", file " : "",
                     subject->path != NULL ? subject->path : "", words[0] != '\0' ? ": " : "",
                     words, is_busy ? advice : "is this a hub?");
}

model_status hub_explain(const struct hub_response *response, const char *endpoint,
                         const struct hub_subject *subject, bool had_token, int64_t wait_ms,
                         struct model_error *err)
{
    char words[MAX_WORDS_BYTES];
    const char *code = response->headers[HUB_ERROR_CODE];
    long status = response->status;
    read_words(response, words);
    if (code == NULL)
        code = "";
    if (strcasecmp(code, "GatedRepo") == 0)
        return explain_gated(endpoint, subject->id, had_token, words, err);
    if (status == 404 || strcasecmp(code, "RepoNotFound") == 0)
        return explain_not_found(endpoint, subject, had_token, code, err);
    if (status == 401 || status == 403)
        return explain_unauthorized(response, endpoint, subject->id, had_token, words, err);
    if (status == 429)
        return explain_too_many(endpoint, had_token, words, wait_ms, err);
    return explain_other(response, endpoint, subject, words, wait_ms, err);
}
