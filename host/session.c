/* session.c - see session.h, and include/modelhost.h for the public functions. */
#include "session.h"
#include "errors.h"
#include "loaded_model.h"
#include "plugin_error.h"

#include <stdlib.h>

void session_retain(struct modelhost_session *session)
{
    (void)atomic_fetch_add(&session->references, 1);
}

static void free_session(struct modelhost_session *session)
{
    loaded_model_drop(session->model);
    free(session->slots);
    free(session);
}

static void destroy_instance(void *argument)
{
    struct modelhost_session *session = argument;
    hosted_instance_destroy(session->instance);
    free_session(session);
}

/* Plugin code, if there is any to run, is the reaper's: this may be a callback. */
void session_drop(struct modelhost_session *session)
{
    if (session == NULL || atomic_fetch_sub(&session->references, 1) != 1)
        return;
    session->end = (struct reaper_item){NULL, destroy_instance, session, false};
    if (session->instance == NULL || loaded_model_keep_instance(session->model, session->instance))
        free_session(session);
    else
        reaper_give(session->model->reaper, &session->end);
}

/* What an earlier user of the instance left in its slots goes. */
static model_status clear_slots(struct hosted_instance *instance, uint32_t n_items,
                                struct model_error *err)
{
    model_status status = MODEL_OK;
    for (uint32_t slot = 0; slot < n_items && status == MODEL_OK; slot++) {
        size_t kept = 0;
        status = hosted_instance_keep(instance, slot, slot, 0, &kept, err);
    }
    plugin_error_tidy(err, status, "keep() failed without saying why");
    return status == MODEL_OK ? MODEL_OK : MODEL_INTERNAL;
}

/* Until the first call has read something, the next one may have another batch. */
static model_status number_slots(struct modelhost_session *session, uint32_t n_items,
                                 struct model_error *err)
{
    uint32_t *slots = realloc(session->slots, n_items * sizeof *slots);
    if (slots == NULL)
        return error_no_memory(err, "slots");
    for (uint32_t i = 0; i < n_items; i++)
        slots[i] = i;
    session->slots = slots;
    return MODEL_OK;
}

static model_status take_instance(struct modelhost_session *session, int64_t n_items,
                                  struct model_error *err)
{
    const uint32_t max_slots = session->model->model->description->max_slots;
    if (session->n_items == n_items)
        return MODEL_OK;
    if (session->n_items > 0)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the session has a batch of %lld, this call has %lld",
                         (long long)session->n_items, (long long)n_items);
    if (n_items < 1 || n_items > max_slots)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "a batch of %lld in a session, want 1 to %u (the model's max_slots)",
                         (long long)n_items, max_slots);
    model_status status = number_slots(session, (uint32_t)n_items, err);
    if (status == MODEL_OK && session->instance == NULL)
        status = loaded_model_take_instance(session->model, NULL, 0, &session->instance, err);
    if (status == MODEL_OK)
        status = clear_slots(session->instance, (uint32_t)n_items, err);
    return status;
}

model_status session_begin(struct modelhost_session *session, int64_t n_items,
                           struct hosted_instance **ret, struct model_error *err)
{
    if (atomic_exchange(&session->busy, 1))
        return error_set(err, MODEL_BUSY,
                         "another call uses the session; wait for its end, or use a session each");
    model_status status =
        session->lost != NULL
            ? error_set(err, MODEL_INVALID_ARGUMENT,
                        "an earlier call of the session was given up (its deadline, or cancelled) "
                        "when %s: begin a new session",
                        session->lost)
            : take_instance(session, n_items, err);
    session->n_pending = n_items;
    if (status == MODEL_OK)
        *ret = session->instance;
    else
        session_end(session, SESSION_UNCHANGED);
    return status;
}

void session_lose_instance(struct modelhost_session *session)
{
    hosted_instance_destroy(session->instance);
    session->instance = NULL;
    session->lost = "the plugin did not stop";
}

void session_leave_instance(struct modelhost_session *session)
{
    session->instance = NULL;
    session->lost = "the plugin ended its thread";
    atomic_store(&session->busy, 0);
}

void session_end(struct modelhost_session *session, enum session_outcome outcome)
{
    if (outcome == SESSION_ADVANCED)
        session->n_items = session->n_pending;
    if (outcome == SESSION_LOST && session->lost == NULL)
        session->lost = "the model had read its input already";
    atomic_store(&session->busy, 0);
}
