/* worker_socket.c - see worker_socket.h. A stream socket: macOS has no other kind here that keeps order. The
 * descriptor travels with the first bytes of a message. */
#include "worker_socket.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

model_status worker_socket_pair(int ret[2], struct model_error *err)
{
    int ends[2];
#ifdef SOCK_CLOEXEC
    const int type = SOCK_STREAM | SOCK_CLOEXEC;
#else
    const int type = SOCK_STREAM;
#endif
    if (socketpair(AF_UNIX, type, 0, ends) != 0)
        return error_set_errno(err, errno, "cannot make a socket for a worker");
#ifndef SOCK_CLOEXEC
    for (int i = 0, on = 1; i < 2; i++) {
        (void)fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        (void)setsockopt(ends[i], SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
    }
#endif
    memcpy(ret, ends, sizeof ends);
    return MODEL_OK;
}

/* Room for one descriptor. */
union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr alignment;
};

/* Sends what there is; -1: the other end is gone. */
static ssize_t send_some(int fd, const char *data, size_t size_bytes, int passed)
{
    struct iovec part = {(void *)(uintptr_t)data, size_bytes};
    union control control = {.bytes = {0}};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    if (passed >= 0) {
        head.msg_control = control.bytes;
        head.msg_controllen = sizeof control.bytes;
        struct cmsghdr *item = CMSG_FIRSTHDR(&head);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(item), &passed, sizeof passed);
    }
    ssize_t n;
    do
        n = sendmsg(fd, &head, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

model_status worker_socket_send(int fd, const struct worker_message *message, int passed,
                                struct model_error *err)
{
    struct buffer bytes = BUFFER_INIT(WORKER_MAX_PAYLOAD_BYTES + sizeof(struct worker_header));
    model_status status = worker_message_write(message, &bytes, err);
    for (size_t sent = 0; status == MODEL_OK && sent < bytes.size;) {
        ssize_t n = send_some(fd, bytes.data + sent, bytes.size - sent, passed);
        if (n < 0) {
            (void)error_set_errno(err, errno, "cannot send to a worker");
            status = MODEL_IO;
        } else {
            sent += (size_t)n;
            passed = -1;
        }
    }
    buffer_finish(&bytes);
    return status;
}

/* Takes the descriptor over that came with a piece; of several the last one stays. */
static void take_passed(struct msghdr *head, int *passed)
{
    for (struct cmsghdr *item = CMSG_FIRSTHDR(head); item != NULL; item = CMSG_NXTHDR(head, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= item->cmsg_len; at += sizeof(int)) {
            if (*passed >= 0)
                (void)close(*passed);
            memcpy(passed, (const char *)item + at, sizeof *passed);
#if MSG_CMSG_CLOEXEC == 0
            (void)fcntl(*passed, F_SETFD, FD_CLOEXEC);
#endif
        }
    }
}

static void close_passed(struct worker_inbox *inbox)
{
    if (inbox->passed >= 0)
        (void)close(inbox->passed);
    inbox->passed = -1;
}

/* Reads on until the message has n_wanted bytes, of which those from `from` on belong into data. */
static model_status receive(int fd, struct worker_inbox *inbox, void *data, size_t from,
                            size_t n_wanted, struct model_error *err)
{
    while (inbox->n_received < n_wanted) {
        struct iovec part = {(char *)data + (inbox->n_received - from),
                             n_wanted - inbox->n_received};
        union control control;
        struct msghdr head = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes};
        ssize_t n = recvmsg(fd, &head, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return MODEL_BUSY;
        if (n < 0 && errno != ECONNRESET) {
            (void)error_set_errno(err, errno, "cannot read from a worker's socket");
            return MODEL_IO;
        }
        if (n <= 0)
            return error_set(err, inbox->n_received == 0 ? MODEL_NOT_FOUND : MODEL_CORRUPT,
                             "the other process has closed the connection");
        take_passed(&head, &inbox->passed);
        inbox->n_received += (size_t)n;
    }
    return MODEL_OK;
}

model_status worker_socket_receive(int fd, struct worker_inbox *inbox, struct model_error *err)
{
    const struct worker_header *header = &inbox->header;
    if (inbox->n_received == 0) {
        close_passed(inbox);
        buffer_clear(&inbox->payload);
    }
    model_status status = receive(fd, inbox, &inbox->header, 0, sizeof *header, err);
    if (status == MODEL_OK)
        status = worker_message_check_header(header, err);
    if (status == MODEL_OK)
        status = buffer_reserve(&inbox->payload, header->payload_bytes);
    if (status == MODEL_OUT_OF_MEMORY)
        return error_no_memory(err, "a message");
    if (status == MODEL_OK)
        status = receive(fd, inbox, inbox->payload.data, sizeof *header,
                         sizeof *header + header->payload_bytes, err);
    if (status != MODEL_OK)
        return status;
    inbox->n_received = 0;
    return worker_message_read(header->type, inbox->payload.data, header->payload_bytes,
                               &inbox->message, err);
}

void worker_inbox_finish(struct worker_inbox *inbox)
{
    close_passed(inbox);
    buffer_finish(&inbox->payload);
}
