/* test_kernels_slots.c - a memory of one size: read, written, rewound, forked, cleared. Covers
 * plugins/kernels/plugin_slots.c. */
#include "kernels.h"
#include "testing.h"

struct memory {
    int64_t sum;
};

struct fixture {
    struct plugin_model model;
    struct plugin_instance *instance;
};

static struct fixture *open_fixture(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    plugin_slots_init(&f->model, sizeof(struct memory));
    const size_t bytes = (f->model.instance_bytes + 63) / 64 * 64;
    f->instance = aligned_alloc(64, bytes);
    memset(f->instance, 0, bytes);
    f->instance->model = &f->model;
    return f;
}

static void close_fixture(struct fixture *f)
{
    free(f->instance);
    free(f);
}

/* Reads `add` more positions in each slot and adds that to what it remembers; returns the last sum. */
static int64_t read_more(struct fixture *f, const uint32_t *slots, uint32_t n, int64_t add)
{
    const struct model_call call = {.struct_size = sizeof call, .slots = slots, .n_slots = n};
    struct memory memories[4];
    plugin_slots_read(f->instance, &call, n, memories);
    for (uint32_t i = 0; i < n; i++)
        memories[i].sum += add;
    plugin_slots_write(f->instance, &call, add, memories);
    return memories[n - 1].sum;
}

static int64_t keep(struct fixture *f, uint32_t to, uint32_t from, int64_t n)
{
    int64_t kept = -1;
    assert_int_equal(f->model.keep(&f->instance->instance, to, from, n, &kept, NULL), MODEL_OK);
    return kept;
}

static const uint32_t zero = 0, one = 1, last = PLUGIN_SLOTS - 1;

static void calls_go_on_where_their_slots_stand(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    assert_int_equal(f->model.description.max_slots, PLUGIN_SLOTS);
    assert_int_equal(read_more(f, &zero, 1, 3), 3);
    assert_int_equal(read_more(f, (const uint32_t[]){last, zero}, 2, 4), 7);
    assert_int_equal(read_more(f, &last, 1, 1), 5);
    assert_int_equal(read_more(f, &one, 1, 1), 1);
    close_fixture(f);
}

static void a_call_without_slots_starts_from_nothing_and_leaves_no_trace(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    assert_int_equal(read_more(f, &zero, 1, 3), 3);
    assert_int_equal(read_more(f, NULL, 1, 5), 5);
    assert_int_equal(read_more(f, &zero, 1, 1), 4);
    close_fixture(f);
}

static void a_slot_is_forked_as_it_stands(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    (void)read_more(f, &zero, 1, 3);
    assert_int_equal(keep(f, 0, 0, 3), 3); /* nothing to do */
    assert_int_equal(keep(f, last, 0, 3), 3);
    assert_int_equal(read_more(f, &last, 1, 2), 5);
    assert_int_equal(read_more(f, &zero, 1, 1), 4);
    close_fixture(f);
}

static void what_it_was_before_cannot_be_had(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    (void)read_more(f, &zero, 1, 3);
    (void)read_more(f, &one, 1, 9);
    assert_int_equal(keep(f, 1, 0, 2), 0); /* slot 1 is empty now */
    assert_int_equal(read_more(f, &one, 1, 1), 1);
    assert_int_equal(read_more(f, &zero, 1, 1), 4); /* slot 0 as it was */
    assert_int_equal(keep(f, 0, 0, 0), 0);          /* a clearing */
    assert_int_equal(read_more(f, &zero, 1, 1), 1);
    assert_int_equal(keep(f, 0, 0, 1), 1); /* counted anew */
    close_fixture(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_go_on_where_their_slots_stand),
        cmocka_unit_test(a_call_without_slots_starts_from_nothing_and_leaves_no_trace),
        cmocka_unit_test(a_slot_is_forked_as_it_stands),
        cmocka_unit_test(what_it_was_before_cannot_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
