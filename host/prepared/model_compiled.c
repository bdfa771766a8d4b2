/* model_compiled.c - see model_compiled.h. Covered by tests/plugins/test_coreml_bridge.c. */
#include "model_compiled.h"
#include "backend_chain.h"
#include "compiled_folder.h"
#include "host.h"

#include <stdlib.h>

/* A process may write there only if its plugin is one that a framework stands behind: those are always in workers. What
 * they leave there nobody has signed, so it is nothing for a package whose signature is wanted. */
static bool may_keep(const struct modelhost_model *model)
{
    return model->package.manifest_sha256[0] == '\0' &&
           (model->load.isolation != MODELHOST_WORKER ||
            backend_chain_wants_worker(model->package.backend));
}

model_status model_compiled_offer(struct modelhost_model *model,
                                  const struct model_compiled_models *given,
                                  struct model_error *err)
{
    const struct modelhost *host = model->host;
    if (given != NULL)
        return given->folder != NULL
                   ? services_offer_compiled(&model->services, given->folder, given->max_bytes, err)
                   : MODEL_OK;
    char *folder =
        may_keep(model) ? compiled_folder_path(host->store_dir, host->compiled_max_bytes) : NULL;
    if (folder == NULL)
        return MODEL_OK;
    const model_status status =
        services_offer_compiled(&model->services, folder, host->compiled_max_bytes, err);
    free(folder);
    return status;
}
