/* test_standard_descriptors.c - closed standard descriptors: filled, cleared, and a host that is made
 * meanwhile. Covers host/scheduler_loop.c, whose loop must not have one of them. */
#include "standard_descriptors.h"
#include "modelhost.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Closes those of 0, 1 and 2 whose bit is set, and keeps copies in saved[]. */
static void close_some(unsigned closed, int saved[3])
{
    (void)fflush(NULL);
    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        assert_true(saved[fd] >= 100);
    }
    for (int fd = 0; fd < 3; fd++)
        if ((closed & 1u << fd) != 0)
            (void)close(fd);
}

/* Puts them back; returns the bits of those that were closed until now. */
static unsigned restore(const int saved[3])
{
    unsigned closed = 0;
    for (int fd = 0; fd < 3; fd++) {
        closed |= fcntl(fd, F_GETFD) < 0 ? 1u << fd : 0;
        (void)dup2(saved[fd], fd);
        (void)close(saved[fd]);
    }
    return closed;
}

static void what_is_closed_is_filled_and_cleared_again(void **state)
{
    (void)state;
    for (unsigned closed = 0; closed < 8; closed++) {
        int saved[3];
        close_some(closed, saved);
        unsigned filled = standard_descriptors_fill(), again = standard_descriptors_fill();
        int open = fcntl(0, F_GETFD) >= 0 && fcntl(1, F_GETFD) >= 0 && fcntl(2, F_GETFD) >= 0;
        standard_descriptors_clear(filled);
        unsigned left = restore(saved);
        assert_int_equal(filled, closed);
        assert_int_equal(again, 0);
        assert_true(open);
        assert_int_equal(left, closed);
    }
}

static void a_filled_one_still_fails_to_read_and_to_write(void **state)
{
    (void)state;
    int saved[3];
    char byte = 'x';
    close_some(3, saved);
    (void)standard_descriptors_fill();
    errno = 0;
    int read_failed = read(0, &byte, 1) < 0 && errno == EBADF;
    errno = 0;
    int write_failed = write(1, &byte, 1) < 0 && errno == EBADF;
    (void)restore(saved);
    assert_true(read_failed);
    assert_true(write_failed);
}

static void a_host_lives_without_standard_descriptors_and_takes_none(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    options.store_dir = options.plugin_path = ".";
    options.lanes = options.threads = 1;
    for (unsigned closed = 1; closed < 8; closed++) {
        struct modelhost *host = NULL;
        int saved[3];
        close_some(closed, saved);
        model_status status = modelhost_create(&options, &host, NULL);
        unsigned left = 0;
        for (int fd = 0; fd < 3; fd++)
            left |= fcntl(fd, F_GETFD) < 0 ? 1u << fd : 0;
        modelhost_destroy(host); /* libuv would end the process here */
        (void)restore(saved);
        assert_int_equal(status, MODEL_OK);
        assert_int_equal(left, closed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_closed_is_filled_and_cleared_again),
        cmocka_unit_test(a_filled_one_still_fails_to_read_and_to_write),
        cmocka_unit_test(a_host_lives_without_standard_descriptors_and_takes_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
