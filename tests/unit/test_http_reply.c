/* test_http_reply.c - how replies are sent: from memory and from files, with and without a body, and to clients that
 * do not read or leave. */
#include "http_fixture.h"

#include <sys/stat.h>

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
    check_big(fixture, "/source");
    static const char *const parts[] = {"GET /file/part HTTP/1.1\r\n" CLOSE_HEADERS,
                                        "GET /source/part HTTP/1.1\r\n" CLOSE_HEADERS};
    for (size_t i = 0; i < 2; i++) {
        int fd = connect_to(fixture);
        send_text(fd, parts[i]);
        size_t size_bytes;
        char *answer = read_all(fd, &size_bytes), *body = strstr(answer, "\r\n\r\n") + 4;
        assert_int_equal(size_bytes - (size_t)(body - answer), 5000);
        assert_memory_equal(body, fixture->big + 1000, 5000);
        free(answer);
    }
    stop(fixture);
}

static void a_source_that_cannot_be_read_on_does_not_arrive_whole(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    int fd = connect_to(fixture);
    send_text(fd, "GET /source?broken HTTP/1.1\r\n" CLOSE_HEADERS);
    size_t size_bytes;
    char *answer = read_all(fd, &size_bytes), *body = strstr(answer, "\r\n\r\n") + 4;
    assert_int_equal(size_bytes - (size_t)(body - answer), BIG_BYTES / 2);
    free(answer);
    check_talk(fixture, "HEAD /source HTTP/1.1\r\n" CLOSE_HEADERS, "HTTP/1.1 200 OK\r\n", "");
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

static void clients_that_leave_while_a_file_is_sent_do_no_harm(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    for (int i = 0; i < 500; i++) {
        int fd = connect_to(fixture);
        send_text(fd, i % 2 == 0 ? "GET /file HTTP/1.1\r\nHost: x\r\n\r\n"
                                 : "GET /source HTTP/1.1\r\nHost: x\r\n\r\n");
        char block[1000];
        for (int n = 0; n < i % 50; n++)
            assert_true(recv(fd, block, sizeof block, 0) > 0);
        (void)close(fd); /* with bytes unread: the server sees a reset */
    }
    check_talk(fixture, "GET /x HTTP/1.1\r\n" CLOSE_HEADERS, "HTTP/1.1 200 OK\r\n", NULL);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_is_answered_without_a_body),
        cmocka_unit_test(headers_cannot_be_injected_and_304_has_no_length),
        cmocka_unit_test(large_replies_arrive_whole),
        cmocka_unit_test(a_source_that_cannot_be_read_on_does_not_arrive_whole),
        cmocka_unit_test(a_file_that_changes_while_it_is_sent_does_not_arrive_whole),
        cmocka_unit_test(a_client_that_does_not_read_is_ended),
        cmocka_unit_test(clients_that_leave_while_a_file_is_sent_do_no_harm),
        cmocka_unit_test(a_reply_may_come_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
