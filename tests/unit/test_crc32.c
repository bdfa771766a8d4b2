/* test_crc32.c - the checksum of zip files: the check value of the catalogue of CRCs, any division into
 * pieces, any alignment. */
#include "crc32.h"
#include "testing.h"

static void gives_the_check_value_of_the_standard(void **state)
{
    (void)state;
    assert_int_equal(crc32_update(0, "123456789", 9), 0xCBF43926u);
    assert_int_equal(crc32_update(0, "", 0), 0);
    assert_int_equal(crc32_update(0, "a", 1), 0xE8B7BE43u);
}

/* A bit at a time, as the standard defines it. */
static uint32_t plain_crc32(const uint8_t *data, size_t size_bytes)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size_bytes; i++)
        for (int bit = 0; bit < 8; bit++) {
            uint32_t low = (crc ^ (uint32_t)data[i] >> bit) & 1;
            crc = crc >> 1 ^ (low ? 0xEDB88320u : 0);
        }
    return ~crc;
}

static void pieces_and_alignments_do_not_matter(void **state)
{
    (void)state;
    uint8_t data[300];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 31);
    for (size_t begin = 0; begin < 9; begin++)
        for (size_t end = begin; end <= sizeof data; end += 13) {
            uint32_t want = plain_crc32(data + begin, end - begin);
            size_t middle = begin + (end - begin) / 3;
            assert_int_equal(crc32_update(0, data + begin, end - begin), want);
            assert_int_equal(crc32_update(crc32_update(0, data + begin, middle - begin),
                                          data + middle, end - middle),
                             want);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_check_value_of_the_standard),
        cmocka_unit_test(pieces_and_alignments_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
