/* test_worker_slot.c - host/workers/worker_slot.c and host/workers/worker_watch.c by themselves: turns of calls, and
 * workers that are none. */
#include "clock.h"
#include "echo_package.h"
#include "worker_slot.h"

#include <pthread.h>

static struct model_error err = {.struct_size = sizeof err};

static void log_nothing(void *context, int32_t level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static const struct log_sink silent = {.write = log_nothing};

static char *worker_command(void)
{
    const char *build = getenv("BUILD");
    char *path = NULL;
    assert_true(asprintf(&path, "%s/bin/modelhost", build != NULL ? build : "build") > 0);
    return path;
}

/* A slot with a worker that has opened a package. */
struct fixture {
    struct worker_config config;
    struct worker_slot *slot;
};

static int open_slot(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->config = (struct worker_config){.command = worker_command(),
                                             .package_dir = make_package("mischief", "{}"),
                                             .lanes = 2,
                                             .threads = 1,
                                             .log = &silent};
    fixture->config.plugin_path = fixture->config.package_dir;
    if (worker_slot_create(&fixture->config, NULL, &fixture->slot, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    *state = fixture;
    return 0;
}

static int close_slot(void **state)
{
    struct fixture *fixture = *state;
    worker_slot_destroy(fixture->slot);
    free(fixture->config.command);
    remove_package(fixture->config.package_dir);
    free(fixture);
    return 0;
}

static model_status begin(struct worker_slot *slot, bool alone, int64_t until_ns)
{
    struct worker_patience patience = {.until_ns = until_ns};
    return worker_slot_begin_call(slot, alone, &patience, &err);
}

static void a_call_waits_for_its_turn_until_its_deadline_only(void **state)
{
    struct worker_slot *slot = ((struct fixture *)*state)->slot;
    const int64_t soon_ns = clock_now_ns() + 20 * NS_PER_MS;
    assert_int_equal(begin(slot, false, INT64_MAX), MODEL_OK);
    assert_int_equal(begin(slot, true, soon_ns), MODEL_DEADLINE);
    assert_true(clock_now_ns() >= soon_ns);
    assert_int_equal(begin(slot, false, 0), MODEL_OK); /* who gave up is in nobody's way */
    worker_slot_end_call(slot, false);
    worker_slot_end_call(slot, false);
    assert_int_equal(begin(slot, true, 0), MODEL_OK);
    assert_int_equal(begin(slot, false, 0), MODEL_DEADLINE);
    assert_int_equal(begin(slot, true, 0), MODEL_DEADLINE);
    worker_slot_end_call(slot, true);
    assert_int_equal(begin(slot, false, 0), MODEL_OK);
    worker_slot_end_call(slot, false);
}

static void a_call_that_waits_for_its_turn_can_be_cancelled(void **state)
{
    struct worker_slot *slot = ((struct fixture *)*state)->slot;
    const uint32_t raised = MODEL_CANCELLED;
    struct worker_patience patience = {.cancelled = &raised, .until_ns = INT64_MAX};
    assert_int_equal(begin(slot, false, INT64_MAX), MODEL_OK);
    assert_int_equal(worker_slot_begin_call(slot, true, &patience, &err), MODEL_CANCELLED);
    worker_slot_end_call(slot, false);
}

struct second {
    struct worker_slot *slot;
    model_status status;
};

static void *be_alone(void *argument)
{
    struct second *second = argument;
    struct model_error own = {.struct_size = sizeof own};
    struct worker_patience patience = {.until_ns = INT64_MAX};
    second->status = worker_slot_begin_call(second->slot, true, &patience, &own);
    return NULL;
}

static void who_wants_to_be_alone_comes_first(void **state)
{
    struct worker_slot *slot = ((struct fixture *)*state)->slot;
    struct second second = {slot, MODEL_INTERNAL};
    pthread_t thread;
    assert_int_equal(begin(slot, false, INT64_MAX), MODEL_OK);
    assert_int_equal(pthread_create(&thread, NULL, be_alone, &second), 0);
    while (begin(slot, false, 0) == MODEL_OK) /* until it waits */
        worker_slot_end_call(slot, false);
    worker_slot_end_call(slot, false);
    (void)pthread_join(thread, NULL);
    assert_int_equal(second.status, MODEL_OK);
    worker_slot_end_call(slot, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_waits_for_its_turn_until_its_deadline_only,
                                        open_slot, close_slot),
        cmocka_unit_test_setup_teardown(a_call_that_waits_for_its_turn_can_be_cancelled, open_slot,
                                        close_slot),
        cmocka_unit_test_setup_teardown(who_wants_to_be_alone_comes_first, open_slot, close_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
