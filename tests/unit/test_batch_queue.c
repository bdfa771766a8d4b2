/* test_batch_queue.c - host/batching/batch_queue.c: what a request says of itself, and whom it goes with. */
#include "batch_queue.h"
#include "dtype.h"
#include "loaded_model.h"
#include "request.h"
#include "testing.h"

#define MS 1000000ll

static const struct model_dimension text_shape[] = {{"batch", 1, 16}, {"sequence", 0, 99}};
static const struct model_dimension plain_shape[] = {{"n", 0, 99}};
static const struct model_tensor_spec ids = {sizeof ids, "input_ids", MODEL_I64, 2,
                                             text_shape, 0,           0};
static const struct model_tensor_spec mask = {sizeof mask, "attention_mask",    MODEL_I64, 2,
                                              text_shape,  MODEL_SPEC_OPTIONAL, 0};
static const struct model_tensor_spec sum = {sizeof sum, "sum", MODEL_I64, 1, text_shape, 0, 0};
static const struct model_tensor_spec plain = {sizeof plain, "x", MODEL_F32, 1, plain_shape, 0, 0};
static const struct model_tensor_spec *const inputs[] = {&ids, &mask}, *const outputs[] = {&sum};
static const struct model_tensor_spec *const plain_inputs[] = {&plain};
static struct model_description description = {.struct_size = sizeof description,
                                               .inputs = inputs,
                                               .outputs = outputs,
                                               .n_inputs = 2,
                                               .n_outputs = 1};
static struct model plugin = {.description = &description};
static struct modelhost_model model = {.model = &plugin,
                                       .batching = {.max_items = 8, .max_delay_ns = 5 * MS}};

/* A request for texts; with a mask if `masked`. */
struct texts {
    struct model_tensor tensors[2];
    const struct model_tensor *inputs[2];
    struct modelhost_request request;
};

static void make_texts(struct texts *texts, int64_t n_items, int64_t length, bool masked)
{
    static int64_t data[1024];
    const int64_t shape[] = {n_items, length};
    memset(texts, 0, sizeof *texts);
    tensor_init(&texts->tensors[0], "input_ids", MODEL_I64, 2, shape, data);
    tensor_init(&texts->tensors[1], "attention_mask", MODEL_I64, 2, shape, data);
    texts->inputs[0] = &texts->tensors[0];
    texts->inputs[1] = &texts->tensors[1];
    texts->request.inputs = texts->inputs;
    texts->request.n_inputs = masked ? 2 : 1;
    texts->request.model = &model;
    texts->request.deadline_ns = INT64_MAX;
    batch_describe(&texts->request);
}

static void texts_count_their_items_and_tokens(void **state)
{
    (void)state;
    struct texts texts;
    make_texts(&texts, 3, 7, false);
    assert_true(texts.request.candidate.key != 0);
    assert_int_equal(texts.request.candidate.n_items, 3);
    assert_int_equal(texts.request.candidate.n_tokens, 21);
}

static void lengths_and_masks_make_no_difference(void **state)
{
    (void)state;
    struct texts a, b;
    make_texts(&a, 3, 7, false);
    make_texts(&b, 1, 2, true);
    assert_true(a.request.candidate.key == b.request.candidate.key);
}

static void without_a_mask_lengths_make_a_difference(void **state)
{
    (void)state;
    struct texts a, b, c;
    description.n_inputs = 1;
    make_texts(&a, 3, 7, false);
    make_texts(&b, 3, 6, false);
    make_texts(&c, 1, 7, false);
    description.n_inputs = 2;
    assert_true(a.request.candidate.key != b.request.candidate.key);
    assert_true(a.request.candidate.key == c.request.candidate.key);
}

static void other_outputs_make_a_difference(void **state)
{
    (void)state;
    char name[] = "sum";
    char *names[] = {name};
    struct texts a, b;
    make_texts(&a, 1, 1, false);
    make_texts(&b, 1, 1, false);
    b.request.output_names = names;
    b.request.n_output_names = 1;
    batch_describe(&b.request);
    assert_true(b.request.candidate.key != 0);
    assert_true(a.request.candidate.key != b.request.candidate.key);
}

static void emit(void *context, const struct model_tensor *const *tensors, uint32_t n_tensors)
{
    (void)context;
    (void)tensors;
    (void)n_tensors;
}

static model_status run_job(struct request_job *job, struct modelhost_request *request,
                            struct modelhost_result **ret_result, struct model_error *err)
{
    (void)job;
    (void)request;
    (void)ret_result;
    (void)err;
    return MODEL_OK;
}

static model_status prepare_job(struct request_job *job, struct modelhost_request *request,
                                struct model_error *err)
{
    (void)job;
    (void)request;
    (void)err;
    return MODEL_OK;
}

static void streams_sessions_and_own_runs_are_never_joined(void **state)
{
    (void)state;
    struct texts texts;
    make_texts(&texts, 1, 1, false);
    texts.request.on_tensors = emit;
    batch_describe(&texts.request);
    assert_true(texts.request.candidate.key == 0);
    texts.request.on_tensors = NULL;
    texts.request.session = (struct modelhost_session *)&texts;
    batch_describe(&texts.request);
    assert_true(texts.request.candidate.key == 0);
    texts.request.session = NULL;
    struct request_job job = {.prepare = prepare_job, .run = run_job, .n_items = 1};
    texts.request.job = &job;
    batch_describe(&texts.request);
    assert_true(texts.request.candidate.key == 0);
}

static void a_job_is_joined_if_it_says_how_many_items_it_has(void **state)
{
    (void)state;
    struct request_job job = {.prepare = prepare_job};
    struct texts texts;
    make_texts(&texts, 1, 1, false);
    texts.request.job = &job;
    batch_describe(&texts.request);
    assert_true(texts.request.candidate.key == 0);
    job.n_items = 2;
    job.n_tokens = 9;
    batch_describe(&texts.request);
    assert_true(texts.request.candidate.key != 0);
    assert_int_equal(texts.request.candidate.n_items, 2);
    assert_int_equal(texts.request.candidate.n_tokens, 9);
}

static void a_model_without_batching_joins_nothing(void **state)
{
    (void)state;
    struct texts texts;
    model.batching.max_items = 0;
    make_texts(&texts, 1, 1, false);
    model.batching.max_items = 8;
    assert_true(texts.request.candidate.key == 0);
    struct modelhost_request *members[BATCH_MAX_ITEMS];
    int64_t run_at_ns = -1;
    assert_int_equal(batch_gather(&texts.request, 0, members, &run_at_ns), 1);
}

static void company_is_found_in_the_order_of_the_queue(void **state)
{
    (void)state;
    struct modelhost_request *members[BATCH_MAX_ITEMS];
    static struct modelhost_model other;
    struct texts queue[5];
    int64_t run_at_ns = -1;
    for (int i = 0; i < 5; i++) {
        make_texts(&queue[i], 2, 1, false);
        queue[i].request.next = i < 4 ? &queue[i + 1].request : NULL;
    }
    queue[1].request.model = &other;
    queue[3].request.candidate.key++;
    assert_int_equal(batch_gather(&queue[0].request, 0, members, &run_at_ns), 0);
    assert_true(run_at_ns == 5 * MS);
    assert_int_equal(batch_gather(&queue[0].request, 5 * MS, members, &run_at_ns), 3);
    assert_ptr_equal(members[0], &queue[0].request);
    assert_ptr_equal(members[1], &queue[2].request);
    assert_ptr_equal(members[2], &queue[4].request);
}

static void limits_are_the_models_too(void **state)
{
    (void)state;
    static const struct log_sink silent = {0};
    static char name[] = "toy";
    struct modelhost_model wanting = {
        .model = &plugin,
        .log = &silent,
        .package.dir = name,
        .services.model_name = name,
        .load = {.max_batch = 64, .max_delay_us = 5, .max_batch_tokens = 7}};
    struct batch_limits limits = batch_limits_of(&wanting);
    assert_int_equal(limits.max_items, 16);
    assert_true(limits.max_tokens == 7 && limits.max_delay_ns == 5000);
    description.max_batch = 4;
    limits = batch_limits_of(&wanting);
    description.max_batch = 0;
    assert_int_equal(limits.max_items, 4);
    struct model_description without = {.inputs = plain_inputs, .n_inputs = 1};
    struct model other = {.description = &without};
    wanting.model = &other;
    assert_int_equal(batch_limits_of(&wanting).max_items, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_count_their_items_and_tokens),
        cmocka_unit_test(lengths_and_masks_make_no_difference),
        cmocka_unit_test(without_a_mask_lengths_make_a_difference),
        cmocka_unit_test(other_outputs_make_a_difference),
        cmocka_unit_test(streams_sessions_and_own_runs_are_never_joined),
        cmocka_unit_test(a_job_is_joined_if_it_says_how_many_items_it_has),
        cmocka_unit_test(a_model_without_batching_joins_nothing),
        cmocka_unit_test(company_is_found_in_the_order_of_the_queue),
        cmocka_unit_test(limits_are_the_models_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
