/* api_session.c - the public functions of sessions; see include/modelhost.h. */
#include "errors.h"
#include "loaded_model.h"
#include "model_route.h"
#include "session.h"

#include <stdlib.h>

model_status modelhost_session_create(struct modelhost_model *model,
                                      struct modelhost_session **ret_session,
                                      struct model_error *err)
{
    model = model_route_pick(model);
    const struct model_description *description = modelhost_description(model);
    if (description->max_slots == 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "this %s remembers nothing between calls: run it without a session",
                         description->architecture != NULL ? description->architecture : "model");
    struct modelhost_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return error_no_memory(err, "a session");
    atomic_store(&session->references, 1);
    session->model = model;
    loaded_model_retain(model);
    *ret_session = session;
    return MODEL_OK;
}

void modelhost_session_release(struct modelhost_session *session)
{
    session_drop(session);
}
