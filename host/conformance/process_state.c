/* process_state.c - see process_state.h. */
#include "process_state.h"
#include "trial_run.h"

#include <fcntl.h>
#include <fenv.h>
#include <langinfo.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define N_DESCRIPTORS 1024

extern char **environ;

static uint32_t float_control(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & ~0x3Fu; /* without the flags of what happened */
#else
    return 0;
#endif
}

static uint64_t digest_environment(void)
{
    uint64_t digest = 14695981039346656037u;
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
        for (const char *c = *entry;; c++) {
            digest = (digest ^ (unsigned char)*c) * 1099511628211u;
            if (*c == '\0')
                break;
        }
    return digest;
}

static void take_signals(struct process_state *state)
{
    for (int i = 1; i < PROCESS_SIGNALS; i++) {
        struct sigaction action = {.sa_flags = 0};
        if (sigaction(i, NULL, &action) != 0)
            continue;
        state->signals[i].flags = action.sa_flags;
        state->signals[i].handler = (action.sa_flags & SA_SIGINFO) != 0
                                        ? (uintptr_t)action.sa_sigaction
                                        : (uintptr_t)action.sa_handler;
    }
    (void)pthread_sigmask(SIG_SETMASK, NULL, &state->blocked);
}

static const struct {
    unsigned which; /* as the enum of glibc */
    const char *name;
} interval_timers[] = {
    {ITIMER_REAL, "ITIMER_REAL"}, {ITIMER_VIRTUAL, "ITIMER_VIRTUAL"}, {ITIMER_PROF, "ITIMER_PROF"}};

#define N_INTERVAL_TIMERS (sizeof interval_timers / sizeof interval_timers[0])

/* Lines "ID: ..."; 0 where the system does not tell. */
static uint32_t count_timers(void)
{
    char line[256];
    uint32_t n = 0;
    FILE *file = fopen("/proc/self/timers", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        n += strncmp(line, "ID:", 3) == 0;
    if (file != NULL)
        (void)fclose(file);
    return n;
}

static void take_timers(struct process_state *state)
{
    for (size_t i = 0; i < N_INTERVAL_TIMERS; i++) {
        struct itimerval timer;
        state->is_armed[i] = getitimer(interval_timers[i].which, &timer) == 0 &&
                             (timer.it_value.tv_sec != 0 || timer.it_value.tv_usec != 0);
    }
    state->n_timers = count_timers();
}

void process_state_take(struct process_state *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->n_threads = process_threads();
    for (int fd = 0; fd < N_DESCRIPTORS; fd++)
        if (fcntl(fd, F_GETFD) != -1)
            ret->descriptors[fd / 64] |= (uint64_t)1 << (fd % 64);
    take_signals(ret);
    take_timers(ret);
    (void)snprintf(ret->codeset, sizeof ret->codeset, "%s", nl_langinfo(CODESET));
    (void)snprintf(ret->radix, sizeof ret->radix, "%s", nl_langinfo(RADIXCHAR));
    (void)snprintf(ret->date_format, sizeof ret->date_format, "%s", nl_langinfo(D_T_FMT));
    ret->rounding = fegetround();
    ret->float_control = float_control();
    ret->environment = digest_environment();
    if (getcwd(ret->folder, sizeof ret->folder) == NULL)
        ret->folder[0] = '\0';
}

static int changed_descriptor(const struct process_state *before, const struct process_state *after)
{
    for (int fd = 0; fd < N_DESCRIPTORS; fd++)
        if (((before->descriptors[fd / 64] ^ after->descriptors[fd / 64]) >> (fd % 64) & 1) != 0)
            return fd;
    return -1;
}

static int changed_signal(const struct process_state *before, const struct process_state *after)
{
    for (int i = 1; i < PROCESS_SIGNALS; i++)
        if (before->signals[i].handler != after->signals[i].handler ||
            before->signals[i].flags != after->signals[i].flags ||
            sigismember(&before->blocked, i) != sigismember(&after->blocked, i))
            return i;
    return 0;
}

/* An interval timer that was set or stopped, or -1. */
static int changed_timer(const struct process_state *before, const struct process_state *after)
{
    for (size_t i = 0; i < N_INTERVAL_TIMERS; i++)
        if (before->is_armed[i] != after->is_armed[i])
            return (int)i;
    return -1;
}

const char *process_state_difference(const struct process_state *before,
                                     const struct process_state *after, uint32_t extra_threads,
                                     char *text, size_t text_bytes)
{
    const int fd = changed_descriptor(before, after);
    const int timer = changed_timer(before, after);
    const int signal_number = changed_signal(before, after);
    if (after->n_threads > before->n_threads + extra_threads)
        (void)snprintf(text, text_bytes, "%u threads more, %u may be",
                       after->n_threads - before->n_threads, extra_threads);
    else if (fd >= 0)
        (void)snprintf(text, text_bytes, "descriptor %d was %s", fd,
                       (after->descriptors[fd / 64] >> (fd % 64) & 1) != 0 ? "left open"
                                                                           : "closed");
    else if (signal_number != 0)
        (void)snprintf(text, text_bytes, "the handling of signal %d (%s) was changed",
                       signal_number, strsignal(signal_number));
    else if (timer >= 0)
        (void)snprintf(text, text_bytes, "the timer %s (setitimer(), alarm()) was %s",
                       interval_timers[timer].name,
                       after->is_armed[timer] ? "left running" : "stopped");
    else if (before->n_timers != after->n_timers)
        (void)snprintf(text, text_bytes, "%u timers of timer_create() are there, before it were %u",
                       after->n_timers, before->n_timers);
    else if (strcmp(before->codeset, after->codeset) != 0 ||
             strcmp(before->radix, after->radix) != 0 ||
             strcmp(before->date_format, after->date_format) != 0)
        (void)snprintf(text, text_bytes, "the locale was changed (now %s)", after->codeset);
    else if (before->rounding != after->rounding)
        (void)snprintf(text, text_bytes, "the rounding mode was changed");
    else if (before->float_control != after->float_control)
        (void)snprintf(text, text_bytes,
                       "the floating-point mode was changed (control word 0x%x, was 0x%x)",
                       after->float_control, before->float_control);
    else if (before->environment != after->environment)
        (void)snprintf(text, text_bytes, "the environment was changed");
    else if (strcmp(before->folder, after->folder) != 0)
        (void)snprintf(text, text_bytes, "the working folder was changed");
    else
        return NULL;
    return text;
}
