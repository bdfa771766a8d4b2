/* overhead.c - what the host itself costs: calls of a plugin that does nothing, beside a bare futex
 * ping-pong between two threads in the same run, since waking a sleeper is most of it and differs between
 * machines; and on one machine, by whether the kernel has put both threads on one processor, where there is
 * nothing to wake. So the measure is the one whose threads are held on two. Prints a table. `overhead PACKAGE [SECONDS] [LANES] [ROW]`: the package has a plugin with one input "x" of one
 * F32 dimension; `make bench` makes one of the fixture plugin_echo. */
#include "dtype.h"
#include "errors.h"
#include "openmp.h"

#include "modelhost.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_CALLERS 64

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* So that whoever waits falls asleep. */
static void pause_for(long us)
{
    if (us > 0)
        (void)nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* Times of single rounds: their median stands still when other processes take the CPU now and then. */
struct rounds {
    int64_t ns[1 << 16]; /* the first ones */
    size_t n;
};

static void add_round(struct rounds *rounds, int64_t ns)
{
    if (rounds->n < sizeof rounds->ns / sizeof rounds->ns[0])
        rounds->ns[rounds->n++] = ns;
}

static int compare_ns(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double median_us(struct rounds *rounds)
{
    if (rounds->n == 0)
        return 0;
    qsort(rounds->ns, rounds->n, sizeof rounds->ns[0], compare_ns);
    return (double)rounds->ns[rounds->n / 2] / 1e3;
}

/* ---- the bare ping-pong */

struct ping_pong {
    _Atomic uint32_t word; /* odd: the other's turn */
    _Atomic int stop;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Waits until the word is of this parity. */
static void wait_turn(struct ping_pong *table, uint32_t parity)
{
    for (uint32_t seen; ((seen = atomic_load(&table->word)) & 1) != parity;)
        futex_wait(&table->word, seen);
}

static void *pong(void *argument)
{
    struct ping_pong *table = argument;
    for (;;) {
        wait_turn(table, 1);
        const int stop = atomic_load(&table->stop);
        (void)atomic_fetch_add(&table->word, 1);
        futex_wake(&table->word);
        if (stop)
            return NULL;
    }
}

/* Holds the thread on the k-th processor that this process may use, if there are so many. */
static void hold_on(pthread_t thread, size_t k)
{
    cpu_set_t all, one;
    (void)sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && k-- == 0)
            CPU_SET(cpu, &one);
    if (CPU_COUNT(&one) > 0)
        (void)pthread_setaffinity_np(thread, sizeof one, &one);
}

static double ping_pong_us(double seconds, long pause_us, int is_held)
{
    static struct rounds rounds;
    struct ping_pong table = {0};
    pthread_t thread;
    cpu_set_t before;
    (void)sched_getaffinity(0, sizeof before, &before);
    rounds.n = 0;
    if (pthread_create(&thread, NULL, pong, &table) != 0)
        return 0;
    if (is_held) {
        hold_on(thread, 1);
        hold_on(pthread_self(), 0);
    }
    const int64_t end_ns = now_ns() + (int64_t)(seconds * 1e9);
    for (int64_t start_ns; (start_ns = now_ns()) < end_ns;) {
        (void)atomic_fetch_add(&table.word, 1);
        futex_wake(&table.word);
        wait_turn(&table, 0);
        add_round(&rounds, now_ns() - start_ns);
        pause_for(pause_us);
    }
    atomic_store(&table.stop, 1);
    (void)atomic_fetch_add(&table.word, 1);
    futex_wake(&table.word);
    (void)pthread_join(thread, NULL);
    (void)pthread_setaffinity_np(pthread_self(), sizeof before, &before);
    return median_us(&rounds);
}

/* Of this process so far. */
static double cpu_us(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* ---- calls of the host */

struct callers {
    struct modelhost_model *model;
    const struct modelhost_run_options *options;
    int64_t end_ns;
    long pause_us; /* between calls, so that lanes fall asleep; 0: none */
    _Atomic int64_t n_calls;
    struct rounds *rounds; /* of the first caller */
    _Atomic int n_started;
};

static void *keep_calling(void *argument)
{
    struct callers *callers = argument;
    float value = 1.0f;
    const int64_t size = 1;
    struct model_tensor x;
    const struct model_tensor *inputs[] = {&x};
    struct rounds *rounds = atomic_fetch_add(&callers->n_started, 1) == 0 ? callers->rounds : NULL;
    int64_t n = 0;
    tensor_init(&x, "x", MODEL_F32, 1, &size, &value);
    for (int64_t start_ns; (start_ns = now_ns()) < callers->end_ns; n++) {
        struct modelhost_result *result = NULL;
        struct model_error err = MODEL_ERROR_INIT;
        if (modelhost_run(callers->model, inputs, 1, callers->options, &result, &err) != MODEL_OK) {
            (void)fprintf(stderr, "overhead: %s\n", err.message);
            exit(1);
        }
        modelhost_result_destroy(result);
        if (rounds != NULL)
            add_round(rounds, now_ns() - start_ns);
        pause_for(callers->pause_us);
    }
    (void)atomic_fetch_add(&callers->n_calls, n);
    return NULL;
}

struct measured {
    double us;     /* of one call, median */
    double cpu_us; /* of one call, of all threads */
    double calls_s;
};

static struct measured measure(struct modelhost_model *model,
                               const struct modelhost_run_options *options, int n_callers,
                               long pause_us, double seconds)
{
    pthread_t threads[MAX_CALLERS];
    static struct rounds rounds;
    const double start_cpu_us = cpu_us();
    rounds.n = 0;
    const int64_t start_ns = now_ns();
    struct callers callers = {.model = model,
                              .options = options,
                              .end_ns = start_ns + (int64_t)(seconds * 1e9),
                              .pause_us = pause_us,
                              .rounds = &rounds};
    for (int i = 0; i < n_callers; i++)
        if (pthread_create(&threads[i], NULL, keep_calling, &callers) != 0)
            exit(1);
    for (int i = 0; i < n_callers; i++)
        (void)pthread_join(threads[i], NULL);
    const double n = (double)callers.n_calls;
    return (struct measured){.us = median_us(&rounds),
                             .cpu_us = (cpu_us() - start_cpu_us) / n,
                             .calls_s = n / ((double)(now_ns() - start_ns) / 1e9)};
}

enum kind { PING_PONG, LANE, WORKER };

struct row {
    const char *name, *wanted;
    enum kind kind;
    int n_callers;
    long pause_us;
    uint32_t direct;
    int64_t timeout_ms;
    int is_measure; /* of the rows below it: the ping-pong on two processors */
};

#define SLEEPS                                                                                     \
    1000 /* so long between calls that whoever waits falls asleep, and the caches go cold */

static const struct row rows[] = {
    {"ping-pong on two processors", "", PING_PONG, 1, 0, 0, 0, 1},
    {"ping-pong", "", PING_PONG, 1, 0, 0, 0, 0},
    {"direct", "want <= 2 us", LANE, 1, 0, 1, 0, 0},
    {"idle lane", "want <= 1.2x", LANE, 1, 0, 0, 0, 0},
    {"idle lane, with a deadline", "", LANE, 1, 0, 0, 10000, 0},
    {"idle worker", "want <= 1.5x", WORKER, 1, 0, 0, 0, 0},
    {"16 callers", "want >= 200000 calls/s", LANE, 16, 0, 0, 0, 0},
    {"16 callers, with deadlines", "", LANE, 16, 0, 0, 10000, 0},
    {"16 callers of a worker", "want >= 100000 calls/s", WORKER, 16, 0, 0, 0, 0},
    {"1 ms between: two processors", "", PING_PONG, 1, SLEEPS, 0, 0, 1},
    {"1 ms between: ping-pong", "", PING_PONG, 1, SLEEPS, 0, 0, 0},
    {"1 ms between: direct", "", LANE, 1, SLEEPS, 1, 0, 0},
    {"1 ms between: idle lane", "want <= 1.2x", LANE, 1, SLEEPS, 0, 0, 0},
    {"1 ms between: idle worker", "want <= 1.5x", WORKER, 1, SLEEPS, 0, 0, 0},
};

static void measure_rows(struct modelhost_model *const *models, double seconds, const char *only)
{
    double measure_us = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
        struct measured m = {0};
        if (only != NULL && strcmp(only, row->name) != 0)
            continue;
        options.direct = row->direct;
        options.timeout_ms = row->timeout_ms;
        if (row->kind == PING_PONG)
            m.us = ping_pong_us(seconds, row->pause_us, row->is_measure);
        else
            m = measure(models[row->kind == WORKER], &options, row->n_callers, row->pause_us,
                        seconds);
        if (row->is_measure)
            measure_us = m.us;
        (void)printf("%-30s %8.2f us %6.2fx", row->name, m.us,
                     measure_us > 0 ? m.us / measure_us : 0);
        if (row->kind != PING_PONG)
            (void)printf(" %9.0f calls/s %6.2f us of CPU", m.calls_s, m.cpu_us);
        (void)printf("  %s\n", row->wanted);
    }
}

int main(int argc, char **argv)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct modelhost_model *models[2] = {NULL, NULL};
    struct modelhost_load_options worker = MODELHOST_LOAD_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    if (argc < 2) {
        (void)fprintf(stderr, "usage: overhead PACKAGE [SECONDS] [LANES] [ROW]\n");
        return 2;
    }
    (void)setenv("GOMP_SPINCOUNT", OPENMP_SPIN_COUNT, 0); /* as the command has it */
    worker.isolation = MODELHOST_WORKER;
    options.threads = 1;
    options.lanes = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1;
    if (modelhost_create(&options, &host, &err) != MODEL_OK ||
        modelhost_load(host, argv[1], &models[0], &err) != MODEL_OK ||
        modelhost_load_with(host, argv[1], &worker, &models[1], &err) != MODEL_OK) {
        (void)fprintf(stderr, "overhead: %s\n", err.message);
        modelhost_release(models[0]);
        modelhost_destroy(host);
        return 1;
    }
    measure_rows(models, argc > 2 ? strtod(argv[2], NULL) : 1.0, argc > 4 ? argv[4] : NULL);
    modelhost_release(models[0]);
    modelhost_release(models[1]);
    modelhost_destroy(host);
    return 0;
}
