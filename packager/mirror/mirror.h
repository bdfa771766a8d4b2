/* mirror.h - a hub for the models of a folder: answers as huggingface.co does, so that its clients need
 * nothing but another address. Give mirror_handle() to an HTTP server (http_server.h). Everything on
 * the loop's thread; folders are read and files hashed on threads of its own, when first asked for. */
#ifndef MIRROR_H
#define MIRROR_H

#include "log.h"

#include <stdbool.h>

struct http_request;
struct mirror;
struct mirror_access_log;
struct mirror_alias;
struct mirror_tokens;
struct http_outcome;
struct uv_loop_s;

struct mirror_options {
    const char *folder; /* holds ns/name/... and name/..., or is a store, or an archive */
    const struct mirror_tokens *tokens; /* requests must carry one; NULL or empty: none needed */
    bool is_open;                       /* with tokens: what is not gated needs none all the same */
    struct mirror_access_log *access_log; /* may be NULL */
    const struct mirror_alias *aliases;   /* (n_aliases): names of old */
    size_t n_aliases;
    const char *const *gated; /* (n_gated): repositories whose files want a token */
    size_t n_gated;
    size_t page_size;          /* items of a tree's page at most; 0: 1,000 */
    const char *const *faults; /* (n_faults): what goes wrong on purpose, see mirror_fault.h */
    size_t n_faults;
    /* What is not in the folder comes from this hub, and is kept below it; NULL: from none. */
    const char *upstream, *upstream_token; /* token NULL: none */
    int64_t upstream_timeout_ms;           /* without a byte; 0: the default */
    uint64_t upstream_keep_bytes;          /* of what is kept; 0: no bound */
    const struct log_sink *log;
};

/* The options' strings and arrays must outlive the mirror. MODEL_NOT_FOUND: no such folder,
 * or a gated id or an alias names no repository in it. */
model_status mirror_create(struct uv_loop_s *loop, const struct mirror_options *options,
                           struct mirror **ret, struct model_error *err);
size_t mirror_n_repositories(const struct mirror *mirror);
/* context is the mirror. */
void mirror_handle(void *context, struct http_request *request);
/* For the server's finished(): writes the access log. */
void mirror_finished(void *context, const struct http_request *request,
                     const struct http_outcome *outcome);
/* For the faults of a content network: whether a second server is wanted, the handler to give it, and
 * its address. */
bool mirror_wants_cdn(const struct mirror *mirror);
void mirror_handle_cdn(void *context, struct http_request *request);
void mirror_set_cdn(struct mirror *mirror, const char *url);
/* Replies to what waits, and frees the mirror; close the HTTP server before. */
void mirror_close(struct mirror *mirror, void (*on_closed)(void *context), void *context);

#endif
