/* backend_chain.c - see backend_chain.h. */
#include "backend_chain.h"
#include "backend_match.h"
#include "clock.h"
#include "errors.h"
#include "host.h"
#include "loaded_model.h"

#include <stdlib.h>
#include <string.h>

/* ---- options */

#define WINDOW_NS           (60 * NS_PER_S)
#define DEFAULT_WINDOW      200
#define DEFAULT_MIN_CALLS   20
#define DEFAULT_RATE        0.95
#define DEFAULT_COOLDOWN_MS 5000
#define MAX_COOLDOWNS       60
#define MAX_OPTION_MS       (24 * 3600 * INT64_C(1000))
#define MAX_PROBES          2
#define GOOD_PROBES         5

static model_status check_number(const char *name, int64_t value, int64_t max,
                                 struct model_error *err)
{
    return value >= 0 && value <= max
               ? MODEL_OK
               : error_set(err, MODEL_INVALID_ARGUMENT, "%s is %lld, want 0 to %lld", name,
                           (long long)value, (long long)max);
}

static model_status read_policy(const struct modelhost_load_options *options,
                                struct breaker_policy *ret, struct model_error *err)
{
    const uint32_t window = options->breaker_window > 0 ? options->breaker_window : DEFAULT_WINDOW;
    const uint32_t usual = window < DEFAULT_MIN_CALLS ? window : DEFAULT_MIN_CALLS;
    const double rate =
        options->breaker_success_rate == 0 ? DEFAULT_RATE : options->breaker_success_rate;
    model_status status = check_number("breaker_window", window, BREAKER_MAX_WINDOW, err);
    if (status == MODEL_OK)
        status = check_number("breaker_min_calls", options->breaker_min_calls, window, err);
    if (status == MODEL_OK)
        status = check_number("sla_ms", options->sla_ms, MAX_OPTION_MS, err);
    if (status == MODEL_OK)
        status =
            check_number("breaker_cooldown_ms", options->breaker_cooldown_ms, MAX_OPTION_MS, err);
    if (status == MODEL_OK && !(rate <= 1))
        status =
            error_set(err, MODEL_INVALID_ARGUMENT, "breaker_success_rate is %g, want 0 to 1", rate);
    if (status != MODEL_OK)
        return status;
    const int64_t cooldown_ms =
        options->breaker_cooldown_ms > 0 ? options->breaker_cooldown_ms : DEFAULT_COOLDOWN_MS;
    *ret = (struct breaker_policy){
        .window_calls = window,
        .window_ns = WINDOW_NS,
        .min_calls = options->breaker_min_calls > 0 ? options->breaker_min_calls : usual,
        .success_rate = rate > 0 ? rate : 0,
        .sla_ns = options->sla_ms * NS_PER_MS,
        .cooldown_ns = cooldown_ms * NS_PER_MS,
        .max_cooldown_ns = cooldown_ms * MAX_COOLDOWNS * NS_PER_MS,
        .max_probes = MAX_PROBES,
        .good_probes = GOOD_PROBES};
    return MODEL_OK;
}

/* The options that the caller's struct has; what it was compiled without is 0. */
static struct modelhost_load_options known_options(const struct modelhost_load_options *options)
{
    struct modelhost_load_options known = MODELHOST_LOAD_OPTIONS_INIT;
    if (options != NULL)
        memcpy(&known, options,
               options->struct_size < sizeof known ? options->struct_size : sizeof known);
    known.struct_size = sizeof known;
    return known;
}

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
    free(chain->package_dir);
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
    chain->options = known_options(options);
    chain->package_dir = text_format("%s", package_dir);
    model_status status = chain->package_dir != NULL ? MODEL_OK : error_no_memory(err, "a model");
    if (status == MODEL_OK)
        status = read_policy(&chain->options, &chain->policy, err);
    if (status == MODEL_OK)
        status = backend_order_find(package_dir, chain->options.backend, &chain->order, err);
    chain->options.backend = NULL; /* the caller's memory */
    if (chain->order.n_names == 0)
        chain->order.n_names = 1;
    if (status == MODEL_OK)
        *ret = chain;
    else
        backend_chain_drop(chain);
    return status;
}

/* ---- opening */

static model_status open_one(struct backend_chain *chain, size_t position,
                             const struct model_description *like, struct modelhost_model **ret,
                             struct model_error *err)
{
    const char *name = chain->order.names[position];
    const struct model_source source = {.package_dir = chain->package_dir,
                                        .backend = name[0] != '\0' ? name : NULL,
                                        .options = &chain->options,
                                        .chain = chain,
                                        .position = position};
    struct modelhost_model *model = NULL;
    model_status status = loaded_model_create(chain->host, &source, &model, err);
    if (status == MODEL_OK && like != NULL)
        status = backend_match(like, modelhost_description(model), err);
    if (status == MODEL_OK)
        *ret = model;
    else
        loaded_model_drop(model);
    return status;
}

/* The sentence of a load that found no backend: as it is where there was no choice. */
static model_status say_none(const struct backend_chain *chain, size_t first, model_status status,
                             struct model_error *err)
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
        status = open_one(chain, i, like, ret, &own);
        free(chain->refused[i]);
        chain->refused[i] = NULL;
        if (status == MODEL_OK)
            return status;
        chain->refused[i] = text_format("%s", own.message);
        (void)error_set(err, status, "%s", own.message);
        first_status = first_status == MODEL_OK ? status : first_status;
        if (i + 1 < chain->order.n_names)
            log_write(chain->log, MODEL_LOG_WARN, "%s: backend '%s' did not open, trying '%s': %s",
                      chain->package_dir, chain->order.names[i], chain->order.names[i + 1],
                      own.message);
    }
    return say_none(chain, first, first_status, err);
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

void backend_chain_describe(const struct backend_chain *chain, size_t position, const char *backend,
                            json_node *info)
{
    (void)json_add_string(info, "backend", backend);
    json_node *fallbacks = json_add_array(info, "fallbacks");
    for (size_t i = position + 1; i < chain->order.n_names; i++)
        (void)json_add_string(fallbacks, NULL, chain->order.names[i]);
    json_node *refused = json_add_object(info, "refused_backends");
    for (size_t i = 0; i < position; i++)
        if (chain->refused[i] != NULL)
            (void)json_add_string(refused, chain->order.names[i], chain->refused[i]);
}
