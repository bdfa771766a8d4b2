/* test_buffer.c - capped buffers: content, limits, and what happens without memory. */
#include "buffer.h"
#include "failing_memory.h"
#include "testing.h"

static void starts_empty_and_allocates_nothing(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT(10);
    assert_null(buffer.data);
    assert_int_equal(buffer.size, 0);
    buffer_clear(&buffer);
    buffer_finish(&buffer);
    buffer_finish(&buffer);
}

static void appends_bytes_and_stays_terminated(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT(100);
    assert_int_equal(buffer_append(&buffer, "a\0b", 3), MODEL_OK);
    assert_int_equal(buffer_append_text(&buffer, "cd"), MODEL_OK);
    assert_int_equal(buffer_append(&buffer, NULL, 0), MODEL_OK);
    assert_int_equal(buffer.size, 5);
    assert_memory_equal(buffer.data, "a\0bcd", 6);
    buffer_finish(&buffer);
    assert_null(buffer.data);
}

static void grows_through_many_appends(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT(100000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(buffer_printf(&buffer, "%04d ", i), MODEL_OK);
    assert_int_equal(buffer.size, 50000);
    assert_memory_equal(buffer.data + 5 * 9999, "9999 ", 6);
    assert_true(buffer.capacity < 200000);
    buffer_finish(&buffer);
}

static void takes_exactly_its_maximum_and_no_byte_more(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT(4);
    assert_int_equal(buffer_append(&buffer, "abcd", 4), MODEL_OK);
    assert_int_equal(buffer_append(&buffer, "e", 1), MODEL_INVALID_ARGUMENT);
    assert_int_equal(buffer_printf(&buffer, "%d", 7), MODEL_INVALID_ARGUMENT);
    assert_int_equal(buffer_append_text(&buffer, ""), MODEL_OK);
    assert_int_equal(buffer.size, 4);
    assert_string_equal(buffer.data, "abcd");
    buffer_finish(&buffer);
}

static void a_refused_append_leaves_the_content(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT(5);
    assert_int_equal(buffer_append_text(&buffer, "abc"), MODEL_OK);
    assert_int_equal(buffer_append_text(&buffer, "defg"), MODEL_INVALID_ARGUMENT);
    assert_string_equal(buffer.data, "abc");
    assert_int_equal(buffer_append_text(&buffer, "de"), MODEL_OK);
    assert_string_equal(buffer.data, "abcde");
    buffer_finish(&buffer);
}

static void sizes_near_the_end_of_memory_do_not_wrap(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT(SIZE_MAX);
    assert_int_equal(buffer_append_text(&buffer, "x"), MODEL_OK);
    assert_int_equal(buffer_reserve(&buffer, SIZE_MAX - 1), MODEL_OUT_OF_MEMORY);
    assert_int_equal(buffer_reserve(&buffer, SIZE_MAX), MODEL_INVALID_ARGUMENT);
    assert_string_equal(buffer.data, "x");
    buffer_finish(&buffer);
}

static void reserve_makes_room_without_moving_later(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT(1000);
    assert_int_equal(buffer_reserve(&buffer, 500), MODEL_OK);
    const char *data = buffer.data;
    assert_string_equal(data, "");
    for (int i = 0; i < 500; i++)
        assert_int_equal(buffer_append(&buffer, "x", 1), MODEL_OK);
    assert_ptr_equal(buffer.data, data);
    buffer_finish(&buffer);
}

static void clear_empties_and_keeps_the_memory(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT(100);
    assert_int_equal(buffer_append_text(&buffer, "abc"), MODEL_OK);
    const char *data = buffer.data;
    buffer_clear(&buffer);
    assert_int_equal(buffer.size, 0);
    assert_string_equal(buffer.data, "");
    assert_ptr_equal(buffer.data, data);
    buffer_finish(&buffer);
}

static void take_hands_over_the_text_even_of_an_empty_buffer(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT(100);
    char *text = buffer_take(&buffer);
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(buffer_append_text(&buffer, "abc"), MODEL_OK);
    text = buffer_take(&buffer);
    assert_string_equal(text, "abc");
    free(text);
    assert_null(buffer.data);
    assert_int_equal(buffer.size, 0);
    assert_int_equal(buffer_append_text(&buffer, "again"), MODEL_OK);
    assert_string_equal(buffer.data, "again");
    buffer_finish(&buffer);
}

static void without_memory_the_content_stays(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT(100000);
    assert_int_equal(buffer_append_text(&buffer, "abc"), MODEL_OK);
    static const char zeros[5000];
    failing_memory_after(0);
    assert_int_equal(buffer_append(&buffer, zeros, sizeof zeros), MODEL_OUT_OF_MEMORY);
    assert_true(failing_memory_end());
    failing_memory_after(0);
    assert_int_equal(buffer_printf(&buffer, "%5000d", 1), MODEL_OUT_OF_MEMORY);
    assert_true(failing_memory_end());
    assert_string_equal(buffer.data, "abc");
    buffer_finish(&buffer);
    failing_memory_after(0);
    assert_null(buffer_take(&buffer));
    assert_true(failing_memory_end());
}

static void text_format_makes_a_string_or_null(void **state)
{
    (void)state;
    char *text = text_format("%s-%d", "a", 12);
    assert_string_equal(text, "a-12");
    free(text);
    failing_memory_after(0);
    assert_null(text_format("%d", 1));
    assert_true(failing_memory_end());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty_and_allocates_nothing),
        cmocka_unit_test(appends_bytes_and_stays_terminated),
        cmocka_unit_test(grows_through_many_appends),
        cmocka_unit_test(takes_exactly_its_maximum_and_no_byte_more),
        cmocka_unit_test(a_refused_append_leaves_the_content),
        cmocka_unit_test(sizes_near_the_end_of_memory_do_not_wrap),
        cmocka_unit_test(reserve_makes_room_without_moving_later),
        cmocka_unit_test(clear_empties_and_keeps_the_memory),
        cmocka_unit_test(take_hands_over_the_text_even_of_an_empty_buffer),
        cmocka_unit_test(without_memory_the_content_stays),
        cmocka_unit_test(text_format_makes_a_string_or_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
