/* plugin_probe.c - see plugin_probe.h. Uses the public API, as any application would: one lane, one
 * thread, for as long as the question takes. */
#include "plugin_probe.h"
#include "errors.h"
#include "model_info.h"

static model_status ask_plugin(const struct package *package, json_node **ret,
                               struct model_error *err)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    options.lanes = 1;
    options.threads = 1;
    options.log_level = MODEL_LOG_ERROR;
    model_status status = modelhost_create(&options, &host, err);
    if (status == MODEL_OK)
        status = modelhost_load(host, package->dir, &model, err);
    if (status == MODEL_OK)
        status = model_info_collect(package, modelhost_description(model), ret, err);
    modelhost_release(model);
    modelhost_destroy(host);
    return status;
}

model_status plugin_probe_info(const struct package *package, json_node **ret,
                               struct model_error *ret_refusal, struct model_error *err)
{
    struct model_error refusal = MODEL_ERROR_INIT;
    if (package->plugin != NULL) {
        if (ask_plugin(package, ret, &refusal) == MODEL_OK)
            return MODEL_OK;
        *ret_refusal = refusal;
    }
    return model_info_collect(package, NULL, ret, err);
}
