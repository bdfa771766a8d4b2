/* hub_http.c - see hub_http.h. A multi handle of libcurl whose sockets and timer live on a loop
 * (hub_loop.h), and an easy handle for each exchange (hub_easy.h). Connections are shared by all; HTTP/2
 * is taken where it is offered, many exchanges on one connection. One thread at a time. */
#include "hub_http.h"
#include "clock.h"
#include "errors.h"
#include "hub_easy.h"
#include "hub_loop.h"
#include "hub_socket.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_IDLE_HANDLES 64
#define MAX_KEPT_SOCKETS 64l
#define CANCEL_CHECK_MS  100

struct hub_http {
    CURLM *multi;
    struct hub_loop *loop;
    struct hub_easy_shared shared;
    struct log_sink log;
    struct hub_easy *running, *idle;
    size_t n_idle;
    struct hub_call *ended; /* a list, first ended first */
};

/* An idle one, or a new one. */
static struct hub_easy *take_easy(struct hub_http *http)
{
    struct hub_easy *easy = http->idle;
    if (easy != NULL) {
        http->idle = easy->next;
        http->n_idle--;
        return easy;
    }
    return hub_easy_create(&http->shared);
}

/* Takes it from those under way, and keeps it for the next exchange. */
static void put_back(struct hub_http *http, struct hub_easy *easy)
{
    struct hub_easy **at = &http->running;
    while (*at != NULL && *at != easy)
        at = &(*at)->next;
    if (*at != NULL)
        *at = easy->next;
    if (easy->was_added)
        (void)curl_multi_remove_handle(http->multi, easy->curl);
    easy->call->handle = NULL;
    easy->was_added = false;
    hub_easy_stop(easy);
    if (http->n_idle >= MAX_IDLE_HANDLES) {
        hub_easy_destroy(easy);
        return;
    }
    easy->next = http->idle;
    http->idle = easy;
    http->n_idle++;
}

/* ---- the loop */

static int on_want_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *watch)
{
    struct hub_http *http = context;
    struct hub_watch *watched = watch;
    (void)easy;
    bool read = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
    bool write = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
    if (what == CURL_POLL_IN) /* it is connected, and waits for an answer */
        hub_socket_fit(socket, http->shared.limit.bytes_per_s);
    model_status status = hub_loop_watch(http->loop, &watched, socket, read, write);
    (void)curl_multi_assign(http->multi, socket, watched);
    return status == MODEL_OK ? 0 : -1;
}

static int on_want_timer(CURLM *multi, long after_ms, void *context)
{
    struct hub_http *http = context;
    (void)multi;
    hub_loop_set_timer(http->loop, after_ms);
    return 0;
}

static void on_socket(void *context, int socket, bool readable, bool writable)
{
    struct hub_http *http = context;
    int n_running = 0;
    int mask = (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0);
    (void)curl_multi_socket_action(http->multi, socket, mask, &n_running);
}

static void on_timer(void *context)
{
    struct hub_http *http = context;
    int n_running = 0;
    (void)curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
}

/* ---- exchanges */

/* What stands behind '?' may be a signature that opens a file to anybody. */
static void log_call(const struct hub_http *http, const struct hub_call *call, model_status status)
{
    const struct hub_exchange *exchange = &call->exchange;
    const int n = (int)strcspn(exchange->url, "?");
    char range[64] = "", answer[24] = "failed";
    if (exchange->range_end > 0)
        (void)snprintf(range, sizeof range, " bytes %llu-%llu",
                       (unsigned long long)exchange->range_start,
                       (unsigned long long)exchange->range_end - 1);
    if (status == MODEL_OK)
        (void)snprintf(answer, sizeof answer, "%ld", call->response.status);
    log_write(&http->log, MODEL_LOG_DEBUG, "GET %.*s%s%s%s: %s", n, exchange->url,
              exchange->url[n] != '\0' ? "?..." : "", range,
              exchange->token != NULL ? ", token ****" : "", answer);
}

/* An ended call waits in a list for wait() to return it. */
static void end_call(struct hub_http *http, struct hub_call *call, model_status status)
{
    struct hub_call **at = &http->ended;
    while (*at != NULL)
        at = &(*at)->next;
    call->status = status;
    call->next = NULL;
    *at = call;
    if (http->log.write != NULL && http->log.level >= MODEL_LOG_DEBUG)
        log_call(http, call, status);
}

static void begin_by_curl(void *context, struct hub_call *call)
{
    struct hub_http *http = context;
    struct hub_easy *easy = take_easy(http);
    hub_response_finish(&call->response);
    call->failure = HUB_FAILED_FOR_GOOD;
    error_init(&call->err);
    call->handle = easy;
    if (easy == NULL) {
        end_call(http, call, error_no_memory(&call->err, "a transfer"));
        return;
    }
    easy->next = http->running;
    http->running = easy;
    model_status status = hub_easy_start(easy, call);
    if (status == MODEL_OK) {
        easy->was_added = curl_multi_add_handle(http->multi, easy->curl) == CURLM_OK;
        if (easy->was_added)
            return;
        status = error_no_memory(&call->err, "a transfer");
    }
    put_back(http, easy);
    end_call(http, call, status);
}

static void abandon_by_curl(void *context, struct hub_call *call)
{
    struct hub_http *http = context;
    struct hub_call **at = &http->ended;
    while (*at != NULL && *at != call)
        at = &(*at)->next;
    if (*at == call) {
        *at = call->next;
        call->next = NULL;
    } else if (call->handle != NULL) {
        put_back(http, call->handle);
    }
}

static void finish_exchange(struct hub_http *http, struct hub_easy *easy, CURLcode code)
{
    struct hub_call *call = easy->call;
    model_status status = hub_easy_result(easy, code);
    put_back(http, easy);
    end_call(http, call, status);
}

static void collect_ended(struct hub_http *http)
{
    CURLMsg *message;
    int n_left;
    while ((message = curl_multi_info_read(http->multi, &n_left)) != NULL) {
        struct hub_easy *easy = NULL;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&easy);
        if (message->msg == CURLMSG_DONE && easy != NULL && easy->call != NULL)
            finish_exchange(http, easy, code);
    }
}

static void end_stopped(struct hub_http *http, int64_t now_ns)
{
    struct hub_easy *next;
    for (struct hub_easy *easy = http->running; easy != NULL; easy = next) {
        struct hub_call *call = easy->call;
        const struct hub_exchange *exchange = &call->exchange;
        next = easy->next;
        bool is_cancelled =
            exchange->cancelled != NULL && exchange->cancelled(exchange->cancel_context);
        if (!is_cancelled && !hub_easy_is_over(easy, now_ns))
            continue;
        put_back(http, easy);
        end_call(http, call,
                 is_cancelled ? error_set(&call->err, MODEL_CANCELLED, "interrupted")
                              : MODELHOST_NETWORK);
    }
}

/* Lets those go on that the limit had stopped, when it is time. */
static void resume_paused(struct hub_http *http, int64_t now_ns)
{
    struct hub_easy *next;
    if (http->shared.resume_ns == 0 || now_ns < http->shared.resume_ns)
        return;
    http->shared.resume_ns = 0;
    for (struct hub_easy *easy = http->running; easy != NULL; easy = next) {
        next = easy->next;
        if (!easy->is_paused)
            continue;
        hub_easy_resume(easy);
        if (http->shared.resume_ns != 0)
            return;
    }
}

static struct hub_call *wait_by_curl(void *context, int64_t timeout_ms)
{
    struct hub_http *http = context;
    int64_t now_ns = hub_easy_now_ns(&http->shared);
    if (http->ended == NULL) {
        bool is_paused = false;
        for (const struct hub_easy *i = http->running; i != NULL && !is_paused; i = i->next)
            is_paused = i->is_paused;
        if (is_paused && http->shared.resume_ns == 0)
            http->shared.resume_ns = now_ns;
        resume_paused(http, now_ns);
        if (http->shared.resume_ns != 0 && now_ns + timeout_ms * NS_PER_MS > http->shared.resume_ns)
            timeout_ms = (http->shared.resume_ns - now_ns) / NS_PER_MS + 1;
        end_stopped(http, now_ns);
        if (http->ended == NULL)
            hub_loop_run(http->loop, timeout_ms < CANCEL_CHECK_MS ? timeout_ms : CANCEL_CHECK_MS);
        collect_ended(http);
    }
    struct hub_call *call = http->ended;
    if (call != NULL) {
        http->ended = call->next;
        call->next = NULL;
    }
    return call;
}

static void wake_by_uv(void *context)
{
    struct hub_http *http = context;
    hub_loop_wake(http->loop);
}

/* One alone: nothing else is under way. */
static model_status exchange_by_curl(void *context, const struct hub_exchange *exchange,
                                     struct hub_response *response, enum hub_failure *ret_failure,
                                     struct model_error *err)
{
    struct hub_call call = {.exchange = *exchange, .response = *response};
    hub_response_init(response);
    begin_by_curl(context, &call);
    while (wait_by_curl(context, CANCEL_CHECK_MS) == NULL)
        continue;
    *response = call.response;
    *ret_failure = call.failure;
    return call.status == MODEL_OK ? MODEL_OK : error_set(err, call.status, "%s", call.err.message);
}

/* ---- public */

static void init_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static CURLMcode set_up_multi(struct hub_http *http)
{
    CURLM *multi = http->multi;
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    if (code == CURLM_OK)
        code = curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, MAX_KEPT_SOCKETS);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_want_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_want_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http);
    return code;
}

model_status hub_http_create(const struct hub_http_options *options, struct hub_http **ret,
                             struct model_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_curl);
    struct hub_http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return error_no_memory(err, "the hub client");
    struct hub_loop_events events = {on_socket, on_timer, http};
    if (options != NULL) {
        http->shared.now_ns = options->now_ns;
        http->shared.clock_context = options->clock_context;
        http->log = options->log;
    }
    rate_limit_init(&http->shared.limit, options != NULL ? options->limit_bytes_per_s : 0,
                    hub_easy_now_ns(&http->shared));
    model_status status = hub_loop_create(&events, &http->loop, err);
    if (status == MODEL_OK && options != NULL && options->ca_file != NULL &&
        (http->shared.ca_file = strdup(options->ca_file)) == NULL)
        status = error_no_memory(err, "the hub client");
    if (status == MODEL_OK && (http->multi = curl_multi_init()) == NULL)
        status = error_no_memory(err, "the hub client");
    if (status == MODEL_OK && set_up_multi(http) != CURLM_OK)
        status = error_set(err, MODEL_INTERNAL, "cannot set up libcurl");
    if (status != MODEL_OK) {
        hub_http_destroy(http);
        return status;
    }
    *ret = http;
    return MODEL_OK;
}

void hub_http_destroy(struct hub_http *http)
{
    if (http == NULL)
        return;
    while (http->running != NULL)
        put_back(http, http->running);
    while (http->idle != NULL) {
        struct hub_easy *next = http->idle->next;
        hub_easy_destroy(http->idle);
        http->idle = next;
    }
    if (http->multi != NULL)
        (void)curl_multi_cleanup(
            http->multi); /* closes connections: the loop must still be there */
    hub_loop_destroy(http->loop);
    free(http->shared.ca_file);
    free(http);
}

struct hub_transport hub_http_transport(struct hub_http *http)
{
    return (struct hub_transport){.exchange = exchange_by_curl,
                                  .begin = begin_by_curl,
                                  .abandon = abandon_by_curl,
                                  .wait = wait_by_curl,
                                  .wake = wake_by_uv,
                                  .context = http};
}

const char *hub_http_version(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}
