/* backend_chain.c - see backend_chain.h. */
#include "backend_chain.h"
#include "backend_match.h"
#include "errors.h"
#include "host.h"
#include "load_options.h"
#include "loaded_model.h"

#include <stdlib.h>
#include <string.h>

/* ---- life */

void backend_chain_retain(struct backend_chain *chain)
{
    (void)atomic_fetch_add(&chain->references, 1);
}

void backend_chain_drop(struct backend_chain *chain)
{
    if (chain == NULL || atomic_fetch_sub(&chain->references, 1) != 1)
        return;
    for (size_t i = 0; i < BACKEND_MAX; i++)
        free(chain->refused[i]);
    archive_secret_destroy(chain->secret);
    free(chain->package_dir);
    free(chain->name);
    free(chain->trusted_keys);
    free(chain);
}

model_status backend_chain_create(struct modelhost *host, const char *package_dir,
                                  const struct modelhost_load_options *options,
                                  struct backend_chain **ret, struct model_error *err)
{
    struct backend_chain *chain = calloc(1, sizeof *chain);
    if (chain == NULL)
        return error_no_memory(err, "a model");
    atomic_store(&chain->references, 1);
    chain->host = host;
    chain->log = reaper_log(host->reaper);
    chain->now_ns = host->now_ns;
    chain->options = load_options_complete(options);
    chain->package_dir = text_format("%s", package_dir);
    model_status status = chain->package_dir != NULL ? MODEL_OK : error_no_memory(err, "a model");
    if (status == MODEL_OK)
        status = load_options_policy(&chain->options, &chain->policy, err);
    if (status == MODEL_OK)
        status = load_options_demotion(&chain->options, &chain->demotion, err);
    if (status == MODEL_OK)
        status = load_options_check_quarantine(&chain->options, err);
    if (status == MODEL_OK)
        status = load_options_check_generation(&chain->options, err);
    if (status == MODEL_OK)
        status = chain->options.backend != NULL
                     ? backend_order_read(chain->options.backend, &chain->order, err)
                     : backend_order_find(package_dir, host->has_core_ml, &chain->order, err);
    if (status == MODEL_OK)
        status = load_options_secret(&chain->options, &chain->secret, err);
    chain->options.backend = NULL; /* the caller's memory */
    chain->options.passphrase_file = chain->options.key_file = chain->options.passphrase = NULL;
    chain->options.passphrase_bytes = 0;
    chain->options.key = NULL;
    if (status == MODEL_OK && chain->options.name != NULL &&
        (chain->name = text_format("%s", chain->options.name)) == NULL)
        status = error_no_memory(err, "a model");
    chain->options.name = chain->name;
    if (status == MODEL_OK && chain->options.trusted_keys != NULL &&
        (chain->trusted_keys = text_format("%s", chain->options.trusted_keys)) == NULL)
        status = error_no_memory(err, "a model");
    chain->options.trusted_keys = chain->trusted_keys;
    if (chain->order.n_names == 0) {
        chain->order.n_names = 1;
        chain->order.names[0][0] = '\0';
    }
    if (chain->order.n_names == 1 && chain->options.breaker_success_rate == 0)
        chain->policy.success_rate = 0; /* with nobody to hand over to, only who asks for it */
    if (chain->order.n_names == 1)
        chain->demotion.n_openings = 0;
    if (status == MODEL_OK)
        *ret = chain;
    else
        backend_chain_drop(chain);
    return status;
}

/* ---- opening */

/* Core ML may hang, or end the process that it runs in: nobody who loads a model is to depend on that. */
static const struct worker_backend {
    const char *name;
    int64_t
        kill_grace_ms; /* unless the options say; it does not listen, so being slow must not cost a process */
} always_in_workers[] = {{"coreml", 250}};

static const struct worker_backend *find_worker_backend(const char *name)
{
    for (size_t i = 0; i < sizeof always_in_workers / sizeof *always_in_workers; i++)
        if (strcmp(name, always_in_workers[i].name) == 0)
            return &always_in_workers[i];
    return NULL;
}

bool backend_chain_wants_worker(const char *backend)
{
    return find_worker_backend(backend) != NULL;
}

void backend_chain_refuse(struct backend_chain *chain, size_t position, const char *sentence)
{
    free(chain->refused[position]);
    chain->refused[position] = sentence != NULL ? text_format("%s", sentence) : NULL;
}

model_status backend_chain_open_one(struct backend_chain *chain, size_t position,
                                    const uint32_t *cancelled, struct modelhost_model **ret,
                                    struct model_error *err)
{
    const char *name = chain->order.names[position];
    struct modelhost_load_options options = chain->options;
    const struct worker_backend *wants = find_worker_backend(name);
    if (wants != NULL) {
        options.isolation = MODELHOST_WORKER;
        options.kill_grace_ms =
            options.kill_grace_ms > 0 ? options.kill_grace_ms : wants->kill_grace_ms;
    }
    const struct model_source source = {.package_dir = chain->package_dir,
                                        .backend = name[0] != '\0' ? name : NULL,
                                        .options = &options,
                                        .secret = chain->secret,
                                        .chain = chain,
                                        .position = position,
                                        .cancelled = cancelled};
    struct model_error own = MODEL_ERROR_INIT;
    model_status status = loaded_model_create(chain->host, &source, ret, &own);
    backend_chain_refuse(chain, position, status == MODEL_OK ? NULL : own.message);
    return status == MODEL_OK ? status : error_set(err, status, "%s", own.message);
}

/* One whose tensors are as those of `like`, unless that is NULL. */
static model_status open_like(struct backend_chain *chain, size_t position,
                              const struct model_description *like, struct modelhost_model **ret,
                              struct model_error *err)
{
    struct modelhost_model *model = NULL;
    model_status status = backend_chain_open_one(chain, position, NULL, &model, err);
    if (status == MODEL_OK && like != NULL &&
        (status = backend_match(like, modelhost_description(model), err)) != MODEL_OK)
        backend_chain_refuse(chain, position, err->message);
    if (status == MODEL_OK)
        *ret = model;
    else
        loaded_model_drop(model);
    return status;
}

/* As it is where there was no choice. */
model_status backend_chain_say_none(const struct backend_chain *chain, size_t first,
                                    model_status status, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MODEL_ERROR_BYTES);
    if (chain->order.n_names == 1)
        return status;
    backend_chain_say_refused(chain, first, chain->order.n_names, &text);
    (void)error_set(err, status, "no backend of %s opens: %s", chain->package_dir,
                    text.data != NULL ? text.data : "out of memory");
    buffer_finish(&text);
    return status;
}

model_status backend_chain_open(struct backend_chain *chain, size_t first,
                                const struct model_description *like, struct modelhost_model **ret,
                                struct model_error *err)
{
    model_status status = MODEL_NOT_FOUND, first_status = MODEL_OK;
    for (size_t i = first; i < chain->order.n_names; i++) {
        struct model_error own = MODEL_ERROR_INIT;
        status = open_like(chain, i, like, ret, &own);
        if (status == MODEL_OK)
            return status;
        (void)error_set(err, status, "%s", own.message);
        first_status = first_status == MODEL_OK ? status : first_status;
        if (i + 1 < chain->order.n_names)
            log_write(chain->log, MODEL_LOG_WARN, "%s: backend '%s' did not open, trying '%s': %s",
                      chain->package_dir, chain->order.names[i], chain->order.names[i + 1],
                      own.message);
    }
    return backend_chain_say_none(chain, first, first_status, err);
}

/* ---- saying it */

void backend_chain_say_refused(const struct backend_chain *chain, size_t first, size_t end,
                               struct buffer *ret)
{
    for (size_t i = first; i < end; i++)
        if (chain->refused[i] != NULL)
            (void)buffer_printf(ret, "%s'%s' did not open: %s", ret->size > 0 ? "; " : "",
                                chain->order.names[i], chain->refused[i]);
}

void backend_chain_describe(const struct backend_chain *chain, size_t first, size_t position,
                            const char *backend, json_node *info)
{
    (void)json_add_string(info, "backend", backend);
    json_node *fallbacks = json_add_array(info, "fallbacks");
    for (size_t i = position + 1; i < chain->order.n_names; i++)
        (void)json_add_string(fallbacks, NULL, chain->order.names[i]);
    json_node *refused = json_add_object(info, "refused_backends");
    for (size_t i = first; i < position; i++)
        if (chain->refused[i] != NULL)
            (void)json_add_string(refused, chain->order.names[i], chain->refused[i]);
}
