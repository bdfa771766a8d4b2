/* test_request_queue.c - whose turn it is: priorities, turns of models, order within; and that no model
 * starves. */
#include "loaded_model.h"
#include "request_queue.h"
#include "testing.h"

#define MANY 64

static struct modelhost_request make(struct modelhost_model *model, int32_t priority, uint64_t id)
{
    return (struct modelhost_request){.model = model, .priority = priority, .id = id};
}

static void add(struct request_queue *queue, struct modelhost_request *request)
{
    assert_int_equal(request_queue_add(queue, request), MODEL_OK);
}

/* Takes out whose turn it is, or NULL. */
static struct modelhost_request *take_next(struct request_queue *queue)
{
    struct modelhost_request *next = request_queue_first(queue);
    if (next != NULL)
        request_queue_take(queue, &next, 1);
    return next;
}

static void assert_order(struct request_queue *queue, const uint64_t *ids, int n_ids)
{
    for (int i = 0; i < n_ids; i++) {
        const struct modelhost_request *first = request_queue_first(queue);
        const struct modelhost_request *taken = take_next(queue);
        assert_non_null(taken);
        assert_ptr_equal(first, taken);
        assert_int_equal(taken->id, ids[i]);
    }
    assert_null(take_next(queue));
    assert_int_equal(queue->n_requests, 0);
    request_queue_finish(queue);
}

static void one_model_is_served_in_the_order_of_coming(void **state)
{
    (void)state;
    struct request_queue queue = {.max_requests = MANY};
    struct modelhost_model model = {0};
    struct modelhost_request a = make(&model, 0, 1), b = make(&model, 0, 2), c = make(&model, 0, 3);
    add(&queue, &a);
    add(&queue, &b);
    add(&queue, &c);
    assert_order(&queue, (const uint64_t[]){1, 2, 3}, 3);
}

static void one_that_is_put_first_is_the_next_of_its_model(void **state)
{
    (void)state;
    struct request_queue queue = {.max_requests = MANY};
    struct modelhost_model model = {0}, other = {0};
    struct modelhost_request a = make(&model, 0, 1), b = make(&model, 0, 2), c = make(&other, 0, 3),
                             d = make(&other, 0, 4);
    assert_int_equal(request_queue_add_first(&queue, &a), MODEL_OK);
    add(&queue, &c);
    assert_int_equal(request_queue_add_first(&queue, &b), MODEL_OK);
    assert_int_equal(request_queue_add_first(&queue, &d), MODEL_OK);
    assert_order(&queue, (const uint64_t[]){2, 4, 1, 3}, 4);
}

static void several_that_are_taken_together_are_one_turn(void **state)
{
    (void)state;
    struct request_queue queue = {.max_requests = MANY};
    struct modelhost_model model = {0}, other = {0};
    struct modelhost_request a = make(&model, 0, 1), b = make(&model, 0, 2), c = make(&model, 0, 3),
                             d = make(&model, 0, 4), e = make(&other, 0, 5);
    struct modelhost_request *const together[] = {&a, &c};
    add(&queue, &a);
    add(&queue, &b);
    add(&queue, &c);
    add(&queue, &d);
    add(&queue, &e);
    request_queue_take(&queue, together, 2);
    assert_order(&queue, (const uint64_t[]){5, 2, 4}, 3);
}

static void a_higher_priority_goes_first_whatever_came_before(void **state)
{
    (void)state;
    struct request_queue queue = {.max_requests = MANY};
    struct modelhost_model model = {0}, other = {0};
    struct modelhost_request a = make(&model, 0, 1), b = make(&other, -5, 2),
                             c = make(&model, INT32_MAX, 3), d = make(&other, INT32_MIN, 4),
                             e = make(&other, 0, 5), f = make(&model, INT32_MAX, 6);
    add(&queue, &a);
    add(&queue, &b);
    add(&queue, &c);
    add(&queue, &d);
    add(&queue, &e);
    add(&queue, &f);
    assert_order(&queue, (const uint64_t[]){3, 6, 1, 5, 2, 4}, 6);
}

static void models_of_one_priority_take_turns(void **state)
{
    (void)state;
    struct request_queue queue = {.max_requests = MANY};
    struct modelhost_model x = {0}, y = {0}, z = {0};
    struct modelhost_request x1 = make(&x, 0, 11), x2 = make(&x, 0, 12), x3 = make(&x, 0, 13),
                             y1 = make(&y, 0, 21), y2 = make(&y, 0, 22), z1 = make(&z, 0, 31);
    add(&queue, &x1);
    add(&queue, &x2);
    add(&queue, &x3);
    add(&queue, &y1);
    add(&queue, &y2);
    add(&queue, &z1);
    assert_order(&queue, (const uint64_t[]){11, 21, 31, 12, 22, 13}, 6);
}

static void what_is_removed_leaves_the_others_their_turns(void **state)
{
    (void)state;
    struct request_queue queue = {.max_requests = MANY};
    struct modelhost_model x = {0}, y = {0};
    struct modelhost_request x1 = make(&x, 0, 11), x2 = make(&x, 0, 12), x3 = make(&x, 0, 13),
                             y1 = make(&y, 0, 21), y2 = make(&y, 1, 22);
    add(&queue, &x1);
    add(&queue, &x2);
    add(&queue, &x3);
    add(&queue, &y1);
    add(&queue, &y2);
    request_queue_remove(&queue, &y2); /* alone in its group */
    request_queue_remove(&queue, &x2); /* in the middle */
    request_queue_remove(&queue, &x1); /* the first */
    assert_int_equal(queue.n_requests, 2);
    assert_order(&queue, (const uint64_t[]){13, 21}, 2);
}

static void it_is_full_at_its_bound(void **state)
{
    (void)state;
    struct request_queue queue = {.max_requests = 2};
    struct modelhost_model model = {0};
    struct modelhost_request a = make(&model, 0, 1), b = make(&model, 7, 2);
    assert_false(request_queue_is_full(&queue));
    add(&queue, &a);
    add(&queue, &b);
    assert_true(request_queue_is_full(&queue));
    assert_order(&queue, (const uint64_t[]){2, 1}, 2);
}

enum { N_MODELS = 5 };

/* Adds one more request of model m, if one of its MANY is not in the queue. */
static int add_one(struct request_queue *queue, struct modelhost_model *models, int m)
{
    static struct modelhost_request requests[N_MODELS][MANY];
    for (int i = 0; i < MANY; i++)
        if (requests[m][i].group == NULL) {
            requests[m][i] = make(&models[m], 0, (uint64_t)m);
            add(queue, &requests[m][i]);
            return 1;
        }
    return 0;
}

/* The bound on waiting: between two services of a model that waits every other one is served once at most,
 * however many requests model 0 has, and whenever the others come. */
static void a_hungry_model_starves_nobody(void **state)
{
    (void)state;
    struct request_queue queue = {.max_requests = N_MODELS * MANY};
    static struct modelhost_model models[N_MODELS];
    int n_waiting[N_MODELS] = {0}, passed_over[N_MODELS] = {0}, n_served[N_MODELS] = {0};
    uint32_t random = 1;
    for (int round = 0; round < 5000; round++) {
        while (add_one(&queue, models, 0))
            n_waiting[0]++;
        random = random * 1664525 + 1013904223;
        const int comes = 1 + (int)(random >> 16) % (N_MODELS - 1);
        if ((random >> 30) != 0 && add_one(&queue, models, comes) && n_waiting[comes]++ == 0)
            passed_over[comes] = 0;
        const int served = (int)take_next(&queue)->id;
        for (int m = 0; m < N_MODELS; m++)
            if (m != served && n_waiting[m] > 0)
                assert_true(++passed_over[m] < N_MODELS);
        passed_over[served] = 0;
        n_waiting[served]--;
        n_served[served]++;
    }
    for (int m = 0; m < N_MODELS; m++)
        assert_true(n_served[m] > 5000 / N_MODELS / 2);
    while (take_next(&queue) != NULL)
        continue;
    request_queue_finish(&queue);
}

static void emptied_groups_are_used_again(void **state)
{
    (void)state;
    struct request_queue queue = {.max_requests = MANY};
    struct modelhost_model model = {0};
    struct modelhost_request request = make(&model, 3, 1);
    add(&queue, &request);
    const struct request_group *group = request.group;
    assert_ptr_equal(take_next(&queue), &request);
    assert_null(model.lane_account.waiting);
    add(&queue, &request);
    assert_ptr_equal(request.group, group);
    assert_order(&queue, (const uint64_t[]){1}, 1);
}

static void what_is_held_has_no_turn_but_a_place(void **state)
{
    (void)state;
    struct request_queue queue = {.max_requests = 3};
    struct modelhost_model model = {0};
    struct modelhost_request a = make(&model, 0, 1), b = make(&model, 0, 2), c = make(&model, 0, 3);
    request_queue_hold(&queue, &a);
    request_queue_hold(&queue, &b);
    assert_null(request_queue_first(&queue));
    assert_false(request_queue_is_full(&queue));
    add(&queue, &c);
    assert_true(request_queue_is_full(&queue));
    request_queue_remove(&queue, &a);
    assert_ptr_equal(queue.first_held, &b);
    assert_ptr_equal(queue.last_held, &b);
    request_queue_remove(&queue, &b);
    assert_null(queue.first_held);
    assert_null(queue.last_held);
    add(&queue, &b);
    assert_order(&queue, (const uint64_t[]){3, 2}, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_model_is_served_in_the_order_of_coming),
        cmocka_unit_test(one_that_is_put_first_is_the_next_of_its_model),
        cmocka_unit_test(several_that_are_taken_together_are_one_turn),
        cmocka_unit_test(a_higher_priority_goes_first_whatever_came_before),
        cmocka_unit_test(models_of_one_priority_take_turns),
        cmocka_unit_test(what_is_removed_leaves_the_others_their_turns),
        cmocka_unit_test(it_is_full_at_its_bound),
        cmocka_unit_test(a_hungry_model_starves_nobody),
        cmocka_unit_test(emptied_groups_are_used_again),
        cmocka_unit_test(what_is_held_has_no_turn_but_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
