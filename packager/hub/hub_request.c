/* hub_request.c - see hub.h: one GET as it must be done over a real network. An attempt walks the
 * redirects; between attempts we wait, as long as the server asks or a little longer each time. Each
 * attempt starts from the first address, because the address of a content network is signed and
 * expires (403 means: resolve it again). */
#include "errors.h"
#include "hub_attempt.h"
#include "hub_private.h"

/* What an attempt ended with. */
struct ending {
    struct hub_response response;
    enum hub_failure failure;
};

/* One attempt: up to an answer that is no redirect. */
static model_status walk(struct hub *hub, const struct hub_request *wanted,
                         const struct hub_receiver *receiver, struct hub_attempt *attempt,
                         struct ending *ending, struct model_error *err)
{
    bool may_show_token = wanted->has_left == NULL || !*wanted->has_left;
    bool is_redirected = true;
    ending->failure = HUB_FAILED_FOR_GOOD;
    model_status status = hub_attempt_start(attempt, wanted->url, may_show_token, err);
    if (status == MODEL_OK)
        status = receiver->restart(receiver->context, err);
    while (status == MODEL_OK && is_redirected) {
        struct hub_exchange exchange = {
            .sink = {.write = receiver->write, .context = receiver->context},
            .timeout_ms = wanted->timeout_ms,
        };
        status = hub_attempt_prepare(hub, attempt, &exchange, err);
        if (status != MODEL_OK)
            return status;
        hub_response_finish(&ending->response);
        status = hub->transport.exchange(hub->transport.context, &exchange, &ending->response,
                                         &ending->failure, err);
        if (status != MODEL_OK)
            return status;
        ending->failure = HUB_FAILED_FOR_GOOD;
        status = hub_attempt_take(attempt, &ending->response, &is_redirected, err);
    }
    return status;
}

static model_status wait_for(struct hub *hub, int64_t wait_ms, struct model_error *err)
{
    const int64_t slice_ms = 100;
    for (int64_t left_ms = wait_ms; left_ms > 0; left_ms -= slice_ms) {
        if (hub->config.cancelled != NULL && hub->config.cancelled(hub->config.cancel_context))
            return error_set(err, MODEL_CANCELLED, "interrupted");
        hub->clock.sleep_ms(hub->clock.context, left_ms < slice_ms ? left_ms : slice_ms);
    }
    return MODEL_OK;
}

model_status hub_get(struct hub *hub, const struct hub_request *request,
                     const struct hub_receiver *receiver, struct hub_response *ret,
                     struct hub_digest *ret_digest, struct model_error *err)
{
    struct hub_attempt attempt = {0};
    struct ending ending = {0};
    struct model_error own = MODEL_ERROR_INIT;
    model_status status;
    int64_t asked_ms;
    if (err == NULL)
        err = &own;
    hub_response_init(&ending.response);
    for (int n = 1;; n++) {
        status = walk(hub, request, receiver, &attempt, &ending, err);
        asked_ms = status == MODEL_OK ? hub_asked_wait_ms(hub, &ending.response) : -1;
        int64_t wait_ms = hub_backoff_ms(asked_ms, n);
        int n_worth = hub_attempt_worth(&attempt, status, ending.failure, ending.response.status);
        if (n >= n_worth || wait_ms < 0)
            break;
        hub_say_again(hub, status != MODEL_OK ? err->message : NULL, ending.response.status,
                      wait_ms, n, n_worth);
        status = wait_for(hub, wait_ms, err);
        if (status != MODEL_OK)
            goto end;
    }
    if (status == MODELHOST_NETWORK)
        hub_advise(hub, ending.failure, err);
    if (status == MODEL_OK && ending.response.status != 200)
        status = hub_explain(&ending.response, hub->endpoint, request->subject,
                             attempt.may_show_token && hub->config.token != NULL, asked_ms, err);
    if (status == MODEL_OK) {
        *ret = ending.response;
        hub_response_init(&ending.response);
        if (ret_digest != NULL)
            *ret_digest = attempt.digest;
    }
end:
    if (request->has_left != NULL && !attempt.may_show_token)
        *request->has_left = true;
    hub_response_finish(&ending.response);
    hub_attempt_finish(&attempt);
    return status;
}
