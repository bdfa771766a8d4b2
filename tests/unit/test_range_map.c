/* test_range_map.c - which bytes of a file are there, in memory and as they stand on disk. */
#include "testing.h"

#include "range_map.h"

#define G(n) ((uint64_t)(n)*16384)

static struct range_map map_of(uint64_t size_bytes)
{
    struct range_map map;
    assert_int_equal(range_map_init(&map, size_bytes, NULL), MODEL_OK);
    return map;
}

static void note(struct range_map *map, uint64_t start, uint64_t to)
{
    uint64_t first, last;
    range_map_note(map, start, to, &first, &last);
}

static void ranges_are_handed_out_in_order_and_once(void **state)
{
    struct range_map map = map_of(G(10) + 5);
    uint64_t start, end;
    (void)state;
    assert_true(range_map_take(&map, G(4), &start, &end));
    assert_int_equal(start, 0);
    assert_int_equal(end, G(4));
    assert_true(range_map_take(&map, G(4), &start, &end));
    assert_int_equal(start, G(4));
    assert_true(range_map_take(&map, G(4), &start, &end));
    assert_int_equal(start, G(8));
    assert_int_equal(end, G(10) + 5);
    assert_false(range_map_take(&map, G(4), &start, &end));
    range_map_give_back(&map, G(4), G(8));
    assert_true(range_map_take(&map, UINT64_MAX, &start, &end));
    assert_int_equal(start, G(4));
    assert_int_equal(end, G(8));
    range_map_finish(&map);
}

static void only_complete_grains_count(void **state)
{
    struct range_map map = map_of(G(3) + 5);
    uint64_t first, last;
    (void)state;
    range_map_note(&map, 0, G(1) - 1, &first, &last);
    assert_true(first == last);
    range_map_note(&map, 0, G(2) + 1, &first, &last);
    assert_int_equal(first, 0);
    assert_int_equal(last, 2);
    assert_int_equal(range_map_there_bytes(&map), G(2));
    range_map_note(&map, G(3), G(3) + 5, &first, &last);
    assert_int_equal(range_map_there_bytes(&map), G(2) + 5);
    assert_int_equal(range_map_front_bytes(&map), G(2));
    assert_false(range_map_is_complete(&map));
    note(&map, G(2), G(3));
    assert_true(range_map_is_complete(&map));
    assert_int_equal(range_map_front_bytes(&map), G(3) + 5);
    range_map_clear(&map);
    assert_int_equal(range_map_there_bytes(&map), 0);
    range_map_finish(&map);
}

static void a_range_ends_at_what_is_there(void **state)
{
    struct range_map map = map_of(G(8));
    uint64_t start, end;
    (void)state;
    note(&map, G(3), G(5));
    assert_true(range_map_take(&map, UINT64_MAX, &start, &end));
    assert_int_equal(end, G(3));
    assert_true(range_map_take(&map, UINT64_MAX, &start, &end));
    assert_int_equal(start, G(5));
    assert_int_equal(end, G(8));
    range_map_finish(&map);
}

static void odd_sizes_are_no_trouble(void **state)
{
    static const uint64_t sizes[] = {0, 1, 16383, 16384, 16385, 1ull << 34, (1ull << 62) + 3};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct range_map map = map_of(sizes[i]);
        uint64_t start, end;
        assert_true(map.n_grains <= RANGE_MAP_MAX_GRAINS);
        assert_int_equal(range_map_take(&map, UINT64_MAX, &start, &end), sizes[i] > 0);
        if (sizes[i] > 0)
            assert_int_equal(end, sizes[i]);
        note(&map, 0, sizes[i]);
        assert_true(range_map_is_complete(&map));
        assert_int_equal(range_map_there_bytes(&map), sizes[i]);
        range_map_finish(&map);
    }
}

static void what_was_written_is_read_again(void **state)
{
    struct range_map map = map_of(G(20) + 1), read;
    struct buffer text = BUFFER_INIT(RANGE_MAP_MAX_BYTES);
    (void)state;
    note(&map, 0, G(3));
    note(&map, G(20), G(20) + 1);
    assert_int_equal(range_map_write(&map, "boot-1", &text, NULL), MODEL_OK);
    assert_int_equal(range_map_read(text.data, text.size, G(20) + 1, "boot-1", &read, NULL),
                     MODEL_OK);
    assert_int_equal(range_map_there_bytes(&read), G(3) + 1);
    assert_int_equal(range_map_front_bytes(&read), G(3));
    range_map_finish(&read);
    assert_int_equal(range_map_read(text.data, text.size, G(20) + 1, "boot-2", &read, NULL),
                     MODEL_NOT_FOUND);
    assert_int_equal(range_map_read(text.data, text.size, G(20) + 2, "boot-1", &read, NULL),
                     MODEL_CORRUPT);
    for (size_t n = 0; n < text.size; n++)
        assert_int_equal(range_map_read(text.data, n, G(20) + 1, "boot-1", &read, NULL),
                         MODEL_CORRUPT);
    buffer_clear(&text);
    assert_int_equal(range_map_write(&map, "", &text, NULL), MODEL_OK);
    assert_int_equal(range_map_read(text.data, text.size, G(20) + 1, "any", &read, NULL), MODEL_OK);
    range_map_finish(&read);
    text.data[0] = 'X';
    assert_int_equal(range_map_read(text.data, text.size, G(20) + 1, "", &read, NULL),
                     MODEL_CORRUPT);
    buffer_finish(&text);
    range_map_finish(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_handed_out_in_order_and_once),
        cmocka_unit_test(only_complete_grains_count),
        cmocka_unit_test(a_range_ends_at_what_is_there),
        cmocka_unit_test(odd_sizes_are_no_trouble),
        cmocka_unit_test(what_was_written_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
