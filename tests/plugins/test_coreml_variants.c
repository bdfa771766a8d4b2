/* test_coreml_variants.c - a convolution over pictures of any size up to a bound: each size answers right, on many lanes at
 * once, more sizes than are kept, cancelled, and without memory. Covers plugins/coreml-ane/variants.c. */
#include "coreml_writer.h"
#include "dtype.h"
#include "files.h"
#include "plugin_harness.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define CONVOLUTION 100
#define LARGEST     64
#define USUAL       8
#define KEPT        8 /* variants beside that of the default size */

static const float taps[9] = {1, -2, 3, -4, 5, -6, 7, -8, 9};

/* ---- the model: y = x * taps with a border of zeros, x [1, 8 (1..64), 8 (1..64)] */

static struct proto range_feature(void)
{
    static const uint64_t usual[] = {1, USUAL, USUAL}, least[] = {1, 1, 1},
                          most[] = {1, LARGEST, LARGEST};
    return ranged_feature(3, usual, least, most);
}

static struct proto convolution(void)
{
    struct proto params = {.n = 0}, weights = {.n = 0};
    proto_number(&params, 1, 1);
    proto_number(&params, 2, 1);
    proto_number(&params, 10, 1);
    proto_number(&params, 20, 3);
    proto_number(&params, 20, 3);
    proto_empty(&params, 51); /* the same size as x */
    proto_bytes(&weights, 1, taps, sizeof taps);
    proto_child(&params, 90, &weights);
    return params;
}

static struct proto make_model(void)
{
    struct proto model = {.n = 0}, description = {.n = 0};
    const struct proto x = range_feature();
    const struct proto y = array_feature("y", (const uint64_t[]){1, USUAL, USUAL}, 3);
    const struct proto network = proto_in(1, layer_of("x", "y", CONVOLUTION, convolution()));
    proto_child(&description, 1, &x);
    proto_child(&description, 10, &y);
    proto_number(&model, 1, 3);
    proto_child(&model, 2, &description);
    proto_child(&model, 500, &network);
    return model;
}

/* ---- its life */

struct subject {
    struct harness *h;
    char *dir;
};

static _Thread_local void *scratch_block; /* each lane has its own */

static void *lane_scratch(void *context, size_t size_bytes)
{
    struct harness *h = context;
    if (++h->n_allocated == h->fail_at)
        return NULL;
    free(scratch_block);
    scratch_block = aligned_alloc(64, (size_bytes + 63) / 64 * 64);
    return scratch_block;
}

static void end_lane(void)
{
    free(scratch_block);
    scratch_block = NULL;
}

static struct subject open_subject(void)
{
    const struct proto model = make_model();
    struct subject s = {harness_create("coreml-ane", "{\"model_type\":\"coreml\"}", 1),
                        scratch_dir()};
    char *path = path_join(s.dir, "model.mlmodel");
    write_file(path, model.data, model.n);
    free(path);
    s.h->services.scratch = lane_scratch;
    s.h->args.backend_dir = s.dir;
    if (harness_load(s.h) != MODEL_OK)
        fail_msg("%s", s.h->err.message);
    return s;
}

static void close_subject(struct subject *s)
{
    end_lane();
    assert_int_equal(harness_destroy(s->h), 0);
    assert_int_equal(dir_remove_all(s->dir, NULL), MODEL_OK);
    free(s->dir);
}

/* ---- a run */

struct request {
    struct model_instance *instance;
    int64_t height, width;
    const uint32_t *cancelled;
    struct model_error err;
    float *y;
    void (*meanwhile)(struct request *request); /* in allocate_output(), or NULL */
    void *argument;
};

static float number_at(int64_t row, int64_t column)
{
    return (float)((row * 31 + column * 17) % 23 - 11);
}

static model_status give_output(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                                const int64_t *shape, struct model_error *err)
{
    struct request *request = context;
    (void)index, (void)err;
    assert_int_equal(dtype, MODEL_F32);
    assert_int_equal(rank, 3);
    assert_int_equal(shape[0], 1);
    assert_int_equal(shape[1], request->height);
    assert_int_equal(shape[2], request->width);
    if (request->meanwhile != NULL)
        request->meanwhile(request);
    return MODEL_OK;
}

static model_status ask(struct request *request)
{
    const int64_t shape[] = {1, request->height, request->width};
    const size_t n = (size_t)(request->height * request->width);
    float *x = malloc(n * sizeof *x);
    request->y = calloc(n, sizeof *request->y);
    struct model_tensor in, out = {.struct_size = sizeof out, .name = "y", .data = request->y};
    for (int64_t i = 0; i < request->height * request->width; i++)
        x[i] = number_at(i / request->width, i % request->width);
    tensor_init(&in, "x", MODEL_F32, 3, shape, x);
    const struct model_tensor *inputs[] = {&in};
    struct model_tensor *outputs[] = {&out};
    static const uint32_t never;
    const struct model_cancel cancel = {
        sizeof cancel, request->cancelled != NULL ? request->cancelled : &never, INT64_MAX};
    const struct model_call call = {.struct_size = sizeof call,
                                    .inputs = inputs,
                                    .n_inputs = 1,
                                    .outputs = outputs,
                                    .n_outputs = 1,
                                    .allocate_output = give_output,
                                    .context = request,
                                    .cancel = &cancel};
    request->err = (struct model_error){.struct_size = sizeof request->err};
    const model_status status = request->instance->run(request->instance, &call, &request->err);
    free(x);
    return status;
}

/* Number by number, from the definition. */
static bool is_right(const struct request *r)
{
    for (int64_t i = 0; i < r->height * r->width; i++) {
        double sum = 0;
        for (int64_t t = 0; t < 9; t++) {
            const int64_t row = i / r->width + t / 3 - 1, column = i % r->width + t % 3 - 1;
            if (row >= 0 && row < r->height && column >= 0 && column < r->width)
                sum += (double)taps[t] * (double)number_at(row, column);
        }
        if (!(fabs((double)r->y[i] - sum) <= 1e-3))
            return false;
    }
    return true;
}

static bool answers(struct model_instance *instance, int64_t height, int64_t width)
{
    struct request request = {.instance = instance, .height = height, .width = width};
    const model_status status = ask(&request);
    const bool right = status == MODEL_OK && is_right(&request);
    if (status != MODEL_OK)
        print_error("%s\n", request.err.message);
    free(request.y);
    return right;
}

/* Allocations of a run. */
static size_t cost_of(struct harness *h, int64_t size)
{
    const size_t before = h->n_allocated;
    assert_true(answers(h->instance, size, size));
    return h->n_allocated - before;
}

/* ---- */

static void each_size_answers(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 7, USUAL, 16, 63, LARGEST};
    struct subject s = open_subject();
    for (size_t i = 0; i < 7; i++)
        for (size_t k = 0; k < 7; k++)
            assert_true(answers(s.h->instance, sizes[i], sizes[k]));
    close_subject(&s);
}

static void inputs_and_outputs_are_described_by_their_ranges(void **state)
{
    (void)state;
    struct subject s = open_subject();
    const struct model_description *d = s.h->model->description;
    const struct model_dimension *x = d->inputs[0]->shape, *y = d->outputs[0]->shape;
    assert_int_equal(d->max_batch, 1);
    assert_true(x[0].name == NULL && y[0].name == NULL);
    for (uint32_t i = 1; i < 3; i++) {
        assert_non_null(x[i].name);
        assert_int_equal(x[i].min, 1);
        assert_int_equal(x[i].max, LARGEST);
        assert_int_equal(y[i].min, 1);
        assert_int_equal(y[i].max, LARGEST);
    }
    assert_string_not_equal(x[1].name, x[2].name); /* nothing says that they are equal */
    close_subject(&s);
}

static void a_size_that_is_kept_costs_what_the_default_costs(void **state)
{
    (void)state;
    struct subject s = open_subject();
    assert_true(cost_of(s.h, USUAL) > 0);
    const size_t usual = cost_of(s.h, USUAL), first = cost_of(s.h, 20);
    assert_true(first > usual);
    assert_int_equal(cost_of(s.h, 20), usual);
    close_subject(&s);
}

static void the_size_that_was_used_least_recently_gives_way(void **state)
{
    (void)state;
    struct subject s = open_subject();
    const size_t usual = (cost_of(s.h, USUAL), cost_of(s.h, USUAL));
    for (int64_t size = 20; size < 20 + KEPT; size++)
        assert_true(cost_of(s.h, size) > usual);
    assert_int_equal(cost_of(s.h, 20), usual);
    assert_true(cost_of(s.h, 40) > usual); /* in the place of 21 */
    assert_int_equal(cost_of(s.h, 20), usual);
    assert_int_equal(cost_of(s.h, 22), usual);
    assert_true(cost_of(s.h, 21) > usual);
    close_subject(&s);
}

static void more_sizes_than_are_kept_leave_nothing(void **state)
{
    (void)state;
    struct subject s = open_subject();
    for (int64_t size = 20; size < 20 + 2 * KEPT; size++)
        assert_true(answers(s.h->instance, size, size));
    const size_t held = s.h->held;
    for (int64_t size = 20; size < 20 + 2 * KEPT; size++)
        assert_true(answers(s.h->instance, size, size));
    assert_int_equal(s.h->held, held);
    close_subject(&s);
}

/* Runs a request of the next size while the one before holds its variant. */
static void nest(struct request *request)
{
    struct model_instance **instances = request->argument;
    if (instances[1] == NULL)
        return;
    struct request next = *request;
    next.instance = instances[1];
    next.argument = instances + 1;
    next.height++;
    assert_int_equal(ask(&next), MODEL_OK);
    assert_true(is_right(&next));
    free(next.y);
}

static void more_sizes_at_once_than_are_kept_all_answer(void **state)
{
    (void)state;
    enum { N = KEPT + 3 };
    struct subject s = open_subject();
    struct model_instance *instances[N + 1] = {NULL};
    for (size_t i = 0; i < N; i++)
        assert_int_equal(s.h->model->create_instance(s.h->model, &instances[i], &s.h->err),
                         MODEL_OK);
    struct request first = {.instance = instances[0],
                            .height = 20,
                            .width = 9,
                            .meanwhile = nest,
                            .argument = instances};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ask(&first), MODEL_OK);
        assert_true(is_right(&first));
        free(first.y);
    }
    for (size_t i = 0; i < N; i++)
        instances[i]->destroy(instances[i]);
    close_subject(&s);
}

static void a_raised_token_ends_the_preparing_of_a_size(void **state)
{
    (void)state;
    const uint32_t raised = MODEL_CANCELLED;
    struct subject s = open_subject();
    const size_t held = s.h->held;
    struct request request = {
        .instance = s.h->instance, .height = 30, .width = 30, .cancelled = &raised};
    assert_int_equal(ask(&request), MODEL_CANCELLED);
    assert_string_equal(request.err.message, "the run was ended while its sizes were prepared");
    assert_int_equal(s.h->held, held);
    free(request.y);
    assert_true(answers(s.h->instance, 30, 30));
    close_subject(&s);
}

static void memory_that_fails_fails_one_call_and_leaves_nothing(void **state)
{
    (void)state;
    struct subject s = open_subject();
    struct request request = {.instance = s.h->instance, .height = 30, .width = 31};
    for (size_t n = 1;; n++) {
        s.h->fail_at = s.h->n_allocated + n;
        const model_status status = ask(&request);
        const bool failed = s.h->n_allocated >= s.h->fail_at;
        s.h->fail_at = 0;
        assert_true(status == MODEL_OK || failed);
        if (status == MODEL_OK) {
            assert_true(is_right(&request));
            free(request.y);
            if (failed)
                continue; /* of what only made the call faster */
            assert_true(n > 10);
            break;
        }
        free(request.y);
        assert_int_equal(status, MODEL_OUT_OF_MEMORY);
        assert_true(strlen(request.err.message) > 0);
        assert_true(answers(s.h->instance, USUAL, USUAL));
    }
    close_subject(&s);
}

/* ---- lanes */

struct lane {
    pthread_t thread;
    struct model_instance *instance;
    size_t number, n_wrong;
};

/* Sizes in other orders on each lane: some meet, and more are asked for than are kept. */
static void *run_lane(void *argument)
{
    struct lane *lane = argument;
    for (size_t i = 0; i < 60; i++) {
        const int64_t size = 10 + (int64_t)((i * (2 * lane->number + 1) + i / 7) % 12);
        lane->n_wrong += !answers(lane->instance, size, size + (int64_t)(i % 2));
    }
    end_lane();
    return NULL;
}

static void lanes_of_different_sizes_run_at_once(void **state)
{
    (void)state;
    struct lane lanes[5] = {{.number = 0}};
    struct subject s = open_subject();
    for (size_t i = 0; i < 5; i++) {
        lanes[i].number = i;
        assert_int_equal(s.h->model->create_instance(s.h->model, &lanes[i].instance, &s.h->err),
                         MODEL_OK);
    }
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]), 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(pthread_join(lanes[i].thread, NULL), 0);
        assert_int_equal(lanes[i].n_wrong, 0);
        lanes[i].instance->destroy(lanes[i].instance);
    }
    close_subject(&s);
}

/* The first allocation of whoever prepares a size waits here, when it is closed. */
static struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_closed, is_reached;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};

static void *(*allocate)(void *context, size_t size_bytes);

static void *gated_allocate(void *context, size_t size_bytes)
{
    (void)pthread_mutex_lock(&gate.lock);
    while (gate.is_closed) {
        gate.is_reached = true;
        (void)pthread_cond_broadcast(&gate.changed);
        (void)pthread_cond_wait(&gate.changed, &gate.lock);
    }
    (void)pthread_mutex_unlock(&gate.lock);
    return allocate(context, size_bytes);
}

static void *ask_one(void *argument)
{
    struct lane *lane = argument;
    lane->n_wrong = !answers(lane->instance, 33, 33);
    end_lane();
    return NULL;
}

static void who_waits_for_another_size_hears_its_own_token(void **state)
{
    (void)state;
    const uint32_t raised = MODEL_DEADLINE;
    struct subject s = open_subject();
    struct lane lane = {.number = 0};
    assert_int_equal(s.h->model->create_instance(s.h->model, &lane.instance, &s.h->err), MODEL_OK);
    assert_true(answers(s.h->instance, USUAL, USUAL));
    allocate = s.h->services.allocate;
    s.h->services.allocate = gated_allocate;
    gate.is_closed = true;
    assert_int_equal(pthread_create(&lane.thread, NULL, ask_one, &lane), 0);
    (void)pthread_mutex_lock(&gate.lock);
    while (!gate.is_reached)
        (void)pthread_cond_wait(&gate.changed, &gate.lock);
    (void)pthread_mutex_unlock(&gate.lock);
    struct request request = {
        .instance = s.h->instance, .height = 34, .width = 34, .cancelled = &raised};
    assert_int_equal(ask(&request), MODEL_DEADLINE);
    assert_string_equal(request.err.message, "the run was ended while other sizes were prepared");
    free(request.y);
    assert_true(answers(s.h->instance, USUAL, USUAL)); /* needs nobody's turn */
    (void)pthread_mutex_lock(&gate.lock);
    gate.is_closed = false;
    (void)pthread_cond_broadcast(&gate.changed);
    (void)pthread_mutex_unlock(&gate.lock);
    assert_int_equal(pthread_join(lane.thread, NULL), 0);
    assert_int_equal(lane.n_wrong, 0);
    lane.instance->destroy(lane.instance);
    close_subject(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_size_answers),
        cmocka_unit_test(inputs_and_outputs_are_described_by_their_ranges),
        cmocka_unit_test(a_size_that_is_kept_costs_what_the_default_costs),
        cmocka_unit_test(the_size_that_was_used_least_recently_gives_way),
        cmocka_unit_test(more_sizes_than_are_kept_leave_nothing),
        cmocka_unit_test(more_sizes_at_once_than_are_kept_all_answer),
        cmocka_unit_test(a_raised_token_ends_the_preparing_of_a_size),
        cmocka_unit_test(memory_that_fails_fails_one_call_and_leaves_nothing),
        cmocka_unit_test(lanes_of_different_sizes_run_at_once),
        cmocka_unit_test(who_waits_for_another_size_hears_its_own_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
