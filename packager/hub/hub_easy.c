/* hub_easy.c - see hub_easy.h: how one exchange is asked for, taken in, and judged. */
#include "hub_easy.h"
#include "clock.h"
#include "errors.h"
#include "files.h"
#include "hub_url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES       (256l << 10)
#define USER_AGENT         "modelhost/" MODELHOST_VERSION
#define MAX_TOKEN_BYTES    4096u
#define CONNECT_TIMEOUT_MS 30000
#define MAX_CA_BYTES       ((size_t)16 << 20)

#ifndef CURL_WRITEFUNC_ERROR /* before 7.87: any number other than the size that came */
#define CURL_WRITEFUNC_ERROR 0xFFFFFFFF
#endif

static size_t refuse(struct hub_easy *easy, model_status status)
{
    easy->refusal = status;
    return CURL_WRITEFUNC_ERROR;
}

int64_t hub_easy_now_ns(const struct hub_easy_shared *shared)
{
    return shared->now_ns != NULL ? shared->now_ns(shared->clock_context) : clock_now_ns();
}

static size_t on_header(char *line, size_t one, size_t size, void *context)
{
    struct hub_easy *easy = context;
    struct hub_call *call = easy->call;
    (void)one;
    stall_timer_note(&easy->stall, size);
    model_status status =
        hub_response_take_line(&call->response, line, size, call->exchange.url, &call->err);
    return status == MODEL_OK ? size : refuse(easy, status);
}

/* Counts what has come against the limit; over it, this exchange rests. */
static void charge(struct hub_easy *easy, size_t size_bytes)
{
    struct hub_easy_shared *shared = easy->shared;
    int64_t now_ns = shared->limit.bytes_per_s != 0 ? hub_easy_now_ns(shared) : 0;
    int64_t wait_ms = rate_limit_take(&shared->limit, size_bytes, now_ns);
    if (wait_ms == 0)
        return;
    shared->resume_ns = now_ns + wait_ms * NS_PER_MS;
    easy->is_paused = curl_easy_pause(easy->curl, CURLPAUSE_RECV) == CURLE_OK;
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct hub_easy *easy = context;
    struct hub_call *call = easy->call;
    const struct hub_exchange *exchange = &call->exchange;
    (void)one;
    stall_timer_note(&easy->stall, size);
    (void)curl_easy_getinfo(easy->curl, CURLINFO_RESPONSE_CODE, &call->response.status);
    long code = call->response.status;
    if (code == 200 || (code == 206 && exchange->range_end != 0)) {
        model_status status = exchange->sink.write(exchange->sink.context, data, size, &call->err);
        if (status != MODEL_OK)
            return refuse(easy, status);
        charge(easy, size);
        return size;
    }
    struct buffer *body = &call->response.error_body;
    size_t room = body->max_bytes - body->size;
    (void)buffer_append(body, data, size < room ? size : room);
    return size <= room ? size : CURL_WRITEFUNC_ERROR;
}

static model_status add_header(struct curl_slist **list, const char *name, const char *value,
                               struct model_error *err)
{
    struct buffer line = BUFFER_INIT(HUB_MAX_HEADER_BYTES + 64);
    struct curl_slist *longer = NULL;
    if (buffer_printf(&line, "%s: %s", name, value) == MODEL_OK)
        longer = curl_slist_append(*list, line.data);
    buffer_finish(&line);
    if (longer == NULL)
        return error_no_memory(err, "the request");
    *list = longer;
    return MODEL_OK;
}

/* The headers that libcurl does not know by itself. */
static model_status make_headers(const struct hub_exchange *exchange, struct curl_slist **ret,
                                 struct model_error *err)
{
    char bearer[MAX_TOKEN_BYTES + 16];
    model_status status = add_header(ret, "Accept-Encoding", "identity", err);
    if (status == MODEL_OK && exchange->token != NULL) {
        (void)snprintf(bearer, sizeof bearer, "Bearer %s", exchange->token);
        status = add_header(ret, "Authorization", bearer, err);
    }
    if (status == MODEL_OK && exchange->if_range != NULL && exchange->range_end != 0)
        status = add_header(ret, "If-Range", exchange->if_range, err);
    return status;
}

/* With a limit, an exchange is slow because others were faster. */
static uint64_t least_rate(const struct hub_easy_shared *shared)
{
    return shared->limit.bytes_per_s == 0 ? HUB_MIN_RATE : 1;
}

static CURLcode set_exchange(struct hub_easy *easy)
{
    const struct hub_exchange *exchange = &easy->call->exchange;
    CURL *curl = easy->curl;
    char range[64];
    long connect_ms = exchange->stall_timeout_ms < CONNECT_TIMEOUT_MS
                          ? (long)exchange->stall_timeout_ms
                          : CONNECT_TIMEOUT_MS;
    CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, exchange->url);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_HTTPHEADER, easy->headers);
    if (exchange->range_end != 0)
        (void)snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)exchange->range_start,
                       (unsigned long long)exchange->range_end - 1);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_RANGE, exchange->range_end != 0 ? range : NULL);
    return code;
}

/* libcurl's own limit for one line of headers is "out of memory", later "too large": memory does not
 * really run out between the request and the end of the headers. */
static bool is_long_header(const struct hub_easy *easy, CURLcode code)
{
    long request_bytes = 0;
#if LIBCURL_VERSION_NUM >= 0x080600
    if (code == CURLE_TOO_LARGE)
        return easy->call->response.in_headers;
#endif
    (void)curl_easy_getinfo(easy->curl, CURLINFO_REQUEST_SIZE, &request_bytes);
    return code == CURLE_OUT_OF_MEMORY && easy->call->response.in_headers && request_bytes > 0;
}

/* Whether no socket could be made, which is not the network's fault: libcurl does not tell, so this makes
 * one itself. The error number, or 0. */
static int lacks_sockets(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), errnum = errno;
    if (fd >= 0)
        (void)close(fd);
    return fd < 0 && (errnum == EMFILE || errnum == ENFILE) ? errnum : 0;
}

/* What a failed transfer means. */
static model_status explain(struct hub_easy *easy, CURLcode code)
{
    struct model_error *err = &easy->call->err;
    char masked[HUB_MASKED_BYTES]; /* a proxy's address has its password */
    const char *reason =
        easy->reason[0] != '\0' ? hub_url_mask(easy->reason, masked) : curl_easy_strerror(code);
    int errnum;
    easy->call->failure = HUB_FAILED_FOR_GOOD;
    if (easy->refusal != MODEL_OK)
        return easy->refusal;
    if (is_long_header(easy, code))
        return error_set(err, MODELHOST_NETWORK,
                         "the header of the answer of %.200s is too long; is this a hub?",
                         easy->call->exchange.url);
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return error_no_memory(err, "a transfer");
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        if ((errnum = lacks_sockets()) != 0)
            return error_set_errno(err, errnum, "cannot reach %.200s", easy->call->exchange.url);
        easy->call->failure = HUB_FAILED_TO_CONNECT;
        return error_set(err, MODELHOST_NETWORK, "cannot reach %.200s: %s",
                         easy->call->exchange.url, reason);
    case CURLE_PEER_FAILED_VERIFICATION:
        return error_set(err, MODELHOST_NETWORK,
                         "%.200s does not prove who it is: %s; if it is your own hub or proxy, "
                         "name its certificate with --cacert or SSL_CERT_FILE, or add it to the "
                         "system's",
                         easy->call->exchange.url, reason);
    case CURLE_SSL_CACERT_BADFILE:
        return error_set(err, MODEL_IO,
                         "%.400s cannot be read as certificates: %s; check --cacert or "
                         "SSL_CERT_FILE",
                         easy->shared->ca_file != NULL ? easy->shared->ca_file
                                                       : "the system's certificates",
                         reason);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return error_set(err, MODELHOST_NETWORK,
                         "'%.200s' cannot be fetched: %s; check the address of the hub",
                         easy->call->exchange.url, reason);
    default:
        easy->call->failure = HUB_BROKE_OFF;
        return error_set(err, MODELHOST_NETWORK, "the transfer from %.200s broke off: %s",
                         easy->call->exchange.url, reason);
    }
}

static CURLcode set_up(struct hub_easy *easy)
{
    CURL *curl = easy->curl;
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_BUFFERSIZE, BUFFER_BYTES},
        {CURLOPT_HEADEROPT, CURLHEADER_SEPARATE},
        {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS},
        {CURLOPT_PIPEWAIT, 1}, /* rather a stream of a connection than one more connection */
    };
    CURLcode code = CURLE_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && code == CURLE_OK; i++)
        code = curl_easy_setopt(curl, numbers[i].option, numbers[i].value);
#if LIBCURL_VERSION_NUM >= 0x075500
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, easy->reason);
    if (code == CURLE_OK && easy->shared->ca_file != NULL)
        code = curl_easy_setopt(curl, CURLOPT_CAINFO, easy->shared->ca_file);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, easy);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, easy);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, easy);
    return code;
}

/* Looks before anything is sent whether there are certificates to trust: libcurl would find out when it is
 * connected, and blame the server. */
static model_status check_ca(struct hub_easy_shared *shared, const char *url,
                             struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_CA_BYTES);
    if (shared->ca_file == NULL || shared->ca_is_good || strncasecmp(url, "https:", 6) != 0)
        return MODEL_OK;
    model_status status = file_read(shared->ca_file, MAX_CA_BYTES, &text, err);
    if (status == MODEL_OK)
        shared->ca_is_good = text.data != NULL && strstr(text.data, "-----BEGIN ") != NULL &&
                             strstr(text.data, "CERTIFICATE-----") != NULL;
    buffer_finish(&text);
    if (status == MODEL_OK && !shared->ca_is_good)
        status =
            error_set(err, MODEL_IO, "%.400s has no certificate in it, want PEM", shared->ca_file);
    if (status != MODEL_OK && status != MODEL_OUT_OF_MEMORY) {
        error_prefix(err, "certificates to trust");
        error_advise(err, "check --cacert or SSL_CERT_FILE");
        return MODEL_IO;
    }
    return status;
}

/* ---- public */

struct hub_easy *hub_easy_create(struct hub_easy_shared *shared)
{
    struct hub_easy *easy = calloc(1, sizeof *easy);
    if (easy == NULL)
        return NULL;
    easy->shared = shared;
    easy->curl = curl_easy_init();
    if (easy->curl != NULL && set_up(easy) == CURLE_OK)
        return easy;
    hub_easy_destroy(easy);
    return NULL;
}

void hub_easy_destroy(struct hub_easy *easy)
{
    if (easy == NULL)
        return;
    curl_easy_cleanup(easy->curl);
    curl_slist_free_all(easy->headers);
    free(easy);
}

bool hub_easy_is_over(struct hub_easy *easy, int64_t now_ns)
{
    struct hub_call *call = easy->call;
    const struct hub_exchange *exchange = &call->exchange;
    int64_t limit_ms = 0;
    if (easy->is_paused)
        stall_timer_excuse(&easy->stall, now_ns);
    if (exchange->timeout_ms > 0 && now_ns - easy->started_ns >= exchange->timeout_ms * NS_PER_MS)
        limit_ms = exchange->timeout_ms;
    else if (!stall_timer_is_over(&easy->stall, now_ns))
        return false;
    call->failure = HUB_BROKE_OFF;
    if (limit_ms > 0)
        (void)error_set(&call->err, MODELHOST_NETWORK,
                        "the transfer from %.200s broke off: it was not complete after %lld s",
                        exchange->url, (long long)(limit_ms + 999) / 1000);
    else
        (void)error_set(&call->err, MODELHOST_NETWORK,
                        "the transfer from %.200s broke off: too little came for %lld s",
                        exchange->url, (long long)(exchange->stall_timeout_ms + 999) / 1000);
    return true;
}

model_status hub_easy_start(struct hub_easy *easy, struct hub_call *call)
{
    const struct hub_exchange *exchange = &call->exchange;
    easy->started_ns = hub_easy_now_ns(easy->shared);
    stall_timer_start(&easy->stall, exchange->stall_timeout_ms, least_rate(easy->shared),
                      easy->started_ns);
    easy->call = call;
    easy->refusal = MODEL_OK;
    easy->reason[0] = '\0';
    call->response.in_headers = true;
    model_status status = check_ca(easy->shared, exchange->url, &call->err);
    if (status == MODEL_OK)
        status = make_headers(&call->exchange, &easy->headers, &call->err);
    CURLcode code = status == MODEL_OK ? set_exchange(easy) : CURLE_OK;
    return code == CURLE_OK ? status : explain(easy, code);
}

void hub_easy_stop(struct hub_easy *easy)
{
    (void)curl_easy_setopt(easy->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(easy->headers);
    easy->headers = NULL;
    easy->call = NULL;
    easy->is_paused = false;
}

model_status hub_easy_result(struct hub_easy *easy, CURLcode code)
{
    struct hub_response *response = &easy->call->response;
    (void)curl_easy_getinfo(easy->curl, CURLINFO_RESPONSE_CODE, &response->status);
    /* an error's body that was cut is still a complete answer */
    bool has_sink = response->status == 200 || response->status == 206;
    bool is_cut = code == CURLE_WRITE_ERROR && easy->refusal == MODEL_OK && !has_sink;
    return code == CURLE_OK || is_cut ? MODEL_OK : explain(easy, code);
}

void hub_easy_resume(struct hub_easy *easy)
{
    easy->is_paused = false;
    (void)curl_easy_pause(easy->curl, CURLPAUSE_CONT); /* may deliver at once, and pause again */
}
