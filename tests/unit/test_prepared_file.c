/* test_prepared_file.c - the form of a file of prepared weights: covers host/prepared/prepared_hash.c too. What a file
 * must look like is told by the test's own reading of docs/package-format.md. */
#include "errors.h"
#include "files.h"
#include "prepared_file.h"
#include "prepared_hash.h"
#include "testing.h"

#include <unistd.h>

static const char key[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static uint8_t large[10000];
static uint64_t room[8192]; /* aligned bytes for files of the tests */
static uint8_t *const file = (uint8_t *)room;

/* Writes a file of these blobs; its length. */
static size_t make(struct prepared_blob *blobs, size_t n_blobs)
{
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = scratch_dir(), *path = path_join(dir, "f");
    FILE *stream = fopen(path, "w+b");
    assert_non_null(stream);
    if (prepared_file_write(fileno(stream), path, key, blobs, n_blobs, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    rewind(stream);
    const size_t n = fread(file, 1, sizeof room, stream);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(path);
    free(dir);
    return n;
}

static size_t make_usual(void)
{
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 7 + 3);
    struct prepared_blob blobs[] = {
        {"first [2, 3]", large, sizeof large, 0}, {"second", "abc", 3, 0}, {"empty", "", 0, 0}};
    return make(blobs, 3);
}

static uint64_t number_at(size_t at, size_t n_bytes)
{
    uint64_t number = 0;
    memcpy(&number, file + at, n_bytes);
    return number;
}

static model_status read_it(size_t n_bytes, struct prepared_index *ret, struct model_error *err)
{
    model_status status = prepared_file_read(file, n_bytes, key, ret, err);
    if (status == MODEL_OK)
        status = prepared_file_check(ret, 2, err);
    return status;
}

/* XXH3_64bits() of these bytes, out of libxxhash's own command (xxhsum -H3). */
static void the_checksum_is_xxh3(void **state)
{
    (void)state;
    assert_true(prepared_hash("", 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(prepared_hash("abc", 3) == UINT64_C(0x78af5f94892f3950));
}

static void a_file_is_laid_out_as_documented(void **state)
{
    (void)state;
    const size_t n = make_usual();
    assert_memory_equal(file, "\x89MHW\r\n\x1a\n", 8);
    assert_int_equal(number_at(8, 4), 1);
    assert_int_equal(number_at(12, 4), 3);
    assert_int_equal(number_at(16, 8), n);
    assert_int_equal(number_at(24, 8), 3 * 32 + 13 + 7 + 6);
    assert_memory_equal(file + 32, key, 64);
    assert_int_equal(number_at(128, 8), 4096);
    assert_int_equal(number_at(136, 8), sizeof large);
    assert_true(number_at(144, 8) == prepared_hash(large, sizeof large));
    assert_int_equal(number_at(152, 4), 13);
    assert_int_equal(number_at(160, 8), 4096 + 12288);
    assert_memory_equal(file + 128 + 96, "first [2, 3]\0second\0empty", 26);
    assert_memory_equal(file + 4096, large, sizeof large);
    assert_memory_equal(file + 16384, "abc", 3);
    assert_int_equal(n, 20480); /* the empty one ends it */
    assert_int_equal(prepared_file_announced(file, 128), n);
    assert_int_equal(prepared_file_announced(file, 127), 0);
}

static void blobs_are_found_by_key_and_size(void **state)
{
    (void)state;
    struct prepared_index index = {0};
    assert_int_equal(read_it(make_usual(), &index, NULL), MODEL_OK);
    const struct prepared_blob *found = prepared_index_find(&index, "second", 3);
    assert_non_null(found);
    assert_memory_equal(found->data, "abc", 3);
    found = prepared_index_find(&index, "first [2, 3]", sizeof large); /* out of order */
    assert_non_null(found);
    assert_memory_equal(found->data, large, sizeof large);
    assert_non_null(prepared_index_find(&index, "empty", 0));
    assert_null(prepared_index_find(&index, "second", 4));
    assert_null(prepared_index_find(&index, "third", 3));
    prepared_index_finish(&index);
    assert_null(prepared_index_find(&index, "second", 3));
}

/* Every bit but those between the regions, which nobody reads. */
static void any_flipped_bit_is_found(void **state)
{
    (void)state;
    const size_t n = make_usual(), end_of_table = 128 + 3 * 32 + 26;
    for (size_t at = 0; at < n; at++) {
        struct prepared_index index = {0};
        struct model_error err = MODEL_ERROR_INIT;
        const bool is_read = at < end_of_table || (at >= 4096 && at < 4096 + sizeof large) ||
                             (at >= 16384 && at < 16387);
        if (!is_read)
            continue;
        file[at] ^= (uint8_t)(1u << at % 8);
        model_status status = read_it(n, &index, &err);
        assert_true(status == MODEL_CORRUPT || status == MODEL_NOT_FOUND);
        assert_true(err.message[0] != '\0');
        prepared_index_finish(&index);
        file[at] ^= (uint8_t)(1u << at % 8);
    }
}

static void any_other_length_is_found(void **state)
{
    (void)state;
    const size_t n = make_usual();
    for (size_t shorter = 0; shorter < n; shorter += shorter < 300 ? 1 : 997) {
        struct prepared_index index = {0};
        assert_int_equal(prepared_file_read(file, shorter, key, &index, NULL), MODEL_CORRUPT);
    }
    struct prepared_index index = {0};
    assert_int_equal(prepared_file_read(file, n + 1, key, &index, NULL), MODEL_CORRUPT);
}

static void rehash(size_t table_bytes)
{
    memset(file + 96, 0, 8);
    const uint64_t hashes[] = {prepared_hash(file, 128), prepared_hash(file + 128, table_bytes)};
    const uint64_t hash = prepared_hash(hashes, sizeof hashes);
    memcpy(file + 96, &hash, 8);
}

/* With checksums that fit: as somebody makes them who knows the form. */
static void numbers_are_checked_beside_the_checksum(void **state)
{
    (void)state;
    static const struct {
        size_t at, n_bytes;
        uint64_t number;
        const char *sentence;
    } lies[] = {
        {8, 4, 2, "its version is 2, want 1"},
        {12, 4, 0, "its table does not describe the whole file"},
        {12, 4, 2, "its table"},
        {12, 4, 4, "its table"},
        {12, 4, UINT32_MAX, "its table cannot have 4294967295 blobs in 122 bytes"},
        {24, 8, 95, "its table cannot have 3 blobs in 95 bytes"},
        {24, 8, UINT64_MAX, "its table cannot have 3 blobs"},
        {24, 8, 20480, "its table cannot have 3 blobs"},
        {128, 8, 8192, "'first [2, 3]' does not lie where it must: [8192, +10000]"},
        {128, 8, UINT64_MAX, "does not lie where it must"},
        {136, 8, UINT64_MAX, "does not lie where it must: [4096, +18446744073709551615]"},
        {136, 8, 20000, "does not lie where it must"},
        {136, 8, 9, "'second' does not lie where it must"},
        {152, 4, 0, "a key of its table is broken"},
        {152, 4, 12, "a key of its table is broken"},
        {152, 4, 5000, "a key of its table is broken"},
        {156, 4, 1, "a key of its table is broken"},
        {192, 8, 16384, "does not lie where it must"},
        {200, 8, 1, "does not lie where it must"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct prepared_index index = {0};
        struct model_error err = MODEL_ERROR_INIT;
        const size_t n = make_usual();
        memcpy(file + lies[i].at, &lies[i].number, lies[i].n_bytes);
        const uint64_t table_bytes = number_at(24, 8);
        rehash(table_bytes <= n - 128 ? (size_t)table_bytes : 122);
        assert_int_not_equal(prepared_file_read(file, n, key, &index, &err), MODEL_OK);
        if (strstr(err.message, lies[i].sentence) == NULL)
            fail_msg("%zu: %s", i, err.message);
    }
}

static void a_file_for_another_key_is_not_taken(void **state)
{
    (void)state;
    char other[sizeof key];
    struct prepared_index index = {0};
    const size_t n = make_usual();
    memcpy(other, key, sizeof key);
    other[63] = '0';
    assert_int_equal(prepared_file_read(file, n, other, &index, NULL), MODEL_NOT_FOUND);
}

static void what_cannot_be_read_again_is_not_written(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    char *long_key = calloc(1, PREPARED_MAX_KEY + 2);
    assert_non_null(long_key);
    memset(long_key, 'k', PREPARED_MAX_KEY + 1);
    struct prepared_blob blobs[] = {{long_key, "abc", 3, 0}, {"b", "", UINT64_MAX / 2, 0}};
    assert_int_equal(prepared_file_bytes(blobs, 0), 0);
    assert_int_equal(prepared_file_bytes(blobs, 1), 0);
    assert_int_equal(prepared_file_bytes(blobs + 1, 1), 0);
    assert_int_equal(prepared_file_write(-1, "f", key, blobs, 1, &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message, "f: 1 prepared weights, want 1 to 65536 with keys of at most "
                                     "4096 bytes");
    long_key[PREPARED_MAX_KEY] = '\0';
    struct prepared_index index = {0};
    assert_int_equal(read_it(make(blobs, 1), &index, NULL), MODEL_OK);
    assert_non_null(prepared_index_find(&index, long_key, 3));
    prepared_index_finish(&index);
    free(long_key);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct prepared_blob blob = {"b", large, sizeof large, 0};
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL)
        SKIP_BECAUSE("there is no /dev/full");
    assert_int_equal(prepared_file_write(fileno(full), "f", key, &blob, 1, &err), MODEL_IO);
    assert_int_equal(fclose(full), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_xxh3),
        cmocka_unit_test(a_file_is_laid_out_as_documented),
        cmocka_unit_test(blobs_are_found_by_key_and_size),
        cmocka_unit_test(any_flipped_bit_is_found),
        cmocka_unit_test(any_other_length_is_found),
        cmocka_unit_test(numbers_are_checked_beside_the_checksum),
        cmocka_unit_test(a_file_for_another_key_is_not_taken),
        cmocka_unit_test(what_cannot_be_read_again_is_not_written),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
