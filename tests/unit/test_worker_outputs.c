/* test_worker_outputs.c - host/workers/worker_outputs.c: the segments of an instance in a worker, and how much memory the
 * process may share with its host in all (host/workers/worker_slot.c). The memory is never touched. */
#include "echo_package.h"
#include "errors.h"
#include "worker_outputs.h"

#include <sched.h>

#define HALF_BYTES (WORKER_MAX_SHARED_BYTES / 2)
#define MOST_BYTES                                                                                 \
    (WORKER_MAX_SHARED_BYTES / 4) /* channels are in the way of the last power of two */

static struct model_error err = {.struct_size = sizeof err};
static const struct log_sink silent = {.level = -1};

/* An instance as its slot and its outputs know it. */
struct fixture {
    struct worker_config config;
    struct worker_slot *slot;
    struct worker_segment *channel_memory;
    struct worker_link link;
    struct worker_address address;
    struct worker_outputs outputs;
};

static int set_up(void **state)
{
    const char *build = getenv("BUILD");
    struct fixture *f = calloc(1, sizeof *f);
    struct worker_patience patience = {.until_ns = INT64_MAX};
    int fd = -1;
    assert_non_null(f);
    f->config = (struct worker_config){
        .command = text_format("%s/bin/modelhost", build != NULL ? build : "build"),
        .package_dir = make_package("mischief", "{}"),
        .lanes = 2,
        .threads = 1,
        .log = &silent};
    f->config.plugin_path = f->config.package_dir;
    if (worker_slot_create(&f->config, NULL, &f->slot, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(
        worker_segment_create(sizeof(struct worker_channel), &f->channel_memory, &fd, &err),
        MODEL_OK);
    f->link = (struct worker_link){.id = 1,
                                   .channel = f->channel_memory->data,
                                   .channel_bytes = f->channel_memory->size_bytes,
                                   .error = MODEL_ERROR_INIT};
    f->address = (struct worker_address){f->slot, 1, &f->link, 0};
    if (worker_slot_attach(f->slot, 1, &f->link, fd, &patience, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    (void)close(fd);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    worker_outputs_finish(&f->outputs);
    worker_slot_detach(f->slot, 1, &f->link);
    worker_slot_destroy(f->slot, 0);
    worker_segment_drop(f->channel_memory);
    free(f->config.command);
    remove_package(f->config.package_dir);
    free(f);
    return 0;
}

static model_status take(struct fixture *f, uint64_t size_bytes, struct worker_segment **ret)
{
    uint32_t id = 0;
    return worker_outputs_take(&f->outputs, &f->address, size_bytes, ret, &id, &err);
}

static void the_segments_of_a_call_have_a_limit_together(void **state)
{
    struct fixture *f = *state;
    struct worker_segment *segment = NULL;
    assert_int_equal(take(f, HALF_BYTES, &segment), MODEL_OK);
    assert_int_equal(take(f, MOST_BYTES, &segment), MODEL_OK);
    assert_int_equal(take(f, MOST_BYTES, &segment),
                     MODEL_OUT_OF_MEMORY); /* by the channel's bytes */
    if (strstr(err.message, "the worker process may share 274877906944 bytes with its host, and") ==
        NULL)
        fail_msg("%s", err.message);
    assert_int_equal(take(f, 1, &segment), MODEL_OK);
    assert_int_equal(f->link.shared_bytes, HALF_BYTES + MOST_BYTES + f->link.channel_bytes + 65536);
}

static void what_a_call_does_not_need_makes_room(void **state)
{
    struct fixture *f = *state;
    struct worker_segment *first = NULL, *second = NULL;
    assert_int_equal(take(f, MOST_BYTES, &first), MODEL_OK);
    worker_segment_retain(first); /* a result has it */
    worker_outputs_end_call(&f->outputs, 0);
    assert_int_equal(take(f, HALF_BYTES, &second), MODEL_OK);
    worker_outputs_end_call(&f->outputs, 0);
    assert_int_equal(take(f, MOST_BYTES, &second), MODEL_OK); /* which is idle, and large enough */
    assert_int_equal(second->size_bytes, HALF_BYTES);
    worker_outputs_end_call(&f->outputs, 0);
    worker_segment_retain(second);
    struct worker_segment *third = NULL;
    assert_int_equal(take(f, HALF_BYTES, &third), MODEL_OK);
    assert_int_equal(f->link.shared_bytes, HALF_BYTES + f->link.channel_bytes);
    worker_segment_drop(second);
    worker_segment_drop(first);
}

static void a_new_process_has_all_of_it(void **state)
{
    struct fixture *f = *state;
    struct worker_segment *segment = NULL;
    struct worker_patience patience = {.until_ns = INT64_MAX};
    uint64_t generation = 0;
    int fd = -1;
    assert_int_equal(take(f, HALF_BYTES, &segment), MODEL_OK);
    worker_slot_kill(f->slot, 1);
    while (!worker_slot_has_ended(f->slot, 1))
        (void)sched_yield();
    assert_int_equal(worker_slot_wait(f->slot, &patience, &generation, &err), MODEL_OK);
    struct worker_segment *channel = NULL;
    assert_int_equal(worker_segment_create(sizeof(struct worker_channel), &channel, &fd, &err),
                     MODEL_OK);
    struct worker_link link = {.id = 2,
                               .channel = channel->data,
                               .channel_bytes = channel->size_bytes,
                               .error = MODEL_ERROR_INIT};
    struct worker_address address = {f->slot, generation, &link, 0};
    struct worker_outputs outputs = {.items = {{NULL, 0, false}}};
    uint32_t id = 0;
    assert_int_equal(worker_slot_attach(f->slot, generation, &link, fd, &patience, &err), MODEL_OK);
    (void)close(fd);
    assert_int_equal(worker_outputs_take(&outputs, &address, HALF_BYTES, &segment, &id, &err),
                     MODEL_OK);
    assert_int_equal(worker_outputs_take(&outputs, &address, MOST_BYTES, &segment, &id, &err),
                     MODEL_OK);
    worker_outputs_finish(&outputs);
    worker_slot_detach(f->slot, generation, &link);
    worker_segment_drop(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_segments_of_a_call_have_a_limit_together, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_a_call_does_not_need_makes_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_process_has_all_of_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
