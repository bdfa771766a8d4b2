/* hub_socket.c - see hub_socket.h. The system measures how long a connection takes there and back from its
 * first handshake on; the least of it is without the time that we or the server let pass. */
#include "hub_socket.h"

#include <sys/socket.h>

#ifdef __linux__
#include <linux/tcp.h>
#include <netinet/in.h>
#endif

#define FAST_BYTES_PER_S 500000000u /* of one connection of several: more than that waits for us */
#define US_PER_S         1000000u

size_t hub_socket_buffer_bytes(uint64_t round_trip_us, uint64_t limit_bytes_per_s)
{
    uint64_t rate = limit_bytes_per_s != 0 && limit_bytes_per_s < FAST_BYTES_PER_S
                        ? limit_bytes_per_s
                        : FAST_BYTES_PER_S;
    if (round_trip_us == 0 || round_trip_us >= UINT32_MAX)
        return 0;
    uint64_t needed_bytes = rate * round_trip_us / US_PER_S;
    if (needed_bytes > HUB_SOCKET_MAX_BYTES)
        return 0;
    return needed_bytes > HUB_SOCKET_MIN_BYTES ? (size_t)needed_bytes : HUB_SOCKET_MIN_BYTES;
}

void hub_socket_fit(int socket, uint64_t limit_bytes_per_s)
{
#ifdef __linux__
    struct tcp_info info = {0};
    socklen_t size_bytes = sizeof info;
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size_bytes) != 0)
        return;
    /* where the kernel does not tell the least, it stays 0 */
    int bytes = (int)hub_socket_buffer_bytes(info.tcpi_min_rtt, limit_bytes_per_s);
    if (bytes != 0) /* when that fails more is fetched twice, nothing worse */
        (void)setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
#else
    (void)socket, (void)limit_bytes_per_s;
#endif
}
