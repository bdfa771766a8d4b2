/* test_batch_lost.c - a batch whose lane does not come back in time, or not at all: host/lanes/lane_lost.c,
 * host/lanes/lane_time.c, host/batching/batch_run.c. Every request has its answer, once, and what the plugin writes
 * later reaches none (a sanitizer looks). Deadlines are told to the scheduler, not waited for. */
#include "host.h"
#include "joint_package.h"
#include "scheduler.h"
#include "scheduler_loop.h"

#if defined(__SANITIZE_ADDRESS__)
/* What a thread that is ended in the middle of a call has is left in memory. */
int __lsan_is_turned_off(void);
__attribute__((visibility("default"))) int __lsan_is_turned_off(void)
{
    return 1;
}
#endif

#define N_MEMBERS 3

/* A batch that is in the plugin, which waits for the latch. */
struct batch {
    struct fixture *f;
    struct call *members[N_MEMBERS];
    uint32_t latch;
    int64_t ids[3];
};

static void begin(struct batch *batch, int64_t first)
{
    static const int64_t text[] = {10, 11};
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    options.max_batch = 8;
    *batch = (struct batch){.f = open_with(&options, 0, 1)};
    struct call *blocker = block(batch->f);
    batch->members[0] = ask_latched(batch->f, first, &batch->latch, batch->ids);
    for (int i = 1; i < N_MEMBERS; i++)
        batch->members[i] = ask(batch->f, i, text);
    unblock(blocker);
    uv_sem_wait(&batch->f->waits);
}

static void expire(struct batch *batch)
{
    struct scheduler *scheduler = batch->f->host->scheduler;
    uv_mutex_lock(&scheduler->mutex);
    for (int i = 0; i < N_MEMBERS; i++)
        scheduler_expire(scheduler, batch->members[i]->request, 0);
    scheduler_unlock(scheduler);
}

static void await_all(struct batch *batch, model_status status)
{
    for (int i = 0; i < N_MEMBERS; i++) {
        await(batch->members[i]);
        assert_int_equal(batch->members[i]->status, status);
        assert_null(batch->members[i]->result);
    }
}

/* The plugin goes on; the end of the host waits for its lane. */
static void end(struct batch *batch)
{
    static const int64_t text[] = {5, 6, 7, 8};
    assert_answer(ask(batch->f, 4, text), 4, text, 1); /* by the lane that took its place */
    __atomic_store_n(&batch->latch, 1, __ATOMIC_RELEASE);
    close_fixture(batch->f);
}

static void outputs_that_come_behind_the_deadline_reach_nobody(void **state)
{
    (void)state;
    struct batch batch;
    begin(&batch, JOINT_ANSWERS_LATE);
    expire(&batch);
    await_all(&batch, MODEL_DEADLINE);
    end(&batch);
}

static void each_request_of_a_thread_that_is_ended_is_answered(void **state)
{
    (void)state;
    struct batch batch;
    begin(&batch, JOINT_ENDS_THREAD);
    __atomic_store_n(&batch.latch, 1, __ATOMIC_RELEASE);
    await_all(&batch, MODELHOST_CRASHED);
    for (int i = 0; i < N_MEMBERS; i++)
        assert_non_null(strstr(batch.members[i]->message, "in run() (pthread_exit)"));
    end(&batch);
}

static void a_thread_that_is_ended_behind_the_deadline_changes_no_answer(void **state)
{
    (void)state;
    struct batch batch;
    begin(&batch, JOINT_ENDS_THREAD);
    expire(&batch);
    await_all(&batch, MODEL_DEADLINE);
    end(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_that_come_behind_the_deadline_reach_nobody),
        cmocka_unit_test(each_request_of_a_thread_that_is_ended_is_answered),
        cmocka_unit_test(a_thread_that_is_ended_behind_the_deadline_changes_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
