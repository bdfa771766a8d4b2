/* test_http_server.c - the HTTP service on real sockets: base/http_server.c, base/http_connection.c and
 * base/http_reply.c. The server runs on a thread of its own; the test is a blocking client, so nothing
 * here waits by the clock: each wait ends with bytes or with the end of a connection. */
#include "errors.h"
#include "files.h"
#include "http_server.h"
#include "testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#define BIG_BYTES ((size_t)16 << 20)

struct fixture {
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t command; /* see on_command() */
    uv_sem_t done;
    struct http_server *server;
    struct http_server_options options;
    struct model_error err;
    model_status status;
    uint16_t port;
    enum { RELEASE, COUNT, CLOSE } order;
    size_t n_connections;      /* by COUNT */
    struct http_request *kept; /* by "/keep" */
    uv_sem_t has_kept, has_gone;
    char *folder, *file;
    char *big;
};

/* ---- the server's side */

static void on_gone(void *context, struct http_request *request)
{
    struct fixture *fixture = context;
    assert_ptr_equal(request, fixture->kept);
    uv_sem_post(&fixture->has_gone);
}

static void reply_seen(struct http_request *request)
{
    size_t size_bytes;
    const char *body = http_request_body(request, &size_bytes);
    const char *query = http_request_query(request), *x = http_request_header(request, "x-test");
    char *text = text_format("%s|%s|%s|%s|%s|%zu|%s", http_request_method(request),
                             http_request_raw_path(request), http_request_path(request),
                             query != NULL ? query : "-", x != NULL ? x : "-", size_bytes, body);
    assert_non_null(text);
    http_reply_text(request, 200, "text/plain", text);
    free(text);
}

static void handle(void *context, struct http_request *request)
{
    struct fixture *fixture = context;
    const char *path = http_request_path(request);
    if (strcmp(path, "/keep") == 0) {
        fixture->kept = request;
        http_request_on_gone(request, on_gone, fixture);
        uv_sem_post(&fixture->has_kept);
    } else if (strncmp(path, "/file", 5) == 0) {
        int fd = open(fixture->file, O_RDONLY | O_CLOEXEC);
        bool is_part = strcmp(path, "/file/part") == 0;
        http_reply_file(request, is_part ? 206 : 200, "application/octet-stream", fd,
                        is_part ? 1000 : 0, is_part ? 5000 : BIG_BYTES);
    } else if (strcmp(path, "/big") == 0) {
        http_reply(request, 200, NULL, fixture->big, BIG_BYTES);
    } else if (strcmp(path, "/headers") == 0) {
        http_reply_header(request, "X-Good", "yes");
        http_reply_header(request, "X-Bad", "a\r\nX-Injected: b");
        http_reply_text(request, 304, NULL, "never sent");
    } else {
        reply_seen(request);
    }
}

static void on_closed(void *context)
{
    struct fixture *fixture = context;
    fixture->server = NULL;
}

static void on_command(uv_async_t *async)
{
    struct fixture *fixture = async->data;
    if (fixture->order == RELEASE && fixture->kept != NULL) {
        struct http_request *request = fixture->kept;
        fixture->kept = NULL;
        http_reply_text(request, 200, "text/plain", "late");
    } else if (fixture->order == COUNT) {
        fixture->n_connections = http_server_connections(fixture->server);
    } else if (fixture->order == CLOSE) {
        if (fixture->server != NULL)
            http_server_close(fixture->server, on_closed, fixture);
        uv_close((uv_handle_t *)&fixture->command, NULL);
    }
    uv_sem_post(&fixture->done);
}

static void run(void *argument)
{
    struct fixture *fixture = argument;
    fixture->status =
        http_server_create(&fixture->loop, &fixture->options, &fixture->server, &fixture->err);
    if (fixture->status == MODEL_OK)
        fixture->port = http_server_port(fixture->server);
    uv_sem_post(&fixture->done);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_null(fixture->server); /* its on_closed() came before the loop ended */
}

static void order(struct fixture *fixture, int what)
{
    fixture->order = what;
    assert_int_equal(uv_async_send(&fixture->command), 0);
    uv_sem_wait(&fixture->done);
}

static struct fixture *start(struct http_server_options options)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->options = options;
    fixture->options.handle = handle;
    fixture->options.context = fixture;
    fixture->err.struct_size = sizeof fixture->err;
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    assert_int_equal(uv_async_init(&fixture->loop, &fixture->command, on_command), 0);
    fixture->command.data = fixture;
    assert_int_equal(uv_sem_init(&fixture->done, 0), 0);
    assert_int_equal(uv_sem_init(&fixture->has_kept, 0), 0);
    assert_int_equal(uv_sem_init(&fixture->has_gone, 0), 0);
    fixture->folder = scratch_dir();
    fixture->file = path_join(fixture->folder, "file.bin");
    fixture->big = malloc(BIG_BYTES);
    assert_non_null(fixture->big);
    for (size_t i = 0; i < BIG_BYTES; i++)
        fixture->big[i] = (char)(i * 2654435761u >> 13);
    write_file(fixture->file, fixture->big, BIG_BYTES);
    assert_int_equal(uv_thread_create(&fixture->thread, run, fixture), 0);
    uv_sem_wait(&fixture->done);
    return fixture;
}

/* Returns the request that "/keep" kept and nobody has answered. */
static struct http_request *stop_server(struct fixture *fixture)
{
    order(fixture, CLOSE);
    assert_int_equal(uv_thread_join(&fixture->thread), 0);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    return fixture->kept;
}

static void finish(struct fixture *fixture)
{
    uv_sem_destroy(&fixture->done);
    uv_sem_destroy(&fixture->has_kept);
    uv_sem_destroy(&fixture->has_gone);
    assert_int_equal(dir_remove_all(fixture->folder, NULL), MODEL_OK);
    free(fixture->folder);
    free(fixture->file);
    free(fixture->big);
    free(fixture);
}

static void stop(struct fixture *fixture)
{
    assert_null(stop_server(fixture));
    finish(fixture);
}

/* ---- the client's side */

static int connect_to(const struct fixture *fixture)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(fixture->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void send_bytes(int fd, const char *data, size_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t n = send(fd, data, size_bytes, MSG_NOSIGNAL);
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return; /* refused early: the answer is there to be read */
        assert_true(n > 0);
        data += n;
        size_bytes -= (size_t)n;
    }
}

static void send_text(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
}

/* All until the server ends the connection; closes it. */
static char *read_all(int fd, size_t *ret_size_bytes)
{
    struct buffer text = BUFFER_INIT((size_t)64 << 20);
    char block[65536];
    ssize_t n;
    while ((n = recv(fd, block, sizeof block, 0)) > 0)
        assert_int_equal(buffer_append(&text, block, (size_t)n), MODEL_OK);
    (void)close(fd);
    if (ret_size_bytes != NULL)
        *ret_size_bytes = text.size;
    char *all = buffer_take(&text);
    assert_non_null(all);
    return all;
}

/* The bytes up to and with `end`. */
static void read_until(int fd, const char *end)
{
    struct buffer text = BUFFER_INIT(65536);
    char c;
    do {
        assert_int_equal(recv(fd, &c, 1, 0), 1);
        assert_int_equal(buffer_append(&text, &c, 1), MODEL_OK);
    } while (strstr(text.data, end) == NULL);
    buffer_finish(&text);
}

static char *talk(const struct fixture *fixture, const char *request)
{
    int fd = connect_to(fixture);
    send_text(fd, request);
    return read_all(fd, NULL);
}

static void check_talk(const struct fixture *fixture, const char *request, const char *status_line,
                       const char *body)
{
    char *answer = talk(fixture, request);
    assert_memory_equal(answer, status_line, strlen(status_line));
    const char *found = strstr(answer, "\r\n\r\n");
    assert_non_null(found);
    if (body != NULL)
        assert_string_equal(found + 4, body);
    free(answer);
}

#define CLOSE_HEADERS "Host: x\r\nConnection: close\r\n\r\n"

/* ---- tests */

static void a_handler_sees_the_request(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    check_talk(fixture, "GET /a%2Fb+c?d=%20 HTTP/1.1\r\nX-Test:  v \r\n" CLOSE_HEADERS,
               "HTTP/1.1 200 OK\r\n", "GET|/a%2Fb+c|/a/b+c|d=%20|v|0|");
    check_talk(fixture, "POST /p HTTP/1.1\r\nContent-Length: 5\r\n" CLOSE_HEADERS "hello",
               "HTTP/1.1 200 OK\r\n", "POST|/p|/p|-|-|5|hello");
    check_talk(fixture, "\r\n\r\nGET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "GET|/|/|-|-|0|");
    stop(fixture);
}

static void bodies_may_come_in_chunks_and_pieces(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    static const char request[] = "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE_HEADERS
                                  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    check_talk(fixture, request, "HTTP/1.1 200 OK\r\n", "POST|/p|/p|-|-|5|abcde");
    int fd = connect_to(fixture);
    for (size_t i = 0; i < sizeof request - 1; i++)
        send_bytes(fd, request + i, 1);
    char *answer = read_all(fd, NULL);
    assert_non_null(strstr(answer, "|abcde"));
    free(answer);
    stop(fixture);
}

static void a_client_may_ask_before_it_sends_a_body(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    int fd = connect_to(fixture);
    send_text(fd,
              "POST /p HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n" CLOSE_HEADERS);
    read_until(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    send_text(fd, "ok");
    char *answer = read_all(fd, NULL);
    assert_non_null(strstr(answer, "|2|ok"));
    free(answer);
    fd = connect_to(fixture);
    send_text(fd, "POST /p HTTP/1.1\r\nContent-Length: 99999999\r\n"
                  "Expect: 100-continue\r\n" CLOSE_HEADERS);
    answer = read_all(fd, NULL);
    assert_memory_equal(answer, "HTTP/1.1 413 ", 13);
    free(answer);
    stop(fixture);
}

static void head_is_answered_without_a_body(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    char *answer = talk(fixture, "HEAD /file HTTP/1.1\r\n" CLOSE_HEADERS);
    assert_non_null(strstr(answer, "\r\nContent-Length: 16777216\r\n"));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    free(answer);
    check_talk(fixture, "HEAD /x HTTP/1.1\r\n" CLOSE_HEADERS, "HTTP/1.1 200 OK\r\n", "");
    stop(fixture);
}

static void headers_cannot_be_injected_and_304_has_no_length(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    char *answer = talk(fixture, "GET /headers HTTP/1.1\r\n" CLOSE_HEADERS);
    assert_non_null(strstr(answer, "\r\nX-Good: yes\r\n"));
    assert_null(strstr(answer, "X-Injected"));
    assert_null(strstr(answer, "Content-Length"));
    assert_null(strstr(answer, "never sent"));
    free(answer);
    stop(fixture);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    int fd = connect_to(fixture);
    struct buffer text = BUFFER_INIT(1 << 20);
    for (int i = 0; i < 500; i++)
        assert_int_equal(
            buffer_printf(&text, "POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb", i),
            MODEL_OK);
    assert_int_equal(buffer_append_text(&text, "GET /end HTTP/1.1\r\n" CLOSE_HEADERS), MODEL_OK);
    send_bytes(fd, text.data, text.size);
    char *answer = read_all(fd, NULL), *at = answer;
    for (int i = 0; i < 500; i++) {
        char want[64];
        (void)snprintf(want, sizeof want, "POST|/%d|/%d|-|-|1|b", i, i);
        at = strstr(at, want);
        assert_non_null(at);
    }
    assert_non_null(strstr(at, "GET|/end|"));
    free(answer);
    buffer_finish(&text);
    stop(fixture);
}

static void a_reply_may_come_later(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    int fd = connect_to(fixture);
    send_text(fd, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\n" CLOSE_HEADERS);
    uv_sem_wait(&fixture->has_kept);
    check_talk(fixture, "GET /other HTTP/1.1\r\n" CLOSE_HEADERS, "HTTP/1.1 200 OK\r\n", NULL);
    order(fixture, RELEASE);
    char *answer = read_all(fd, NULL);
    const char *late = strstr(answer, "late");
    assert_non_null(late);
    assert_non_null(strstr(late, "GET|/next|"));
    free(answer);
    stop(fixture);
}

static void a_client_that_leaves_is_noticed_while_its_request_waits(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    int fd = connect_to(fixture);
    send_text(fd, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    uv_sem_wait(&fixture->has_kept);
    (void)close(fd);
    uv_sem_wait(&fixture->has_gone);
    order(fixture, RELEASE); /* the reply goes nowhere */
    check_talk(fixture, "GET /x HTTP/1.1\r\n" CLOSE_HEADERS, "HTTP/1.1 200 OK\r\n", NULL);
    stop(fixture);
}

static void a_request_outlives_its_server(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    int fd = connect_to(fixture);
    send_text(fd, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    uv_sem_wait(&fixture->has_kept);
    struct http_request *request = stop_server(fixture);
    assert_non_null(request);
    uv_sem_wait(&fixture->has_gone);
    assert_string_equal(http_request_path(request), "/keep");
    http_reply_text(request, 200, NULL, "nobody hears this");
    char *answer = read_all(fd, NULL);
    assert_string_equal(answer, "");
    free(answer);
    finish(fixture);
}

static void check_big(const struct fixture *fixture, const char *path)
{
    char request[100];
    size_t size_bytes;
    (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" CLOSE_HEADERS, path);
    int fd = connect_to(fixture);
    send_text(fd, request);
    char *answer = read_all(fd, &size_bytes), *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    size_t head_bytes = (size_t)(body + 4 - answer);
    assert_int_equal(size_bytes - head_bytes, BIG_BYTES);
    assert_memory_equal(body + 4, fixture->big, BIG_BYTES);
    free(answer);
}

static void large_replies_arrive_whole(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    check_big(fixture, "/big");
    check_big(fixture, "/file");
    int fd = connect_to(fixture);
    send_text(fd, "GET /file/part HTTP/1.1\r\n" CLOSE_HEADERS);
    size_t size_bytes;
    char *answer = read_all(fd, &size_bytes), *body = strstr(answer, "\r\n\r\n") + 4;
    assert_int_equal(size_bytes - (size_t)(body - answer), 5000);
    assert_memory_equal(body, fixture->big + 1000, 5000);
    free(answer);
    stop(fixture);
}

static void a_file_that_changes_while_it_is_sent_does_not_arrive_whole(void **state)
{
    (void)state;
    for (int is_cut = 0; is_cut <= 1; is_cut++) {
        struct fixture *fixture = start((struct http_server_options){0});
        int fd = connect_to(fixture);
        send_text(fd, "GET /file HTTP/1.1\r\n" CLOSE_HEADERS);
        read_until(fd, "\r\n\r\n"); /* under way, and more than the sockets hold is still to come */
        if (is_cut)
            assert_int_equal(truncate(fixture->file, 1000), 0);
        else
            write_file(fixture->file, fixture->big, BIG_BYTES);
        struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
        assert_int_equal(utimensat(AT_FDCWD, fixture->file, old, 0), 0);
        size_t size_bytes;
        free(read_all(fd, &size_bytes));
        assert_true(size_bytes < BIG_BYTES);
        stop(fixture);
    }
}

static void slow_requests_are_ended(void **state)
{
    (void)state;
    struct fixture *fixture =
        start((struct http_server_options){.read_timeout_ms = 100, .idle_timeout_ms = 100});
    check_talk(fixture, "GET / HT", "HTTP/1.1 408 ", NULL);
    check_talk(fixture, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
               "HTTP/1.1 408 ", NULL);
    char *answer = talk(fixture, "");
    assert_string_equal(answer, ""); /* idle: closed without a word */
    free(answer);
    answer = talk(fixture, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(answer, "GET|/|")); /* idle after a reply: the same */
    assert_null(strstr(answer, "408"));
    free(answer);
    stop(fixture);
}

static void a_client_that_does_not_read_is_ended(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){.write_timeout_ms = 100});
    int fd = connect_to(fixture);
    send_text(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    read_until(fd, "\r\n\r\n");
    do
        order(fixture, COUNT); /* it never reads: the server gets rid of it */
    while (fixture->n_connections > 0);
    size_t size_bytes;
    free(read_all(fd, &size_bytes));
    assert_true(size_bytes < BIG_BYTES);
    stop(fixture);
}

static void limits_are_refusals(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){
        .max_head_bytes = 200, .max_target_bytes = 50, .max_body_bytes = 10});
    char request[1000];
    (void)snprintf(request, sizeof request, "GET /%0100d HTTP/1.1\r\n" CLOSE_HEADERS, 0);
    check_talk(fixture, request, "HTTP/1.1 414 URI Too Long\r\n", NULL);
    (void)snprintf(request, sizeof request, "GET /%0100d", 0);
    check_talk(fixture, request, "HTTP/1.1 414 ", NULL);
    (void)snprintf(request, sizeof request, "GET / HTTP/1.1\r\nA: %0300d\r\n" CLOSE_HEADERS, 0);
    check_talk(fixture, request, "HTTP/1.1 431 ", NULL);
    check_talk(fixture, "POST / HTTP/1.1\r\nContent-Length: 11\r\n" CLOSE_HEADERS "12345678901",
               "HTTP/1.1 413 ", "{\"error\":\"the body is larger than this server takes\"}");
    check_talk(fixture, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE_HEADERS "b\r\n12",
               "HTTP/1.1 413 ", NULL);
    check_talk(fixture, "GET /%zz HTTP/1.1\r\n" CLOSE_HEADERS, "HTTP/1.1 400 ", NULL);
    check_talk(fixture, "nonsense\r\n\r\n", "HTTP/1.1 400 ", NULL);
    stop(fixture);
}

static void idle_connections_make_room_and_busy_ones_do_not(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){.max_connections = 2});
    int idle[5];
    for (int i = 0; i < 5; i++) {
        idle[i] = connect_to(fixture);
        send_text(idle[i], "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
        read_until(idle[i], "GET|/x|");
    }
    for (int i = 0; i < 3; i++) /* the older ones were closed */
        free(read_all(idle[i], NULL));
    send_text(idle[3], "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    uv_sem_wait(&fixture->has_kept);
    struct http_request *first = fixture->kept;
    send_text(idle[4], "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    uv_sem_wait(&fixture->has_kept);
    char *answer = read_all(connect_to(fixture), NULL);
    assert_memory_equal(answer, "HTTP/1.1 503 ", 13);
    free(answer);
    order(fixture, RELEASE);
    fixture->kept = first;
    order(fixture, RELEASE);
    (void)close(idle[3]);
    (void)close(idle[4]);
    stop(fixture);
}

static void a_port_in_use_is_said_with_what_to_do(void **state)
{
    (void)state;
    struct fixture *first = start((struct http_server_options){0});
    struct fixture *second = start((struct http_server_options){.port = first->port});
    assert_int_equal(second->status, MODEL_BUSY);
    char want[200];
    (void)snprintf(want, sizeof want,
                   "cannot listen on 127.0.0.1:%u: address already in use; give another port, or 0 "
                   "for any free one",
                   first->port);
    assert_string_equal(second->err.message, want);
    stop(second);
    assert_int_equal(first->status, MODEL_OK);
    (void)snprintf(want, sizeof want, "http://127.0.0.1:%u", first->port);
    assert_string_equal(http_server_url(first->server), want);
    stop(first);
}

static void an_address_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){.host = "192.0.2.1"});
    assert_int_equal(fixture->status, MODELHOST_NETWORK);
    assert_non_null(strstr(fixture->err.message, "cannot listen on 192.0.2.1:0: "));
    stop(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_sees_the_request),
        cmocka_unit_test(bodies_may_come_in_chunks_and_pieces),
        cmocka_unit_test(a_client_may_ask_before_it_sends_a_body),
        cmocka_unit_test(head_is_answered_without_a_body),
        cmocka_unit_test(headers_cannot_be_injected_and_304_has_no_length),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_reply_may_come_later),
        cmocka_unit_test(a_client_that_leaves_is_noticed_while_its_request_waits),
        cmocka_unit_test(a_request_outlives_its_server),
        cmocka_unit_test(large_replies_arrive_whole),
        cmocka_unit_test(a_file_that_changes_while_it_is_sent_does_not_arrive_whole),
        cmocka_unit_test(slow_requests_are_ended),
        cmocka_unit_test(a_client_that_does_not_read_is_ended),
        cmocka_unit_test(limits_are_refusals),
        cmocka_unit_test(idle_connections_make_room_and_busy_ones_do_not),
        cmocka_unit_test(a_port_in_use_is_said_with_what_to_do),
        cmocka_unit_test(an_address_that_is_not_ours_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
