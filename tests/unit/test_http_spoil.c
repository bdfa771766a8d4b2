/* test_http_spoil.c - replies that go wrong on purpose go wrong exactly as ordered. */
#include "http_fixture.h"

static const char *body_of(const char *answer)
{
    const char *blank = strstr(answer, "\r\n\r\n");
    assert_non_null(blank);
    return blank + 4;
}

/* The answer to GET /file/part, 5,000 bytes from byte 1,000 of the file; free() it. */
static char *get_part(const struct fixture *fixture, enum http_spoil spoil, unsigned bytes,
                      size_t *ret_body_bytes)
{
    char request[100];
    size_t size_bytes;
    (void)snprintf(request, sizeof request, "GET /file/part?%d-%u HTTP/1.1\r\n" CLOSE_HEADERS,
                   (int)spoil, bytes);
    int fd = connect_to(fixture);
    send_text(fd, request);
    char *answer = read_all(fd, &size_bytes);
    assert_non_null(strstr(answer, "Content-Length: 5000\r\n"));
    *ret_body_bytes = size_bytes - (size_t)(body_of(answer) - answer);
    return answer;
}

static void a_flipped_reply_differs_in_one_bit(void **state)
{
    (void)state;
    size_t n;
    struct fixture *fixture = start((struct http_server_options){0});
    char *answer = get_part(fixture, HTTP_SPOIL_FLIP, 1700, &n);
    assert_int_equal(n, 5000);
    const char *body = body_of(answer), *want = fixture->big + 1000;
    assert_memory_equal(body, want, 1700);
    assert_int_equal((unsigned char)body[1700] ^ (unsigned char)want[1700], 1);
    assert_memory_equal(body + 1701, want + 1701, 5000 - 1701);
    free(answer);
    stop(fixture);
}

static void a_cut_reply_ends_where_ordered(void **state)
{
    (void)state;
    size_t n;
    struct fixture *fixture = start((struct http_server_options){0});
    char *answer = get_part(fixture, HTTP_SPOIL_CUT, 1700, &n);
    assert_int_equal(n, 1700);
    assert_memory_equal(body_of(answer), fixture->big + 1000, 1700);
    free(answer);
    stop(fixture);
}

static void a_cut_behind_the_end_changes_nothing(void **state)
{
    (void)state;
    size_t n;
    struct fixture *fixture = start((struct http_server_options){0});
    char *answer = get_part(fixture, HTTP_SPOIL_CUT, 5000, &n);
    assert_int_equal(n, 5000);
    free(answer);
    stop(fixture);
}

static void a_dripping_reply_arrives_whole(void **state)
{
    (void)state;
    size_t n;
    struct fixture *fixture = start((struct http_server_options){0});
    char *answer = get_part(fixture, HTTP_SPOIL_DRIP, 2000, &n);
    assert_int_equal(n, 5000);
    assert_memory_equal(body_of(answer), fixture->big + 1000, 5000);
    free(answer);
    stop(fixture);
}

static void a_stalled_reply_waits_for_the_client_to_leave(void **state)
{
    (void)state;
    char block[1000];
    struct fixture *fixture = start((struct http_server_options){0});
    int fd = connect_to(fixture);
    send_text(fd, "GET /file?3-1000 HTTP/1.1\r\nHost: x\r\n\r\n");
    read_until(fd, "\r\n\r\n");
    assert_int_equal(recv(fd, block, sizeof block, MSG_WAITALL), 1000);
    assert_memory_equal(block, fixture->big, 1000);
    order(fixture, COUNT);
    assert_int_equal(fixture->n_connections, 1);
    assert_int_equal(recv(fd, block, 1, MSG_DONTWAIT), -1);
    (void)close(fd);
    do {
        order(fixture, COUNT);
    } while (fixture->n_connections > 0);
    stop(fixture);
}

static void the_next_reply_is_not_spoiled(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){0});
    int fd = connect_to(fixture);
    send_text(
        fd,
        "GET /file/part?1-0 HTTP/1.1\r\nHost: x\r\n\r\nGET /file/part HTTP/1.1\r\n" CLOSE_HEADERS);
    size_t size_bytes;
    char *answer = read_all(fd, &size_bytes);
    const char *first = body_of(answer), *second = body_of(first + 5000);
    assert_int_not_equal(first[0], second[0]);
    assert_memory_equal(second, fixture->big + 1000, 5000);
    free(answer);
    stop(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_reply_differs_in_one_bit),
        cmocka_unit_test(a_cut_reply_ends_where_ordered),
        cmocka_unit_test(a_cut_behind_the_end_changes_nothing),
        cmocka_unit_test(a_dripping_reply_arrives_whole),
        cmocka_unit_test(a_stalled_reply_waits_for_the_client_to_leave),
        cmocka_unit_test(the_next_reply_is_not_spoiled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
