/* hub_http.c - see hub_http.h. The only file that knows libcurl: one easy handle, kept between
 * exchanges so that connections live on. Redirects are off and only http and https are allowed; what
 * a server may send before the body is bounded here. One thread at a time. */
#include "hub_http.h"
#include "errors.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES       (256l << 10)
#define USER_AGENT         "modelhost/" MODELHOST_VERSION
#define MAX_TOKEN_BYTES    4096u
#define CONNECT_TIMEOUT_MS 30000

#ifndef CURL_WRITEFUNC_ERROR /* before 7.87: any number other than the size that came */
#define CURL_WRITEFUNC_ERROR 0xFFFFFFFF
#endif

struct hub_http {
    CURL *easy;
    char reason[CURL_ERROR_SIZE];
    /* of the exchange under way */
    const struct hub_exchange *exchange;
    struct hub_response *response;
    struct model_error *err;
    size_t header_bytes;
    bool in_headers;      /* they have not ended yet */
    model_status refusal; /* why a callback ended the exchange; MODEL_OK: none did */
};

static size_t refuse(struct hub_http *http, model_status status)
{
    http->refusal = status;
    return CURL_WRITEFUNC_ERROR;
}

/* Keeps a header that someone looks at. */
static model_status keep_header(struct hub_http *http, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    enum hub_header header =
        colon != NULL ? hub_header_find(line, (size_t)(colon - line)) : HUB_N_HEADERS;
    if (header == HUB_N_HEADERS)
        return MODEL_OK;
    const char *value = colon + 1, *end = line + size;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && strchr("\r\n \t", end[-1]) != NULL)
        end--;
    size_t n = (size_t)(end - value);
    if (n > HUB_MAX_HEADER_BYTES || memchr(value, '\0', n) != NULL)
        return error_set(http->err, MODELHOST_NETWORK,
                         "the answer of %.200s has a header '%.*s' that is too long or not valid; "
                         "is this a hub?",
                         http->exchange->url, (int)(colon - line), line);
    char *copy = strndup(value, n);
    if (copy == NULL)
        return error_no_memory(http->err, "a header");
    free(http->response->headers[header]);
    http->response->headers[header] = copy;
    return MODEL_OK;
}

static size_t on_header(char *line, size_t one, size_t size, void *context)
{
    struct hub_http *http = context;
    (void)one;
    http->header_bytes += size;
    if (http->header_bytes > HUB_MAX_HEADERS_BYTES)
        return refuse(http,
                      error_set(http->err, MODELHOST_NETWORK,
                                "the answer of %.200s has more than %u bytes of headers; is this "
                                "a hub?",
                                http->exchange->url, HUB_MAX_HEADERS_BYTES));
    if (size > 5 && memcmp(line, "HTTP/", 5) == 0) {
        /* another answer begins (after 100 Continue, or a proxy's): forget the one before */
        hub_response_finish(http->response);
        http->in_headers = true;
        return size;
    }
    if (size > 0 && (line[0] == '\r' || line[0] == '\n'))
        http->in_headers = false;
    model_status status = keep_header(http, line, size);
    return status == MODEL_OK ? size : refuse(http, status);
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct hub_http *http = context;
    long code = 0;
    (void)one;
    (void)curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &code);
    if (code == 200) {
        const struct hub_sink *sink = &http->exchange->sink;
        model_status status = sink->write(sink->context, data, size, http->err);
        return status == MODEL_OK ? size : refuse(http, status);
    }
    struct buffer *body = &http->response->error_body;
    size_t room = body->max_bytes - body->size;
    (void)buffer_append(body, data, size < room ? size : room);
    return size <= room ? size : CURL_WRITEFUNC_ERROR;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct hub_http *http = context;
    const struct hub_exchange *exchange = http->exchange;
    (void)a, (void)b, (void)c, (void)d;
    if (exchange->cancelled == NULL || !exchange->cancelled(exchange->cancel_context))
        return 0;
    http->refusal = error_set(http->err, MODEL_CANCELLED, "interrupted");
    return 1;
}

/* "Authorization: Bearer ..." as a list, NULL in *ret without a token. */
static model_status make_headers(const struct hub_exchange *exchange, struct curl_slist **ret,
                                 struct model_error *err)
{
    if (exchange->token == NULL)
        return MODEL_OK;
    struct buffer line = BUFFER_INIT(MAX_TOKEN_BYTES + 64);
    struct curl_slist *list = NULL;
    if (buffer_printf(&line, "Authorization: Bearer %s", exchange->token) == MODEL_OK)
        list = curl_slist_append(NULL, line.data);
    buffer_finish(&line);
    if (list == NULL)
        return error_no_memory(err, "the request");
    *ret = list;
    return MODEL_OK;
}

static CURLcode set_exchange(struct hub_http *http, struct curl_slist *headers)
{
    const struct hub_exchange *exchange = http->exchange;
    CURL *easy = http->easy;
    long stall_s = (long)((exchange->stall_timeout_ms + 999) / 1000);
    long connect_ms = exchange->stall_timeout_ms < CONNECT_TIMEOUT_MS
                          ? (long)exchange->stall_timeout_ms
                          : CONNECT_TIMEOUT_MS;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, exchange->url);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, stall_s > 0 ? stall_s : 1l);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)exchange->timeout_ms);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    return code;
}

/* libcurl's own limit for one line of headers is "out of memory", later "too large": memory does not
 * really run out between the request and the end of the headers. */
static bool is_long_header(const struct hub_http *http, CURLcode code)
{
    long request_bytes = 0;
#if LIBCURL_VERSION_NUM >= 0x080600
    if (code == CURLE_TOO_LARGE)
        return http->in_headers;
#endif
    (void)curl_easy_getinfo(http->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    return code == CURLE_OUT_OF_MEMORY && http->in_headers && request_bytes > 0;
}

/* What a failed transfer means. */
static model_status explain(struct hub_http *http, CURLcode code, enum hub_failure *ret_failure)
{
    const char *reason = http->reason[0] != '\0' ? http->reason : curl_easy_strerror(code);
    *ret_failure = HUB_FAILED_FOR_GOOD;
    if (http->refusal != MODEL_OK)
        return http->refusal;
    if (is_long_header(http, code))
        return error_set(http->err, MODELHOST_NETWORK,
                         "the header of the answer of %.200s is too long; is this a hub?",
                         http->exchange->url);
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return error_no_memory(http->err, "a transfer");
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        *ret_failure = HUB_FAILED_TO_CONNECT;
        return error_set(http->err, MODELHOST_NETWORK, "cannot reach %.200s: %s",
                         http->exchange->url, reason);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return error_set(http->err, MODELHOST_NETWORK,
                         "%.200s does not prove who it is: %s; if it is your own hub or proxy, "
                         "add its certificate to the system's",
                         http->exchange->url, reason);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return error_set(http->err, MODELHOST_NETWORK,
                         "'%.200s' cannot be fetched: %s; check the address of the hub "
                         "(HF_ENDPOINT, --endpoint)",
                         http->exchange->url, reason);
    default:
        *ret_failure = HUB_BROKE_OFF;
        return error_set(http->err, MODELHOST_NETWORK, "the transfer from %.200s broke off: %s",
                         http->exchange->url, reason);
    }
}

static model_status exchange_by_curl(void *context, const struct hub_exchange *exchange,
                                     struct hub_response *response, enum hub_failure *ret_failure,
                                     struct model_error *err)
{
    struct hub_http *http = context;
    struct curl_slist *headers = NULL;
    *ret_failure = HUB_FAILED_FOR_GOOD;
    model_status status = make_headers(exchange, &headers, err);
    if (status != MODEL_OK)
        return status;
    http->exchange = exchange;
    http->response = response;
    http->err = err;
    http->header_bytes = 0;
    http->in_headers = true;
    http->refusal = MODEL_OK;
    http->reason[0] = '\0';
    CURLcode code = set_exchange(http, headers);
    if (code == CURLE_OK)
        code = curl_easy_perform(http->easy);
    (void)curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &response->status);
    (void)curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    /* an error's body that was cut is still a complete answer */
    bool cut = code == CURLE_WRITE_ERROR && http->refusal == MODEL_OK && response->status != 200;
    if (code != CURLE_OK && !cut)
        status = explain(http, code, ret_failure);
    return status;
}

static CURLcode set_up(struct hub_http *http)
{
    CURL *easy = http->easy;
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_NOPROGRESS, 0},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_LOW_SPEED_LIMIT, HUB_MIN_RATE},
        {CURLOPT_BUFFERSIZE, BUFFER_BYTES},
        {CURLOPT_HEADEROPT, CURLHEADER_SEPARATE},
        {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
    };
    CURLcode code = CURLE_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && code == CURLE_OK; i++)
        code = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
#if LIBCURL_VERSION_NUM >= 0x075500
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->reason);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, http);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, http);
    return code;
}

static void init_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

model_status hub_http_create(struct hub_http **ret, struct model_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_curl);
    struct hub_http *http = calloc(1, sizeof *http);
    if (http == NULL || (http->easy = curl_easy_init()) == NULL) {
        free(http);
        return error_no_memory(err, "the hub client");
    }
    CURLcode code = set_up(http);
    if (code != CURLE_OK) {
        hub_http_destroy(http);
        return error_set(err, MODEL_INTERNAL, "cannot set up libcurl: %s",
                         curl_easy_strerror(code));
    }
    *ret = http;
    return MODEL_OK;
}

void hub_http_destroy(struct hub_http *http)
{
    if (http == NULL)
        return;
    curl_easy_cleanup(http->easy);
    free(http);
}

struct hub_transport hub_http_transport(struct hub_http *http)
{
    return (struct hub_transport){.exchange = exchange_by_curl, .context = http};
}
