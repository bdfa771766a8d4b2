/* command_passphrase.c - see command_passphrase.h. Keys come one by one and make no signals, so that Ctrl-C is seen
 * here and the terminal is as before in any case. */
#include "command_passphrase.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { KEY_CTRL_C = 3, KEY_CTRL_D = 4, KEY_BACKSPACE = 8, KEY_CTRL_U = 21, KEY_DELETE = 127 };

static model_status read_line(int fd, char *text, size_t capacity, size_t *ret_bytes,
                              struct model_error *err)
{
    size_t n = 0;
    for (;;) {
        char key = 0;
        const ssize_t got = read(fd, &key, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || key == KEY_CTRL_C || key == KEY_CTRL_D)
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

model_status command_ask_passphrase(const char *question, char *ret_text, size_t capacity,
                                    size_t *ret_bytes, struct model_error *err)
{
    struct termios before, silent;
    const int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || tcgetattr(fd, &before) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return error_set(err, MODEL_NOT_FOUND, "there is no terminal to ask for a passphrase");
    }
    silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG);
    silent.c_cc[VMIN] = 1;
    silent.c_cc[VTIME] = 0;
    model_status status =
        tcsetattr(fd, TCSAFLUSH, &silent) == 0 && write(fd, question, strlen(question)) >= 0
            ? MODEL_OK
            : error_set_errno(err, errno, "cannot ask at the terminal");
    if (status == MODEL_OK)
        status = read_line(fd, ret_text, capacity, ret_bytes, err);
    (void)tcsetattr(fd, TCSAFLUSH, &before);
    (void)!write(fd, "\n", 1);
    (void)close(fd);
    return status;
}
