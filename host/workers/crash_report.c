/* crash_report.c - see crash_report.h. Signals are a table: their names are not the same on every
 * system, and what one of them means to whoever reads the sentence is ours to say. */
#include "crash_report.h"
#include "buffer.h"
#include "errors.h"
#include "utf8.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* What is quoted in all: room is left for prefixes and advice around the sentence. */
#define MAX_QUOTED_BYTES 640
#define MAX_LINE_BYTES   240

struct signal_word {
    int number;
    const char *head, *tail; /* before and behind what it was doing */
};

static const struct signal_word signal_words[] = {
    {SIGSEGV, "plugin crashed: SIGSEGV", ""},
    {SIGBUS, "plugin crashed: SIGBUS", ""},
    {SIGILL, "plugin crashed: SIGILL", ""},
    {SIGFPE, "plugin crashed: SIGFPE", ""},
    {SIGTRAP, "plugin crashed: SIGTRAP", ""},
    {SIGABRT, "plugin aborted", ""},
    {SIGSYS, "plugin was killed (SIGSYS)", ": a system call that the sandbox forbids"},
    {SIGKILL, "plugin was killed (SIGKILL)", ": by the system (out of memory?) or by an operator"},
    {SIGXCPU, "plugin was killed (SIGXCPU)", ": beyond its limit of processor time"},
    {SIGXFSZ, "plugin was killed (SIGXFSZ)", ": a file beyond the limit of its size"},
    {SIGTERM, "plugin's process was ended by SIGTERM", ""},
    {SIGINT, "plugin's process was ended by SIGINT", ""},
    {SIGHUP, "plugin's process was ended by SIGHUP", ""},
    {SIGQUIT, "plugin's process was ended by SIGQUIT", ""},
    {SIGPIPE, "plugin's process was ended by SIGPIPE", ""},
    {SIGALRM, "plugin's process was ended by SIGALRM", ""},
    {SIGUSR1, "plugin's process was ended by SIGUSR1", ""},
    {SIGUSR2, "plugin's process was ended by SIGUSR2", ""},
};

static void say_signal(struct model_error *err, int number, const char *where)
{
    for (size_t i = 0; i < sizeof signal_words / sizeof signal_words[0]; i++)
        if (signal_words[i].number == number) {
            (void)error_set(err, MODELHOST_CRASHED, "%s%s%s", signal_words[i].head, where,
                            signal_words[i].tail);
            return;
        }
    (void)error_set(err, MODELHOST_CRASHED, "plugin's process was ended by signal %d%s", number,
                    where);
}

static void say_what_happened(struct model_error *err, int wait_status, const char *where,
                              bool killed_by_host)
{
    if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL && killed_by_host)
        (void)error_set(err, MODELHOST_CRASHED, "plugin did not come back%s and was killed", where);
    else if (WIFSIGNALED(wait_status))
        say_signal(err, WTERMSIG(wait_status), where);
    else if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == CRASH_EXIT_THREAD_ENDED)
        (void)error_set(err, MODELHOST_CRASHED, "plugin ended its thread (pthread_exit)%s", where);
    else if (WIFEXITED(wait_status))
        (void)error_set(err, MODELHOST_CRASHED, "plugin called exit(%d)%s",
                        WEXITSTATUS(wait_status), where);
    else
        (void)error_set(err, MODELHOST_CRASHED, "plugin's process ended%s (wait status 0x%x)",
                        where, (unsigned)wait_status);
}

/* The line as text between quotes: no control characters, no quotes, whole characters only. */
static size_t quote(const char *line, char ret[MAX_LINE_BYTES + 1])
{
    size_t size = strnlen(line, MAX_LINE_BYTES);
    while (size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\r'))
        size--;
    for (size_t i = 0; i < size;) {
        const size_t good = utf8_valid_prefix(line + i, size - i);
        for (size_t end = i + good; i < end; i++) {
            const unsigned char byte = (unsigned char)line[i];
            ret[i] = byte < 0x20 || byte == 0x7F ? ' ' : byte == '"' ? '\'' : line[i];
        }
        if (i < size && size == MAX_LINE_BYTES && size - i < 4)
            size = i; /* a character that the limit cut */
        else if (i < size)
            ret[i++] = '?';
    }
    ret[size] = '\0';
    return size;
}

void crash_report_write(struct model_error *err, int wait_status, const char *doing,
                        const char *const *last_lines, size_t n_lines, bool killed_by_host)
{
    char where[100] = "", line[MAX_LINE_BYTES + 1];
    if (doing != NULL)
        (void)snprintf(where, sizeof where, " in %s", doing);
    say_what_happened(err, wait_status, where, killed_by_host);
    size_t first = n_lines, n_bytes = 0, n_quoted = 0;
    while (first > 0) {
        n_bytes += quote(last_lines[first - 1], line) + strlen(" | \"\"");
        if (n_bytes > MAX_QUOTED_BYTES)
            break;
        first--;
    }
    struct buffer quoted = BUFFER_INIT(MAX_QUOTED_BYTES + 1);
    for (size_t i = first; i < n_lines; i++)
        if (quote(last_lines[i], line) > 0 &&
            buffer_printf(&quoted, "%s\"%s\"", n_quoted > 0 ? " | " : "", line) == MODEL_OK)
            n_quoted++;
    if (n_quoted > 0)
        error_advise(err, "its last log %s %s", n_quoted == 1 ? "line:" : "lines:", quoted.data);
    buffer_finish(&quoted);
}
