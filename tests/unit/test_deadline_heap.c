/* test_deadline_heap.c - the earliest deadline comes first, whatever was added and removed before. */
#include "deadline_heap.h"
#include "testing.h"

#define N 200

static struct modelhost_request requests[N];

/* A small linear congruential generator: the same order in every run. */
static uint32_t next_number(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void fill(struct deadline_heap *heap, uint32_t seed)
{
    for (int i = 0; i < N; i++) {
        requests[i] = (struct modelhost_request){.deadline_ns = next_number(&seed) % 50,
                                                 .heap_index = SIZE_MAX};
        assert_int_equal(deadline_heap_add(heap, &requests[i]), MODEL_OK);
    }
}

static void requests_leave_in_the_order_of_their_deadlines(void **state)
{
    (void)state;
    struct deadline_heap heap = {0};
    fill(&heap, 1);
    int64_t last_ns = -1;
    for (int i = 0; i < N; i++) {
        struct modelhost_request *first = deadline_heap_first(&heap);
        assert_true(first->deadline_ns >= last_ns);
        last_ns = first->deadline_ns;
        deadline_heap_remove(&heap, first);
        assert_true(first->heap_index == SIZE_MAX);
    }
    assert_null(deadline_heap_first(&heap));
    deadline_heap_finish(&heap);
}

static void removing_from_the_middle_keeps_the_order(void **state)
{
    (void)state;
    struct deadline_heap heap = {0};
    fill(&heap, 2);
    uint32_t seed = 3;
    for (int i = 0; i < N; i++)
        if (next_number(&seed) % 2 == 0)
            deadline_heap_remove(&heap, &requests[i]);
    int64_t last_ns = -1;
    for (struct modelhost_request *first; (first = deadline_heap_first(&heap)) != NULL;) {
        assert_true(first->deadline_ns >= last_ns);
        last_ns = first->deadline_ns;
        deadline_heap_remove(&heap, first);
    }
    deadline_heap_finish(&heap);
}

static void removing_what_is_not_there_does_nothing(void **state)
{
    (void)state;
    struct deadline_heap heap = {0};
    struct modelhost_request a = {.deadline_ns = 1, .heap_index = SIZE_MAX}, b = a;
    assert_int_equal(deadline_heap_add(&heap, &a), MODEL_OK);
    deadline_heap_remove(&heap, &b);
    assert_ptr_equal(deadline_heap_first(&heap), &a);
    deadline_heap_remove(&heap, &a);
    deadline_heap_remove(&heap, &a);
    assert_null(deadline_heap_first(&heap));
    deadline_heap_finish(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_leave_in_the_order_of_their_deadlines),
        cmocka_unit_test(removing_from_the_middle_keeps_the_order),
        cmocka_unit_test(removing_what_is_not_there_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
