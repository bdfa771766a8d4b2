/* test_result.c - where a result keeps its outputs: the small ones in itself, the others beside it; names
 * that outlive the model. */
#include "errors.h"
#include "result.h"
#include "testing.h"

#define N_SPECS 40

static struct model_tensor_spec specs[N_SPECS];
static const struct model_tensor_spec *outputs[N_SPECS];
static char names[N_SPECS][80];
static const struct model_dimension dimension = {"n", 0, INT64_MAX};

static struct model_description describe(uint32_t n_outputs)
{
    for (uint32_t i = 0; i < N_SPECS; i++) {
        (void)snprintf(names[i], sizeof names[i], "output_%u_with_a_long_name_that_takes_room", i);
        specs[i] =
            (struct model_tensor_spec){sizeof specs[i], names[i], MODEL_F32, 1, &dimension, 0, 0};
        outputs[i] = &specs[i];
    }
    return (struct model_description){.struct_size = sizeof(struct model_description),
                                      .outputs = outputs,
                                      .n_outputs = n_outputs};
}

/* Each output takes memory of its own, aligned, that can be written without harm to the others. */
static void outputs_of_all_sizes_have_memory_of_their_own(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 1, 3, 17, 40, 64, 1000};
    const struct model_description description = describe(N_SPECS);
    struct modelhost_result *result = NULL;
    assert_int_equal(result_create(&description, NULL, 0, &result, NULL), MODEL_OK);
    assert_int_equal(modelhost_result_count(result), N_SPECS);
    for (uint32_t i = 0; i < N_SPECS; i++) {
        const int64_t n = sizes[i % 7];
        assert_int_equal(result_allocate(result, i, MODEL_F32, 1, &n, NULL), MODEL_OK);
        assert_int_equal((uintptr_t)result->tensors[i].data % 64, 0);
        memset(result->tensors[i].data, (int)i + 1, (size_t)n * 4);
    }
    memset(names, 'x', sizeof names); /* the model is gone */
    assert_int_equal(result_check_granted(result, NULL), MODEL_OK);
    for (uint32_t i = 0; i < N_SPECS; i++) {
        char name[80];
        (void)snprintf(name, sizeof name, "output_%u_with_a_long_name_that_takes_room", i);
        const struct model_tensor *tensor = modelhost_result_find(result, name);
        assert_non_null(tensor);
        for (int64_t k = 0; k < sizes[i % 7] * 4; k++)
            assert_int_equal(((const unsigned char *)tensor->data)[k], i + 1);
    }
    modelhost_result_destroy(result);
}

static void an_emptied_result_can_be_filled_again(void **state)
{
    (void)state;
    const struct model_description description = describe(2);
    const int64_t small = 2, large = 5000;
    struct modelhost_result *result = NULL;
    assert_int_equal(result_create(&description, NULL, 0, &result, NULL), MODEL_OK);
    for (int round = 0; round < 20; round++) {
        assert_int_equal(result_allocate(result, 0, MODEL_F32, 1, &small, NULL), MODEL_OK);
        assert_int_equal(result_allocate(result, 1, MODEL_F32, 1, &large, NULL), MODEL_OK);
        result_empty(result);
        assert_null(result->tensors[0].data);
    }
    modelhost_result_destroy(result);
}

static void one_tensor_can_take_the_place_of_all(void **state)
{
    (void)state;
    const struct model_description description = describe(3);
    const int64_t n = 2;
    struct modelhost_result *result = NULL;
    assert_int_equal(result_create(&description, NULL, 0, &result, NULL), MODEL_OK);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(result_allocate(result, i, MODEL_F32, 1, &n, NULL), MODEL_OK);
    float *data = malloc(8);
    assert_non_null(data);
    data[0] = data[1] = 7.0f;
    assert_int_equal(result_replace(result, "embeddings", MODEL_F32, 1, &n, data, NULL), MODEL_OK);
    assert_int_equal(modelhost_result_count(result), 1);
    assert_ptr_equal(modelhost_result_find(result, "embeddings")->data, data);
    modelhost_result_destroy(result);
}

static void what_was_never_allocated_is_missed(void **state)
{
    (void)state;
    const struct model_description description = describe(1);
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(result_create(&description, NULL, 0, &result, NULL), MODEL_OK);
    assert_int_equal(result_check_granted(result, &err), MODEL_INTERNAL);
    assert_non_null(strstr(err.message, "did not produce output"));
    modelhost_result_destroy(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_of_all_sizes_have_memory_of_their_own),
        cmocka_unit_test(an_emptied_result_can_be_filled_again),
        cmocka_unit_test(one_tensor_can_take_the_place_of_all),
        cmocka_unit_test(what_was_never_allocated_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
