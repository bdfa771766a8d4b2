/* test_page_guard.c - files that shrink under their mapping. */
#include "errors.h"
#include "file_map.h"
#include "page_guard.h"
#include "testing.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (64 * 1024)

struct guarded {
    char *path;
    struct file_map map;
    struct page_guard *guard;
};

static struct guarded open_guarded(void)
{
    struct guarded g = {.path = scratch_dir()};
    char *file = malloc(strlen(g.path) + 3), *data = malloc(SIZE);
    assert_non_null(file);
    assert_non_null(data);
    (void)snprintf(file, strlen(g.path) + 3, "%s/f", g.path);
    memset(data, 7, SIZE);
    write_file(file, data, SIZE);
    free(data);
    assert_int_equal(file_map_open(file, &g.map, NULL), MODEL_OK);
    assert_int_equal(page_guard_add(&g.map, &g.guard, NULL), MODEL_OK);
    free(g.path);
    g.path = file;
    return g;
}

static void close_guarded(struct guarded *g)
{
    page_guard_remove(g->guard);
    file_map_close(&g->map);
    assert_int_equal(unlink(g->path), 0);
    *strrchr(g->path, '/') = '\0';
    assert_int_equal(rmdir(g->path), 0);
    free(g->path);
}

static void a_whole_file_is_fine(void **state)
{
    (void)state;
    struct guarded g = open_guarded();
    assert_int_equal(g.map.data[SIZE - 1], 7);
    assert_int_equal(page_guard_check(g.guard, g.path, NULL), MODEL_OK);
    close_guarded(&g);
}

static void reading_past_a_truncation_is_an_error_and_no_crash(void **state)
{
    (void)state;
    struct guarded g = open_guarded();
    assert_int_equal(truncate(g.path, 5000), 0);
    volatile const uint8_t *data = g.map.data;
    assert_int_equal(data[SIZE - 1], 0); /* SIGBUS without the guard */
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(page_guard_check(g.guard, "model.safetensors", &err), MODEL_CORRUPT);
    assert_string_equal(err.message,
                        "model.safetensors was truncated while it was in use: 65536 bytes when "
                        "opened, 5000 now");
    close_guarded(&g);
}

static void a_truncation_that_nobody_touched_is_seen_too(void **state)
{
    (void)state;
    struct guarded g = open_guarded();
    assert_int_equal(truncate(g.path, SIZE - 1), 0);
    assert_int_equal(page_guard_check(g.guard, g.path, NULL), MODEL_CORRUPT);
    close_guarded(&g);
}

static void a_damaged_mapping_stays_damaged_when_the_file_grows_back(void **state)
{
    (void)state;
    struct guarded g = open_guarded();
    assert_int_equal(truncate(g.path, 0), 0);
    volatile const uint8_t *data = g.map.data;
    assert_int_equal(data[0], 0);
    assert_int_equal(truncate(g.path, SIZE), 0);
    assert_int_equal(page_guard_check(g.guard, g.path, NULL), MODEL_CORRUPT);
    close_guarded(&g);
}

static void a_file_that_is_written_to_in_place_is_seen(void **state)
{
    (void)state;
    struct guarded g = open_guarded();
    const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, g.path, long_ago, 0),
                     0); /* another time, as a writer leaves it */
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(page_guard_check(g.guard, "model.safetensors", &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "model.safetensors was written to while it was in use");
    close_guarded(&g);
}

/* ---- an application's own handlers. Each test in a process of its own: handlers are the process's. */

static sigjmp_buf recovery;
static struct sigaction below_first, below_second;
static volatile sig_atomic_t n_first, n_second;
static char
    *own; /* a mapping of the application, longer than its file: reading its end is a SIGBUS */

static void call_below(const struct sigaction *below, int signal_number, siginfo_t *info,
                       void *context)
{
    if ((below->sa_flags & SA_SIGINFO) != 0)
        below->sa_sigaction(signal_number, info, context);
    else if (below->sa_handler != SIG_DFL && below->sa_handler != SIG_IGN)
        below->sa_handler(signal_number);
}

static void mend(void)
{
    if (mmap(own, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        _exit(90);
}

/* The bottom: recovers by leaving, or by mending the page. */
static void first_leaves(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)info;
    (void)context;
    n_first++;
    siglongjmp(recovery, 1);
}

static void first_mends(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)info;
    (void)context;
    n_first++;
    mend();
}

/* In the middle: passes on a siginfo of its own. */
static void second_passes_on(int signal_number, siginfo_t *info, void *context)
{
    siginfo_t copy = *info;
    n_second++;
    call_below(&below_second, signal_number, &copy, context);
}

static void put_handler(void (*handler)(int, siginfo_t *, void *), struct sigaction *ret_below)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    (void)sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGBUS, &action, ret_below), 0);
}

static void touch_own(void)
{
    volatile const char *data = own;
    (void)data[0];
}

static void make_own(void)
{
    char *folder = scratch_dir(), path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/own", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    own = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(own != MAP_FAILED);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    free(folder);
}

/* The guard works still, and the rest of the body left it in order. */
static void expect_guarded(struct guarded *g)
{
    assert_int_equal(truncate(g->path, 0), 0);
    volatile const uint8_t *data = g->map.data;
    assert_int_equal(data[SIZE - 1], 0);
    assert_int_equal(page_guard_check(g->guard, g->path, NULL), MODEL_CORRUPT);
    close_guarded(g);
}

/* How a process with this body ends: its exit code (0: all as it should be), or minus its signal. */
static int ending_of(int (*body)(void))
{
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGBUS, SIG_DFL); /* not a sanitizer's: a signal is an ending, not a report */
        make_own();
        _exit(body());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int leave_three_times(void)
{
    put_handler(first_leaves, &below_first);
    struct guarded g = open_guarded();
    for (int i = 0; i < 3; i++)
        if (sigsetjmp(recovery, 1) == 0) {
            touch_own();
            return 1;
        }
    expect_guarded(&g);
    return n_first == 3 ? 0 : 2;
}

static void a_handler_that_leaves_by_longjmp_is_called_again(void **state)
{
    (void)state;
    assert_int_equal(ending_of(leave_three_times), 0);
}

/* first <- ours <- second <- ours again. */
static int chain_of_two(void)
{
    put_handler(first_mends, &below_first);
    struct guarded g = open_guarded();
    put_handler(second_passes_on, &below_second);
    struct guarded h = open_guarded();
    struct guarded i = open_guarded(); /* nothing new to list */
    touch_own();
    if (n_first != 1 || n_second != 1)
        return 1;
    expect_guarded(&g);
    expect_guarded(&h);
    expect_guarded(&i);
    return n_first == 1 && n_second == 1 ? 0 : 2;
}

static void handlers_before_and_after_ours_are_called_once_each(void **state)
{
    (void)state;
    assert_int_equal(ending_of(chain_of_two), 0);
}

static int chain_that_leaves(void)
{
    put_handler(first_leaves, &below_first);
    struct guarded g = open_guarded();
    put_handler(second_passes_on, &below_second);
    struct guarded h = open_guarded();
    for (int i = 0; i < 3; i++)
        if (sigsetjmp(recovery, 1) == 0) {
            touch_own();
            return 1;
        }
    expect_guarded(&g);
    expect_guarded(&h);
    return n_first == 3 && n_second == 3 ? 0 : 2;
}

static void a_chain_whose_end_leaves_is_walked_each_time(void **state)
{
    (void)state;
    assert_int_equal(ending_of(chain_that_leaves), 0);
}

/* As when the library is there twice: another handler that lists ours as the one before it, and that
 * ours lists as the one before, with nobody behind. */
static int chain_to_nobody(void)
{
    struct guarded g = open_guarded();
    put_handler(second_passes_on, &below_second);
    struct guarded h = open_guarded();
    expect_guarded(&g);
    expect_guarded(&h);
    if (n_second != 0)
        return 1;
    touch_own();
    return 2;
}

static void a_fault_that_nobody_takes_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(ending_of(chain_to_nobody), -SIGBUS);
}

static int signal_from_outside(void)
{
    struct guarded g = open_guarded();
    close_guarded(&g);
    (void)kill(getpid(), SIGBUS);
    return 1;
}

static void a_signal_that_was_sent_ends_the_process_too(void **state)
{
    (void)state;
    assert_int_equal(ending_of(signal_from_outside), -SIGBUS);
}

static int ignored_signal_from_outside(void)
{
    (void)signal(SIGBUS, SIG_IGN);
    struct guarded g = open_guarded();
    (void)kill(getpid(), SIGBUS);
    expect_guarded(&g);
    return 0;
}

static void a_signal_that_was_sent_stays_ignored(void **state)
{
    (void)state;
    assert_int_equal(ending_of(ignored_signal_from_outside), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_fine),
        cmocka_unit_test(reading_past_a_truncation_is_an_error_and_no_crash),
        cmocka_unit_test(a_truncation_that_nobody_touched_is_seen_too),
        cmocka_unit_test(a_file_that_is_written_to_in_place_is_seen),
        cmocka_unit_test(a_damaged_mapping_stays_damaged_when_the_file_grows_back),
        cmocka_unit_test(a_handler_that_leaves_by_longjmp_is_called_again),
        cmocka_unit_test(handlers_before_and_after_ours_are_called_once_each),
        cmocka_unit_test(a_chain_whose_end_leaves_is_walked_each_time),
        cmocka_unit_test(a_fault_that_nobody_takes_ends_the_process),
        cmocka_unit_test(a_signal_that_was_sent_ends_the_process_too),
        cmocka_unit_test(a_signal_that_was_sent_stays_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
