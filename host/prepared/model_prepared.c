/* model_prepared.c - see model_prepared.h. What goes wrong here costs time, and is no error. Covered by
 * tests/unit/test_prepared_weights.c. */
#include "model_prepared.h"
#include "errors.h"
#include "host.h"
#include "prepared_machine.h"

#include <string.h>

static struct prepared_folder folder_of(const struct modelhost_model *model)
{
    return (struct prepared_folder){model->host->store_dir, model->host->prepared_max_bytes,
                                    model->log};
}

struct prepared_model model_prepared_facts(const struct modelhost_model *model,
                                           const struct weights *weights, const char *plugin_sha256)
{
    return (struct prepared_model){.package = &model->package,
                                   .config_text = model->config_text,
                                   .config_bytes = model->config_bytes,
                                   .weights = weights,
                                   .plugin_sha256 = plugin_sha256,
                                   .options = &model->load};
}

/* "" when nothing is to be kept. */
static void make_key(const struct modelhost_model *model, const struct weights *weights,
                     const char *plugin_sha256, char ret_key[SHA256_HEX_BYTES])
{
    struct model_error err = MODEL_ERROR_INIT;
    const struct prepared_model prepared = model_prepared_facts(model, weights, plugin_sha256);
    ret_key[0] = '\0';
    if (model->host->store_dir == NULL || plugin_sha256[0] == '\0' ||
        !prepared_key_is_wanted(&model->package, &model->load))
        return;
    if (prepared_key_make(&prepared, ret_key, &err) != MODEL_OK) {
        log_write(model->log, MODEL_LOG_DEBUG, "prepared weights are not kept: %s", err.message);
        ret_key[0] = '\0';
    }
    if (ret_key[0] != '\0' &&
        prepared_machine_key(ret_key, prepared_machine(), ret_key) != MODEL_OK)
        ret_key[0] = '\0';
}

void model_prepared_begin(struct modelhost_model *model, struct prepared_ends *ends)
{
    char key[SHA256_HEX_BYTES];
    const struct prepared_folder folder = folder_of(model);
    if (ends != NULL)
        memcpy(key, ends->key, sizeof key);
    else
        make_key(model, model->weights, model->plugin.sha256, key);
    prepared_weights_begin(&model->prepared, &folder, key, ends, model->host->threads,
                           &model->services.packed);
}

void model_prepared_made(struct modelhost_model *model)
{
    const struct packed_blobs *blobs = &model->services.packed;
    metrics_add(model->metrics.series, METRIC_PACKED, PACKED_KEPT,
                (int64_t)(blobs->n_blobs - blobs->n_made));
    metrics_add(model->metrics.series, METRIC_PACKED, PACKED_MADE, (int64_t)blobs->n_made);
    prepared_weights_made(&model->prepared);
}

void model_prepared_share(struct modelhost_model *model, const struct weights *weights)
{
    char key[SHA256_HEX_BYTES];
    const struct prepared_folder folder = folder_of(model);
    make_key(model, weights, model->parts.plugin, key);
    if (key[0] != '\0')
        (void)prepared_share_create(&folder, key, &model->prepared_share, NULL);
}
