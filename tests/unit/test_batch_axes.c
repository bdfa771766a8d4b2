/* test_batch_axes.c - host/batching/batch_axes.c: every box is copied as index by index would. */
#include "batch_axes.h"
#include "dtype.h"
#include "testing.h"

#define MAX_ELEMENTS 512

static const struct model_dimension shape[] = {
    {"sequence", 0, 9}, {NULL, 3, 3}, {"batch", 1, 9}, {"sequence", 0, 9}};
static const struct model_tensor_spec spec = {sizeof spec, "x", MODEL_F32, 4, shape, 0, 0};

static void axes_are_found_by_name(void **state)
{
    (void)state;
    assert_int_equal(batch_axis(&spec, "batch"), 2);
    assert_int_equal(batch_axis(&spec, "sequence"), 0);
    assert_int_equal(batch_axis(&spec, "height"), -1);
    assert_int_equal(batch_axis_count(&spec, "sequence"), 2);
    assert_int_equal(batch_axis_count(&spec, "height"), 0);
}

/* The place of an index in a dense tensor. */
static size_t at(const struct model_tensor *tensor, const int64_t *index)
{
    int64_t place = 0;
    for (uint32_t i = 0; i < tensor->rank; i++)
        place += index[i] * tensor->strides[i];
    return (size_t)place;
}

/* Copies element by element, from the definition. */
static void copy_slowly(const struct batch_box *box, const struct model_tensor *from,
                        const struct model_tensor *to)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < box->rank; i++)
        n *= box->size[i];
    for (int64_t k = 0; k < n; k++) {
        int64_t source[MODEL_MAX_RANK], target[MODEL_MAX_RANK], rest = k;
        for (uint32_t i = box->rank; i-- > 0;) {
            source[i] = target[i] = rest % box->size[i];
            rest /= box->size[i];
        }
        source[box->axis] += box->from_first;
        target[box->axis] += box->to_first;
        ((int16_t *)to->data)[at(to, target)] = ((const int16_t *)from->data)[at(from, source)];
    }
}

/* Whether the box's elements stand behind each other, from the definition. */
static void check_dense(const struct batch_box *box, const struct model_tensor *from)
{
    int64_t n = 1;
    bool dense = true;
    size_t first = 0;
    for (uint32_t i = 0; i < box->rank; i++)
        n *= box->size[i];
    for (int64_t k = 0; k < n; k++) {
        int64_t source[MODEL_MAX_RANK], rest = k;
        for (uint32_t i = box->rank; i-- > 0;) {
            source[i] = rest % box->size[i];
            rest /= box->size[i];
        }
        source[box->axis] += box->from_first;
        first = k == 0 ? at(from, source) : first;
        dense = dense && at(from, source) == first + (size_t)k;
    }
    uint64_t offset_bytes = 0;
    if (n == 0)
        return;
    assert_int_equal(batch_box_is_dense(box, from, &offset_bytes), dense);
    if (dense)
        assert_int_equal(offset_bytes, first * sizeof(int16_t));
}

/* Copies the box between tensors that are larger by `more` in each axis. */
static void check_box(uint32_t rank, const int64_t *size, uint32_t axis, int64_t from_first,
                      int64_t to_first, uint32_t from_more, uint32_t to_more)
{
    static int16_t source[MAX_ELEMENTS], want[MAX_ELEMENTS], got[MAX_ELEMENTS];
    int64_t from_shape[MODEL_MAX_RANK], to_shape[MODEL_MAX_RANK];
    for (uint32_t i = 0; i < rank; i++) {
        from_shape[i] = size[i] + (from_more >> i & 1) + (i == axis ? from_first : 0);
        to_shape[i] = size[i] + (to_more >> i & 1) + (i == axis ? to_first : 0);
    }
    struct model_tensor from, to_want, to_got;
    tensor_init(&from, "from", MODEL_I16, rank, from_shape, source);
    tensor_init(&to_want, "to", MODEL_I16, rank, to_shape, want);
    tensor_init(&to_got, "to", MODEL_I16, rank, to_shape, got);
    assert_true(from.size_bytes <= sizeof source && to_got.size_bytes <= sizeof got);
    for (int16_t i = 0; i < MAX_ELEMENTS; i++) {
        source[i] = (int16_t)(i + 1);
        want[i] = got[i] = -1;
    }
    const struct batch_box box = {rank, size, axis, from_first, to_first};
    copy_slowly(&box, &from, &to_want);
    check_dense(&box, &from);
    batch_copy_box(&box, &from, &to_got);
    assert_memory_equal(got, want, sizeof got);
}

static void every_box_is_copied_and_nothing_else(void **state)
{
    (void)state;
    static const int64_t sizes[][4] = {{1, 1, 1, 1}, {2, 3, 2, 2}, {3, 1, 2, 1}, {2, 0, 2, 2}};
    for (size_t s = 0; s < 4; s++)
        for (uint32_t rank = 1; rank <= 4; rank++)
            for (uint32_t axis = 0; axis < rank; axis++)
                for (uint32_t more = 0; more < 256; more++)
                    check_box(rank, sizes[s], axis, more % 3, more % 2, more & 15, more >> 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_are_found_by_name),
        cmocka_unit_test(every_box_is_copied_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
