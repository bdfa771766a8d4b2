/* test_papers_lock.c - the lock of who writes papers: waited for by a clock that the test turns, and never without an end. */
#include "papers_lock.h"
#include "clock.h"
#include "errors.h"
#include "in_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* A clock that goes on when somebody sleeps; who has the lock lets it go at `let_go_ns`. */
struct turned {
    int64_t now_ns, let_go_ns;
    int holder, n_pauses, n_notices;
};

static int64_t read_turned(void *context)
{
    return ((const struct turned *)context)->now_ns;
}

static void turn(void *context, int64_t pause_ns)
{
    struct turned *turned = context;
    assert_true(pause_ns > 0);
    turned->now_ns += pause_ns;
    turned->n_pauses++;
    if (turned->holder >= 0 && turned->now_ns >= turned->let_go_ns) {
        assert_int_equal(close(turned->holder), 0);
        turned->holder = -1;
    }
}

static int hold(int how)
{
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, how), 0);
    return fd;
}

static void the_lock_is_of_one_at_a_time(void **state)
{
    (void)state;
    int lock = -1;
    assert_int_equal(papers_lock_take(folder, NULL, &lock, NULL), MODEL_OK);
    assert_true(lock >= 0);
    assert_int_equal(papers_lock_try(folder), -1);
    papers_lock_release(lock);
    lock = papers_lock_try(folder);
    assert_true(lock >= 0);
    papers_lock_release(lock);
    papers_lock_release(-1);
}

static void who_lets_it_go_in_time_is_waited_for(void **state)
{
    (void)state;
    int lock = -1;
    struct turned turned = {.let_go_ns = 9 * NS_PER_S, .holder = hold(LOCK_EX)};
    const struct papers_wait wait = {.now_ns = read_turned, .pause = turn, .context = &turned};
    assert_int_equal(papers_lock_take(folder, &wait, &lock, NULL), MODEL_OK);
    assert_true(lock >= 0);
    assert_true(turned.now_ns >= 9 * NS_PER_S && turned.now_ns < 10 * NS_PER_S);
    assert_true(turned.n_pauses < 200);
    papers_lock_release(lock);
}

static void who_never_lets_it_go_is_not(void **state)
{
    (void)state;
    static const int ways[] = {LOCK_EX, LOCK_SH};
    for (size_t i = 0; i < 2; i++) {
        int lock = -2;
        struct model_error err = MODEL_ERROR_INIT;
        struct turned turned = {.let_go_ns = INT64_MAX, .holder = hold(ways[i])};
        const struct papers_wait wait = {.now_ns = read_turned, .pause = turn, .context = &turned};
        assert_int_equal(papers_lock_take(folder, &wait, &lock, &err), MODEL_BUSY);
        assert_int_equal(lock, -2);
        assert_true(turned.now_ns >= PAPERS_LOCK_WAIT_S * NS_PER_S);
        assert_true(turned.now_ns < (PAPERS_LOCK_WAIT_S + 1) * NS_PER_S);
        assert_non_null(strstr(err.message, "is locked by another process"));
        assert_int_equal(close(turned.holder), 0);
    }
}

static bool is_cancelled_then(void *context)
{
    const struct turned *turned = context;
    return turned->now_ns >= 3 * NS_PER_S;
}

static void count_notice(void *context, const char *sentence)
{
    struct turned *turned = context;
    turned->n_notices++;
    assert_true(turned->now_ns >= NS_PER_S && turned->now_ns < 2 * NS_PER_S);
    assert_non_null(strstr(sentence, folder));
    assert_ptr_equal(strstr(sentence, "waiting for "), sentence);
}

static void who_is_cancelled_waits_no_more_and_was_told_once(void **state)
{
    (void)state;
    int lock = -2;
    struct turned turned = {.let_go_ns = INT64_MAX, .holder = hold(LOCK_EX)};
    const struct papers_wait wait = {.now_ns = read_turned,
                                     .pause = turn,
                                     .is_cancelled = is_cancelled_then,
                                     .notice = count_notice,
                                     .context = &turned};
    assert_int_equal(papers_lock_take(folder, &wait, &lock, NULL), MODEL_CANCELLED);
    assert_int_equal(lock, -2);
    assert_int_equal(turned.n_notices, 1);
    assert_true(turned.now_ns < 4 * NS_PER_S);
    assert_int_equal(close(turned.holder), 0);
    assert_int_equal(papers_lock_take(folder, &wait, &lock, NULL), MODEL_OK);
    papers_lock_release(lock);
}

static void where_there_is_no_folder_there_is_no_lock(void **state)
{
    (void)state;
    int lock = -2;
    assert_int_equal(papers_lock_take(in_folder("none"), NULL, &lock, NULL), MODEL_OK);
    assert_int_equal(lock, -1);
    assert_int_equal(papers_lock_try(in_folder("none")), -1);
}

static void a_link_is_followed_by_who_waits_alone(void **state)
{
    (void)state;
    int lock = -1;
    assert_int_equal(dir_make_all(in_folder("package"), NULL), MODEL_OK);
    assert_int_equal(symlink("package", in_folder("link")), 0);
    assert_int_equal(papers_lock_try(in_folder("link")), -1);
    assert_int_equal(papers_lock_take(in_folder("link"), NULL, &lock, NULL), MODEL_OK);
    assert_int_equal(papers_lock_try(in_folder("package")), -1);
    papers_lock_release(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(the_lock_is_of_one_at_a_time),
        IN_FOLDER(who_lets_it_go_in_time_is_waited_for),
        IN_FOLDER(who_never_lets_it_go_is_not),
        IN_FOLDER(who_is_cancelled_waits_no_more_and_was_told_once),
        IN_FOLDER(where_there_is_no_folder_there_is_no_lock),
        IN_FOLDER(a_link_is_followed_by_who_waits_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
