/* hub_socket.h - how much a connection to a hub may have on its way. What lies in the system's buffer has
 * been sent, but is lost when the process is killed, and must be sent again; the system lets that buffer
 * grow to many megabytes when the sender is faster than we are, which is so beside a limit of ours and with
 * a mirror nearby. Any thread. */
#ifndef HUB_SOCKET_H
#define HUB_SOCKET_H

#include <stddef.h>
#include <stdint.h>

#define HUB_SOCKET_MIN_BYTES (32u << 10)
#define HUB_SOCKET_MAX_BYTES (256u << 10)

/* What a connection needs that takes so long there and back, and may bring so much (0: as much as there
 * is): never less than HUB_SOCKET_MIN_BYTES. 0: more than HUB_SOCKET_MAX_BYTES, or not known, so the system
 * shall see to it. */
size_t hub_socket_buffer_bytes(uint64_t round_trip_us, uint64_t limit_bytes_per_s);

/* Gives a connected TCP socket the buffer that it needs; any other socket is left as it is. */
void hub_socket_fit(int socket, uint64_t limit_bytes_per_s);

#endif
