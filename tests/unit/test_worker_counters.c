/* test_worker_counters.c - what plugins in worker processes count reaches the host's metrics with the answers
 * (host/workers/served_instance.c, host/workers/worker_instance.c), and no lie does
 * (host/workers/worker_channel.c). */
#include "loaded_model.h"
#include "plugin_counters.h"
#include "worker_channel.h"
#include "worker_fixture.h"

static struct model_error err = {.struct_size = sizeof err};

/* Of the model's counter; 0: it has none of the name. */
static uint64_t counted(const struct workers *workers, const char *name)
{
    struct plugin_counters *counters = metrics_plugin_counters(workers->model->metrics.series);
    uint64_t value = 0;
    uv_mutex_lock(&counters->mutex);
    for (uint32_t i = 0; i < counters->n_counters; i++)
        if (strcmp(counters->counters[i].name, name) == 0)
            value = counters->counters[i].value;
    uv_mutex_unlock(&counters->mutex);
    return value;
}

static void counts_come_with_the_answers(void **state)
{
    (void)state;
    float y = 0;
    struct workers workers = workers_open("mischief", 1, 1);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(workers_ask(workers.model, -13, 0, &y, &err), MODEL_OK);
        assert_int_equal(counted(&workers, "mischief"), 2 * i);
    }
    assert_int_equal(workers_ask(workers.model, -14, 0, &y, &err), MODEL_IO);
    assert_int_equal(counted(&workers, "failures"), 1); /* of calls that fail, too */
    workers_must_answer(workers.model);
    assert_int_equal(counted(&workers, "mischief"), 6);
    workers_close(&workers);
}

static void counts_go_on_in_the_next_process(void **state)
{
    (void)state;
    float y = 0;
    struct workers workers = workers_open("mischief", 1, 1);
    assert_int_equal(workers_ask(workers.model, -13, 0, &y, &err), MODEL_OK);
    assert_int_equal(workers_ask(workers.model, -2, 0, &y, &err), MODELHOST_CRASHED);
    assert_int_equal(workers_ask(workers.model, -13, 0, &y, &err), MODEL_OK);
    assert_int_equal(counted(&workers, "mischief"), 4);
    workers_close(&workers);
}

static struct worker_exchange exchange;
static struct worker_tensor tensors[SCHEMA_MAX_TENSORS];

static void more_counters_than_there_may_be_are_refused(void **state)
{
    (void)state;
    struct worker_say say;
    exchange.say = (struct worker_say){.what = WORKER_SAY_DONE, .n_counts = PLUGIN_COUNTERS_MAX};
    assert_int_equal(worker_channel_hear(&exchange, &say, tensors, &err), MODEL_OK);
    exchange.say.n_counts++;
    assert_int_equal(worker_channel_hear(&exchange, &say, tensors, &err), MODEL_CORRUPT);
}

static void names_that_are_none_do_not_become_labels(void **state)
{
    (void)state;
    const struct worker_say say = {.n_counts = 3};
    struct plugin_counters counters;
    assert_int_equal(plugin_counters_init(&counters), 0);
    memset(exchange.counts, 'x', sizeof exchange.counts); /* not ended */
    (void)snprintf(exchange.counts[1].name, PLUGIN_COUNTERS_NAME_BYTES, "no name");
    (void)snprintf(exchange.counts[2].name, PLUGIN_COUNTERS_NAME_BYTES, "good");
    exchange.counts[2].delta = 5;
    worker_channel_count(&exchange, &say, &counters);
    assert_int_equal(counters.n_counters, 2);
    assert_int_equal(strlen(counters.counters[0].name), PLUGIN_COUNTERS_NAME_BYTES - 1);
    assert_string_equal(counters.counters[1].name, "good");
    assert_int_equal(counters.counters[1].value, 5);
    plugin_counters_finish(&counters);
}

int main(void)
{
    (void)setenv("ASAN_OPTIONS", "handle_segv=0:handle_abort=0:detect_leaks=0", 1); /* let crash */
    (void)setenv("TSAN_OPTIONS", "handle_segv=0:handle_abort=0", 1);
    (void)setenv("UBSAN_OPTIONS", "halt_on_error=0", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_come_with_the_answers),
        cmocka_unit_test(counts_go_on_in_the_next_process),
        cmocka_unit_test(more_counters_than_there_may_be_are_refused),
        cmocka_unit_test(names_that_are_none_do_not_become_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
