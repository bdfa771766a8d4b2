/* disk_steps.h - stops the code under test before each step that it takes on the disk: to look at what others would see then,
 * or to kill it. The test program's own rename(), renameat2(), unlink() and fsync() take the place of the C library's.
 * Included once, by a test program, after testing.h; one thread. */
#ifndef DISK_STEPS_H
#define DISK_STEPS_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK_STEPS_KILLED 9 /* exit code */

static int disk_steps, disk_steps_kill_before = -1;
static void (*disk_steps_look)(void);

static inline void disk_step(void)
{
    void (*const look)(void) = disk_steps_look;
    if (disk_steps++ == disk_steps_kill_before)
        _exit(DISK_STEPS_KILLED);
    disk_steps_look = NULL; /* who looks may take steps of his own */
    if (look != NULL)
        look();
    disk_steps_look = look;
}

/* Whether a child that does the work came as far as its n-th step, where it ends as if it were killed. */
static inline bool dies_before_step(int n, void (*work)(void *context), void *context)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        disk_steps = 0;
        disk_steps_kill_before = n;
        work(context);
        _exit(0);
    }
    int how = 1;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    assert_true(WEXITSTATUS(how) == 0 || WEXITSTATUS(how) == DISK_STEPS_KILLED);
    return WEXITSTATUS(how) == DISK_STEPS_KILLED;
}

int rename(const char *from, const char *to)
{
    disk_step();
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    disk_step();
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

int unlink(const char *path)
{
    disk_step();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int fsync(int fd)
{
    disk_step();
    return (int)syscall(SYS_fsync, fd);
}

#endif
