/* test_packed_blobs.c - memory of prepared weights, of the sizes around those at which it comes from elsewhere. */
#include "packed_blobs.h"
#include "testing.h"

#define HUGE_BYTES ((size_t)2 << 20)

struct filling {
    size_t size_bytes;
    int n_calls;
    bool was_clear;
    uint8_t value;
};

static model_status fill(void *argument, void *destination)
{
    struct filling *filling = argument;
    const uint8_t *bytes = destination;
    filling->n_calls++;
    filling->was_clear = true;
    for (size_t i = 0; i < filling->size_bytes; i++)
        filling->was_clear = filling->was_clear && bytes[i] == 0;
    memset(destination, filling->value, filling->size_bytes);
    return MODEL_OK;
}

static model_status fill_and_fail(void *argument, void *destination)
{
    (void)fill(argument, destination);
    return MODEL_INTERNAL;
}

static void memory_is_clear_and_aligned_whatever_was_there(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        0,          1,       63,      64,      4097,          1 << 20, HUGE_BYTES - 1,
        HUGE_BYTES, 2097153, 3 << 20, 5000000, 4 * HUGE_BYTES};
    for (int round = 0; round < 3; round++) { /* the second time with memory that was used */
        struct packed_blobs blobs = {0};
        uint64_t total = 0;
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct filling filling = {.size_bytes = sizes[i], .value = 0xA5};
            const void *data = NULL;
            char key[20];
            (void)snprintf(key, sizeof key, "k%zu", i);
            assert_int_equal(packed_blobs_get(&blobs, key, sizes[i], fill, &filling, &data),
                             MODEL_OK);
            assert_int_equal((uintptr_t)data % (sizes[i] < HUGE_BYTES ? 64 : HUGE_BYTES), 0);
            assert_int_equal(filling.n_calls, 1);
            assert_true(filling.was_clear);
            total += sizes[i];
        }
        assert_int_equal(blobs.size_bytes, total);
        assert_int_equal(blobs.n_blobs, sizeof sizes / sizeof sizes[0]);
        assert_int_equal(blobs.n_made, blobs.n_blobs);
        packed_blobs_finish(&blobs);
        packed_blobs_finish(&blobs); /* twice is nothing */
    }
}

static void the_list_has_them_in_the_order_of_asking(void **state)
{
    (void)state;
    struct packed_blobs blobs = {0};
    struct filling filling = {.size_bytes = 8, .value = 1};
    const void *data = NULL, *again = NULL;
    assert_int_equal(packed_blobs_get(&blobs, "b", 8, fill, &filling, &data), MODEL_OK);
    assert_int_equal(packed_blobs_get(&blobs, "a", 8, fill, &filling, &data), MODEL_OK);
    assert_int_equal(packed_blobs_get(&blobs, "b", 8, fill, &filling, &again), MODEL_OK);
    assert_int_equal(filling.n_calls, 2);
    struct prepared_blob *list = packed_blobs_list(&blobs);
    assert_non_null(list);
    assert_int_equal(blobs.n_blobs, 2);
    assert_string_equal(list[0].key, "b");
    assert_ptr_equal(list[0].data, again);
    assert_string_equal(list[1].key, "a");
    assert_ptr_equal(list[1].data, data);
    free(list);
    packed_blobs_finish(&blobs);
}

static void one_that_cannot_be_filled_is_not_kept(void **state)
{
    (void)state;
    static const size_t sizes[] = {100, 3 << 20, SIZE_MAX, SIZE_MAX - HUGE_BYTES, SIZE_MAX / 2};
    struct packed_blobs blobs = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct filling filling = {.size_bytes = i < 2 ? sizes[i] : 0};
        const void *data = &data;
        assert_int_equal(packed_blobs_get(&blobs, "k", sizes[i], fill_and_fail, &filling, &data),
                         i < 2 ? MODEL_INTERNAL : MODEL_OUT_OF_MEMORY);
        assert_ptr_equal(data, &data);
        assert_int_equal(blobs.n_blobs, 0);
    }
    packed_blobs_finish(&blobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_clear_and_aligned_whatever_was_there),
        cmocka_unit_test(the_list_has_them_in_the_order_of_asking),
        cmocka_unit_test(one_that_cannot_be_filled_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
