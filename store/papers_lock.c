/* papers_lock.c - see papers_lock.h. The lock is asked for again and again: one that is waited for in the kernel has no
 * end but a signal, which a library does not send. */
#include "papers_lock.h"
#include "clock.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define MAX_PAUSE_NS (100 * NS_PER_MS)

static void sleep_for(int64_t pause_ns)
{
    const struct timespec pause = {.tv_sec = (time_t)(pause_ns / NS_PER_S),
                                   .tv_nsec = (long)(pause_ns % NS_PER_S)};
    (void)nanosleep(&pause, NULL);
}

/* 0, or why not. */
static int try_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
}

static int64_t now_ns(const struct papers_wait *wait)
{
    return wait->now_ns != NULL ? wait->now_ns(wait->context) : clock_now_ns();
}

static void give_notice(const struct papers_wait *wait, const char *dir)
{
    struct model_error sentence = MODEL_ERROR_INIT;
    (void)error_set(&sentence, MODEL_BUSY, "waiting for %s, which another process has locked", dir);
    if (wait->notice != NULL)
        wait->notice(wait->context, sentence.message);
}

/* Between two attempts. */
static model_status wait_once(const struct papers_wait *wait, const char *dir, int64_t waited_ns,
                              int64_t pause_ns, struct model_error *err)
{
    if (wait->is_cancelled != NULL && wait->is_cancelled(wait->context))
        return error_set(err, MODEL_CANCELLED,
                         "interrupted while waiting for %s, which another process has locked", dir);
    if (waited_ns >= PAPERS_LOCK_WAIT_S * NS_PER_S)
        return error_set(err, MODEL_BUSY,
                         "%s is locked by another process, which has not let it go for %d s: "
                         "wait for that one, or end it ('fuser -v %s' shows it), and try again",
                         dir, PAPERS_LOCK_WAIT_S, dir);
    if (wait->pause != NULL)
        wait->pause(wait->context, pause_ns);
    else
        sleep_for(pause_ns);
    return MODEL_OK;
}

model_status papers_lock_take(const char *dir, const struct papers_wait *wait, int *ret,
                              struct model_error *err)
{
    static const struct papers_wait usual = {.now_ns = NULL};
    const struct papers_wait *by = wait != NULL ? wait : &usual;
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int64_t since_ns = now_ns(by);
    int64_t pause_ns = NS_PER_MS;
    int failed = 0;
    bool is_noticed = false;
    while (fd >= 0 && (failed = try_lock(fd)) == EWOULDBLOCK) {
        const int64_t waited_ns = now_ns(by) - since_ns;
        if (waited_ns >= NS_PER_S && !is_noticed) {
            give_notice(by, dir);
            is_noticed = true;
        }
        model_status status = wait_once(by, dir, waited_ns, pause_ns, err);
        if (status != MODEL_OK) {
            (void)close(fd);
            return status;
        }
        pause_ns = pause_ns * 2 < MAX_PAUSE_NS ? pause_ns * 2 : MAX_PAUSE_NS;
    }
    if (fd >= 0 && failed != 0)
        (void)close(fd);
    *ret = failed == 0 ? fd : -1;
    return MODEL_OK;
}

int papers_lock_try(const char *dir)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

void papers_lock_release(int lock)
{
    if (lock >= 0)
        (void)close(lock);
}
