/* command_passphrase.c - see command_passphrase.h. Keys come one by one and make no signals, so that Ctrl-C is seen
 * here. Signals from elsewhere are held back until the terminal is as it was, and then raised again. */
#include "command_passphrase.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum { KEY_CTRL_C = 3, KEY_CTRL_D = 4, KEY_BACKSPACE = 8, KEY_CTRL_U = 21, KEY_DELETE = 127 };

/* ---- signals */

static const int held_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define N_HELD (sizeof held_signals / sizeof held_signals[0])

static volatile sig_atomic_t caught; /* the first of them that ends; 0: none */

struct held {
    struct sigaction before[N_HELD];
    sigset_t mask; /* as it was, and while a key is waited for */
};

static void on_signal(int signal_number)
{
    if (caught == 0 || caught == SIGTSTP)
        caught = signal_number;
}

/* Blocked but while a key is waited for: none comes between a look at `caught` and the waiting. */
static void hold_signals(struct held *held)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;
    (void)sigemptyset(&blocked);
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < N_HELD; i++)
        (void)sigaddset(&blocked, held_signals[i]);
    caught = 0;
    (void)sigprocmask(SIG_BLOCK, &blocked, &held->mask);
    for (size_t i = 0; i < N_HELD; i++)
        if (sigaction(held_signals[i], NULL, &held->before[i]) == 0 &&
            held->before[i].sa_handler != SIG_IGN)
            (void)sigaction(held_signals[i], &action, NULL);
}

/* What is still blocked comes now; what came already, once more, to whom it was for. */
static void release_signals(const struct held *held)
{
    for (size_t i = 0; i < N_HELD; i++)
        (void)sigaction(held_signals[i], &held->before[i], NULL);
    (void)sigprocmask(SIG_SETMASK, &held->mask, NULL);
    if (caught != 0)
        (void)raise(caught);
}

/* ---- the line */

/* False: a signal came, or there are no more keys. */
static bool read_key(int fd, const sigset_t *mask, char *ret)
{
    for (;;) {
        fd_set keys;
        FD_ZERO(&keys);
        FD_SET(fd, &keys);
        const int ready = pselect(fd + 1, &keys, NULL, NULL, NULL, mask);
        if (caught != 0 || (ready < 0 && errno != EINTR))
            return false;
        if (ready > 0)
            return read(fd, ret, 1) == 1;
    }
}

static model_status read_line(int fd, const sigset_t *mask, char *text, size_t capacity,
                              size_t *ret_bytes, struct model_error *err)
{
    size_t n = 0;
    for (;;) {
        char key = 0;
        if (!read_key(fd, mask, &key) || key == KEY_CTRL_C || key == KEY_CTRL_D)
            return error_set(err, MODEL_CANCELLED, "interrupted");
        if (key == '\n' || key == '\r')
            break;
        if (key == KEY_CTRL_U)
            n = 0;
        else if (key == KEY_BACKSPACE || key == KEY_DELETE)
            n -= n > 0;
        else if (n == capacity)
            return error_set(err, MODEL_INVALID_ARGUMENT, "the passphrase has more than %zu bytes",
                             capacity);
        else
            text[n++] = key;
    }
    *ret_bytes = n;
    return MODEL_OK;
}

/* Standard input may be a terminal that is open for reading only. */
static bool say(int fd, const char *text)
{
    const size_t n = strlen(text);
    return write(fd, text, n) >= 0 || (errno == EBADF && write(STDERR_FILENO, text, n) >= 0);
}

/* `before` is how the terminal is left. */
static model_status ask(int fd, const struct termios *before, const char *question, char *ret_text,
                        size_t capacity, size_t *ret_bytes, struct model_error *err)
{
    struct held held;
    struct termios silent = *before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG);
    silent.c_cc[VMIN] = 1;
    silent.c_cc[VTIME] = 0;
    hold_signals(&held);
    model_status status = tcsetattr(fd, TCSAFLUSH, &silent) == 0 && say(fd, question)
                              ? MODEL_OK
                              : error_set_errno(err, errno, "cannot ask at the terminal");
    if (status == MODEL_OK)
        status = read_line(fd, &held.mask, ret_text, capacity, ret_bytes, err);
    (void)tcsetattr(fd, TCSAFLUSH, before);
    (void)say(fd, "\n");
    release_signals(&held);
    return status;
}

/* A terminal of that name, -1: there is none. What is no device is not opened: a pipe would notice. */
static int open_terminal(const char *file)
{
    struct stat info;
    if (strcmp(file, "-") == 0)
        return isatty(STDIN_FILENO) == 1 ? STDIN_FILENO : -1;
    if (stat(file, &info) != 0 || !S_ISCHR(info.st_mode))
        return -1;
    const int fd = open(file, O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || isatty(fd) == 1)
        return fd;
    (void)close(fd);
    return -1;
}

static void close_terminal(int fd)
{
    if (fd > STDIN_FILENO)
        (void)close(fd);
}

bool command_is_terminal(const char *file)
{
    const int fd = open_terminal(file);
    close_terminal(fd);
    return fd >= 0;
}

model_status command_ask_passphrase(const char *terminal, const char *question, char *ret_text,
                                    size_t capacity, size_t *ret_bytes, struct model_error *err)
{
    struct termios before;
    const int fd = open_terminal(terminal != NULL ? terminal : "/dev/tty");
    if (fd < 0 || fd >= FD_SETSIZE || tcgetattr(fd, &before) != 0) {
        close_terminal(fd);
        return error_set(err, MODEL_NOT_FOUND, "there is no terminal to ask for a passphrase");
    }
    model_status status;
    do /* after a stop once more */
        status = ask(fd, &before, question, ret_text, capacity, ret_bytes, err);
    while (status == MODEL_CANCELLED && caught == SIGTSTP);
    close_terminal(fd);
    return status;
}
