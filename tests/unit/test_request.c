/* test_request.c - what a request takes over from its caller. */
#include "request.h"
#include "dtype.h"
#include "echo_package.h"
#include "errors.h"

static struct modelhost_request *make(struct echo *echo, uint32_t n_inputs, int copy)
{
    static float values[16];
    static struct model_tensor tensors[16];
    static const struct model_tensor *inputs[16];
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_request *request = NULL;
    const int64_t one = 1;
    options.priority = -3;
    for (uint32_t i = 0; i < n_inputs; i++) {
        values[i] = (float)i;
        tensor_init(&tensors[i], "x", MODEL_F32, 1, &one, &values[i]);
        inputs[i] = &tensors[i];
    }
    assert_int_equal(request_create(echo->model, inputs, n_inputs, copy, &options, &request, NULL),
                     MODEL_OK);
    for (uint32_t i = 0; i < n_inputs; i++)
        assert_int_equal(request->inputs[i]->data == &values[i], !copy);
    if (copy)
        memset(values, 0, sizeof values);
    return request;
}

static void few_and_many_inputs_are_kept_copied_or_not(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    static const uint32_t counts[] = {0, 1, REQUEST_FEW_INPUTS, REQUEST_FEW_INPUTS + 1, 16};
    for (int copy = 0; copy < 2; copy++)
        for (int i = 0; i < 5; i++) {
            struct modelhost_request *request = make(&echo, counts[i], copy);
            for (uint32_t k = 0; k < counts[i]; k++)
                assert_true(*(const float *)request->inputs[k]->data == (float)k);
            assert_int_equal(request->priority, -3);
            request_drop(request);
        }
    echo_close(&echo);
}

static void a_job_may_give_inputs_again(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct modelhost_request *request = make(&echo, 0, 0);
    const struct model_tensor *inputs[9] = {NULL};
    struct model_tensor tensor = {.struct_size = sizeof tensor};
    for (int i = 0; i < 9; i++)
        inputs[i] = &tensor;
    assert_int_equal(request_set_inputs(request, inputs, 9, NULL), MODEL_OK);
    assert_int_equal(request->n_inputs, 9);
    assert_int_equal(request_set_inputs(request, inputs, 2, NULL), MODEL_OK);
    assert_int_equal(request->n_inputs, 2);
    assert_ptr_equal(request->inputs[1], &tensor);
    request_drop(request);
    echo_close(&echo);
}

static void ids_are_numbers_that_rise(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct modelhost_request *a = make(&echo, 1, 0), *b = make(&echo, 1, 1);
    assert_int_equal(a->id, 1);
    assert_int_equal(b->id, 2);
    request_drop(a);
    request_drop(b);
    echo_close(&echo);
}

/* A program that was compiled before `direct` was there. */
static void options_of_an_older_program_leave_the_new_ones_out(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_request *request = NULL;
    options.struct_size = offsetof(struct modelhost_run_options, priority);
    options.priority = 5;
    options.direct = 1;
    assert_int_equal(request_create(echo.model, NULL, 0, 0, &options, &request, NULL), MODEL_OK);
    assert_int_equal(request->priority, 0);
    assert_false(request->wants_direct);
    request_drop(request);
    echo_close(&echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_and_many_inputs_are_kept_copied_or_not),
        cmocka_unit_test(a_job_may_give_inputs_again),
        cmocka_unit_test(ids_are_numbers_that_rise),
        cmocka_unit_test(options_of_an_older_program_leave_the_new_ones_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
