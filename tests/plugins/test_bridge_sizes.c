/* test_bridge_sizes.c - how ranges and lists of sizes become those of a port (plugins/coreml-ane/bridge/bridge_sizes.c). */
#include "bridge_sizes.h"
#include "testing.h"

static void ranges_are_a_first_size_and_how_many(void **state)
{
    (void)state;
    static const struct {
        uint64_t first, n;
        int64_t min, max;
    } cases[] = {
        {13, 58, 13, 70},
        {5, 1, 5, 5},
        {0, 9, 1, 8}, /* 0 to 8, of which 0 is no tensor */
        {1, UINT64_MAX, 1, INT64_MAX},
        {1, INT64_MAX, 1, INT64_MAX},
        {7, INT64_MAX - 7, 7, INT64_MAX - 1},
        {UINT64_MAX, 1, INT64_MAX, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct coreml_port port = {.rank = 2};
        bridge_set_range(&port, 1, cases[i].first, cases[i].n);
        assert_true(port.min[1] == cases[i].min && port.max[1] == cases[i].max);
        assert_true(port.min[0] == 0 && port.max[0] == 0);
    }
}

static void listed_sizes_lie_between_the_smallest_and_the_largest(void **state)
{
    (void)state;
    struct coreml_port port = {.rank = 2, .min = {4, 4}, .max = {4, 4}};
    bridge_widen(&port, 0, 9);
    bridge_widen(&port, 0, 2);
    bridge_widen(&port, 0, 5);
    assert_true(port.min[0] == 2 && port.max[0] == 9);
    assert_true(port.min[1] == 4 && port.max[1] == 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_a_first_size_and_how_many),
        cmocka_unit_test(listed_sizes_lie_between_the_smallest_and_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
