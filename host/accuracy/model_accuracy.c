/* model_accuracy.c - see model_accuracy.h. Covered by tests/unit/test_accuracy_gate.c and tests/system/test_quantize.sh. */
#include "model_accuracy.h"
#include "accuracy_gate.h"
#include "compute_dtype.h"
#include "errors.h"
#include "host.h"
#include "model_prepared.h"

/* What computes in worker processes is known by what these were told to find. */
model_status model_accuracy_key(const struct modelhost_model *model, char ret_key[SHA256_HEX_BYTES],
                                struct model_error *err)
{
    const bool is_in_worker = model->load.isolation == MODELHOST_WORKER;
    const char *plugin_sha256 = is_in_worker ? model->parts.plugin : model->plugin.sha256;
    struct weights *own = NULL;
    if (plugin_sha256[0] == '\0')
        return error_set(err, MODEL_UNSUPPORTED,
                         "the digest of %s is not known, so a report would not know whose it is",
                         model->plugin_path);
    if (is_in_worker && model->package.archive == NULL)
        (void)weights_open(model->package.backend_dir, &own, NULL);
    const struct prepared_model known =
        model_prepared_facts(model, is_in_worker ? own : model->weights, plugin_sha256);
    const model_status status = prepared_key_make(&known, ret_key, err);
    weights_destroy(own);
    return status;
}

model_status model_accuracy_choose(struct modelhost_model *model, const struct weights *weights,
                                   const char *plugin_sha256, struct model_error *err)
{
    const struct prepared_model known = model_prepared_facts(model, weights, plugin_sha256);
    const int32_t asked = model->load.dtype;
    int32_t dtype = asked;
    model_status status = accuracy_gate_choose(model->host->store_dir, &known, model->package.dir,
                                               model->log, &dtype, err);
    if (status != MODEL_OK || asked != MODELHOST_AUTO)
        return status;
    model->load.dtype = dtype;
    const char *name = compute_dtype_asked(dtype);
    log_write(model->log, MODEL_LOG_INFO, "dtype auto is %s by the reports in the store",
              name != NULL ? name : "f32");
    return MODEL_OK;
}
