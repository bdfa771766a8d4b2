/* hub_request.c - see hub.h: one GET as it must be done over a real network. An attempt walks the
 * redirects; between attempts we wait, as long as the server asks or a little longer each time. Each
 * attempt starts from the first address, because the address of a content network is signed and
 * expires (403 means: resolve it again). */
#include "hub_private.h"
#include "errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BACKOFF_MS 1000
#define LAST_BACKOFF_MS  8000

/* One attempt at a GET, hop by hop. */
struct attempt {
    char *url;                /* of the hop under way; owned */
    bool may_show_token;      /* false for ever after once another origin was visited */
    bool left_endpoint;       /* the answer is another origin's */
    struct hub_digest digest; /* from the endpoint's own headers */
    struct hub_response response;
    enum hub_failure failure; /* valid when an exchange failed */
};

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The linked digest is the content's, and stands on the hub's own answer only: an ETag of a content
 * network means something else. */
static void note_digest(struct attempt *attempt)
{
    if (attempt->left_endpoint)
        return;
    struct hub_digest digest = hub_digest_read(attempt->response.headers[HUB_LINKED_ETAG]);
    if (digest.kind == HUB_DIGEST_NONE && attempt->digest.kind == HUB_DIGEST_NONE)
        digest = hub_digest_read(attempt->response.headers[HUB_ETAG]);
    if (digest.kind != HUB_DIGEST_NONE)
        attempt->digest = digest;
}

/* Moves the attempt to where its redirect points. */
static model_status follow(struct attempt *attempt, struct model_error *err)
{
    char *url = NULL;
    const char *location = attempt->response.headers[HUB_LOCATION];
    if (location == NULL)
        return error_set(err, MODELHOST_NETWORK,
                         "%.200s answers %ld without saying where to go; is this a hub?",
                         attempt->url, attempt->response.status);
    model_status status = hub_url_follow(attempt->url, location, &url, err);
    if (status != MODEL_OK)
        return status;
    free(attempt->url);
    attempt->url = url;
    return MODEL_OK;
}

static model_status exchange(struct hub *hub, const struct hub_request *wanted,
                             struct attempt *attempt, const struct hub_receiver *receiver,
                             struct model_error *err)
{
    struct hub_origin origin;
    model_status status = hub_url_parse(attempt->url, &origin, NULL, err);
    if (status != MODEL_OK)
        return MODELHOST_NETWORK;
    attempt->left_endpoint = !hub_origin_equal(&origin, &hub->origin);
    if (attempt->left_endpoint)
        attempt->may_show_token = false;
    struct hub_exchange request = {
        .url = attempt->url,
        .token = attempt->may_show_token ? hub->config.token : NULL,
        .sink = {.write = receiver->write, .context = receiver->context},
        .stall_timeout_ms = hub->config.stall_timeout_ms,
        .timeout_ms = wanted->timeout_ms,
        .cancelled = hub->config.cancelled,
        .cancel_context = hub->config.cancel_context,
    };
    hub_response_finish(&attempt->response);
    return hub->transport.exchange(hub->transport.context, &request, &attempt->response,
                                   &attempt->failure, err);
}

/* One attempt: up to an answer that is no redirect. */
static model_status walk(struct hub *hub, const struct hub_request *wanted,
                         const struct hub_receiver *receiver, struct attempt *attempt,
                         struct model_error *err)
{
    attempt->failure = HUB_FAILED_FOR_GOOD;
    attempt->may_show_token = wanted->has_left == NULL || !*wanted->has_left;
    attempt->digest.kind = HUB_DIGEST_NONE;
    free(attempt->url);
    attempt->url = strdup(wanted->url);
    if (attempt->url == NULL)
        return error_no_memory(err, "a URL");
    model_status status = receiver->restart(receiver->context, err);
    for (int hop = 0; status == MODEL_OK && hop <= HUB_MAX_REDIRECTS; hop++) {
        status = exchange(hub, wanted, attempt, receiver, err);
        if (status != MODEL_OK)
            return status;
        note_digest(attempt);
        if (!is_redirect(attempt->response.status))
            return MODEL_OK;
        attempt->failure = HUB_FAILED_FOR_GOOD;
        status = follow(attempt, err);
    }
    if (status == MODEL_OK)
        status = error_set(
            err, MODELHOST_NETWORK,
            "%.200s redirects more than %d times; is this a hub, or a proxy's login page?",
            wanted->url, HUB_MAX_REDIRECTS);
    return status;
}

/* How often to try when an attempt ended like this; 1: not again. */
static int worth_attempts(const struct attempt *attempt, model_status status)
{
    long code = attempt->response.status;
    if (status != MODEL_OK)
        return attempt->failure == HUB_BROKE_OFF           ? HUB_MAX_ATTEMPTS
               : attempt->failure == HUB_FAILED_TO_CONNECT ? HUB_MAX_CONNECTS
                                                           : 1;
    bool again = code == 408 || code == 429 || (code >= 500 && code <= 599) ||
                 (code == 403 && attempt->left_endpoint);
    return again ? HUB_MAX_ATTEMPTS : 1;
}

/* How long the server asks us to wait; -1: it does not say. */
static int64_t asked_wait(const struct hub *hub, const struct attempt *attempt, model_status status)
{
    if (status != MODEL_OK)
        return -1;
    return hub_retry_wait_ms(attempt->response.headers[HUB_RATE_LIMIT],
                             attempt->response.headers[HUB_RETRY_AFTER],
                             hub->clock.now_s(hub->clock.context));
}

/* How long to wait before the next attempt when so much was asked for; -1: longer than anyone should. */
static int64_t wait_before(int64_t wait_ms, int n_attempts)
{
    if (wait_ms > HUB_MAX_WAIT_MS)
        return -1;
    if (wait_ms < 0) {
        wait_ms = FIRST_BACKOFF_MS;
        for (int i = 1; i < n_attempts && wait_ms < LAST_BACKOFF_MS; i++)
            wait_ms *= 2;
    }
    return wait_ms;
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

static void say_again(const struct hub *hub, const struct attempt *attempt, model_status status,
                      const struct model_error *err, int64_t wait_ms, int n_attempts, int n_worth)
{
    char reason[64];
    if (status == MODEL_OK)
        (void)snprintf(reason, sizeof reason, "the server answers %ld", attempt->response.status);
    log_write(&hub->config.log, MODEL_LOG_WARN, "%s; trying again in %.0f s (%d of %d)",
              status == MODEL_OK ? reason : err->message, (double)wait_ms / 1000, n_attempts,
              n_worth - 1);
}

/* Said once, when no attempt is left. */
static void advise(const struct attempt *attempt, struct model_error *err)
{
    if (attempt->failure == HUB_FAILED_TO_CONNECT)
        error_advise(err, "check the network, the address of the hub (HF_ENDPOINT, --endpoint) and "
                          "the proxy (https_proxy, no_proxy)");
    else if (attempt->failure == HUB_BROKE_OFF)
        error_advise(err, "try again later, with a longer HF_HUB_DOWNLOAD_TIMEOUT if the network "
                          "is slow");
}

model_status hub_get(struct hub *hub, const struct hub_request *request,
                     const struct hub_receiver *receiver, struct hub_response *ret,
                     struct hub_digest *ret_digest, struct model_error *err)
{
    struct attempt attempt = {0};
    struct model_error own = MODEL_ERROR_INIT;
    model_status status;
    int64_t asked_ms;
    if (err == NULL)
        err = &own;
    hub_response_init(&attempt.response);
    for (int n = 1;; n++) {
        status = walk(hub, request, receiver, &attempt, err);
        asked_ms = asked_wait(hub, &attempt, status);
        int64_t wait_ms = wait_before(asked_ms, n);
        int n_worth = worth_attempts(&attempt, status);
        if (n >= n_worth || wait_ms < 0)
            break;
        say_again(hub, &attempt, status, err, wait_ms, n, n_worth);
        status = wait_for(hub, wait_ms, err);
        if (status != MODEL_OK)
            goto end;
    }
    if (status == MODELHOST_NETWORK)
        advise(&attempt, err);
    if (status == MODEL_OK && attempt.response.status != 200)
        status = hub_explain(&attempt.response, hub->endpoint, request->subject,
                             attempt.may_show_token && hub->config.token != NULL, asked_ms, err);
    if (status == MODEL_OK) {
        *ret = attempt.response;
        hub_response_init(&attempt.response);
        if (ret_digest != NULL)
            *ret_digest = attempt.digest;
    }
end:
    if (request->has_left != NULL && !attempt.may_show_token)
        *request->has_left = true;
    hub_response_finish(&attempt.response);
    free(attempt.url);
    return status;
}
