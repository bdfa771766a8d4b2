/* test_lane_pinning.c - lanes on processors of their own: host/lanes/lane_place.c, with the fixture plugin_reader. Who is asked
 * is on_token, which runs on the lane. */
#include "reader_package.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#ifdef __linux__

struct pinned {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
    struct model_error err;
    atomic_int n_here; /* lanes that have said where they run */
    uint32_t n_lanes;
};

struct seen {
    struct pinned *pinned;
    uv_sem_t answered;
    cpu_set_t cpus;
};

static void open_pinned(struct pinned *pinned, uint32_t lanes, uint32_t threads, bool pins)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    *pinned = (struct pinned){.dir = make_package("reader", "{\"model_type\": \"reader\"}"),
                              .err.struct_size = sizeof pinned->err,
                              .n_lanes = lanes};
    options.store_dir = options.plugin_path = pinned->dir;
    options.lanes = lanes;
    options.threads = threads;
    options.pin_threads = pins;
    if (modelhost_create(&options, &pinned->host, &pinned->err) != MODEL_OK ||
        modelhost_load(pinned->host, pinned->dir, &pinned->model, &pinned->err) != MODEL_OK)
        fail_msg("%s", pinned->err.message);
}

static void close_pinned(struct pinned *pinned)
{
    modelhost_release(pinned->model);
    modelhost_destroy(pinned->host);
    remove_package(pinned->dir);
}

/* [lane-thread]: each lane waits here for the others, so that none has two of the requests. */
static void look(void *context, const struct modelhost_token *token)
{
    struct seen *seen = context;
    if (token->token_id < 0 || CPU_COUNT(&seen->cpus) > 0)
        return;
    (void)sched_getaffinity(0, sizeof seen->cpus, &seen->cpus);
    atomic_fetch_add(&seen->pinned->n_here, 1);
    while ((uint32_t)atomic_load(&seen->pinned->n_here) < seen->pinned->n_lanes)
        (void)sched_yield();
}

static void on_answer(void *context, model_status status, struct modelhost_result *result,
                      const struct model_error *err)
{
    struct seen *seen = context;
    (void)status, (void)err;
    modelhost_result_destroy(result);
    uv_sem_post(&seen->answered);
}

/* Where each lane runs. */
static void see(struct pinned *pinned, struct seen *seen)
{
    static const int64_t ids[] = {1, 2, 3};
    const struct modelhost_prompt prompt = reader_prompt(ids, 3);
    struct modelhost_generation generation = reader_greedy(1);
    atomic_store(&pinned->n_here, 0);
    generation.on_token = look;
    for (uint32_t i = 0; i < pinned->n_lanes; i++) {
        struct modelhost_request *request = NULL;
        seen[i] = (struct seen){.pinned = pinned};
        CPU_ZERO(&seen[i].cpus);
        assert_int_equal(uv_sem_init(&seen[i].answered, 0), 0);
        generation.context = &seen[i];
        assert_int_equal(modelhost_generate_async(pinned->model, &prompt, 1, &generation, NULL,
                                                  on_answer, &seen[i], &request, &pinned->err),
                         MODEL_OK);
        modelhost_request_release(request);
    }
    for (uint32_t i = 0; i < pinned->n_lanes; i++) {
        uv_sem_wait(&seen[i].answered);
        uv_sem_destroy(&seen[i].answered);
    }
}

static cpu_set_t own_cpus(void)
{
    cpu_set_t cpus;
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    return cpus;
}

static void each_lane_has_a_processor_of_its_own(void **state)
{
    (void)state;
    struct pinned pinned;
    struct seen seen[2];
    cpu_set_t own = own_cpus(), both;
    if (CPU_COUNT(&own) < 2)
        skip();
    open_pinned(&pinned, 2, 1, true);
    see(&pinned, seen);
    assert_int_equal(CPU_COUNT(&seen[0].cpus), 1);
    assert_int_equal(CPU_COUNT(&seen[1].cpus), 1);
    CPU_AND(&both, &seen[0].cpus, &seen[1].cpus);
    assert_int_equal(CPU_COUNT(&both), 0);
    CPU_OR(&both, &seen[0].cpus, &seen[1].cpus);
    CPU_AND(&both, &both, &own);
    assert_int_equal(CPU_COUNT(&both), 2);
    close_pinned(&pinned);
    own = own_cpus(); /* the application's thread is left alone */
    assert_true(CPU_COUNT(&own) >= 2);
}

static void a_lane_of_several_threads_has_as_many(void **state)
{
    (void)state;
    struct pinned pinned;
    struct seen seen[1];
    const cpu_set_t own = own_cpus();
    if (CPU_COUNT(&own) < 2)
        skip();
    open_pinned(&pinned, 1, 2, true);
    see(&pinned, seen);
    assert_int_equal(CPU_COUNT(&seen[0].cpus), 2);
    close_pinned(&pinned);
}

static void nothing_is_pinned_unless_asked_for(void **state)
{
    (void)state;
    struct pinned pinned;
    struct seen seen[1];
    const cpu_set_t own = own_cpus();
    open_pinned(&pinned, 1, 1, false);
    see(&pinned, seen);
    assert_true(CPU_EQUAL(&seen[0].cpus, &own));
    close_pinned(&pinned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lane_has_a_processor_of_its_own),
        cmocka_unit_test(a_lane_of_several_threads_has_as_many),
        cmocka_unit_test(nothing_is_pinned_unless_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void elsewhere_it_is_refused(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    options.pin_threads = 1;
    assert_int_equal(modelhost_create(&options, &host, &err), MODEL_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(elsewhere_it_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
