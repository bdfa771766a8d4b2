/* test_tensor_blocks.c - elements come in row-major order, whatever the strides and the size of blocks. */
#include "dtype.h"
#include "tensor_blocks.h"
#include "testing.h"

/* Element `index` of the tensor by the definition of strides. */
static uint64_t element(const struct model_tensor *tensor, uint64_t index)
{
    size_t size = dtype_size_bytes(tensor->dtype);
    int64_t at = 0;
    uint64_t value = 0;
    for (uint32_t d = tensor->rank; d-- > 0;) {
        at += (int64_t)(index % (uint64_t)tensor->shape[d]) * tensor->strides[d];
        index /= (uint64_t)tensor->shape[d];
    }
    memcpy(&value, (const uint8_t *)tensor->data + at * (int64_t)size, size);
    return value;
}

static void check(const struct model_tensor *tensor, size_t block)
{
    size_t size = dtype_size_bytes(tensor->dtype), n = 1;
    uint64_t at = 0, total = tensor_elements(tensor);
    uint8_t *memory = malloc(block * size);
    struct tensor_blocks blocks;
    assert_non_null(memory);
    tensor_blocks_init(&blocks, tensor);
    while (n > 0) {
        const uint8_t *data = tensor_blocks_next(&blocks, block, memory, &n);
        assert_true(n <= block);
        for (size_t i = 0; i < n; i++, at++) {
            uint64_t found = 0;
            memcpy(&found, data + i * size, size);
            assert_int_equal(found, element(tensor, at));
        }
    }
    assert_int_equal(at, total);
    free(memory);
}

static void any_strides_and_blocks_give_the_same_order(void **state)
{
    static const struct {
        uint32_t rank;
        int64_t shape[4], strides[4];
    } cases[] = {
        {0, {0}, {0}},
        {1, {7}, {1}},
        {1, {5}, {3}},
        {1, {4}, {0}},
        {2, {3, 5}, {5, 1}},
        {2, {5, 3}, {1, 5}},
        {2, {3, 1}, {1, 99}},
        {3, {2, 3, 4}, {12, 4, 1}},
        {3, {4, 2, 3}, {1, 12, 4}},
        {4, {2, 1, 3, 2}, {1, 50, 7, 30}},
        {2, {3, 4}, {0, 1}},
    };
    static const int32_t dtypes[] = {MODEL_U8, MODEL_F16, MODEL_F32, MODEL_F64};
    (void)state;
    uint8_t data[128 * 8 + 1];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 + i / 256);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        for (size_t t = 0; t < 4; t++)
            for (size_t block = 1; block < 30; block += 3) {
                struct model_tensor tensor;
                tensor_init(&tensor, "t", dtypes[t], cases[c].rank, cases[c].shape, data + 1);
                memcpy(tensor.strides, cases[c].strides, cases[c].rank * sizeof(int64_t));
                check(&tensor, block);
            }
}

static void a_dense_tensor_is_not_copied(void **state)
{
    (void)state;
    float data[6] = {0}, memory[6];
    struct model_tensor tensor;
    struct tensor_blocks blocks;
    size_t n = 0;
    tensor_init(&tensor, "t", MODEL_F32, 2, (int64_t[]){2, 3}, data);
    tensor_blocks_init(&blocks, &tensor);
    assert_ptr_equal(tensor_blocks_next(&blocks, 4, memory, &n), data);
    assert_ptr_equal(tensor_blocks_next(&blocks, 4, memory, &n), data + 4);
    assert_int_equal(n, 2);
}

static void an_empty_tensor_ends_at_once(void **state)
{
    (void)state;
    struct model_tensor tensor;
    struct tensor_blocks blocks;
    size_t n = 1;
    tensor_init(&tensor, "t", MODEL_F32, 2, (int64_t[]){0, 3}, NULL);
    tensor_blocks_init(&blocks, &tensor);
    (void)tensor_blocks_next(&blocks, 4, NULL, &n);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_strides_and_blocks_give_the_same_order),
        cmocka_unit_test(a_dense_tensor_is_not_copied),
        cmocka_unit_test(an_empty_tensor_ends_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
