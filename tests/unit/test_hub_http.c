/* test_hub_http.c - libcurl behind the transport, against a server thread that sends canned bytes on
 * loopback and closes. Covers packager/hub/hub_easy.c and packager/hub/hub_loop.c, too. */
#include "testing.h"

#include "hub_http.h"

#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>

/* Answers one connection. */
struct canned {
    int listener;
    const char *answer;
    size_t answer_bytes;
    bool is_silent; /* then it says nothing more, and does not close */
    sem_t sent;     /* posted when the answer is on its way */
    char request[4096];
    pthread_t thread;
};

static void *serve(void *context)
{
    struct canned *canned = context;
    int peer = accept(canned->listener, NULL, NULL);
    size_t n = 0;
    while (n < sizeof canned->request - 1 && strstr(canned->request, "\r\n\r\n") == NULL) {
        ssize_t got = read(peer, canned->request + n, sizeof canned->request - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    for (size_t sent = 0; sent < canned->answer_bytes;) {
        ssize_t put = send(peer, canned->answer + sent, canned->answer_bytes - sent, MSG_NOSIGNAL);
        if (put <= 0)
            break;
        sent += (size_t)put;
    }
    (void)sem_post(&canned->sent);
    if (!canned->is_silent)
        (void)shutdown(peer, SHUT_WR);
    while (recv(peer, &(char){0}, 1, 0) > 0)
        continue;
    close(peer);
    return NULL;
}

static unsigned start(struct canned *canned, const char *answer, size_t answer_bytes,
                      bool is_silent)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *canned =
        (struct canned){.answer = answer, .answer_bytes = answer_bytes, .is_silent = is_silent};
    assert_int_equal(sem_init(&canned->sent, 0, 0), 0);
    canned->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(canned->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(canned->listener, 1), 0);
    assert_int_equal(getsockname(canned->listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pthread_create(&canned->thread, NULL, serve, canned), 0);
    return ntohs(address.sin_port);
}

static void stop(struct canned *canned)
{
    (void)pthread_join(canned->thread, NULL);
    close(canned->listener);
    (void)sem_destroy(&canned->sent);
}

static model_status collect(void *context, const void *data, size_t size_bytes,
                            struct model_error *err)
{
    (void)err;
    return buffer_append(context, data, size_bytes);
}

static bool always(void *context)
{
    (void)context;
    return true;
}

/* One exchange with a server that answers so. */
struct trial {
    struct hub_response response;
    enum hub_failure failure;
    struct model_error err;
    struct buffer body;
    char request[4096];
};

static model_status try_answer(struct trial *trial, const char *answer, size_t answer_bytes,
                               const char *token, bool (*cancelled)(void *context))
{
    struct canned canned;
    struct hub_http *http = NULL;
    char url[64];
    *trial = (struct trial){.err.struct_size = sizeof trial->err, .body = BUFFER_INIT(64)};
    hub_response_init(&trial->response);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/x",
                   start(&canned, answer, answer_bytes, false));
    assert_int_equal(hub_http_create(NULL, &http, &trial->err), MODEL_OK);
    struct hub_transport transport = hub_http_transport(http);
    struct hub_exchange exchange = {
        .url = url,
        .token = token,
        .sink = {collect, &trial->body},
        .stall_timeout_ms = 20000,
        .cancelled = cancelled,
    };
    model_status status = transport.exchange(transport.context, &exchange, &trial->response,
                                             &trial->failure, &trial->err);
    hub_http_destroy(http);
    if (cancelled != NULL) /* the server may still wait for its connection */
        (void)shutdown(canned.listener, SHUT_RDWR);
    stop(&canned);
    memcpy(trial->request, canned.request, sizeof trial->request);
    return status;
}

static void finish(struct trial *trial)
{
    hub_response_finish(&trial->response);
    buffer_finish(&trial->body);
}

#define TRY(answer, token) try_answer(&trial, answer, sizeof(answer) - 1, token, NULL)

static void an_answer_arrives_with_its_headers(void **state)
{
    struct trial trial;
    (void)state;
    assert_int_equal(TRY("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag:  \"abc\" \r\nX-Other: y\r\n"
                         "LINK: <a>; rel=next\r\n\r\nhello",
                         "secret"),
                     MODEL_OK);
    assert_int_equal(trial.response.status, 200);
    assert_string_equal(trial.response.headers[HUB_ETAG], "\"abc\"");
    assert_string_equal(trial.response.headers[HUB_LINK], "<a>; rel=next");
    assert_null(trial.response.headers[HUB_LOCATION]);
    assert_string_equal(trial.body.data, "hello");
    assert_non_null(strstr(trial.request, "\r\nAuthorization: Bearer secret\r\n"));
    assert_non_null(strstr(trial.request, "\r\nUser-Agent: modelhost/" MODELHOST_VERSION "\r\n"));
    finish(&trial);
}

static void no_token_means_no_authorization(void **state)
{
    struct trial trial;
    (void)state;
    assert_int_equal(TRY("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL), MODEL_OK);
    assert_null(strstr(trial.request, "uthorization"));
    finish(&trial);
}

static void redirects_are_handed_up_not_followed(void **state)
{
    struct trial trial;
    (void)state;
    assert_int_equal(TRY("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/y\r\n"
                         "Content-Length: 5\r\n\r\nmoved",
                         NULL),
                     MODEL_OK);
    assert_int_equal(trial.response.status, 302);
    assert_string_equal(trial.response.headers[HUB_LOCATION], "http://127.0.0.1:1/y");
    assert_int_equal(trial.body.size, 0);
    assert_string_equal(trial.response.error_body.data, "moved");
    finish(&trial);
}

static void a_cut_body_broke_off(void **state)
{
    struct trial trial;
    (void)state;
    assert_int_equal(TRY("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", NULL),
                     MODELHOST_NETWORK);
    assert_int_equal(trial.failure, HUB_BROKE_OFF);
    finish(&trial);
    assert_int_equal(TRY("", NULL), MODELHOST_NETWORK);
    assert_int_equal(trial.failure, HUB_BROKE_OFF);
    finish(&trial);
}

static void what_the_sink_refuses_is_final(void **state)
{
    struct trial trial;
    (void)state;
    /* the trial's buffer takes 64 bytes */
    assert_int_equal(TRY("HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n"
                         "1234567890123456789012345678901234567890123456789012345678901234567890",
                         NULL),
                     MODEL_INVALID_ARGUMENT);
    assert_int_equal(trial.failure, HUB_FAILED_FOR_GOOD);
    finish(&trial);
}

/* An answer with `n` bytes of one header, or of a body with an error. */
static model_status try_long(struct trial *trial, const char *before, size_t n, const char *after)
{
    size_t a = strlen(before), b = strlen(after);
    char *answer = malloc(a + n + b);
    assert_non_null(answer);
    memcpy(answer, before, a);
    memset(answer + a, 'x', n);
    memcpy(answer + a + n, after, b);
    model_status status = try_answer(trial, answer, a + n + b, NULL, NULL);
    free(answer);
    return status;
}

static void headers_are_bounded(void **state)
{
    struct trial trial;
    (void)state;
    assert_int_equal(try_long(&trial, "HTTP/1.1 302 Found\r\nLocation: ", HUB_MAX_HEADER_BYTES + 1,
                              "\r\nContent-Length: 0\r\n\r\n"),
                     MODELHOST_NETWORK);
    assert_int_equal(trial.failure, HUB_FAILED_FOR_GOOD);
    finish(&trial);
    assert_int_equal(try_long(&trial, "HTTP/1.1 302 Found\r\nLocation: ", (size_t)1 << 20, ""),
                     MODELHOST_NETWORK);
    assert_int_equal(trial.failure, HUB_FAILED_FOR_GOOD);
    assert_non_null(strstr(trial.err.message, "header of the answer of http://127.0.0.1:"));
    assert_non_null(strstr(trial.err.message, "is too long"));
    finish(&trial);
}

static void a_long_error_is_cut(void **state)
{
    struct trial trial;
    (void)state;
    assert_int_equal(
        try_long(&trial, "HTTP/1.1 500 No\r\nContent-Length: 200000\r\n\r\n", 200000, ""),
        MODEL_OK);
    assert_int_equal(trial.response.status, 500);
    assert_int_equal(trial.response.error_body.size, HUB_MAX_ERROR_BODY_BYTES);
    finish(&trial);
}

#define STEP_NS (100 * 1000000ll)

static int64_t stand_still(void *context)
{
    return *(const int64_t *)context;
}

/* How long it takes, by the clock that is given, until an answer that stops in the middle is broken off. */
static int64_t broken_off_ms(const char *answer, int64_t stall_timeout_ms, int64_t timeout_ms,
                             const char *reason)
{
    struct canned canned;
    struct hub_http *http = NULL;
    struct hub_call call, *ended;
    int64_t now_ns = 0;
    const struct hub_http_options options = {.now_ns = stand_still, .clock_context = &now_ns};
    struct buffer body = BUFFER_INIT(1000);
    char url[64];
    memset(&call, 0, sizeof call);
    hub_response_init(&call.response);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/x",
                   start(&canned, answer, strlen(answer), true));
    assert_int_equal(hub_http_create(&options, &http, NULL), MODEL_OK);
    struct hub_transport transport = hub_http_transport(http);
    call.exchange = (struct hub_exchange){.url = url,
                                          .sink = {collect, &body},
                                          .stall_timeout_ms = stall_timeout_ms,
                                          .timeout_ms = timeout_ms};
    transport.begin(transport.context, &call);
    while (sem_trywait(&canned.sent) != 0) /* however long it takes: this clock does not move */
        assert_null(transport.wait(transport.context, 10));
    while ((ended = transport.wait(transport.context, 0)) == NULL)
        now_ns += STEP_NS;
    assert_ptr_equal(ended, &call);
    assert_int_equal(call.status, MODELHOST_NETWORK);
    assert_int_equal(call.failure, HUB_BROKE_OFF);
    assert_non_null(strstr(call.err.message, reason));
    hub_http_destroy(http);
    stop(&canned);
    hub_response_finish(&call.response);
    buffer_finish(&body);
    return now_ns / 1000000;
}

static const char *const unfinished[] = {"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nxyz",
                                         "HTTP/1.1 404 No\r\nContent-Length: 500\r\n\r\nxyz",
                                         "HTTP/1.1 200 OK\r\nX: ", ""};

static void an_answer_that_stands_still_is_broken_off_at_its_stall_timeout(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unfinished / sizeof unfinished[0]; i++)
        assert_int_equal(broken_off_ms(unfinished[i], 30000, 0, "too little came for 30 s"), 30000);
}

static void an_answer_that_is_not_complete_in_time_is_broken_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unfinished / sizeof unfinished[0]; i++)
        assert_int_equal(
            broken_off_ms(unfinished[i], 30000, 20000, "it was not complete after 20 s"), 20000);
}

static void an_exchange_can_be_cancelled(void **state)
{
    struct trial trial;
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    (void)state;
    assert_int_equal(try_answer(&trial, answer, sizeof answer - 1, NULL, always), MODEL_CANCELLED);
    finish(&trial);
}

static void nobody_there_and_other_protocols_are_told_apart(void **state)
{
    struct hub_http *http = NULL;
    struct hub_response response;
    struct buffer body = BUFFER_INIT(10);
    struct model_error err = {.struct_size = sizeof err};
    enum hub_failure failure;
    (void)state;
    assert_int_equal(hub_http_create(NULL, &http, &err), MODEL_OK);
    struct hub_transport transport = hub_http_transport(http);
    struct hub_exchange exchange = {
        .url = "http://127.0.0.1:1/", .sink = {collect, &body}, .stall_timeout_ms = 5000};
    hub_response_init(&response);
    assert_int_equal(transport.exchange(transport.context, &exchange, &response, &failure, &err),
                     MODELHOST_NETWORK);
    assert_int_equal(failure, HUB_FAILED_TO_CONNECT);
    exchange.url = "file:///etc/hostname";
    assert_int_equal(transport.exchange(transport.context, &exchange, &response, &failure, &err),
                     MODELHOST_NETWORK);
    assert_int_equal(failure, HUB_FAILED_FOR_GOOD);
    assert_int_equal(body.size, 0);
    hub_response_finish(&response);
    hub_http_destroy(http);
    hub_http_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_arrives_with_its_headers),
        cmocka_unit_test(no_token_means_no_authorization),
        cmocka_unit_test(redirects_are_handed_up_not_followed),
        cmocka_unit_test(a_cut_body_broke_off),
        cmocka_unit_test(what_the_sink_refuses_is_final),
        cmocka_unit_test(headers_are_bounded),
        cmocka_unit_test(a_long_error_is_cut),
        cmocka_unit_test(an_answer_that_stands_still_is_broken_off_at_its_stall_timeout),
        cmocka_unit_test(an_answer_that_is_not_complete_in_time_is_broken_off),
        cmocka_unit_test(an_exchange_can_be_cancelled),
        cmocka_unit_test(nobody_there_and_other_protocols_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
