/* scripted_hub.h - a transport that answers from a table, in order, and notes what was asked; and a
 * clock that only counts. For tests of what stands above hub_http.h. Included once by a test program;
 * one thread. */
#ifndef SCRIPTED_HUB_H
#define SCRIPTED_HUB_H

#include "hub.h"
#include "testing.h"

struct scripted_answer {
    const char *url; /* that must be asked for; NULL: any */
    long status;     /* 0: no answer, but the failure */
    const char *location, *etag, *linked_etag, *link, *code, *message, *rate_limit, *retry_after,
        *content_range;
    long long range_start, range_end; /* that must be asked for, when range_end is not 0 */
    const char *body;
    enum hub_failure failure;
};

struct scripted_hub {
    const struct scripted_answer *answers; /* (n_answers) */
    size_t n_answers, n_asked;
    struct hub_call *begun[64]; /* (n_begun), to be answered in this order */
    size_t n_begun;
    char log[4096];     /* "url token\n" of each exchange */
    int64_t waited_ms;  /* by the clock */
    bool cancel_asleep; /* the clock interrupts */
    bool cancelled;
};

static inline void scripted_header(struct hub_response *response, enum hub_header header,
                                   const char *value)
{
    if (value != NULL)
        response->headers[header] = strdup(value);
}

static inline model_status scripted_exchange(void *context, const struct hub_exchange *exchange,
                                             struct hub_response *response,
                                             enum hub_failure *ret_failure, struct model_error *err)
{
    struct scripted_hub *hub = context;
    size_t used = strlen(hub->log);
    (void)snprintf(hub->log + used, sizeof hub->log - used, "%s %s\n", exchange->url,
                   exchange->token != NULL ? exchange->token : "-");
    assert_true(hub->n_asked < hub->n_answers);
    const struct scripted_answer *answer = &hub->answers[hub->n_asked++];
    if (answer->url != NULL)
        assert_string_equal(exchange->url, answer->url);
    if (answer->range_end != 0) {
        assert_int_equal(exchange->range_start, answer->range_start);
        assert_int_equal(exchange->range_end, answer->range_end);
    }
    size_t body_bytes = answer->body != NULL ? strlen(answer->body) : 0;
    *ret_failure = HUB_FAILED_FOR_GOOD;
    response->status = answer->status != 0 ? answer->status : 200;
    scripted_header(response, HUB_LOCATION, answer->location);
    scripted_header(response, HUB_ETAG, answer->etag);
    scripted_header(response, HUB_LINKED_ETAG, answer->linked_etag);
    scripted_header(response, HUB_LINK, answer->link);
    scripted_header(response, HUB_ERROR_CODE, answer->code);
    scripted_header(response, HUB_ERROR_MESSAGE, answer->message);
    scripted_header(response, HUB_RATE_LIMIT, answer->rate_limit);
    scripted_header(response, HUB_RETRY_AFTER, answer->retry_after);
    scripted_header(response, HUB_CONTENT_RANGE, answer->content_range);
    if (answer->content_range != NULL && answer->status == 0)
        response->status = 206;
    if (answer->body != NULL && (response->status == 200 || response->status == 206)) {
        model_status status =
            exchange->sink.write(exchange->sink.context, answer->body, body_bytes, err);
        if (status != MODEL_OK)
            return status;
    } else if (answer->body != NULL) {
        (void)buffer_append(&response->error_body, answer->body, body_bytes);
    }
    if (answer->status != 0)
        return MODEL_OK;
    *ret_failure = answer->failure;
    (void)snprintf(err->message, sizeof err->message, "scripted failure");
    return MODELHOST_NETWORK;
}

static inline void scripted_begin(void *context, struct hub_call *call)
{
    struct scripted_hub *hub = context;
    assert_true(hub->n_begun < sizeof hub->begun / sizeof hub->begun[0]);
    hub_response_finish(&call->response);
    call->err = (struct model_error){.struct_size = sizeof call->err};
    hub->begun[hub->n_begun++] = call;
}

static inline void scripted_abandon(void *context, struct hub_call *call)
{
    struct scripted_hub *hub = context;
    size_t n = 0;
    for (size_t i = 0; i < hub->n_begun; i++)
        if (hub->begun[i] != call)
            hub->begun[n++] = hub->begun[i];
    hub->n_begun = n;
}

static inline struct hub_call *scripted_wait(void *context, int64_t timeout_ms)
{
    struct scripted_hub *hub = context;
    if (hub->n_begun == 0) {
        hub->waited_ms += timeout_ms;
        hub->cancelled = hub->cancel_asleep;
        return NULL;
    }
    struct hub_call *call = hub->begun[0];
    scripted_abandon(hub, call);
    call->status =
        scripted_exchange(hub, &call->exchange, &call->response, &call->failure, &call->err);
    return call;
}

/* Its transport. */
static inline struct hub_transport scripted_transport(struct scripted_hub *script)
{
    return (struct hub_transport){scripted_exchange, scripted_begin, scripted_abandon,
                                  scripted_wait,     NULL,           script};
}

static inline void scripted_sleep(void *context, int64_t ms)
{
    struct scripted_hub *hub = context;
    hub->waited_ms += ms;
    hub->cancelled = hub->cancel_asleep;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static inline int64_t scripted_now(void *context)
{
    (void)context;
    return 784111777;
}

static inline int64_t scripted_now_ms(void *context)
{
    return ((struct scripted_hub *)context)->waited_ms;
}

static inline bool scripted_cancelled(void *context)
{
    return ((struct scripted_hub *)context)->cancelled;
}

/* A hub at https://hub.test whose token is "secret". */
static inline struct hub *scripted_create(struct scripted_hub *script,
                                          const struct scripted_answer *answers, size_t n_answers)
{
    static struct hub_transport transport;
    static struct hub_clock clock;
    *script = (struct scripted_hub){.answers = answers, .n_answers = n_answers};
    transport = scripted_transport(script);
    clock = (struct hub_clock){scripted_sleep, scripted_now, scripted_now_ms, script};
    struct hub_config config = {
        .endpoint = "https://hub.test/",
        .token = "secret",
        .cancelled = scripted_cancelled,
        .cancel_context = script,
        .transport = &transport,
        .clock = &clock,
    };
    struct hub *hub = NULL;
    struct model_error err = {.struct_size = sizeof err};
    assert_int_equal(hub_create(&config, &hub, &err), MODEL_OK);
    return hub;
}

#define SCRIPTED(script, answers)                                                                  \
    scripted_create(script, answers, sizeof(answers) / sizeof((answers)[0]))

#endif
