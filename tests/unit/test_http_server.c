/* test_http_server.c - listening, room for connections, and the end of a server. */
#include "http_fixture.h"

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

#define AN_HOUR_MS 3600000

static void a_server_that_ends_answers_what_it_has_begun(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    int busy = connect_to(fixture), half = connect_to(fixture), idle = connect_to(fixture);
    send_text(idle, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    read_until(idle, "GET|/x|");
    send_text(half, "GET /x HTTP/1.1\r\nHost: x\r\n\r\nPOST /x HTTP/1.1\r\n");
    read_until(half, "GET|/x|");
    send_text(busy, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    uv_sem_wait(&fixture->has_kept);
    fixture->patience_ms = AN_HOUR_MS;
    order(fixture, END);
    free(read_all(idle, NULL));
    char *answer = read_all(half, NULL);
    assert_non_null(strstr(answer, "HTTP/1.1 503 "));
    assert_non_null(strstr(answer, "the server is ending"));
    free(answer);
    order(fixture, RELEASE);
    answer = read_all(busy, NULL); /* to its end: the connection does not stay */
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    assert_non_null(strstr(answer, "Connection: close"));
    assert_non_null(strstr(answer, "late"));
    free(answer);
    assert_int_not_equal(uv_sem_trywait(&fixture->has_gone), 0);
    stop(fixture);
}

static void a_server_without_connections_ends_at_once(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    fixture->patience_ms = AN_HOUR_MS;
    order(fixture, END);
    stop(fixture);
}

static void who_outlasts_the_patience_is_cut_off(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    int fd = connect_to(fixture);
    send_text(fd, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    uv_sem_wait(&fixture->has_kept);
    fixture->patience_ms = 1;
    order(fixture, END);
    uv_sem_wait(&fixture->has_gone);
    free(read_all(fd, NULL));
    order(fixture, RELEASE);
    stop(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_outlives_its_server),
        cmocka_unit_test(idle_connections_make_room_and_busy_ones_do_not),
        cmocka_unit_test(a_port_in_use_is_said_with_what_to_do),
        cmocka_unit_test(a_server_that_ends_answers_what_it_has_begun),
        cmocka_unit_test(a_server_without_connections_ends_at_once),
        cmocka_unit_test(who_outlasts_the_patience_is_cut_off),
        cmocka_unit_test(an_address_that_is_not_ours_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
