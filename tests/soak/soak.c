/* soak.c - runs a host for long, at random and with faults, and judges every answer and what it holds.
 *
 *   soak --only mixed|chaos|hang|loads [--seconds N] [--count N] [--seed N] [--clients N]
 *        [--package NAME] --worker build/bin/modelhost FOLDER
 *
 * FOLDER holds the packages (scripts/soak.sh makes them), FOLDER/.store what the host keeps. mixed: everything at once; chaos: crash, abort, exit,
 * oom in one request of ten, in workers; hang: calls that never come back, --count of them, while other
 * models are asked; loads: a package opened and closed --count times. Uses modelhost.h alone. Exit code 0:
 * every answer was right, and memory, descriptors, threads, processes stayed flat and are gone at the end. */
#include "soak_client.h"
#include "soak_random.h"
#include "soak_usage.h"

#include <getopt.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_CLIENTS 64
#define MAX_LANES   8
#define MIN_STEP_S  0.05
#define LOAD_ROUNDS 11
#define MANY_LOADS  1000 /* grow by 1 % at most; fewer may show a step of malloc()'s own */
#define STEP_KB     2500
#define WARM_S      1
#define SETTLE_S    10 /* for processes that are being replaced */

struct settings {
    const char *phase, *worker, *package, *folder;
    double seconds;
    uint32_t count, n_clients;
    uint64_t seed;
};

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void pause_s(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    (void)nanosleep(&time, NULL);
}

/* ---- a host */

/* With as many lanes as this process may have. */
static struct modelhost *open_host(const struct settings *settings, bool has_caches)
{
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost *host = NULL;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    char store[4096];
    (void)snprintf(store, sizeof store, "%s/.store",
                   settings->folder); /* no package: they have no dot */
    options.store_dir = store;
    options.threads = 1;
    options.redis_url = "";
    options.worker_path = settings->worker;
    options.result_cache_bytes = has_caches ? 64 << 10 : 0;
    options.cache_items = has_caches ? 4 : 0;
    options.cache_idle_ms = has_caches ? 500 : 0;
    for (options.lanes = MAX_LANES; options.lanes > 0; options.lanes--)
        if (modelhost_create(&options, &host, &err) == MODEL_OK)
            return host;
    fprintf(stderr, "soak: %s\n", err.message);
    return NULL;
}

/* What a process holds once it has had a host: libuv keeps descriptors of its own. */
static struct soak_usage usage_with_nothing_open(const struct settings *settings)
{
    modelhost_destroy(open_host(settings, true));
    return soak_usage_now();
}

static double read_restarts(struct modelhost *host)
{
    static const char name[] = "\nmodelhost_worker_restarts_total{";
    struct modelhost_metrics *metrics = NULL;
    double sum = 0;
    if (modelhost_metrics_read(host, &metrics, NULL) != MODEL_OK)
        return -1;
    for (const char *at = modelhost_metrics_text(metrics); (at = strstr(at, name)) != NULL;) {
        at = strchr(at, '}');
        sum += at != NULL ? strtod(at + 1, NULL) : 0;
    }
    modelhost_metrics_destroy(metrics);
    return sum;
}

/* ---- the verdict on answers */

static unsigned long long sum_of(const struct soak_models *models, enum soak_outcome outcome)
{
    unsigned long long sum = 0;
    for (uint32_t i = 0; i < models->n; i++)
        sum += atomic_load(&models->list[i].tally.n[outcome]);
    return sum;
}

static bool print_answers(const struct soak_models *models)
{
    struct soak_tally all = {.name = "all", .where = ""};
    soak_tally_head();
    for (uint32_t i = 0; i < models->n; i++)
        soak_tally_print(&models->list[i].tally);
    for (int i = 0; i < N_SOAK_OUTCOMES; i++)
        atomic_store(&all.n[i], sum_of(models, (enum soak_outcome)i));
    soak_tally_print(&all);
    return sum_of(models, SOAK_WRONG) == 0 &&
           sum_of(models, SOAK_RIGHT) + sum_of(models, SOAK_FAULT) > 0;
}

/* Each answer that told of a crash had a process of its own, and that was replaced. */
static bool check_restarts(const struct soak_models *models, struct modelhost *host)
{
    unsigned long long n_crashed = 0;
    for (uint32_t i = 0; i < models->n; i++)
        if (models->list[i].fault != NULL && models->list[i].fault->status == MODELHOST_CRASHED)
            n_crashed += atomic_load(&models->list[i].tally.n[SOAK_FAULT]);
    const double end_s = now_s() + SETTLE_S;
    double n_restarts = read_restarts(host);
    while (n_restarts < (double)n_crashed && now_s() < end_s) {
        pause_s(MIN_STEP_S);
        n_restarts = read_restarts(host);
    }
    printf("\n%llu crashes answered, %.0f workers restarted\n", n_crashed, n_restarts);
    return n_restarts >= (double)n_crashed;
}

/* Processes and threads that were told to end take a moment to be gone. */
static bool wait_until_back(const struct soak_usage *before)
{
    const double end_s = now_s() + SETTLE_S;
    struct soak_usage after = soak_usage_now();
    for (bool is_back = false; !is_back && now_s() < end_s;) {
        is_back = true;
        for (int i = USAGE_DESCRIPTORS; i < N_USAGES; i++)
            is_back = is_back && after.values[i] <= before->values[i];
        if (!is_back) {
            pause_s(MIN_STEP_S);
            after = soak_usage_now();
        }
    }
    return soak_usage_is_back(before, &after);
}

/* ---- mixed and chaos */

static void watch(const struct settings *settings, struct soak_series *series)
{
    const double start_s = now_s();
    double step_s = settings->seconds / 400, told_s = 0;
    step_s = step_s < MIN_STEP_S ? MIN_STEP_S : step_s;
    for (double at_s = 0; at_s < settings->seconds; at_s = now_s() - start_s) {
        const struct soak_usage usage = soak_usage_now();
        soak_series_add(series, at_s, &usage);
        if (at_s >= told_s) {
            soak_usage_print(at_s, &usage);
            told_s += settings->seconds / 10;
        }
        pause_s(step_s);
    }
}

static bool run_clients(const struct settings *settings, struct soak_world *world)
{
    static struct soak_series series;
    static struct soak_client clients[MAX_CLIENTS];
    uint32_t n = 0;
    uint64_t seeds = settings->seed;
    while (n < settings->n_clients && soak_client_start(&clients[n], world, soak_random(&seeds)))
        n++;
    watch(settings, &series);
    atomic_store(&world->ends, true);
    for (uint32_t i = 0; i < n; i++)
        soak_client_join(&clients[i]);
    return soak_series_is_flat(&series) && n == settings->n_clients;
}

static bool run_for_time(const struct settings *settings, const char *const *modes, bool is_mixed)
{
    static struct soak_models models;
    const struct soak_usage before = usage_with_nothing_open(settings);
    struct soak_world world = {.models = &models,
                               .habits = is_mixed ? (struct soak_habits){15, 10, 10, 3}
                                                  : (struct soak_habits){0, 0, 0, 0}};
    bool is_good = false;
    world.host = open_host(settings, is_mixed);
    if (world.host != NULL &&
        soak_models_load(&models, world.host, settings->folder, modes, is_mixed)) {
        is_good = run_clients(settings, &world);
        is_good = print_answers(&models) && is_good;
        is_good = check_restarts(&models, world.host) && is_good;
    }
    soak_models_release(&models);
    modelhost_destroy(world.host);
    soak_models_free(&models);
    return wait_until_back(&before) && is_good;
}

static bool run_mixed(const struct settings *settings)
{
    return run_for_time(settings, NULL, true);
}

static bool run_chaos(const struct settings *settings)
{
    static const char *const modes[] = {"crash", "abort", "exit", "oom", NULL};
    return run_for_time(settings, modes, false);
}

/* ---- hang */

/* Asks for --count faults, one after the other; prints how late the answers were. */
static void ask_for_faults(const struct settings *settings, struct soak_models *models)
{
    uint64_t random = settings->seed;
    double worst_ms = 0, sum_ms = 0;
    for (uint32_t i = 0; i < settings->count; i++) {
        struct soak_model *model = &models->list[i % models->n];
        const double late_ms =
            (double)soak_ask_for_fault(model, &random) / 1e6 - (double)model->fault->timeout_ms;
        worst_ms = late_ms > worst_ms ? late_ms : worst_ms;
        sum_ms += late_ms;
    }
    printf(
        "\n%u calls that do not come back: answered %.1f ms behind their deadlines, %.1f at most\n",
        settings->count, sum_ms / settings->count, worst_ms);
}

/* Until each lane has had an instance of each model, which it keeps. */
static bool warm_up(const struct settings *settings, struct soak_models *models)
{
    static struct soak_client clients[MAX_CLIENTS];
    struct soak_world world = {.models = models};
    uint32_t n = 0;
    while (n < settings->n_clients && soak_client_start(&clients[n], &world, settings->seed + n))
        n++;
    pause_s(WARM_S);
    atomic_store(&world.ends, true);
    for (uint32_t i = 0; i < n; i++)
        soak_client_join(&clients[i]);
    return n == settings->n_clients;
}

static bool hang_beside(const struct settings *settings, struct soak_models *hanging,
                        struct soak_world *world)
{
    struct soak_client bystander;
    if (!warm_up(settings, hanging) || !warm_up(settings, world->models) ||
        !soak_client_start(&bystander, world, settings->seed))
        return false;
    const struct soak_usage before = soak_usage_now();
    ask_for_faults(settings, hanging);
    atomic_store(&world->ends, true);
    soak_client_join(&bystander);
    const bool is_back = wait_until_back(&before);
    const struct soak_usage after = soak_usage_now();
    soak_usage_print(0, &before);
    soak_usage_print(0, &after);
    const bool is_good = print_answers(hanging);
    return print_answers(world->models) && is_good && is_back;
}

static bool run_hang(const struct settings *settings)
{
    static const char *const hanging_modes[] = {"hang", "spin", NULL};
    static const char *const other_modes[] = {"ok", NULL};
    static struct soak_models hanging, others;
    const struct soak_usage before = usage_with_nothing_open(settings);
    struct soak_world world = {.host = open_host(settings, false), .models = &others};
    bool is_good = world.host != NULL &&
                   soak_models_load(&hanging, world.host, settings->folder, hanging_modes, false) &&
                   soak_models_load(&others, world.host, settings->folder, other_modes, false) &&
                   hang_beside(settings, &hanging, &world);
    soak_models_release(&hanging);
    soak_models_release(&others);
    modelhost_destroy(world.host);
    soak_models_free(&hanging);
    soak_models_free(&others);
    return wait_until_back(&before) && is_good;
}

/* ---- loads */

/* Opens a package, asks it and closes it. */
static model_status load_once(struct modelhost *host, const char *path, int32_t isolation,
                              struct model_error *err)
{
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost_model *model = NULL;
    struct modelhost_result *result = NULL;
    struct soak_case asked;
    options.isolation = isolation;
    model_status status = modelhost_load_with(host, path, &options, &model, err);
    if (status != MODEL_OK)
        return status;
    if (soak_case_make(model, 0, &asked))
        status = soak_ask(model, &asked, NULL, 0, &result, err);
    soak_case_free(&asked);
    modelhost_result_destroy(result);
    modelhost_release(model);
    return status;
}

/* What is held when a host that opened it n times has gone, which waits until all is freed. */
static bool load_and_measure(const struct settings *settings, int32_t isolation, uint32_t n,
                             struct soak_usage *ret)
{
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost *host = open_host(settings, false);
    char path[4096];
    model_status status = host != NULL ? MODEL_OK : MODEL_INTERNAL;
    (void)snprintf(path, sizeof path, "%s/%s", settings->folder, settings->package);
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++)
        status = load_once(host, path, isolation, &err);
    if (status != MODEL_OK)
        fprintf(stderr, "soak: %s\n", err.message);
    modelhost_destroy(host);
#ifdef __GLIBC__
    (void)malloc_trim(0); /* what is free is not held */
#endif
    *ret = soak_usage_now();
    return status == MODEL_OK;
}

/* In tenths, with a host each. What libraries keep comes in steps, so the least held in the last three is
 * compared with the least in the first three: what is lost by each load is in all of them. */
static bool check_loads(const struct settings *settings, int32_t isolation, uint32_t n)
{
    struct soak_usage usages[LOAD_ROUNDS];
    double kb[LOAD_ROUNDS], early_kb, late_kb;
    printf("%u loads of %s %s, resident KB:", n, settings->package,
           isolation == MODELHOST_WORKER ? "in workers" : "in this process");
    for (int i = 0; i < LOAD_ROUNDS; i++) {
        if (!load_and_measure(settings, isolation, (n + LOAD_ROUNDS - 1) / LOAD_ROUNDS, &usages[i]))
            return false;
        kb[i] = usages[i].values[USAGE_RESIDENT_KB];
        printf(" %.0f", kb[i]);
        (void)fflush(stdout);
    }
    early_kb = fmin(kb[1], fmin(kb[2], kb[3])); /* the first round fills what is filled once */
    late_kb = fmin(kb[LOAD_ROUNDS - 3], fmin(kb[LOAD_ROUNDS - 2], kb[LOAD_ROUNDS - 1]));
    printf(": %+.2f %%\n", early_kb > 0 ? 100 * (late_kb - early_kb) / early_kb : 0);
    const double bound = n < MANY_LOADS ? STEP_KB : 0.01 * early_kb;
    return wait_until_back(&usages[0]) && (!SOAK_MEMORY_COUNTS || late_kb - early_kb <= bound);
}

static bool run_loads(const struct settings *settings)
{
    return check_loads(settings, MODELHOST_INPROC, settings->count) &&
           check_loads(settings, MODELHOST_WORKER, (settings->count + 9) / 10);
}

/* ---- the command */

static const struct phase {
    const char *name;
    bool (*run)(const struct settings *settings);
} phases[] = {{"mixed", run_mixed}, {"chaos", run_chaos}, {"hang", run_hang}, {"loads", run_loads}};

static bool read_options(int argc, char **argv, struct settings *settings)
{
    static const struct option known[] = {
        {"only", required_argument, NULL, 'o'},    {"seconds", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'c'},   {"seed", required_argument, NULL, 'r'},
        {"clients", required_argument, NULL, 'n'}, {"package", required_argument, NULL, 'p'},
        {"worker", required_argument, NULL, 'w'},  {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (c) {
        case 'o':
            settings->phase = optarg;
            break;
        case 's':
            settings->seconds = strtod(optarg, NULL);
            break;
        case 'c':
            settings->count = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            settings->seed = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            settings->n_clients = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'p':
            settings->package = optarg;
            break;
        case 'w':
            settings->worker = optarg;
            break;
        default:
            return false;
        }
    settings->folder = optind + 1 == argc ? argv[optind] : NULL;
    return settings->folder != NULL && settings->worker != NULL && settings->count > 0 &&
           settings->seconds > 0 && settings->n_clients > 0 && settings->n_clients <= MAX_CLIENTS;
}

int main(int argc, char **argv)
{
    struct settings settings = {.phase = "mixed",
                                .package = "facts-bert-mini",
                                .seconds = 60,
                                .count = 100,
                                .n_clients = 8};
    settings.seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    if (!read_options(argc, argv, &settings)) {
        fprintf(stderr,
                "usage: soak --only mixed|chaos|hang|loads [--seconds N] [--count N] [--seed N] "
                "[--clients 1..%d] [--package NAME] --worker MODELHOST FOLDER\n",
                MAX_CLIENTS);
        return 2;
    }
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        if (strcmp(phases[i].name, settings.phase) != 0)
            continue;
        printf("---- %s, --seed %llu\n", settings.phase, (unsigned long long)settings.seed);
        (void)fflush(stdout);
        const bool is_good = phases[i].run(&settings);
        printf("%s: %s\n", settings.phase, is_good ? "all is well" : "NOT WELL");
        return is_good ? 0 : 1;
    }
    fprintf(stderr, "soak: there is no phase '%s', want mixed, chaos, hang or loads\n",
            settings.phase);
    return 2;
}
