/* test_zip_reader.c - archives that are read, and each lie that a directory can tell. */
#include "errors.h"
#include "zip_fixture.h"
#include "zip_reader.h"

/* Where things are in the archive of two_entries(). */
enum {
    SECOND_LOCAL = 30 + 1 + 5,
    DIRECTORY = SECOND_LOCAL + 30 + 3 + 4,
    END = DIRECTORY + 2 * 46 + 4
};

static struct zip_fixture two_entries(void)
{
    struct zip_fixture zip = zip_fixture_init();
    zip_fixture_add(&zip, "a", "hello", 5);
    zip_fixture_add(&zip, "b/c", "data", 4);
    zip_fixture_end(&zip);
    assert_int_equal(zip.file.size, END + 22);
    return zip;
}

static model_status open_it(const struct zip_fixture *zip, struct zip_archive *ret,
                            struct model_error *err)
{
    return zip_open((const uint8_t *)zip->file.data, zip->file.size, "f", ret, err);
}

static void finds_entries_where_they_lie(void **state)
{
    (void)state;
    struct zip_fixture zip = two_entries();
    struct zip_archive archive;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(open_it(&zip, &archive, &err), MODEL_OK);
    assert_int_equal(archive.n_entries, 2);
    const struct zip_entry *entry = zip_find(&archive, "b/c");
    assert_non_null(entry);
    assert_int_equal(entry->size_bytes, 4);
    assert_memory_equal(entry->data, "data", 4);
    assert_true((const char *)entry->data > zip.file.data);
    assert_int_equal(zip_check(&archive, entry, NULL, &err), MODEL_OK);
    assert_null(zip_find(&archive, "c"));
    zip_close(&archive);
    zip_fixture_finish(&zip);
}

static void an_empty_archive_is_one(void **state)
{
    (void)state;
    struct zip_fixture zip = zip_fixture_init();
    struct zip_archive archive;
    zip_put(&zip.directory, 0, 1);
    zip.directory.size = 0;
    zip_fixture_end(&zip);
    assert_int_equal(open_it(&zip, &archive, NULL), MODEL_OK);
    assert_int_equal(archive.n_entries, 0);
    zip_close(&archive);
    zip_fixture_finish(&zip);
}

static void damage_is_found_when_it_is_looked_for(void **state)
{
    (void)state;
    struct zip_fixture zip = two_entries();
    struct zip_archive archive;
    struct model_error err = MODEL_ERROR_INIT;
    zip.file.data[31] ^= 1;
    assert_int_equal(open_it(&zip, &archive, &err), MODEL_OK);
    assert_int_equal(zip_check(&archive, zip_find(&archive, "a"), NULL, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "f: 'a' is damaged: its CRC-32 is "));
    zip_close(&archive);
    zip_fixture_finish(&zip);
}

static void refuses_what_does_not_add_up(void **state)
{
    static const struct {
        size_t at;
        unsigned value;
        const char *problem;
    } lies[] = {
        {END, 'x', "no end record in the last 22 bytes"},
        {END + 20, 1, "no end record in the last 22 bytes"},
        {END + 4, 1, "spans several disks"},
        {END + 8, 3, "spans several disks"},
        {END + 12, 1, "does not end where the end record begins"},
        {END + 16, 1, "does not end where the end record begins"},
        {DIRECTORY, 'x', "fewer entries than the end record says"},
        {DIRECTORY + 8, 1, "'a' is encrypted"},
        {DIRECTORY + 10, 8, "'a' is compressed"},
        {DIRECTORY + 16, 0x55, "'a' has other sizes or another checksum in its own header"},
        {DIRECTORY + 20, 6, "'a' is stored, but its sizes differ"},
        {DIRECTORY + 28, 0, "an entry's name is empty"},
        {DIRECTORY + 28, 200, "an entry of its directory is cut off"},
        {DIRECTORY + 30, 3, "'a' has broken extra fields"},
        {DIRECTORY + 42, 1, "'a' is not where the directory says"},
        {DIRECTORY + 42, SECOND_LOCAL, "'a' has another name in its own header"},
        {DIRECTORY + 46, '\n', "'\\x0a' has a control character"},
        {0, 'x', "'a' is not where the directory says"},
        {8, 8, "'a' has other sizes or another checksum in its own header"},
        {18, 4, "'a' has other sizes or another checksum in its own header"},
        {26, 2, "'a' has another name in its own header"},
        {28, 5, "'a' has broken extra fields"},
        {30, 'b', "'a' has another name in its own header"},
        {SECOND_LOCAL + 29, 1, "'b/c' is cut off"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct zip_fixture zip = two_entries();
        struct zip_archive archive;
        struct model_error err = MODEL_ERROR_INIT;
        zip.file.data[lies[i].at] = (char)lies[i].value;
        assert_int_not_equal(open_it(&zip, &archive, &err), MODEL_OK);
        if (strstr(err.message, lies[i].problem) == NULL)
            fail_msg("lie %zu: '%s', want '%s'", i, err.message, lies[i].problem);
        zip_fixture_finish(&zip);
    }
}

static void refuses_truncation_at_every_byte(void **state)
{
    (void)state;
    struct zip_fixture zip = two_entries();
    for (size_t size = 0; size < zip.file.size; size++) {
        struct zip_archive archive;
        struct model_error err = MODEL_ERROR_INIT;
        uint8_t *copy = malloc(size + 1);
        assert_non_null(copy);
        memcpy(copy, zip.file.data, size);
        assert_int_equal(zip_open(copy, size, "f", &archive, &err), MODEL_CORRUPT);
        assert_true(err.message[0] != '\0');
        free(copy);
    }
    zip_fixture_finish(&zip);
}

static void refuses_entries_that_overlap(void **state)
{
    (void)state;
    struct zip_fixture zip = two_entries();
    struct zip_archive archive;
    struct model_error err = MODEL_ERROR_INIT;
    /* both directory entries lead to the first local header, and say its name */
    zip.file.data[DIRECTORY + 47 + 42] = 0;
    memcpy(zip.file.data + DIRECTORY + 47 + 16, zip.file.data + DIRECTORY + 16, 12);
    assert_int_equal(open_it(&zip, &archive, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "has another name in its own header"));
    zip_fixture_finish(&zip);

    /* an entry whose data is another entry */
    zip = zip_fixture_init();
    zip_fixture_add(&zip, "in", "x", 1);
    struct zip_fixture outer = zip_fixture_init();
    zip_fixture_add(&outer, "out", zip.file.data, zip.file.size);
    size_t inner = outer.file.size - zip.file.size;
    zip.directory.data[42] = (char)inner;
    assert_int_equal(buffer_append(&outer.directory, zip.directory.data, zip.directory.size),
                     MODEL_OK);
    outer.n_entries++;
    zip_fixture_end(&outer);
    assert_int_equal(open_it(&outer, &archive, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "f: broken zip archive: two of its entries overlap");
    zip_fixture_finish(&outer);
    zip_fixture_finish(&zip);
}

/* The places of an archive with one entry "a" of 5 bytes and 64-bit numbers. */
enum {
    EXTRA = 30 + 1,
    DIRECTORY64 = EXTRA + ZIP64_EXTRA_BYTES + 5,
    CENTRAL_EXTRA = DIRECTORY64 + 46 + 1,
    END64 = CENTRAL_EXTRA + ZIP64_EXTRA_BYTES,
    LOCATOR64 = END64 + 56
};

static struct zip_fixture one_entry64(void)
{
    struct zip_fixture zip = zip_fixture_init();
    zip.zip64 = true;
    zip_fixture_add(&zip, "a", "hello", 5);
    zip_fixture_end(&zip);
    assert_int_equal(zip.file.size, LOCATOR64 + 20 + 22);
    return zip;
}

static void numbers_of_64_bits_are_read_where_the_old_fields_say_so(void **state)
{
    (void)state;
    struct zip_fixture zip = one_entry64();
    struct zip_archive archive;
    assert_int_equal(open_it(&zip, &archive, NULL), MODEL_OK);
    assert_int_equal(archive.n_entries, 1);
    assert_int_equal(archive.entries[0].size_bytes, 5);
    assert_memory_equal(archive.entries[0].data, "hello", 5);
    zip_close(&archive);
    zip_fixture_finish(&zip);
}

static void refuses_lies_in_64_bits(void **state)
{
    static const struct {
        size_t at;
        unsigned value;
        const char *problem;
    } lies[] = {
        {EXTRA, 2, "'a' has broken extra fields"},
        {EXTRA + 2, 15, "'a' has broken extra fields"},
        {EXTRA + 4, 4, "'a' has other sizes or another checksum in its own header"},
        {CENTRAL_EXTRA, 2, "'a' has broken extra fields"},
        {CENTRAL_EXTRA + 2, 8, "'a' has broken extra fields"},
        {CENTRAL_EXTRA + 4 + 7, 0x80, "'a' is stored, but its sizes differ"},
        {END64, 'x', "its zip64 end record is not where the locator says"},
        {END64 + 4, 45, "its zip64 end record is not where the locator says"},
        {END64 + 24, 2, "it spans several disks"},
        {END64 + 40 + 6, 1, "its two end records differ"},
        {LOCATOR64 + 8 + 5, 1, "its zip64 end record is not where the locator says"},
        {LOCATOR64 + 16, 2, "it spans several disks"},
        {LOCATOR64 + 20 + 10, 2, "it spans several disks"},
        {LOCATOR64 + 20 + 16, 1, "its two end records differ"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct zip_fixture zip = one_entry64();
        struct zip_archive archive;
        struct model_error err = MODEL_ERROR_INIT;
        zip.file.data[lies[i].at] = (char)lies[i].value;
        assert_int_equal(open_it(&zip, &archive, &err), MODEL_CORRUPT);
        if (strstr(err.message, lies[i].problem) == NULL)
            fail_msg("lie %zu: '%s', want '%s'", i, err.message, lies[i].problem);
        zip_fixture_finish(&zip);
    }
}

static void refuses_a_name_that_stands_twice(void **state)
{
    (void)state;
    struct zip_fixture zip = zip_fixture_init();
    struct zip_archive archive;
    struct model_error err = MODEL_ERROR_INIT;
    zip_fixture_add(&zip, "a", "1", 1);
    zip_fixture_add(&zip, "a", "2", 1);
    zip_fixture_end(&zip);
    assert_int_equal(open_it(&zip, &archive, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "f: zip entry 'a' stands twice");
    zip_fixture_finish(&zip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_entries_where_they_lie),
        cmocka_unit_test(an_empty_archive_is_one),
        cmocka_unit_test(damage_is_found_when_it_is_looked_for),
        cmocka_unit_test(refuses_what_does_not_add_up),
        cmocka_unit_test(refuses_truncation_at_every_byte),
        cmocka_unit_test(refuses_entries_that_overlap),
        cmocka_unit_test(numbers_of_64_bits_are_read_where_the_old_fields_say_so),
        cmocka_unit_test(refuses_lies_in_64_bits),
        cmocka_unit_test(refuses_a_name_that_stands_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
