/* test_hub_socket.c - the buffer of a connection fits what can be on its way. */
#include "hub_socket.h"
#include "testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static void a_connection_gets_what_its_delay_and_the_limit_need(void **state)
{
    (void)state;
    /* 200 us at 500 MB/s are 100,000 bytes; 10 ms at 25 MB/s are 250,000 */
    assert_int_equal(hub_socket_buffer_bytes(200, 0), 100000);
    assert_int_equal(hub_socket_buffer_bytes(10000, 25000000), 250000);
    assert_int_equal(hub_socket_buffer_bytes(20, 0), HUB_SOCKET_MIN_BYTES);
    assert_int_equal(hub_socket_buffer_bytes(20, 1), HUB_SOCKET_MIN_BYTES);
}

static void what_needs_much_or_is_not_known_is_left_to_the_system(void **state)
{
    (void)state;
    assert_int_equal(hub_socket_buffer_bytes(10000, 0), 0);
    assert_int_equal(hub_socket_buffer_bytes(100000, 25000000), 0);
    assert_int_equal(hub_socket_buffer_bytes(0, 25000000), 0);
    assert_int_equal(hub_socket_buffer_bytes(UINT64_MAX, UINT64_MAX), 0);
    assert_int_equal(hub_socket_buffer_bytes(UINT32_MAX, 0), 0); /* none measured yet */
}

static int buffer_of(int fd)
{
    int bytes = 0;
    socklen_t size_bytes = sizeof bytes;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &size_bytes), 0);
    return bytes;
}

static void a_connection_nearby_gets_a_small_buffer(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size_bytes = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size_bytes), 0);
    int before = buffer_of(fd);
    hub_socket_fit(fd, 1); /* not connected: nothing is known of it */
    assert_int_equal(buffer_of(fd), before);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    hub_socket_fit(fd, 1); /* so slow that no delay of this machine counts */
#ifdef __linux__
    assert_int_equal(buffer_of(fd), 2 * HUB_SOCKET_MIN_BYTES); /* the system doubles it */
#endif
    (void)close(fd);
    (void)close(listener);
}

static void other_sockets_are_left_alone(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    int before = buffer_of(ends[0]);
    hub_socket_fit(ends[0], 1);
    hub_socket_fit(-1, 1);
    assert_int_equal(buffer_of(ends[0]), before);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_gets_what_its_delay_and_the_limit_need),
        cmocka_unit_test(what_needs_much_or_is_not_known_is_left_to_the_system),
        cmocka_unit_test(a_connection_nearby_gets_a_small_buffer),
        cmocka_unit_test(other_sockets_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
