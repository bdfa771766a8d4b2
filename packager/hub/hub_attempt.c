/* hub_attempt.c - see hub_attempt.h. The token is shown to the hub's own origin, and never again in an
 * attempt that has left it. */
#include "hub_attempt.h"
#include "errors.h"
#include "hub_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BACKOFF_MS 1000
#define LAST_BACKOFF_MS  8000

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The linked digest is the content's, and stands on the hub's own answer only: an ETag of a content
 * network means something else. */
static void note_digest(struct hub_attempt *attempt, const struct hub_response *response)
{
    if (attempt->left_endpoint)
        return;
    struct hub_digest digest = hub_digest_read(response->headers[HUB_LINKED_ETAG]);
    if (digest.kind == HUB_DIGEST_NONE && attempt->digest.kind == HUB_DIGEST_NONE)
        digest = hub_digest_read(response->headers[HUB_ETAG]);
    if (digest.kind != HUB_DIGEST_NONE)
        attempt->digest = digest;
}

/* Moves the attempt to where its redirect points. */
static model_status follow(struct hub_attempt *attempt, const struct hub_response *response,
                           struct model_error *err)
{
    char *url = NULL;
    const char *location = response->headers[HUB_LOCATION];
    if (location == NULL)
        return error_set(err, MODELHOST_NETWORK,
                         "%.200s answers %ld without saying where to go; is this a hub?",
                         attempt->url, response->status);
    model_status status = hub_url_follow(attempt->url, location, &url, err);
    if (status != MODEL_OK)
        return status;
    free(attempt->url);
    attempt->url = url;
    return MODEL_OK;
}

void hub_attempt_finish(struct hub_attempt *attempt)
{
    free(attempt->url);
    *attempt = (struct hub_attempt){0};
}

model_status hub_attempt_start(struct hub_attempt *attempt, const char *url, bool may_show_token,
                               struct model_error *err)
{
    char *copy = strdup(url);
    if (copy == NULL)
        return error_no_memory(err, "a URL");
    free(attempt->url);
    *attempt =
        (struct hub_attempt){.first_url = url, .url = copy, .may_show_token = may_show_token};
    return MODEL_OK;
}

model_status hub_attempt_prepare(const struct hub *hub, struct hub_attempt *attempt,
                                 struct hub_exchange *exchange, struct model_error *err)
{
    struct hub_origin origin;
    if (hub_url_parse(attempt->url, &origin, NULL, err) != MODEL_OK)
        return MODELHOST_NETWORK;
    attempt->left_endpoint = !hub_origin_equal(&origin, &hub->origin);
    if (attempt->left_endpoint)
        attempt->may_show_token = false;
    exchange->url = attempt->url;
    exchange->token = attempt->may_show_token ? hub->config.token : NULL;
    exchange->stall_timeout_ms = hub->config.stall_timeout_ms;
    exchange->cancelled = hub->config.cancelled;
    exchange->cancel_context = hub->config.cancel_context;
    return MODEL_OK;
}

model_status hub_attempt_take(struct hub_attempt *attempt, const struct hub_response *response,
                              bool *ret_again, struct model_error *err)
{
    note_digest(attempt, response);
    *ret_again = is_redirect(response->status);
    if (!*ret_again)
        return MODEL_OK;
    model_status status = follow(attempt, response, err);
    if (status == MODEL_OK && ++attempt->n_hops > HUB_MAX_REDIRECTS)
        status = error_set(
            err, MODELHOST_NETWORK,
            "%.200s redirects more than %d times; is this a hub, or a proxy's login page?",
            attempt->first_url, HUB_MAX_REDIRECTS);
    return status;
}

int hub_attempt_worth(const struct hub_attempt *attempt, model_status status,
                      enum hub_failure failure, long code)
{
    if (status != MODEL_OK)
        return failure == HUB_BROKE_OFF           ? HUB_MAX_ATTEMPTS
               : failure == HUB_FAILED_TO_CONNECT ? HUB_MAX_CONNECTS
                                                  : 1;
    bool again = code == 408 || code == 429 || (code >= 500 && code <= 599) ||
                 (code == 403 && attempt->left_endpoint);
    return again ? HUB_MAX_ATTEMPTS : 1;
}

int64_t hub_asked_wait_ms(const struct hub *hub, const struct hub_response *response)
{
    return hub_retry_wait_ms(response->headers[HUB_RATE_LIMIT], response->headers[HUB_RETRY_AFTER],
                             hub->clock.now_s(hub->clock.context));
}

int64_t hub_backoff_ms(int64_t asked_ms, int n_attempts)
{
    if (asked_ms > HUB_MAX_WAIT_MS)
        return -1;
    if (asked_ms >= 0)
        return asked_ms;
    int64_t wait_ms = FIRST_BACKOFF_MS;
    for (int i = 1; i < n_attempts && wait_ms < LAST_BACKOFF_MS; i++)
        wait_ms *= 2;
    return wait_ms;
}

void hub_say_again(const struct hub *hub, const char *reason, long code, int64_t wait_ms,
                   int n_attempts, int n_worth)
{
    char answer[64];
    (void)snprintf(answer, sizeof answer, "the server answers %ld", code);
    log_write(&hub->config.log, MODEL_LOG_WARN, "%s; trying again in %.0f s (%d of %d)",
              reason != NULL ? reason : answer, (double)wait_ms / 1000, n_attempts, n_worth - 1);
}

void hub_advise(const struct hub *hub, enum hub_failure failure, struct model_error *err)
{
    const char *setting = hub->config.endpoint_setting;
    if (failure == HUB_FAILED_TO_CONNECT)
        error_advise(err,
                     "check the network, the address of the hub (%s) and the proxy (https_proxy, "
                     "no_proxy)",
                     setting != NULL ? setting : "HF_ENDPOINT, --endpoint");
    else if (failure == HUB_BROKE_OFF)
        error_advise(err, "try again later, with a longer HF_HUB_DOWNLOAD_TIMEOUT if the network "
                          "is slow");
}
