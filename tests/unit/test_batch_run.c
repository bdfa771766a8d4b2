/* test_batch_run.c - requests that run together, through a host: host/batching/batch_run.c, and host/lanes/lane.c
 * where lanes gather them. */
#include "joint_package.h"

static const int64_t text_a[] = {5, 6, 7, 8}, text_b[] = {10}, text_c[] = {20, 21};

/* How many ran together is a metric, and several did. */
static void assert_sizes_counted(struct fixture *f)
{
    struct modelhost_metrics *metrics = NULL;
    unsigned long long n_runs = 0, n_alone = 0;
    assert_int_equal(modelhost_metrics_read(f->host, &metrics, NULL), MODEL_OK);
    const char *text = modelhost_metrics_text(metrics);
    const char *count = strstr(text, "modelhost_batch_size_count{");
    const char *alone = strstr(text, "modelhost_batch_size_bucket{");
    assert_non_null(count);
    assert_non_null(alone);
    assert_int_equal(sscanf(strchr(count, '}'), "} %llu", &n_runs), 1);
    assert_int_equal(sscanf(strchr(alone, '}'), "} %llu", &n_alone), 1);
    assert_true(n_runs > n_alone); /* the first bucket is of size 1 */
    modelhost_metrics_destroy(metrics);
}

static void requests_that_wait_run_together_and_get_their_own(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(8, 0, 0);
    struct call *blocker = block(f);
    struct call *a = ask(f, 4, text_a), *b = ask(f, 1, text_b), *c = ask(f, 2, text_c);
    unblock(blocker);
    assert_answer(a, 4, text_a, 3);
    assert_answer(b, 1, text_b, 3);
    assert_answer(c, 2, text_c, 3);
    assert_sizes_counted(f);
    close_fixture(f);
}

static void without_max_batch_each_runs_alone(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(0, 0, 0);
    struct call *blocker = block(f);
    struct call *a = ask(f, 4, text_a), *b = ask(f, 1, text_b);
    unblock(blocker);
    assert_answer(a, 4, text_a, 1);
    assert_answer(b, 1, text_b, 1);
    close_fixture(f);
}

static void a_batch_ends_at_max_batch(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(2, 0, 0);
    struct call *blocker = block(f);
    struct call *a = ask(f, 4, text_a), *b = ask(f, 1, text_b), *c = ask(f, 2, text_c);
    unblock(blocker);
    assert_answer(a, 4, text_a, 2);
    assert_answer(b, 1, text_b, 2);
    assert_answer(c, 2, text_c, 1);
    close_fixture(f);
}

static void a_batch_ends_at_its_budget_of_tokens(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(8, 0, 6);
    struct call *blocker = block(f);
    struct call *a = ask(f, 4, text_a), *c = ask(f, 2, text_c), *b = ask(f, 1, text_b);
    unblock(blocker);
    assert_answer(a, 4, text_a, 2); /* 4 + 2; padded it would be 8 */
    assert_answer(c, 2, text_c, 2);
    assert_answer(b, 1, text_b, 1);
    close_fixture(f);
}

static void a_bad_item_fails_alone(void **state)
{
    (void)state;
    static const int64_t bad[] = {-1, 3};
    struct fixture *f = open_fixture(8, 0, 0);
    struct call *blocker = block(f);
    struct call *a = ask(f, 4, text_a), *culprit = ask(f, 2, bad), *c = ask(f, 2, text_c);
    unblock(blocker);
    await(culprit);
    assert_int_equal(culprit->status, MODEL_INVALID_ARGUMENT);
    assert_string_equal(culprit->message, "plugin 'joint' 1.0.0: joint: an item begins with -1");
    assert_answer(a, 4, text_a, 1);
    assert_answer(c, 2, text_c, 1);
    close_fixture(f);
}

static void a_cancelled_member_leaves_the_others_alone(void **state)
{
    (void)state;
    uint32_t latch = 0;
    int64_t ids[3];
    struct fixture *f = open_fixture(8, 0, 0);
    struct call *blocker = block(f);
    struct call *a = ask_latched(f, JOINT_WAITS, &latch, ids), *b = ask(f, 1, text_b);
    unblock(blocker);
    uv_sem_wait(&f->waits); /* both are in the plugin */
    modelhost_cancel(b->request);
    await(b);
    assert_int_equal(b->status, MODEL_CANCELLED);
    __atomic_store_n(&latch, 1, __ATOMIC_RELEASE);
    assert_answer(a, 3, ids, 2);
    close_fixture(f);
}

static void an_expired_member_leaves_the_others_alone(void **state)
{
    (void)state;
    uint32_t latch = 0;
    int64_t ids[3];
    struct modelhost_run_options hasty = MODELHOST_RUN_OPTIONS_INIT;
    struct fixture *f = open_fixture(8, 0, 0);
    struct call *blocker = block(f);
    hasty.timeout_ms = 100;
    struct call *a = ask_latched(f, JOINT_WAITS, &latch, ids), *b = ask_with(f, 1, text_b, &hasty);
    unblock(blocker);
    uv_sem_wait(&f->waits);
    await(b);
    assert_int_equal(b->status, MODEL_DEADLINE);
    __atomic_store_n(&latch, 1, __ATOMIC_RELEASE);
    await(a);
    assert_int_equal(a->status, MODEL_OK);
    close_fixture(f);
}

static void a_run_that_all_have_given_up_is_stopped(void **state)
{
    (void)state;
    static const int64_t spin[] = {-2};
    uint32_t latch = 0;
    int64_t ids[3];
    struct fixture *f = open_fixture(8, 0, 0);
    struct call *blocker = block(f);
    struct call *first = ask_latched(f, JOINT_WAITS, &latch, ids), *a = ask(f, 1, spin);
    struct call *b = ask(f, 1, text_b);
    unblock(blocker);
    uv_sem_wait(&f->waits); /* the plugin will wait for the latch, then for the token */
    modelhost_cancel(first->request);
    modelhost_cancel(a->request);
    modelhost_cancel(b->request);
    __atomic_store_n(&latch, 1, __ATOMIC_RELEASE);
    await(first);
    await(a);
    await(b);
    assert_int_equal(b->status, MODEL_CANCELLED);
    struct call *next = ask(f, 4, text_a); /* comes only if the lane is free again */
    assert_answer(next, 4, text_a, 1);
    close_fixture(f);
}

static void a_run_that_does_not_stop_is_abandoned_with_all_its_requests(void **state)
{
    (void)state;
    uint32_t latch = 0;
    int64_t ids[3];
    struct fixture *f = open_fixture(8, 0, 0);
    struct call *blocker = block(f);
    struct call *a = ask_latched(f, JOINT_WAITS, &latch, ids), *b = ask(f, 1, text_b);
    unblock(blocker);
    uv_sem_wait(&f->waits);
    modelhost_cancel(a->request);
    modelhost_cancel(b->request);
    await(a);
    await(b);
    assert_answer(ask(f, 4, text_a), 4, text_a,
                  1); /* by the lane that took the stuck one's place */
    __atomic_store_n(&latch, 1, __ATOMIC_RELEASE);
    close_fixture(f);
}

static void a_full_batch_does_not_wait_and_others_run_meanwhile(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(3, 60000000, 0);
    struct call *a = ask(f, 4, text_a), *b = ask(f, 1, text_b);
    struct modelhost_model *batching = f->model;
    f->model = load(f, f->dir, NULL);
    assert_answer(ask(f, 2, text_c), 2, text_c, 1); /* of another model, on the only lane */
    modelhost_release(f->model);
    f->model = batching;
    struct call *c = ask(f, 2, text_c);
    assert_answer(a, 4, text_a, 3);
    assert_answer(b, 1, text_b, 3);
    assert_answer(c, 2, text_c, 3);
    close_fixture(f);
}

static void a_lone_request_runs_when_its_delay_is_over(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(3, 1000, 0);
    assert_answer(ask(f, 4, text_a), 4, text_a, 1);
    close_fixture(f);
}

static void a_host_that_is_destroyed_answers_what_waits_for_company(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(3, 60000000, 0);
    struct call *a = ask(f, 4, text_a);
    modelhost_release(f->model);
    f->model = NULL;
    modelhost_destroy(f->host);
    f->host = NULL;
    await(a);
    assert_int_equal(a->status, MODEL_CANCELLED);
    close_fixture(f);
}

static void what_was_kept_is_not_run_again_and_what_was_joined_is_kept(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    options.max_batch = 8;
    struct fixture *f = open_with(&options, 1 << 20, 0);
    assert_answer(ask(f, 4, text_a), 4, text_a, 1);
    struct call *blocker = block(f);
    struct call *a = ask(f, 4, text_a), *b = ask(f, 1, text_b), *c = ask(f, 2, text_c);
    unblock(blocker);
    assert_answer(a, 4, text_a, 1); /* as it was kept */
    assert_answer(b, 1, text_b, 2);
    assert_answer(c, 2, text_c, 2);
    struct call *again = ask(f, 2, text_c);
    assert_answer(again, 2, text_c, 2);
    assert_int_equal(modelhost_result_is_cached(a->result), 1);
    assert_int_equal(modelhost_result_is_cached(c->result), 0);
    assert_int_equal(modelhost_result_is_cached(again->result), 1);
    close_fixture(f);
}

static struct fixture *open_in_worker(void)
{
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    options.max_batch = 8;
    options.isolation = MODELHOST_WORKER;
    return open_with(&options, 0, 0);
}

static void a_crash_in_a_worker_is_the_culprits_alone(void **state)
{
    (void)state;
    static const int64_t deadly[] = {-4, 3};
    struct fixture *f = open_in_worker();
    struct call *blocker = block(f);
    struct call *a = ask(f, 4, text_a), *culprit = ask(f, 2, deadly), *c = ask(f, 2, text_c);
    unblock(blocker);
    await(culprit);
    assert_int_equal(culprit->status, MODELHOST_CRASHED);
    assert_answer(a, 4, text_a, 1);
    assert_answer(c, 2, text_c, 1);
    close_fixture(f);
}

static void a_run_in_a_worker_that_all_have_given_up_is_stopped(void **state)
{
    (void)state;
    static const int64_t spin[] = {-2, 4};
    struct fixture *f = open_in_worker();
    struct call *blocker = block(f);
    struct call *a = ask(f, 2, spin), *b = ask(f, 2, text_c);
    unblock(blocker);
    modelhost_cancel(a->request);
    modelhost_cancel(b->request);
    await(a);
    await(b);
    assert_answer(ask(f, 4, text_a), 4, text_a, 1);
    close_fixture(f);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(0, 0, 0);
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost_model *model = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    options.max_batch = 1025;
    assert_int_equal(modelhost_load_with(f->host, f->dir, &options, &model, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "max_batch is 1025, want 0 to 1024");
    options.max_batch = 2;
    options.max_delay_us = 60000001;
    assert_int_equal(modelhost_load_with(f->host, f->dir, &options, &model, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "max_delay_us is 60000001, want 0 to 60000000");
    close_fixture(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_that_wait_run_together_and_get_their_own),
        cmocka_unit_test(without_max_batch_each_runs_alone),
        cmocka_unit_test(a_batch_ends_at_max_batch),
        cmocka_unit_test(a_batch_ends_at_its_budget_of_tokens),
        cmocka_unit_test(a_bad_item_fails_alone),
        cmocka_unit_test(a_cancelled_member_leaves_the_others_alone),
        cmocka_unit_test(an_expired_member_leaves_the_others_alone),
        cmocka_unit_test(a_run_that_all_have_given_up_is_stopped),
        cmocka_unit_test(a_run_that_does_not_stop_is_abandoned_with_all_its_requests),
        cmocka_unit_test(a_full_batch_does_not_wait_and_others_run_meanwhile),
        cmocka_unit_test(a_lone_request_runs_when_its_delay_is_over),
        cmocka_unit_test(a_host_that_is_destroyed_answers_what_waits_for_company),
        cmocka_unit_test(what_was_kept_is_not_run_again_and_what_was_joined_is_kept),
        cmocka_unit_test(a_crash_in_a_worker_is_the_culprits_alone),
        cmocka_unit_test(a_run_in_a_worker_that_all_have_given_up_is_stopped),
        cmocka_unit_test(options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
