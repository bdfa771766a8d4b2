/* test_worker_description.c - host/workers/worker_description.c: a description and a plan of devices come out as they went
 * in. */
#include "errors.h"
#include "testing.h"
#include "worker_description.h"

static const struct model_dimension two[] = {{"batch", 1, INT64_MAX}, {NULL, 7, 7}};
static const struct model_tensor_spec a = {sizeof a, "a", MODEL_F32, 2, two, 0, 0};
static const struct model_tensor_spec b = {
    sizeof b, "scalar", MODEL_I64, 0, NULL, MODEL_SPEC_OPTIONAL, 0};
static const struct model_tensor_spec c = {sizeof c, "c", MODEL_BF16, 1, two, MODEL_SPEC_ON_REQUEST,
                                           0};
static const struct model_tensor_spec *const inputs[] = {&a, &b}, *const outputs[] = {&c};
static const struct model_description full = {
    .struct_size = sizeof full,
    .architecture = "Example",
    .task = NULL,
    .inputs = inputs,
    .outputs = outputs,
    .n_inputs = 2,
    .n_outputs = 1,
    .device = "cpu",
    .compute_dtype = "bf16",
    .max_batch = INT64_MAX,
    .capabilities = MODEL_CAN_STREAM,
    .cancel_grain = MODEL_CANCEL_TOKEN,
    .accelerator_share = 0.25,
    .memory_bytes = 1ull << 40,
    .instance_bytes = 99,
    .estimated_run_ns = 12345678901,
    .prepared_key = "key",
    .max_slots = 8,
};

static const struct model_device_plan plan = {.struct_size = sizeof plan,
                                              .requested_units = MODEL_UNITS_ALL,
                                              .n_operators = 9,
                                              .n_neural_engine = 5,
                                              .n_gpu = 3,
                                              .n_cpu = 1,
                                              .neural_engine_share = 0.625};
static struct model_device_plan got;

static void compare_specs(const struct model_tensor_spec *const *x,
                          const struct model_tensor_spec *const *y, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(x[i]->struct_size, sizeof **x);
        assert_string_equal(x[i]->name, y[i]->name);
        assert_int_equal(x[i]->dtype, y[i]->dtype);
        assert_int_equal(x[i]->flags, y[i]->flags);
        assert_int_equal(x[i]->rank, y[i]->rank);
        for (uint32_t k = 0; k < x[i]->rank; k++) {
            assert_true((x[i]->shape[k].name == NULL) == (y[i]->shape[k].name == NULL));
            if (y[i]->shape[k].name != NULL)
                assert_string_equal(x[i]->shape[k].name, y[i]->shape[k].name);
            assert_true(x[i]->shape[k].min == y[i]->shape[k].min);
            assert_true(x[i]->shape[k].max == y[i]->shape[k].max);
        }
    }
}

static void a_description_comes_out_as_it_went_in(void **state)
{
    (void)state;
    struct buffer bytes = BUFFER_INIT(4096);
    struct model_description *d = NULL;
    assert_int_equal(worker_description_write(&full, &plan, &bytes, NULL), MODEL_OK);
    assert_int_equal(worker_description_read(bytes.data, bytes.size, &d, &got, NULL), MODEL_OK);
    buffer_finish(&bytes); /* it does not point there */
    assert_int_equal(d->struct_size, sizeof *d);
    assert_string_equal(d->architecture, "Example");
    assert_null(d->task);
    assert_string_equal(d->device, "cpu");
    assert_string_equal(d->compute_dtype, "bf16");
    assert_string_equal(d->prepared_key, "key");
    assert_true(d->max_batch == INT64_MAX && d->accelerator_share == 0.25);
    assert_true(d->memory_bytes == 1ull << 40 && d->instance_bytes == 99);
    assert_true(d->estimated_run_ns == 12345678901 && d->max_slots == 8);
    assert_int_equal(d->capabilities, MODEL_CAN_STREAM);
    assert_int_equal(d->cancel_grain, MODEL_CANCEL_TOKEN);
    assert_int_equal(d->n_inputs, 2);
    assert_int_equal(d->n_outputs, 1);
    compare_specs(d->inputs, inputs, 2);
    compare_specs(d->outputs, outputs, 1);
    free(d);
    assert_memory_equal(&got, &plan, sizeof got);
}

static void a_model_without_a_plan_has_none_afterwards(void **state)
{
    (void)state;
    struct buffer bytes = BUFFER_INIT(4096);
    struct model_description *d = NULL;
    got = plan;
    assert_int_equal(worker_description_write(&full, NULL, &bytes, NULL), MODEL_OK);
    assert_int_equal(worker_description_read(bytes.data, bytes.size, &d, &got, NULL), MODEL_OK);
    assert_int_equal(got.struct_size, 0);
    free(d);
    buffer_finish(&bytes);
}

static void a_plan_that_cannot_be_is_refused(void **state)
{
    (void)state;
    const struct model_device_plan wrong[] = {
        {.struct_size = 1, .requested_units = 5},
        {.struct_size = 1, .requested_units = -1},
        {.struct_size = 1, .by_kernels = 2},
        {.struct_size = 1, .by_kernels = 1, .n_operators = 1, .n_cpu = 1},
        {.struct_size = 1, .n_operators = 2, .n_cpu = 1},
        {.struct_size = 1, .n_gpu = 1u << 31, .n_cpu = 1u << 31}, /* 0, in 32 bits */
        {.struct_size = 1, .neural_engine_share = 1.5},
        {.struct_size = 1, .neural_engine_share = __builtin_nan("")},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct buffer bytes = BUFFER_INIT(4096);
        struct model_description *d = NULL;
        assert_int_equal(worker_description_write(&full, &wrong[i], &bytes, NULL), MODEL_OK);
        assert_int_equal(worker_description_read(bytes.data, bytes.size, &d, &got, NULL),
                         MODEL_CORRUPT);
        buffer_finish(&bytes);
    }
}

static void a_description_cut_short_is_refused(void **state)
{
    (void)state;
    struct buffer bytes = BUFFER_INIT(4096);
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(worker_description_write(&full, &plan, &bytes, NULL), MODEL_OK);
    for (size_t n = 0; n < bytes.size; n++) {
        struct model_description *d = NULL;
        char *copy = malloc(n > 0 ? n : 1);
        memcpy(copy, bytes.data, n);
        assert_int_equal(worker_description_read(copy, n, &d, &got, &err), MODEL_CORRUPT);
        assert_null(d);
        free(copy);
    }
    buffer_finish(&bytes);
}

static void a_description_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct buffer bytes = BUFFER_INIT(4096);
    struct model_description *d = NULL;
    struct model_description twice = full;
    const struct model_tensor_spec *const same[] = {&a, &a};
    twice.inputs = same;
    assert_int_equal(worker_description_write(&twice, NULL, &bytes, NULL), MODEL_OK);
    assert_int_equal(worker_description_read(bytes.data, bytes.size, &d, &got, NULL),
                     MODEL_CORRUPT);
    buffer_clear(&bytes);
    assert_int_equal(worker_description_write(&full, &plan, &bytes, NULL), MODEL_OK);
    const uint64_t many = 1ull << 32; /* inputs */
    memcpy(bytes.data, &many, sizeof many);
    assert_int_equal(worker_description_read(bytes.data, bytes.size, &d, &got, NULL),
                     MODEL_CORRUPT);
    buffer_finish(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_description_comes_out_as_it_went_in),
        cmocka_unit_test(a_model_without_a_plan_has_none_afterwards),
        cmocka_unit_test(a_plan_that_cannot_be_is_refused),
        cmocka_unit_test(a_description_cut_short_is_refused),
        cmocka_unit_test(a_description_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
