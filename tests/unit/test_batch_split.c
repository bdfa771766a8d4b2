/* test_batch_split.c - host/batching/batch_split.c: each member gets its own part of a joint result. */
#include "batch_split.h"
#include "errors.h"
#include "testing.h"

static const struct model_dimension row_shape[] = {{"batch", 1, 99}, {"sequence", 1, 99}};
static const struct model_dimension column_shape[] = {
    {"sequence", 1, 99}, {NULL, 2, 2}, {"batch", 1, 99}};
static const struct model_tensor_spec rows = {sizeof rows, "rows", MODEL_I16, 2, row_shape, 0, 0};
static const struct model_tensor_spec columns = {sizeof columns, "columns", MODEL_I16, 3,
                                                 column_shape,   0,         0};
static const struct model_tensor_spec *const outputs[] = {&rows, &columns};
static const struct model_description description = {
    .struct_size = sizeof description, .outputs = outputs, .n_outputs = 2};

/* A joint result whose elements say where they stand: item * 100 + position * 10 + the fixed index. */
static struct modelhost_result *joint_result(int64_t n_items, int64_t length)
{
    struct modelhost_result *joint = NULL;
    const int64_t row[] = {n_items, length}, column[] = {length, 2, n_items};
    assert_int_equal(result_create(&description, NULL, 0, &joint, NULL), MODEL_OK);
    assert_int_equal(result_allocate(joint, 0, MODEL_I16, 2, row, NULL), MODEL_OK);
    assert_int_equal(result_allocate(joint, 1, MODEL_I16, 3, column, NULL), MODEL_OK);
    int16_t *of_rows = joint->tensors[0].data, *of_columns = joint->tensors[1].data;
    for (int64_t i = 0; i < n_items; i++)
        for (int64_t t = 0; t < length; t++) {
            of_rows[i * length + t] = (int16_t)(i * 100 + t * 10);
            for (int64_t k = 0; k < 2; k++)
                of_columns[(t * 2 + k) * n_items + i] = (int16_t)(i * 100 + t * 10 + k);
        }
    joint->timing.run_ns = 77;
    return joint;
}

static void a_member_gets_its_items_cut_to_its_length(void **state)
{
    (void)state;
    struct modelhost_result *joint = joint_result(5, 4), *own = NULL;
    const struct batch_member member = {.n_items = 2, .length = 3, .first_item = 1};
    assert_int_equal(result_create(&description, NULL, 0, &own, NULL), MODEL_OK);
    assert_int_equal(batch_split(joint, &member, own, NULL), MODEL_OK);
    const int64_t *row = own->tensors[0].shape, *column = own->tensors[1].shape;
    assert_true(row[0] == 2 && row[1] == 3);
    assert_true(column[0] == 3 && column[1] == 2 && column[2] == 2);
    assert_int_equal(own->tensors[0].size_bytes, 6 * sizeof(int16_t));
    for (int i = 0; i < 2; i++)
        for (int t = 0; t < 3; t++) {
            const int want = (i + 1) * 100 + t * 10;
            assert_int_equal(((const int16_t *)own->tensors[0].data)[i * 3 + t], want);
            for (int k = 0; k < 2; k++)
                assert_int_equal(((const int16_t *)own->tensors[1].data)[(t * 2 + k) * 2 + i],
                                 want + k);
        }
    assert_int_equal(own->timing.run_ns, 77);
    modelhost_result_destroy(own);
    modelhost_result_destroy(joint);
}

static const struct model_dimension wide_shape[] = {
    {"batch", 1, 99}, {"sequence", 1, 99}, {NULL, 10000, 10000}};
static const struct model_tensor_spec wide = {sizeof wide, "wide", MODEL_F32, 3, wide_shape, 0, 0};
static const struct model_tensor_spec *const wide_outputs[] = {&wide};
static const struct model_description wide_model = {
    .struct_size = sizeof wide_model, .outputs = wide_outputs, .n_outputs = 1};

static struct modelhost_result *wide_result(void)
{
    struct modelhost_result *result = NULL;
    assert_int_equal(result_create(&wide_model, NULL, 0, &result, NULL), MODEL_OK);
    return result;
}

static void large_pieces_stay_where_they_are_and_live_on(void **state)
{
    (void)state;
    const int64_t shape[] = {3, 4, 10000};
    static const struct batch_member members[] = {{.n_items = 1, .length = 3, .first_item = 1},
                                                  {.n_items = 2, .length = 3, .first_item = 1}};
    struct modelhost_result *joint = wide_result(), *whole = wide_result(), *cut = wide_result();
    assert_int_equal(result_allocate(joint, 0, MODEL_F32, 3, shape, NULL), MODEL_OK);
    float *values = joint->tensors[0].data;
    for (int i = 0; i < 3 * 4 * 10000; i++)
        values[i] = (float)i;
    assert_int_equal(batch_split(joint, &members[0], whole, NULL), MODEL_OK);
    assert_int_equal(batch_split(joint, &members[1], cut, NULL), MODEL_OK);
    assert_ptr_equal(whole->tensors[0].data, values + 40000);
    modelhost_result_destroy(joint);
    assert_int_equal(whole->tensors[0].size_bytes, 30000 * sizeof(float));
    assert_true(((const float *)whole->tensors[0].data)[29999] == 69999.0f);
    assert_true(((const float *)cut->tensors[0].data)[30000] == 80000.0f); /* not one piece */
    modelhost_result_destroy(cut);
    int64_t size[] = {1};
    float *own = malloc(sizeof *own);
    assert_int_equal(result_replace(whole, "own", MODEL_F32, 1, size, own, NULL), MODEL_OK);
    modelhost_result_destroy(whole);
}

static void a_result_that_lacks_the_items_is_an_error(void **state)
{
    (void)state;
    struct modelhost_result *joint = joint_result(2, 4);
    static const struct batch_member members[] = {{.n_items = 2, .length = 3, .first_item = 1},
                                                  {.n_items = 1, .length = 5},
                                                  {.n_items = 1, .length = -1}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct modelhost_result *own = NULL;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(result_create(&description, NULL, 0, &own, NULL), MODEL_OK);
        assert_int_equal(batch_split(joint, &members[i], own, &err), MODEL_INTERNAL);
        assert_string_equal(err.message,
                            "the joint output 'rows' does not hold the items of each request");
        modelhost_result_destroy(own);
    }
    modelhost_result_destroy(joint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_gets_its_items_cut_to_its_length),
        cmocka_unit_test(large_pieces_stay_where_they_are_and_live_on),
        cmocka_unit_test(a_result_that_lacks_the_items_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
