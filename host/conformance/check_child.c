/* check_child.c - see check_child.h. The process's first thread alone. */
#include "check_child.h"
#include "check.h"
#include "check_record.h"
#include "checked_package.h"
#include "clock.h"
#include "parallel.h"
#include "trial_run.h"
#include "worker_sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

/* Beyond what a model takes: a plugin that allocates without end fails before the machine does. Sanitizers
 * reserve terabytes. */
#define MAX_ADDRESS_BYTES ((uint64_t)24 << 30)

/* As a worker process is, before a line of the plugin has run. The leak sanitizer looks at its process from
 * another one, which the sandbox forbids. */
static model_status limit_process(struct model_error *err)
{
#ifdef __linux__
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
#if defined(__SANITIZE_ADDRESS__)
    (void)err;
    return MODEL_OK;
#elif defined(__SANITIZE_THREAD__)
    return worker_sandbox_enter(NULL, err);
#else
    return worker_sandbox_enter(&(struct worker_limits){.memory_bytes = MAX_ADDRESS_BYTES}, err);
#endif
}

/* Takes the token and, behind it, the names of contents, and leaves nothing to read behind. A process that was given no token
 * can only fail. */
static model_status take_input(int fd, char token[CHECK_TOKEN_BYTES],
                               struct archive_contents *contents, struct model_error *err)
{
    static char text[CHECK_PROCESS_MAX_INPUT_BYTES];
    struct stat file;
    size_t n = 0;
    ssize_t got = 1;
    if (fstat(fd, &file) == 0 && S_ISFIFO(file.st_mode))
        while (n < sizeof text && got > 0) {
            got = read(fd, text + n, sizeof text - n);
            n += got > 0 ? (size_t)got : 0;
        }
    const size_t n_token = n < CHECK_TOKEN_DIGITS ? n : CHECK_TOKEN_DIGITS;
    memcpy(token, text, n_token);
    memset(text, 0, n_token);
    token[n_token] = '\0';
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0 && nothing != fd) {
        (void)dup2(nothing, fd);
        (void)close(nothing);
    }
    return checked_package_take(text + n_token, n - n_token, contents, err);
}

/* As badly as a process can: it takes no signal that can be blocked. */
static void hang(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    for (;;)
        (void)pause();
}

/* Opens, creates and runs once. */
static enum check_verdict probe(struct check *check)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct made_options sizes;
    check_step(check, "opening the plugin (dlopen, constructors)");
    if (subject_open_plugin(check->subject, &err) != MODEL_OK)
        return check_failed(check, "%s", err.message);
    check_step(check, "create_model()");
    struct trial *trial = trial_create(check->subject, &(struct trial_options){.fail_at = 0});
    if (trial == NULL)
        return check_failed(check, "out of memory");
    const model_status status = trial_load(trial);
    check_step(check, "a first run()");
    const bool runs = status == MODEL_OK && trial_find_sizes(trial, &sizes, &err);
    enum check_verdict verdict = CHECK_PASSED;
    if (status != MODEL_OK)
        verdict = status == MODEL_INTERNAL ? check_failed(check, "%s", trial->err.message)
                                           : check_skipped(check, "%s", trial->err.message);
    else if (!runs)
        verdict = check_failed(check, "%s", err.message);
    trial_stop(trial);
    return verdict;
}

static enum check_verdict run_check(struct check *check, uint32_t number)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (number == CHECK_CHILD_PROBE)
        return probe(check);
    check_step(check, "%s", check_list[number - 1].what);
    if (check_list[number - 1].needs_model && subject_open_plugin(check->subject, &err) != MODEL_OK)
        return check_failed(check, "%s", err.message);
    return check_list[number - 1].run(check);
}

/* Not on the stack, where a plugin's own frames are. */
static char token[CHECK_TOKEN_BYTES];

/* Whether both are the same open pipe. */
static bool is_same_pipe(const struct stat *before, int fd)
{
    struct stat now;
    return fstat(fd, &now) == 0 && now.st_dev == before->st_dev && now.st_ino == before->st_ino;
}

int check_child_run(const struct check_child_options *options)
{
    struct subject subject;
    struct archive_contents contents = {0};
    struct subject_options parts = options->subject;
    struct stat record = {.st_ino = 0};
    struct model_error err = MODEL_ERROR_INIT;
    struct check check = {.subject = &subject,
                          .record_fd = options->subject.record_fd,
                          .rounds = options->rounds,
                          .end_ns = clock_now_ns() + options->time_ms * NS_PER_MS / 2};
    parts.contents = &contents;
    (void)fcntl(options->subject.record_fd, F_SETFD, FD_CLOEXEC);
    (void)fstat(options->subject.record_fd, &record);
    model_status status = take_input(options->token_fd, token, &contents, &err);
    if (options->number == CHECK_CHILD_HANG)
        hang();
    if (options->number > CHECK_COUNT)
        return 2;
    if (status == MODEL_OK)
        status = limit_process(&err);
    if (status == MODEL_OK)
        status = subject_open(&parts, &subject, &err);
    if (status != MODEL_OK) { /* no line of the plugin has run */
        archive_contents_finish(&contents);
        check_record_give_up(options->subject.record_fd, token, err.message);
        return 0;
    }
    parallel_adopt_thread(subject.threads); /* as a lane's: before anything computes */
    guarded_memory_watch(options->subject.record_fd);
    const enum check_verdict verdict = run_check(&check, options->number);
    subject_finish(&subject);
    archive_contents_finish(&contents);
    if (!is_same_pipe(&record, options->subject.record_fd))
        return CHECK_CHILD_UNHEARD;
    check_step(&check, "the end of the process");
    check_record_conclude(options->subject.record_fd, token, verdict, check.reason);
    return 0;
}
