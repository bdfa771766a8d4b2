/* test_http_connection.c - how requests are read: whole, in pieces, one behind the other, slowly, broken, and by clients
 * that leave. */
#include "http_fixture.h"

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

static void a_client_that_has_said_all_is_answered(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    int fd = connect_to(fixture);
    send_text(fd, "GET /late HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    uv_sem_wait(&fixture->has_kept);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    /* after another conversation the loop has seen the end of this one */
    check_talk(fixture, "GET /x HTTP/1.1\r\n" CLOSE_HEADERS, "HTTP/1.1 200 OK\r\n", NULL);
    order(fixture, RELEASE);
    char *answer = read_all(fd, NULL);
    assert_non_null(strstr(answer, "\r\n\r\nlate"));
    assert_non_null(strstr(answer, "GET|/2|"));
    free(answer);
    /* half a request is not one */
    fd = connect_to(fixture);
    send_text(fd, "GET /x HTTP/1.1\r\nHost:");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    answer = read_all(fd, NULL);
    assert_string_equal(answer, "");
    free(answer);
    stop(fixture);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_sees_the_request),
        cmocka_unit_test(bodies_may_come_in_chunks_and_pieces),
        cmocka_unit_test(a_client_may_ask_before_it_sends_a_body),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_client_that_leaves_is_noticed_while_its_request_waits),
        cmocka_unit_test(a_client_that_has_said_all_is_answered),
        cmocka_unit_test(slow_requests_are_ended),
        cmocka_unit_test(limits_are_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
