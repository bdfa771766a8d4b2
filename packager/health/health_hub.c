/* health_hub.c - see health.h: whether the hub answers, takes the token, and has the same time. One question says it
 * all: who am I? */
#include "errors.h"
#include "files.h"
#include "health.h"
#include "hub_headers.h"

#include <stdlib.h>

#define TIMEOUT_MS 15000
#define MAX_SKEW_S 300
#define WHO_PATH   "/api/whoami-v2"
#define NETWORK_ADVICE                                                                              \
    "see HF_ENDPOINT, the proxies and the certificates (`pkgmgr env`); with HF_HUB_OFFLINE=1 what " \
    "the store has works without a network"

static model_status drop(void *context, const void *data, size_t size_bytes,
                         struct model_error *err)
{
    (void)context;
    (void)data;
    (void)size_bytes;
    (void)err;
    return MODEL_OK;
}

static model_status ask(const struct health_hub *hub, struct hub_response *response,
                        struct model_error *err)
{
    enum hub_failure failure;
    char *url = text_format("%s" WHO_PATH, hub->endpoint);
    if (url == NULL)
        return error_no_memory(err, "an address");
    const struct hub_exchange exchange = {.url = url,
                                          .token = hub->token,
                                          .sink = {drop, NULL},
                                          .stall_timeout_ms = TIMEOUT_MS,
                                          .timeout_ms = TIMEOUT_MS};
    model_status status =
        hub->transport.exchange(hub->transport.context, &exchange, response, &failure, err);
    free(url);
    return status;
}

static void say_endpoint(const struct health_hub *hub, long answer,
                         const struct health_report *report)
{
    if (answer >= 500)
        health_say(report, "endpoint", HEALTH_FAILED, MODELHOST_NETWORK,
                   "the hub has trouble: try again later", "%s answers with %ld", hub->endpoint,
                   answer);
    else if (answer == 407)
        health_say(report, "endpoint", HEALTH_FAILED, MODELHOST_NETWORK, NETWORK_ADVICE,
                   "a proxy before %s wants a password", hub->endpoint);
    else if (answer == 200 || answer == 401 || answer == 403 || answer == 429)
        health_say(report, "endpoint", HEALTH_OK, MODEL_OK, NULL, "%s answers", hub->endpoint);
    else
        health_say(report, "endpoint", HEALTH_WARNING, MODEL_OK,
                   "see HF_ENDPOINT: it names a hub, without a path",
                   "%s answers with %ld, not as a hub does", hub->endpoint, answer);
}

static void say_token(const struct health_hub *hub, long answer, const struct health_report *report)
{
    if (hub->token == NULL)
        health_say(report, "token", HEALTH_OK, MODEL_OK, NULL,
                   "none: public models come without one");
    else if (answer == 200)
        health_say(report, "token", HEALTH_OK, MODEL_OK, NULL, "it is accepted");
    else if (answer == 401 || answer == 403)
        health_say(
            report, "token", HEALTH_FAILED, MODELHOST_UNAUTHORIZED,
            "make a new one in the hub's settings, and give it by HF_TOKEN or the token file; "
            "without one public models come all the same",
            "%s does not accept it (%ld)", hub->endpoint, answer);
    else
        health_say(report, "token", HEALTH_SKIPPED, MODEL_OK, NULL,
                   "the answer %ld does not tell whether it is accepted", answer);
}

static void say_clock(const struct health_hub *hub, const char *date,
                      const struct health_report *report)
{
    const int64_t there_s = date != NULL ? hub_date_read(date) : -1;
    const int64_t skew_s = hub->now_s - there_s;
    if (there_s < 0)
        health_say(report, "clock", HEALTH_SKIPPED, MODEL_OK, NULL, "the hub tells no time");
    else if (skew_s > MAX_SKEW_S || skew_s < -MAX_SKEW_S)
        health_say(report, "clock", HEALTH_WARNING, MODEL_OK,
                   "set the clock: certificates and signed addresses go by it",
                   "it is %lld s %s the hub's", (long long)(skew_s < 0 ? -skew_s : skew_s),
                   skew_s < 0 ? "behind" : "before");
    else
        health_say(report, "clock", HEALTH_OK, MODEL_OK, NULL, "within %d s of the hub's",
                   MAX_SKEW_S);
}

static void say_skipped(const char *why, const struct health_report *report)
{
    health_say(report, "token", HEALTH_SKIPPED, MODEL_OK, NULL, "%s", why);
    health_say(report, "clock", HEALTH_SKIPPED, MODEL_OK, NULL, "%s", why);
}

void health_check_hub(const struct health_hub *hub, const struct health_report *report)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct hub_response response;
    if (hub->offline) {
        health_say(report, "endpoint", HEALTH_SKIPPED, MODEL_OK, NULL,
                   "not asked: HF_HUB_OFFLINE is set");
        say_skipped("the hub is not asked", report);
        return;
    }
    hub_response_init(&response);
    model_status status = ask(hub, &response, &err);
    if (status == MODEL_OK) {
        say_endpoint(hub, response.status, report);
        say_token(hub, response.status, report);
        say_clock(hub, response.headers[HUB_DATE], report);
    } else {
        health_say(report, "endpoint", HEALTH_FAILED, status, NETWORK_ADVICE, "%s", err.message);
        say_skipped("the hub does not answer", report);
    }
    hub_response_finish(&response);
}
