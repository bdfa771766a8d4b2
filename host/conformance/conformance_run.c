/* conformance_run.c - see conformance_run.h. */
#include "conformance_run.h"
#include "check_child.h"
#include "check_process.h"
#include "check_record.h"
#include "clock.h"
#include "errors.h"
#include "files.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/random.h>
#endif

#define HANG_LIMIT_MS 150
#define MAX_ARGUMENTS 16

static model_status make_token(char ret[CHECK_TOKEN_BYTES], struct model_error *err)
{
    unsigned char bytes[CHECK_TOKEN_DIGITS / 2];
    if (getentropy(bytes, sizeof bytes) != 0)
        return error_set_errno(err, errno, "cannot get random numbers");
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
    return MODEL_OK;
}

static model_status run_with(const char *const *argv, const struct checked_package *package,
                             const char *token, int64_t limit_ms, struct process_outcome *ret,
                             struct model_error *err)
{
    const bool has_names = package != NULL && package->names.size > 0;
    char *text = text_format("%s%s", token, has_names ? package->names.data : "");
    if (text == NULL)
        return error_no_memory(err, "a check");
    const struct check_process_input input = {.text = text,
                                              .fds = package != NULL ? package->fds : NULL,
                                              .n_fds =
                                                  package != NULL ? package->contents.n_items : 0};
    const model_status status = check_process_run(argv, &input, limit_ms, ret, err);
    free(text);
    return status;
}

/* Starts one check's process and waits for it. */
static model_status run_process(const struct conformance_options *options, uint32_t number,
                                const char *token, int64_t limit_ms, struct process_outcome *ret,
                                struct model_error *err)
{
    char number_text[16], rounds[32], time_ms[32];
    const char *argv[MAX_ARGUMENTS];
    int n = 0;
    (void)snprintf(number_text, sizeof number_text, "%u", number);
    (void)snprintf(rounds, sizeof rounds, "%lld", (long long)options->rounds);
    (void)snprintf(time_ms, sizeof time_ms, "%lldms", (long long)limit_ms);
    argv[n++] = options->program;
    argv[n++] = "check-plugin";
    argv[n++] = "--check";
    argv[n++] = number_text;
    argv[n++] = "--rounds";
    argv[n++] = rounds;
    argv[n++] = "--time-limit";
    argv[n++] = time_ms;
    if (options->package != NULL) {
        argv[n++] = "--package";
        argv[n++] = options->package->path;
    }
    argv[n++] = "--";
    argv[n++] = options->plugin;
    argv[n] = NULL;
    return run_with(argv, options->package, token, limit_ms, ret, err);
}

static const char *signal_name(int number)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {{SIGSEGV, "SIGSEGV"}, {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"},
                 {SIGFPE, "SIGFPE"},   {SIGILL, "SIGILL"},   {SIGKILL, "SIGKILL"},
                 {SIGTERM, "SIGTERM"}, {SIGPIPE, "SIGPIPE"}, {SIGTRAP, "SIGTRAP"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].number == number)
            return names[i].name;
    return "a signal";
}

/* The last line of what it printed, if any: often the library's own last words. */
static void add_last_words(const struct process_outcome *outcome, char *reason)
{
    const struct buffer *output = &outcome->output;
    struct check_record words;
    size_t end = output->size, start = 0;
    while (end > 0 && output->data[end - 1] == '\n')
        end--;
    if (end == 0)
        return;
    for (start = end; start > 0 && output->data[start - 1] != '\n';)
        start--;
    char line[CHECK_STEP_BYTES + 2]; /* read like a step: made printable and cut */
    const size_t n = end - start < sizeof line - 2 ? end - start : sizeof line - 2;
    line[0] = 'S';
    memcpy(line + 1, output->data + start, n);
    line[n + 1] = '\n';
    check_record_read(line, n + 2, NULL, &words);
    const size_t used = strlen(reason);
    (void)snprintf(reason + used, CHECK_REASON_BYTES - used, "; its last words: %s", words.step);
}

/* What became of a process, as a verdict. */
static void judge(const struct process_outcome *outcome, const struct check_record *said,
                  int64_t limit_ms, struct conformance_result *ret)
{
    const struct check_record record = *said;
    *ret = (struct conformance_result){.has_run = true, .verdict = CHECK_FAILED};
    ret->time_ms = outcome->elapsed_ns / NS_PER_MS;
    const char *during = record.step[0] != '\0' ? record.step : "starting";
    const char *in = record.phase[0] != '\0' ? " in " : "";
    const bool ended_well = !outcome->timed_out && outcome->exit_code == 0;
    /* A verdict is not the last word: the process has to end as one does. */
    if (outcome->n_left > 0 && !(record.has_verdict && record.verdict == CHECK_FAILED)) {
        (void)snprintf(ret->reason, sizeof ret->reason, "left %zu processes behind%s%s: %s",
                       outcome->n_left, in, record.phase, during);
        return;
    }
    if (record.has_verdict && (ended_well || record.verdict == CHECK_FAILED)) {
        ret->verdict = record.verdict;
        (void)snprintf(ret->reason, sizeof ret->reason, "%s", record.reason);
        if (outcome->signal != 0 && record.verdict == CHECK_FAILED)
            (void)snprintf(ret->reason, sizeof ret->reason, "%.280s (%s%s%s during: %.120s)",
                           record.reason, signal_name(outcome->signal), in, record.phase, during);
        return;
    }
    if (outcome->timed_out)
        (void)snprintf(ret->reason, sizeof ret->reason,
                       "did not end within %lld ms, killed%s%s: %s", (long long)limit_ms, in,
                       record.phase, during);
    else if (outcome->signal != 0)
        (void)snprintf(ret->reason, sizeof ret->reason, "crashed with %s%s%s: %s",
                       signal_name(outcome->signal), in, record.phase, during);
    else if (outcome->exit_code == CHECK_CHILD_UNHEARD)
        (void)snprintf(ret->reason, sizeof ret->reason,
                       "closed descriptors that are not its own%s%s: %s", in, record.phase, during);
    else
        (void)snprintf(ret->reason, sizeof ret->reason, "ended the process (exit code %d)%s%s: %s",
                       outcome->exit_code, in, record.phase, during);
    add_last_words(outcome, ret->reason);
}

static model_status run_check(const struct conformance_options *options, uint32_t number,
                              struct conformance_result *ret, struct model_error *err)
{
    struct process_outcome outcome;
    char token[CHECK_TOKEN_BYTES];
    model_status status = make_token(token, err);
    if (status == MODEL_OK)
        status = run_process(options, number, token, options->time_limit_ms, &outcome, err);
    if (status != MODEL_OK)
        return status;
    struct check_record record;
    check_record_read(outcome.record.data != NULL ? outcome.record.data : "", outcome.record.size,
                      token, &record);
    if (record.cannot)
        status = error_set(err, MODEL_UNSUPPORTED, "cannot check a plugin here: %s", record.reason);
    else
        judge(&outcome, &record, options->time_limit_ms, ret);
    process_outcome_finish(&outcome);
    return status;
}

/* A child that blocks every signal and never ends: killed and reaped, or the whole run means nothing. */
static model_status prove_the_kill(const struct conformance_options *options,
                                   struct conformance_result *result, struct model_error *err)
{
    struct process_outcome outcome;
    model_status status = run_process(options, CHECK_CHILD_HANG, "", HANG_LIMIT_MS, &outcome, err);
    if (status != MODEL_OK)
        return status;
    if (!outcome.timed_out || outcome.signal != SIGKILL) {
        result->verdict = CHECK_FAILED;
        (void)snprintf(result->reason, sizeof result->reason,
                       "a process that hangs on purpose was not killed (signal %d)",
                       outcome.signal);
    }
    process_outcome_finish(&outcome);
    return MODEL_OK;
}

static model_status describe_plugin(const char *plugin, struct conformance_report *ret,
                                    struct model_error *err)
{
    struct plugin_file file = {0};
    uint64_t size_bytes = 0;
    model_status status = plugin_file_read(plugin, &file, err);
    if (status == MODEL_OK)
        status = digest_file_sha256(plugin, ret->sha256, &size_bytes, err);
    if (status != MODEL_OK)
        return status;
    (void)snprintf(ret->plugin, sizeof ret->plugin, "%s", file.name);
    (void)snprintf(ret->plugin_version, sizeof ret->plugin_version, "%s", file.version);
    (void)snprintf(ret->host_version, sizeof ret->host_version, "%s", MODELHOST_VERSION);
    ret->abi_major = file.abi_major;
    ret->abi_minor = file.abi_minor;
    ret->created_s = (int64_t)time(NULL);
    return MODEL_OK;
}

/* Whether checks that need a model can run. A plugin that crashes or hangs here is checked all the same:
 * each check says so. */
static model_status find_refusal(const struct conformance_options *options,
                                 char refusal[CHECK_REASON_BYTES], struct model_error *err)
{
    struct conformance_result probe;
    model_status status = run_check(options, CHECK_CHILD_PROBE, &probe, err);
    refusal[0] = '\0';
    if (status == MODEL_OK && probe.verdict == CHECK_SKIPPED)
        (void)snprintf(refusal, CHECK_REASON_BYTES, "%s", probe.reason);
    return status;
}

model_status conformance_run(const struct conformance_options *options,
                             struct conformance_report *ret, char ret_refusal[CHECK_REASON_BYTES],
                             struct model_error *err)
{
    struct conformance_report report = {.created_s = 0};
    char refusal[CHECK_REASON_BYTES] = "";
    model_status status = describe_plugin(options->plugin, &report, err);
    if (status == MODEL_OK)
        status = find_refusal(options, refusal, err);
    for (uint32_t number = 1; number <= CHECK_COUNT && status == MODEL_OK; number++) {
        struct conformance_result *result = &report.checks[number - 1];
        if (options->only != 0 && (options->only >> (number - 1) & 1) == 0)
            continue;
        if (refusal[0] != '\0' && check_list[number - 1].needs_model) {
            *result = (struct conformance_result){.has_run = true, .verdict = CHECK_SKIPPED};
            (void)snprintf(result->reason, sizeof result->reason, "%s%.400s",
                           options->package != NULL ? "it refuses the package: "
                                                    : "give --package: without one it says: ",
                           refusal);
        } else {
            status = run_check(options, number, result, err);
            if (status == MODEL_OK && number == CHECK_COUNT && result->verdict == CHECK_PASSED)
                status = prove_the_kill(options, result, err);
        }
        if (status == MODEL_OK && options->ended != NULL)
            options->ended(options->context, number, result);
    }
    if (status != MODEL_OK)
        return status;
    *ret = report;
    memcpy(ret_refusal, refusal, sizeof refusal);
    return MODEL_OK;
}
