/* test_worker_socket.c - host/workers/worker_socket.c: messages and descriptors between two ends. */
#include "errors.h"
#include "testing.h"
#include "worker_socket.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static struct model_error err = MODEL_ERROR_INIT;

static void messages_come_in_order_with_their_descriptors(void **state)
{
    (void)state;
    int ends[2], pipes[2];
    struct worker_inbox inbox = WORKER_INBOX_INIT;
    char byte = 0;
    assert_int_equal(worker_socket_pair(ends, &err), MODEL_OK);
    assert_int_equal(pipe(pipes), 0);
    for (uint64_t i = 0; i < 3; i++) {
        const struct worker_message message = {.type = WORKER_SHARE, .numbers = {i}};
        assert_int_equal(worker_socket_send(ends[0], &message, i == 1 ? pipes[1] : -1, &err),
                         MODEL_OK);
    }
    (void)close(pipes[1]);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(worker_socket_receive(ends[1], &inbox, &err), MODEL_OK);
        assert_int_equal(inbox.message.numbers[0], i);
        assert_true((inbox.passed >= 0) == (i == 1));
        if (i == 1)
            assert_int_equal(write(inbox.passed, "x", 1), 1);
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(read(pipes[0], &byte, 1), 0); /* nobody has the other end any more */
    (void)close(pipes[0]);
    (void)close(ends[0]);
    assert_int_equal(worker_socket_receive(ends[1], &inbox, &err), MODEL_NOT_FOUND);
    worker_inbox_finish(&inbox);
    (void)close(ends[1]);
}

static void the_end_in_the_middle_of_a_message_is_an_error(void **state)
{
    (void)state;
    int ends[2];
    struct worker_inbox inbox = WORKER_INBOX_INIT;
    const struct worker_header header = {WORKER_MESSAGE_MAGIC, WORKER_PROTOCOL_VERSION, WORKER_LOG,
                                         100, 0};
    assert_int_equal(worker_socket_pair(ends, &err), MODEL_OK);
    assert_int_equal(write(ends[0], &header, sizeof header), sizeof header);
    assert_int_equal(write(ends[0], "abc", 3), 3);
    (void)close(ends[0]);
    assert_int_equal(worker_socket_receive(ends[1], &inbox, &err), MODEL_CORRUPT);
    worker_inbox_finish(&inbox);
    (void)close(ends[1]);
}

static void an_end_that_does_not_read_is_an_error(void **state)
{
    (void)state;
    int ends[2];
    char *text = calloc(1, 100001);
    memset(text, 'x', 100000);
    const struct worker_message message = {.type = WORKER_LOG, .text = text};
    model_status status = MODEL_OK;
    assert_int_equal(worker_socket_pair(ends, &err), MODEL_OK);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 1000 && status == MODEL_OK; i++)
        status = worker_socket_send(ends[0], &message, -1, &err);
    assert_int_equal(status, MODEL_IO);
    (void)close(ends[1]);
    assert_int_equal(worker_socket_send(ends[0], &message, -1, &err), MODEL_IO);
    (void)close(ends[0]);
    free(text);
}

/* Several descriptors with one message: none of them may stay. */
static void more_descriptors_than_agreed_are_closed(void **state)
{
    (void)state;
    int ends[2], pipes[2];
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr alignment;
    } control = {.bytes = {0}};
    struct buffer bytes = BUFFER_INIT(4096);
    const struct worker_message message = {.type = WORKER_GOODBYE};
    struct worker_inbox inbox = WORKER_INBOX_INIT;
    char byte = 0;
    assert_int_equal(worker_socket_pair(ends, &err), MODEL_OK);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(worker_message_write(&message, &bytes, &err), MODEL_OK);
    struct iovec part = {bytes.data, bytes.size};
    struct msghdr head = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof control.bytes};
    struct cmsghdr *item = CMSG_FIRSTHDR(&head);
    const int both[] = {pipes[1], pipes[1]};
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(sizeof both);
    memcpy(CMSG_DATA(item), both, sizeof both);
    assert_int_equal(sendmsg(ends[0], &head, 0), bytes.size);
    (void)close(pipes[1]);
    assert_int_equal(worker_socket_receive(ends[1], &inbox, &err), MODEL_OK);
    worker_inbox_finish(&inbox);
    assert_int_equal(read(pipes[0], &byte, 1), 0);
    buffer_finish(&bytes);
    (void)close(pipes[0]);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* No clock has a part in it: whoever reads looks after other things between the bytes. */
static void a_message_byte_by_byte_holds_nobody_that_does_not_block(void **state)
{
    (void)state;
    int ends[2];
    struct buffer bytes = BUFFER_INIT(4096);
    struct worker_inbox inbox = WORKER_INBOX_INIT;
    const struct worker_message message = {
        .type = WORKER_LOG, .numbers = {2, 77}, .text = "slowly"};
    assert_int_equal(worker_socket_pair(ends, &err), MODEL_OK);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(worker_message_write(&message, &bytes, &err), MODEL_OK);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < bytes.size; i++) {
            assert_int_equal(worker_socket_receive(ends[1], &inbox, &err), MODEL_BUSY);
            assert_int_equal(write(ends[0], bytes.data + i, 1), 1);
        }
        assert_int_equal(worker_socket_receive(ends[1], &inbox, &err), MODEL_OK);
        assert_int_equal(inbox.message.numbers[1], 77);
        assert_string_equal(inbox.message.text, "slowly");
    }
    assert_int_equal(write(ends[0], bytes.data, bytes.size - 1), bytes.size - 1);
    (void)close(ends[0]);
    assert_int_equal(worker_socket_receive(ends[1], &inbox, &err), MODEL_CORRUPT);
    worker_inbox_finish(&inbox);
    buffer_finish(&bytes);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_in_order_with_their_descriptors),
        cmocka_unit_test(the_end_in_the_middle_of_a_message_is_an_error),
        cmocka_unit_test(an_end_that_does_not_read_is_an_error),
        cmocka_unit_test(more_descriptors_than_agreed_are_closed),
        cmocka_unit_test(a_message_byte_by_byte_holds_nobody_that_does_not_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
