/* worker_socket.h - moving messages (worker_message.h) over a socket, with descriptors beside them. */
#ifndef WORKER_SOCKET_H
#define WORKER_SOCKET_H

#include "worker_message.h"

/* Two connected ends that are closed by exec. */
model_status worker_socket_pair(int ret[2], struct model_error *err);

/* Sends one message and a descriptor (-1: none), which stays the caller's. Callers on one socket take turns
 * by a lock of their own. MODEL_IO when the other end is gone, or (where fd does not block) does not read. */
model_status worker_socket_send(int fd, const struct worker_message *message, int passed,
                                struct model_error *err);

/* A message that has come in, with the memory that it points into. */
struct worker_inbox {
    struct worker_message message;
    int passed; /* the descriptor that came along, to be closed; -1: none */
    struct buffer payload;
    struct worker_header header; /* of the message that comes in */
    size_t n_received;           /* bytes of it so far */
};
#define WORKER_INBOX_INIT                                                                          \
    {                                                                                              \
        .passed = -1, .payload = BUFFER_INIT(WORKER_MAX_PAYLOAD_BYTES)                             \
    }

/* Waits for the next message; where fd does not block it takes what there is, and says MODEL_BUSY until the whole
 * message has come: an end that sends one piece by piece holds nobody. MODEL_NOT_FOUND: the other end has closed it.
 * What was there before is gone, also a descriptor that nobody took. */
model_status worker_socket_receive(int fd, struct worker_inbox *inbox, struct model_error *err);
void worker_inbox_finish(struct worker_inbox *inbox);

#endif
