/* test_http_accept.c - how many connections there may be, in all and from one address, and how much a
 * connection takes. */
#include "http_fixture.h"
#include "http_private.h"

#include <netdb.h>
#include <sys/resource.h>

static int connect_from(const struct fixture *fixture, uint32_t source)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(source);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        return -1; /* systems where only 127.0.0.1 is there */
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(fixture->port);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Occupies a connection: the handler keeps the request, which is never answered. */
static int keep_busy(struct fixture *fixture)
{
    int fd = connect_to(fixture);
    send_text(fd, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
    uv_sem_wait(&fixture->has_kept);
    return fd;
}

static void one_address_may_have_so_many_connections(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){.max_connections_per_address = 1});
    int busy = keep_busy(fixture);
    int second = connect_to(fixture);
    char *answer = read_all(second, NULL);
    assert_memory_equal(answer, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(answer, "too many connections from one address; try again"));
    free(answer);
    int other = connect_from(fixture, INADDR_LOOPBACK + 1);
    if (other >= 0) {
        send_text(other, "GET /x HTTP/1.1\r\n" CLOSE_HEADERS);
        answer = read_all(other, NULL);
        assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
        free(answer);
    }
    order(fixture, RELEASE);
    read_until(busy, "late");
    (void)close(busy);
    stop(fixture);
}

static void an_idle_connection_makes_room_for_a_new_one_of_its_address(void **state)
{
    (void)state;
    char c;
    struct fixture *fixture = start((struct http_server_options){.max_connections_per_address = 1});
    int idle = connect_to(fixture);
    send_text(idle, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    read_until(idle, "GET|/x|");
    check_talk(fixture, "GET /y HTTP/1.1\r\n" CLOSE_HEADERS, "HTTP/1.1 200 OK\r\n", NULL);
    while (recv(idle, &c, 1, 0) > 0)
        ;
    (void)close(idle);
    stop(fixture);
}

/* Those that are refused close at once; the wait is for the slow one to be slow enough. */
static void a_slow_client_makes_room_before_an_idle_one(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){.max_connections = 2});
    char c, *answer = NULL;
    int busy = keep_busy(fixture), slow = connect_to(fixture);
    send_text(slow, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhalf");
    do {
        free(answer);
        int next = connect_to(fixture);
        send_text(next, "GET /y HTTP/1.1\r\n" CLOSE_HEADERS);
        answer = read_all(next, NULL);
    } while (memcmp(answer, "HTTP/1.1 503 ", 13) == 0);
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    free(answer);
    while (recv(slow, &c, 1, 0) > 0)
        ;
    (void)close(slow);
    order(fixture, RELEASE);
    read_until(busy, "late");
    (void)close(busy);
    stop(fixture);
}

/* The last two are refused without a word: a refusal takes a descriptor. */
static void refusals_do_not_grow_beyond_a_bound(void **state)
{
    (void)state;
    struct fixture *fixture = start((struct http_server_options){.max_connections = 1});
    int busy = keep_busy(fixture), refused[40];
    for (int i = 0; i < 40; i++)
        refused[i] = connect_to(fixture);
    for (int i = 0; i < 40; i++) {
        char *answer = read_all(refused[i], NULL);
        assert_true(answer[0] == '\0' || memcmp(answer, "HTTP/1.1 503 ", 13) == 0);
        free(answer);
    }
    order(fixture, COUNT);
    assert_true(fixture->n_connections <= 1 + 16);
    order(fixture, RELEASE);
    read_until(busy, "late");
    (void)close(busy);
    stop(fixture);
}

static void connections_leave_descriptors_for_others(void **state)
{
    (void)state;
    assert_int_equal(http_connections_that_fit(1000, 65536, 40), 1000);
    assert_int_equal(http_connections_that_fit(1000, 1024, 24), 750);
    assert_int_equal(http_connections_that_fit(1000, 256, 56), 150);
    assert_int_equal(http_connections_that_fit(1000, 100, 20), 48);
    assert_int_equal(http_connections_that_fit(1000, 40, 20), 1);
    assert_int_equal(http_connections_that_fit(1000, 20, 30), 1);
    struct rlimit before, low = {.rlim_cur = 128};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_in_range(http_server_room(1000), 1, 96);
    assert_int_equal(http_server_room(5), 5);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static uint64_t taken_bytes;
static uv_sem_t has_finished;

static void on_finished(void *context, const struct http_request *request,
                        const struct http_outcome *outcome)
{
    (void)context, (void)request;
    assert_false(outcome->is_complete);
    taken_bytes = outcome->body_bytes;
    uv_sem_post(&has_finished);
}

/* It is known to have taken all it can when the server has had enough of waiting. */
static void a_client_that_does_not_read_is_sent_little_and_no_more_is_counted(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), window_bytes = 65536;
    assert_int_equal(uv_sem_init(&has_finished, 0), 0);
    struct fixture *fixture =
        start((struct http_server_options){.write_timeout_ms = 1, .finished = on_finished});
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(fixture->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window_bytes, sizeof window_bytes), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    send_text(fd, "GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
    uv_sem_wait(&has_finished);
    assert_in_range(taken_bytes, 1, 8 * (size_t)window_bytes);
    (void)close(fd);
    stop(fixture);
    uv_sem_destroy(&has_finished);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_address_may_have_so_many_connections),
        cmocka_unit_test(an_idle_connection_makes_room_for_a_new_one_of_its_address),
        cmocka_unit_test(a_slow_client_makes_room_before_an_idle_one),
        cmocka_unit_test(refusals_do_not_grow_beyond_a_bound),
        cmocka_unit_test(connections_leave_descriptors_for_others),
        cmocka_unit_test(a_client_that_does_not_read_is_sent_little_and_no_more_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
