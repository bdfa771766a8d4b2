/* check_growth.c - check 4: create, run and destroy, again and again, take no more memory at the end than
 * in the middle. What is counted: blocks of services.allocate (exactly), the C library's heap, resident
 * memory, descriptors, threads. */
#include "check.h"
#include "clock.h"
#include "files.h"
#include "trial_run.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define KNOWS_HEAP
#include <malloc.h>
#endif

#define MIN_ROUNDS             (CHECK_MIN_ROUNDS / 2) /* when there is no time for more */
#define MIN_MEASURED           (MIN_ROUNDS / 2)
#define MAX_HEAP_PER_ROUND     32.0   /* bytes */
#define HEAP_NOISE_BYTES       1024.0 /* what a library allocates once, in the second half */
#define MAX_RESIDENT_PER_ROUND 8192.0 /* pages are coarse */

struct usage {
    double heap_bytes, resident_bytes;
    int n_descriptors;
    uint32_t n_threads;
};

/* A malloc() of the host's own in between would count: none is made here. */
static struct usage take_usage(void)
{
    struct usage usage = {0, 0, 0, process_threads()};
#ifdef KNOWS_HEAP
    const struct mallinfo2 heap = mallinfo2();
    usage.heap_bytes = (double)heap.uordblks + (double)heap.hblkhd;
    char text[128] = "";
    const int statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (statm >= 0) {
        if (read(statm, text, sizeof text - 1) > 0) {
            const char *second = strchr(text, ' ');
            usage.resident_bytes =
                second != NULL ? strtod(second, NULL) * (double)sysconf(_SC_PAGESIZE) : 0;
        }
        (void)close(statm);
    }
#endif
    for (int fd = 0; fd < 1024; fd++)
        usage.n_descriptors += fcntl(fd, F_GETFD) != -1;
    return usage;
}

/* One round. False with a sentence. */
static bool live_and_count(struct check *check, const struct made_options *sizes,
                           struct model_error *err)
{
    struct run_result result = {.n_outputs = 0};
    struct trial *trial = trial_create(check->subject, &(struct trial_options){.fail_at = 0});
    if (trial == NULL)
        return error_no_memory(err, "a trial") == MODEL_OK;
    bool good = trial_load(trial) == MODEL_OK;
    if (!good)
        (void)error_set(err, MODEL_INTERNAL, "create: %s", trial->err.message);
    struct made_inputs *inputs =
        good ? made_inputs_create(trial->model->description, check->subject->config, sizes, err)
             : NULL;
    good = good && inputs != NULL &&
           trial_run(trial, NULL, &(struct run_options){.inputs = inputs}, &result, err);
    if (good && result.status != MODEL_OK)
        good = error_set(err, result.status, "run(): %s", result.err.message) == MODEL_OK;
    run_result_finish(&result);
    made_inputs_destroy(inputs);
    trial_end(trial);
    const long long held = atomic_load(&trial->n_held);
    if (good && held != 0)
        good = error_set(err, MODEL_INTERNAL,
                         held > 0 ? "%lld blocks of services.allocate() were not released when the "
                                    "model was destroyed"
                                  : "%lld blocks more were released than allocated",
                         held > 0 ? held : -held) == MODEL_OK;
    trial_destroy(trial);
    return good;
}

static enum check_verdict judge(struct check *check, const struct usage *middle,
                                const struct usage *end, int64_t n_rounds, int64_t n_measured)
{
    const double rounds = (double)n_measured;
    const double heap = (end->heap_bytes - middle->heap_bytes) / rounds;
    const double resident = (end->resident_bytes - middle->resident_bytes) / rounds;
    if (end->n_descriptors > middle->n_descriptors)
        return check_failed(check, "%d descriptors were left open in %lld rounds",
                            end->n_descriptors - middle->n_descriptors, (long long)n_measured);
    if (end->n_threads > middle->n_threads)
        return check_failed(check, "%u threads were left running in %lld rounds",
                            end->n_threads - middle->n_threads, (long long)n_measured);
    if (heap > MAX_HEAP_PER_ROUND && heap * rounds > HEAP_NOISE_BYTES)
        return check_failed(check,
                            "the heap grows by %.0f bytes a round (create, run, destroy; last "
                            "%lld of %lld rounds), at most %.0f may be",
                            heap, (long long)n_measured, (long long)n_rounds, MAX_HEAP_PER_ROUND);
    if (resident > MAX_RESIDENT_PER_ROUND && n_measured >= 50)
        return check_failed(check,
                            "resident memory grows by %.0f bytes a round, at most %.0f may be",
                            resident, MAX_RESIDENT_PER_ROUND);
#ifdef KNOWS_HEAP
    return check_passed(check, "%lld rounds: heap %+.1f, resident %+.0f bytes a round",
                        (long long)n_rounds, heap, resident);
#else
    return check_passed(check,
                        "%lld rounds: services.allocate() balanced; the heap was not measured",
                        (long long)n_rounds);
#endif
}

enum check_verdict check_growth(struct check *check)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct made_options sizes = {.batch = 1};
    struct usage middle = {0, 0, 0, 0};
    int64_t n_rounds = 0, middle_round = 0;
    const int64_t start_ns = clock_now_ns();
    struct trial *trial = trial_start(check->subject, &sizes, &err);
    if (trial == NULL)
        return check_failed(check, "%s", err.message);
    trial_stop(trial);
    while (n_rounds < check->rounds &&
           (n_rounds < MIN_ROUNDS || n_rounds < middle_round + MIN_MEASURED ||
            check_has_time(check))) {
        if (n_rounds % 16 == 0)
            check_step(check, "round %lld of create, run and destroy", (long long)n_rounds + 1);
        if (!live_and_count(check, &sizes, &err))
            return check_failed(check, "round %lld: %s", (long long)n_rounds + 1, err.message);
        n_rounds++;
        /* Half of the rounds, or of the time that there is. */
        const int64_t now_ns = clock_now_ns();
        if (middle_round == 0 && n_rounds >= MIN_MEASURED &&
            (n_rounds >= check->rounds / 2 || now_ns - start_ns > (check->end_ns - start_ns) / 2)) {
            middle = take_usage();
            middle_round = n_rounds;
        }
    }
    const struct usage end = take_usage();
    return judge(check, &middle, &end, n_rounds, n_rounds - middle_round);
}
