/* test_worker_log.c - what the host logs of models in worker processes, through the public interface: which
 * model and request each line is about, and how many lines there are (host/workers/worker_watch.c,
 * host/workers/served_instance.c, host/lanes/lane_pipeline.c). */
#include "log_limit.h"
#include "worker_fixture.h"

#define MAX_LINES 1024

struct line {
    uint64_t request_id;
    int32_t level;
    char model[64], message[256];
};

/* All lines, with what they are about. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t more;
    struct line lines[MAX_LINES];
    size_t n;
} logged = {.mutex = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static struct model_error err = {.struct_size = sizeof err};

static void keep_line(void *context, const struct modelhost_log_record *record)
{
    (void)context;
    (void)pthread_mutex_lock(&logged.mutex);
    if (logged.n < MAX_LINES) {
        struct line *line = &logged.lines[logged.n++];
        line->request_id = record->request_id;
        line->level = record->level;
        (void)snprintf(line->model, sizeof line->model, "%s",
                       record->model != NULL ? record->model : "");
        (void)snprintf(line->message, sizeof line->message, "%s", record->message);
    }
    (void)pthread_cond_broadcast(&logged.more);
    (void)pthread_mutex_unlock(&logged.mutex);
}

/* With the mutex. */
static const struct line *find(const char *words)
{
    for (size_t i = 0; i < logged.n; i++)
        if (strstr(logged.lines[i].message, words) != NULL)
            return &logged.lines[i];
    return NULL;
}

/* The first line with these words, when it is there. */
static struct line wait_for(const char *words)
{
    const struct line *line = NULL;
    (void)pthread_mutex_lock(&logged.mutex);
    while ((line = find(words)) == NULL)
        (void)pthread_cond_wait(&logged.more, &logged.mutex);
    const struct line copy = *line;
    (void)pthread_mutex_unlock(&logged.mutex);
    return copy;
}

static size_t count(const char *words)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&logged.mutex);
    for (size_t i = 0; i < logged.n; i++)
        n += strstr(logged.lines[i].message, words) != NULL;
    (void)pthread_mutex_unlock(&logged.mutex);
    return n;
}

/* kill_grace_ms 0: calls that hang are ended soon. */
static struct workers open_with_grace(int64_t kill_grace_ms)
{
    struct workers workers = {.dir = make_package("mischief", "{}")};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    logged.n = 0;
    options.store_dir = options.plugin_path = workers.dir;
    options.lanes = options.threads = 1;
    options.log_level = MODEL_LOG_DEBUG;
    options.log_record = keep_line;
    if (modelhost_create(&options, &workers.host, &err) != MODEL_OK ||
        workers_load_with_grace(&workers, 1, kill_grace_ms, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return workers;
}

static struct workers open_workers(void)
{
    return open_with_grace(600000);
}

static void close_workers(struct workers *workers)
{
    modelhost_release(workers->model);
    modelhost_destroy(workers->host);
    remove_package(workers->dir);
}

static void assert_about(const struct workers *workers, const char *words, uint64_t request_id)
{
    const struct line line = wait_for(words);
    assert_string_equal(line.model, strrchr(workers->dir, '/') + 1);
    assert_int_equal(line.request_id, request_id);
}

static void lines_of_a_call_have_its_number_and_those_beside_it_the_model(void **state)
{
    (void)state;
    float y = 0;
    struct workers workers = open_workers();
    workers_must_answer(workers.model);
    assert_int_equal(workers_ask(workers.model, -9, 0, &y, &err), MODELHOST_CRASHED);
    assert_about(&workers, "this was logged", 2);
    assert_about(&workers, "this was printed", 0); /* nobody knows for whom */
    assert_about(&workers, "plugin crashed: SIGSEGV", 2);
    workers_must_answer(workers.model);
    assert_about(&workers, "started in place of one that ended", 0);
    close_workers(&workers);
}

static void a_call_that_hangs_is_told_with_its_number(void **state)
{
    (void)state;
    float y = 0;
    uint64_t n_calls = 0;
    struct workers workers = open_with_grace(0);
    do { /* on a busy machine a call's time may be over before the plugin has it */
        n_calls++;
        assert_int_equal(workers_ask(workers.model, -11, 1, &y, &err), MODEL_DEADLINE);
    } while (count("its process was ended") == 0);
    const struct line line = wait_for("its process was ended");
    assert_in_range(line.request_id, 1, n_calls);
    assert_non_null(strstr(line.message, "deadline"));
    close_workers(&workers);
}

static void floods_are_cut_and_counted(void **state)
{
    (void)state;
    enum { N = 4 * LOG_LIMIT_BURST };
    const float x[] = {-12, N};
    unsigned long long n_omitted = 0, n = 0;
    struct workers workers = open_workers();
    struct modelhost_result *result = NULL;
    assert_int_equal(workers_run(workers.model, x, 2, NULL, &result, &err), MODEL_OK);
    modelhost_result_destroy(result);
    close_workers(&workers); /* behind it all has been said */
    const size_t n_passed = count("one of many");
    for (size_t i = 0; i < logged.n; i++) {
        const char *said = strstr(logged.lines[i].message, ": ");
        if (said != NULL && sscanf(said, ": %llu more lines were left out", &n) == 1)
            n_omitted += n;
    }
    assert_in_range(n_passed, LOG_LIMIT_BURST / 2, N - 1);
    assert_true(n_omitted >= N - n_passed);
}

int main(void)
{
    (void)setenv("ASAN_OPTIONS", "handle_segv=0:handle_abort=0:detect_leaks=0", 1); /* let crash */
    (void)setenv("TSAN_OPTIONS", "handle_segv=0:handle_abort=0", 1);
    (void)setenv("UBSAN_OPTIONS", "halt_on_error=0", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_a_call_have_its_number_and_those_beside_it_the_model),
        cmocka_unit_test(a_call_that_hangs_is_told_with_its_number),
        cmocka_unit_test(floods_are_cut_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
