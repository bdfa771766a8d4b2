/* worker_socket.c - see worker_socket.h. A stream socket: macOS has no other kind here that keeps order. The
 * descriptor travels with the first bytes of a message. */
#include "worker_socket.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define STALL_MS 1000

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

/* Waits for more on an end that does not block: whoever has begun a message goes on with it. */
static bool more_comes(int fd)
{
    struct pollfd wanted = {fd, POLLIN, 0};
    int n;
    do
        n = poll(&wanted, 1, STALL_MS);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

/* Reads just size_bytes; MODEL_NOT_FOUND when the stream ends before the first one. */
static model_status receive(int fd, void *data, size_t size_bytes, int *passed,
                            struct model_error *err)
{
    for (size_t got = 0; got < size_bytes;) {
        struct iovec part = {(char *)data + got, size_bytes - got};
        union control control;
        struct msghdr head = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes};
        ssize_t n = recvmsg(fd, &head, MSG_CMSG_CLOEXEC);
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && more_comes(fd))))
            continue;
        if (n < 0 && errno != ECONNRESET) {
            (void)error_set_errno(err, errno, "cannot read from a worker's socket");
            return MODEL_IO;
        }
        if (n <= 0)
            return error_set(err, got == 0 ? MODEL_NOT_FOUND : MODEL_CORRUPT,
                             "the other process has closed the connection");
        take_passed(&head, passed);
        got += (size_t)n;
    }
    return MODEL_OK;
}

static void close_passed(struct worker_inbox *inbox)
{
    if (inbox->passed >= 0)
        (void)close(inbox->passed);
    inbox->passed = -1;
}

model_status worker_socket_receive(int fd, struct worker_inbox *inbox, struct model_error *err)
{
    struct worker_header header;
    close_passed(inbox);
    buffer_clear(&inbox->payload);
    model_status status = receive(fd, &header, sizeof header, &inbox->passed, err);
    if (status == MODEL_OK)
        status = worker_message_check_header(&header, err);
    if (status == MODEL_OK)
        status = buffer_reserve(&inbox->payload, header.payload_bytes);
    if (status == MODEL_OUT_OF_MEMORY)
        return error_no_memory(err, "a message");
    if (status == MODEL_OK && header.payload_bytes > 0)
        status = receive(fd, inbox->payload.data, header.payload_bytes, &inbox->passed, err);
    if (status != MODEL_OK)
        return status;
    return worker_message_read(header.type, inbox->payload.data, header.payload_bytes,
                               &inbox->message, err);
}

void worker_inbox_finish(struct worker_inbox *inbox)
{
    close_passed(inbox);
    buffer_finish(&inbox->payload);
}
