/* test_process_state.c - each thing that a library may change is seen, and nothing else is. */
#include "process_state.h"
#include "testing.h"

#include <fcntl.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static char text[200];

static const char *difference(const struct process_state *before, uint32_t extra_threads)
{
    struct process_state now;
    process_state_take(&now);
    return process_state_difference(before, &now, extra_threads, text, sizeof text);
}

static void expect(const struct process_state *before, const char *part)
{
    const char *found = difference(before, 0);
    if (found == NULL || strstr(found, part) == NULL)
        fail_msg("'%s' is not in: %s", part, found != NULL ? found : "(nothing)");
}

static void descriptors_are_seen(void **state)
{
    (void)state;
    struct process_state before;
    process_state_take(&before);
    assert_null(difference(&before, 0));
    const int fd = open("/dev/null", O_RDONLY);
    expect(&before, "was left open");
    struct process_state open_one;
    process_state_take(&open_one);
    (void)close(fd);
    expect(&open_one, "was closed");
    assert_null(difference(&before, 0));
}

static void timers_that_run_are_seen(void **state)
{
    (void)state;
    struct process_state before, armed;
    process_state_take(&before);
    (void)alarm(100000);
    expect(&before, "ITIMER_REAL (setitimer(), alarm()) was left running");
    process_state_take(&armed);
    assert_null(difference(&armed, 0)); /* though it goes on */
    (void)alarm(0);
    expect(&armed, "was stopped");
    const struct itimerval later = {.it_value = {.tv_sec = 100000}}, never = {{0, 0}, {0, 0}};
    assert_int_equal(setitimer(ITIMER_PROF, &later, NULL), 0);
    expect(&before, "ITIMER_PROF");
    assert_int_equal(setitimer(ITIMER_PROF, &never, NULL), 0);
    assert_null(difference(&before, 0));
#ifdef __linux__
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    timer_t timer;
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    if (access("/proc/self/timers", R_OK) == 0)
        expect(&before, "1 timers of timer_create() are there, before it were 0");
    (void)timer_delete(timer);
    assert_null(difference(&before, 0));
#endif
}

static void do_nothing(int signal_number)
{
    (void)signal_number;
}

static void handlers_and_masks_of_signals_are_seen(void **state)
{
    (void)state;
    struct process_state before;
    sigset_t set;
    process_state_take(&before);
    void (*old)(int) = signal(SIGUSR2, do_nothing);
    expect(&before, "handling of signal");
    (void)signal(SIGUSR2, old);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR2);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    expect(&before, "handling of signal");
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void the_floating_point_mode_is_seen(void **state)
{
    (void)state;
    struct process_state before;
    process_state_take(&before);
    (void)fesetround(FE_UPWARD);
    expect(&before, "rounding mode");
    (void)fesetround(FE_TONEAREST);
    assert_null(difference(&before, 0));
}

static void the_environment_and_the_folder_are_seen(void **state)
{
    (void)state;
    struct process_state before;
    char here[PATH_MAX];
    assert_non_null(getcwd(here, sizeof here));
    process_state_take(&before);
    assert_int_equal(setenv("PROCESS_STATE_TEST", "1", 1), 0);
    expect(&before, "environment");
    assert_int_equal(unsetenv("PROCESS_STATE_TEST"), 0);
    assert_int_equal(chdir("/"), 0);
    expect(&before, "working folder");
    assert_int_equal(chdir(here), 0);
}

static void *wait_at(void *barrier)
{
    (void)pthread_barrier_wait(barrier);
    (void)pthread_barrier_wait(barrier);
    return NULL;
}

static void threads_beyond_those_granted_are_seen(void **state)
{
    (void)state;
    struct process_state before;
    pthread_barrier_t barrier;
    pthread_t thread;
    process_state_take(&before);
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_at, &barrier), 0);
    (void)pthread_barrier_wait(&barrier);
    if (before.n_threads > 0) {
        const char *found = difference(&before, 0);
        assert_non_null(found);
        assert_non_null(strstr(found, "threads more"));
        assert_null(difference(&before, 1));
    }
    (void)pthread_barrier_wait(&barrier);
    (void)pthread_join(thread, NULL);
    (void)pthread_barrier_destroy(&barrier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_seen),
        cmocka_unit_test(timers_that_run_are_seen),
        cmocka_unit_test(handlers_and_masks_of_signals_are_seen),
        cmocka_unit_test(the_floating_point_mode_is_seen),
        cmocka_unit_test(the_environment_and_the_folder_are_seen),
        cmocka_unit_test(threads_beyond_those_granted_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
