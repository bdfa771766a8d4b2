/* api_config.c - the public functions that read files of options; see include/modelhost.h and config_file.h.
 *
 *   {"host": {"lanes": 2, ...}, "models": {"*": {"isolation": "worker"}, "ns/name": {...}}}
 *
 * The tree is checked once and kept; texts of options live in it. Immutable afterwards. */
#include "config_file.h"
#include "backend_order.h"
#include "buffer.h"
#include "config_fields.h"
#include "errors.h"
#include "files.h"
#include "host_metrics.h"
#include "load_options.h"
#include "model_names.h"
#include "redis_url.h"
#include "statsd_address.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (1u << 20)

struct modelhost_config {
    json_node *tree;
};

static model_status check_backends(const char *wanted, struct model_error *err)
{
    struct backend_order unused;
    return wanted != NULL ? backend_order_read(wanted, &unused, err) : MODEL_OK;
}

/* What a load would refuse of a model's options, those of "*" under them. */
static model_status check_policy(const json_node *models, const json_node *model, const char *where,
                                 struct model_error *err)
{
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct breaker_policy policy;
    const json_node *all = json_member(models, "*");
    if (all == NULL || json_is_object(all))
        config_fields_apply(config_model_fields, all, &options, sizeof options);
    config_fields_apply(config_model_fields, model, &options, sizeof options);
    model_status status = load_options_policy(&options, &policy, err);
    if (status == MODEL_OK)
        status = check_backends(options.backend, err);
    if (status == MODEL_OK && options.name != NULL)
        status = model_names_check(options.name, err);
    if (status != MODEL_OK)
        error_prefix(err, "%s", where);
    return status;
}

static model_status check_models(const json_node *models, struct model_error *err)
{
    model_status status = MODEL_OK;
    if (models == NULL)
        return MODEL_OK;
    if (!json_is_object(models))
        return error_set(err, MODEL_INVALID_ARGUMENT, "models is not a JSON object");
    if (json_check_unique_keys(models, "models", err) != MODEL_OK)
        return MODEL_INVALID_ARGUMENT;
    for (const json_node *model = json_first(models); model != NULL && status == MODEL_OK;
         model = json_next(model)) {
        char *where = text_format("models.%.200s", json_key(model));
        if (json_key(model)[0] == '\0')
            status = error_set(err, MODEL_INVALID_ARGUMENT,
                               "models has a model without a name; \"*\" stands for all");
        else
            status = where != NULL ? config_fields_check(config_model_fields, model, where, err)
                                   : error_no_memory(err, "the configuration");
        free(where);
    }
    for (const json_node *model = json_first(models); model != NULL && status == MODEL_OK;
         model = json_next(model)) {
        char *where = text_format("models.%.200s", json_key(model));
        status = where != NULL ? check_policy(models, model, where, err)
                               : error_no_memory(err, "the configuration");
        free(where);
    }
    return status;
}

/* What modelhost_create() would refuse. */
static model_status check_addresses(const json_node *host, struct model_error *err)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct redis_url url;
    struct statsd_address address;
    const char *where = "host.redis_url";
    model_status status = MODEL_OK;
    config_fields_apply(config_host_fields, host, &options, sizeof options);
    if (options.redis_url != NULL && options.redis_url[0] != '\0')
        status = redis_url_parse(options.redis_url, &url, err);
    if (status == MODEL_OK && options.statsd_address != NULL) {
        where = "host.statsd_address";
        status = statsd_address_parse(options.statsd_address, &address, err);
    }
    if (status == MODEL_OK) {
        where = "host";
        status = host_metrics_check_interval(options.statsd_interval_ms, err);
    }
    if (status != MODEL_OK)
        error_prefix(err, "%s", where);
    return status;
}

static model_status check_tree(const json_node *tree, struct model_error *err)
{
    if (!json_is_object(tree))
        return error_set(err, MODEL_INVALID_ARGUMENT, "not a JSON object");
    if (json_check_unique_keys(tree, "the file", err) != MODEL_OK)
        return MODEL_INVALID_ARGUMENT;
    for (const json_node *part = json_first(tree); part != NULL; part = json_next(part))
        if (strcmp(json_key(part), "host") != 0 && strcmp(json_key(part), "models") != 0)
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "%.60s is not known; there are host and models", json_key(part));
    const json_node *host = json_member(tree, "host");
    model_status status =
        host != NULL ? config_fields_check(config_host_fields, host, "host", err) : MODEL_OK;
    if (status == MODEL_OK)
        status = check_addresses(host, err);
    return status == MODEL_OK ? check_models(json_member(tree, "models"), err) : status;
}

model_status config_file_parse(const char *text, size_t size_bytes, const char *what,
                               struct modelhost_config **ret, struct model_error *err)
{
    struct modelhost_config *config = calloc(1, sizeof *config);
    if (config == NULL)
        return error_no_memory(err, "the configuration");
    model_status status = json_parse(text, size_bytes, what, &config->tree, err);
    if (status == MODEL_OK) {
        status = check_tree(config->tree, err);
        if (status != MODEL_OK)
            error_prefix(err, "%s", what);
    }
    if (status != MODEL_OK)
        modelhost_config_destroy(config);
    else
        *ret = config;
    return status;
}

model_status modelhost_config_read(const char *path, struct modelhost_config **ret,
                                   struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_BYTES);
    if (path == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "the configuration's path is NULL");
    model_status status = file_read(path, MAX_BYTES, &text, err);
    if (status == MODEL_OK)
        status = config_file_parse(text.data != NULL ? text.data : "", text.size, path, ret, err);
    buffer_finish(&text);
    return status;
}

void modelhost_config_destroy(struct modelhost_config *config)
{
    if (config == NULL)
        return;
    json_free(config->tree);
    free(config);
}

void modelhost_config_host(const struct modelhost_config *config, struct modelhost_options *options)
{
    config_fields_apply(config_host_fields, json_member(config->tree, "host"), options,
                        options->struct_size);
}

void modelhost_config_model(const struct modelhost_config *config, const char *name,
                            struct modelhost_load_options *options)
{
    const json_node *models = json_member(config->tree, "models");
    config_fields_apply(config_model_fields, json_member(models, "*"), options,
                        options->struct_size);
    config_fields_apply(config_model_fields, json_member(models, name), options,
                        options->struct_size);
}

static model_status show_models(const struct modelhost_config *config, json_node *shown,
                                struct model_error *err)
{
    const json_node *model = json_first(json_member(config->tree, "models"));
    model_status status = MODEL_OK;
    for (; model != NULL && status == MODEL_OK; model = json_next(model)) {
        struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
        modelhost_config_model(config, json_key(model), &options);
        status = config_fields_show(config_model_fields, &options, sizeof options,
                                    json_add_object(shown, json_key(model)), err);
    }
    return status;
}

model_status modelhost_config_show(const struct modelhost_config *config, char **ret_json,
                                   struct model_error *err)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    json_node *shown = json_new_object();
    modelhost_config_host(config, &options);
    model_status status = config_fields_show(config_host_fields, &options, sizeof options,
                                             json_add_object(shown, "host"), err);
    if (status == MODEL_OK)
        status = show_models(config, json_add_object(shown, "models"), err);
    char *text = status == MODEL_OK ? json_print(shown, true) : NULL;
    json_free(shown);
    if (status == MODEL_OK && text == NULL)
        status = error_no_memory(err, "the configuration");
    if (status == MODEL_OK)
        *ret_json = text;
    return status;
}
