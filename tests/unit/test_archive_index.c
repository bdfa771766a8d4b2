/* test_archive_index.c - the metadata of an archive: what is wrong is refused by name, decompression
 * bombs by their declared sizes. */
#include "archive_index.h"
#include "errors.h"
#include "testing.h"

#define SHA  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD "{\"format_version\":1,\"frame_bytes\":4096,\"entries\":["
#define ENTRY(path, size, offset, stored)                                                          \
    "{\"path\":\"" path "\",\"size\":" #size ",\"sha256\":\"" SHA "\",\"offset\":" #offset         \
    ",\"stored\":" #stored ",\"method\":\"stored\"}"
#define FRAMES(path, size, offset, stored, list)                                                   \
    "{\"path\":\"" path "\",\"size\":" #size ",\"sha256\":\"" SHA "\",\"offset\":" #offset         \
    ",\"stored\":" #stored ",\"method\":\"zstd-frames\",\"frames\":[" list "]}"

static const char good[] =
    HEAD ENTRY("a", 10, 4096, 10) "," FRAMES("b/c", 5000, 8192, 300, "200,100") "]}";

static model_status parse(const char *text, uint64_t file_bytes, struct archive_index *ret,
                          struct model_error *err)
{
    const struct archive_header header = {.file_bytes = file_bytes, .metadata_bytes = 1000};
    return archive_index_parse(text, strlen(text), &header, "m", ret, err);
}

static void reads_what_it_prints(void **state)
{
    (void)state;
    struct archive_index index = {0};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(parse(good, 8492, &index, &err), MODEL_OK);
    assert_int_equal(archive_index_check_sizes(&index, "m", &err), MODEL_OK);
    assert_int_equal(index.n_entries, 2);
    assert_int_equal(archive_index_find(&index, "b/c")->frames[1], 100);
    assert_null(archive_index_find(&index, "b"));
    char *text = archive_index_print(&index);
    assert_string_equal(text, good);
    free(text);
    archive_index_finish(&index);
}

static void refuses_what_is_not_as_specified(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
        uint64_t file_bytes;
        model_status status;
    } wrong[] = {
        {"[", "not valid JSON", 1, MODEL_CORRUPT},
        {"{}{}", "text after the JSON value", 1, MODEL_CORRUPT},
        {"{\"a\":\"\\u0000\"}", "zero character", 1, MODEL_CORRUPT},
        {"{\"a\":\"\xff\"}", "not UTF-8", 1, MODEL_CORRUPT},
        {"{\"a\":1,\"a\":1}", "stands twice", 1, MODEL_CORRUPT},
        {HEAD "{\"path\":\"a\",\"path\":\"a\"}]}", "stands twice", 1, MODEL_CORRUPT},
        {HEAD ENTRY("a\\u001b[2J", 1, 4096, 1) "]}", "entry 'a\\x1b[2J'", 4097, MODEL_CORRUPT},
        {HEAD ENTRY("a\xC2\x9B"
                    "2J",
                    1, 4096, 1) "]}",
         "entry 'a\\xc2\\x9b2J'", 4097, MODEL_CORRUPT},
        {"{}", "format_version is not 1", 1, MODEL_UNSUPPORTED},
        {"{\"format_version\":1,\"frame_bytes\":1}", "frame_bytes is not", 1, MODEL_CORRUPT},
        {HEAD "]}", "want a list of 1 to", 1, MODEL_CORRUPT},
        {HEAD ENTRY("../a", 1, 4096, 1) "]}", "leaves the package", 4097, MODEL_CORRUPT},
        {HEAD ENTRY("a", -1, 4096, 1) "]}", "not all whole numbers", 4097, MODEL_CORRUPT},
        {HEAD ENTRY("a", 1.5, 4096, 1) "]}", "not all whole numbers", 4097, MODEL_CORRUPT},
        {HEAD ENTRY("b", 1, 4096, 1) "," ENTRY("a", 1, 8192, 1) "]}", "not in the order", 8193,
         MODEL_CORRUPT},
        {HEAD ENTRY("a", 1, 4096, 1) "," ENTRY("a", 1, 8192, 1) "]}", "stands twice", 8193,
         MODEL_CORRUPT},
        {HEAD ENTRY("a", 1, 4096, 1) "," ENTRY("a-b", 1, 8192, 1) "," ENTRY("a/b", 1, 12288,
                                                                            1) "]}",
         "a folder on its path is a file", 12289, MODEL_CORRUPT},
        {HEAD ENTRY("a", 1, 4100, 1) "]}", "does not begin where", 4101, MODEL_CORRUPT},
        {HEAD ENTRY("a", 1, 8192, 1) "]}", "does not begin where", 8193, MODEL_CORRUPT},
        {HEAD ENTRY("a", 2, 4096, 2) "]}", "does not end in the file", 4097, MODEL_CORRUPT},
        {HEAD ENTRY("a", 1, 4096, 1) "]}", "the entries end at byte 4097, the file at 5000", 5000,
         MODEL_CORRUPT},
        {HEAD FRAMES("a", 1, 4096, 1, "0") "]}", "no positive number", 4097, MODEL_CORRUPT},
        {HEAD FRAMES("a", 1, 4096, 1, "") "]}", "no list of frames", 4097, MODEL_CORRUPT},
        {HEAD "{\"path\":\"a\",\"size\":1,\"sha256\":\"" SHA
              "\",\"offset\":4096,\"stored\":1,\"method\":\"lz4\"}]}",
         "method 'lz4' is not known", 4097, MODEL_UNSUPPORTED},
        {HEAD "{\"path\":\"a\",\"size\":1,\"sha256\":\"ABC\",\"offset\":4096,\"stored\":1,"
              "\"method\":\"stored\"}]}",
         "sha256 is not 64", 4097, MODEL_CORRUPT},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct archive_index index = {0};
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(parse(wrong[i].text, wrong[i].file_bytes, &index, &err), wrong[i].status);
        if (strncmp(err.message, "m: metadata: ", 13) != 0 ||
            strstr(err.message, wrong[i].part) == NULL)
            fail_msg("%zu: %s", i, err.message);
    }
}

static void refuses_decompression_bombs(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
        uint64_t file_bytes;
    } bombs[] = {
        {HEAD FRAMES("a", 4096, 4096, 4, "4") "]}", "more than 1000 times", 4100},
        {HEAD FRAMES("a", 4096, 4096, 100, "50,50") "]}", "number of frames", 4196},
        {HEAD FRAMES("a", 4096, 4096, 100, "101") "]}", "as long together", 4196},
        {HEAD ENTRY("a", 11, 4096, 10) "]}", "in another size", 4106},
    };
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        struct archive_index index = {0};
        struct model_error err = MODEL_ERROR_INIT;
        if (parse(bombs[i].text, bombs[i].file_bytes, &index, &err) != MODEL_OK)
            fail_msg("%zu: %s", i, err.message);
        assert_int_equal(archive_index_check_sizes(&index, "m", &err), MODEL_CORRUPT);
        if (strstr(err.message, bombs[i].part) == NULL)
            fail_msg("%zu: %s", i, err.message);
        archive_index_finish(&index);
    }
}

/* More than all archives may hold, in entries that are each within the ratio. */
static void refuses_contents_that_are_too_large_together(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct archive_entry entries[2] = {
        {.path = (char *)(uintptr_t) "a", .size_bytes = ARCHIVE_MAX_BYTES},
        {.path = (char *)(uintptr_t) "b", .size_bytes = 1}};
    const struct archive_index index = {entries, 2, 4096};
    entries[0].stored_bytes = entries[0].size_bytes;
    entries[1].stored_bytes = 1;
    entries[0].payload_bytes = entries[0].stored_bytes;
    entries[1].payload_bytes = 1;
    assert_int_equal(archive_index_check_sizes(&index, "m", &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "bytes together"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_prints),
        cmocka_unit_test(refuses_what_is_not_as_specified),
        cmocka_unit_test(refuses_decompression_bombs),
        cmocka_unit_test(refuses_contents_that_are_too_large_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
