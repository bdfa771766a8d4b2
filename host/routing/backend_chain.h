/* backend_chain.h - the backends of one package, and how each of them is opened.
 *
 * Made by a load; each backend that is opened holds a reference (through its model_route). Fixed once made, but
 * for `refused`, each of which belongs to whoever opens that backend: one thread at a time. */
#ifndef BACKEND_CHAIN_H
#define BACKEND_CHAIN_H

#include "backend_order.h"
#include "breaker.h"
#include "buffer.h"
#include "demotion.h"
#include "json_view.h"
#include "log.h"

#include <stdatomic.h>
#include <stdbool.h>

struct modelhost_model;

struct backend_chain {
    _Atomic uint32_t references;
    struct modelhost *host;     /* not to be used once it is gone: only to open */
    const struct log_sink *log; /* lives as long as any model */
    int64_t (*now_ns)(void);    /* the clock of the breakers */
    char *package_dir, *name;   /* name NULL: the package's own; options.name is this */
    char *trusted_keys;         /* of the options, in the same way; NULL: the user's own */
    struct backend_order order; /* at least one name; "" is package_open()'s choice */
    struct modelhost_load_options options;
    struct archive_secret *secret; /* NULL: none */
    struct breaker_policy policy;
    struct demotion_policy demotion;
    char *refused[BACKEND_MAX]; /* why a backend did not open; NULL: it did, or was not tried */
};

/* `options` are checked and copied, and may be NULL; their `backend` is not kept. */
model_status backend_chain_create(struct modelhost *host, const char *package_dir,
                                  const struct modelhost_load_options *options,
                                  struct backend_chain **ret, struct model_error *err);
void backend_chain_retain(struct backend_chain *chain);
void backend_chain_drop(struct backend_chain *chain); /* NULL does nothing */

/* Opens the first backend from `first` on that can be; when none can, the sentence says why of each.
 * `like`: what its tensors must be as; NULL: as they are. Blocks. */
model_status backend_chain_open(struct backend_chain *chain, size_t first,
                                const struct model_description *like, struct modelhost_model **ret,
                                struct model_error *err);
/* Opens this one, with its own sentence. `cancelled` (atomic) gives it up as far as it opens in workers; NULL: nobody
 * does. Blocks. */
model_status backend_chain_open_one(struct backend_chain *chain, size_t position,
                                    const uint32_t *cancelled, struct modelhost_model **ret,
                                    struct model_error *err);
/* Why a backend is not to be used, though it may have opened. */
void backend_chain_refuse(struct backend_chain *chain, size_t position, const char *sentence);
/* The sentence of a load for which none of [first, ...) opened. Returns `status`. */
model_status backend_chain_say_none(const struct backend_chain *chain, size_t first,
                                    model_status status, struct model_error *err);
/* Whether a backend of this name is opened in a worker whatever the options say. */
bool backend_chain_wants_worker(const char *backend);

/* Adds "'coreml' did not open: ..." for the refused ones of [first, end), with "; " between. */
void backend_chain_say_refused(const struct backend_chain *chain, size_t first, size_t end,
                               struct buffer *ret);
/* Adds "backend", "fallbacks" and "refused_backends", of those from `first` on, to a model's description. */
void backend_chain_describe(const struct backend_chain *chain, size_t first, size_t position,
                            const char *backend, json_node *info);

#endif
