/* test_safetensors.c - every rule of the format, with the sentence that names its breach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "safetensors.h"
#include "store_fixture.h"

static model_status parse(const char *header, size_t data_bytes, struct safetensors *ret,
                          struct model_error *err)
{
    size_t size_bytes = 0;
    uint8_t *file = make_safetensors(header, data_bytes, &size_bytes);
    model_status status = safetensors_parse(file, size_bytes, "f", ret, err);
    free(file);
    return status;
}

static void reads_names_types_shapes_and_places(void **state)
{
    (void)state;
    struct safetensors file;
    struct model_error err = MODEL_ERROR_INIT;
    const char *header =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[8,32]},"
        "\"a\":{\"data_offsets\":[0,8],\"extra\":[{}],\"dtype\":\"I64\",\"shape\":[]}}   ";
    assert_int_equal(parse(header, 32, &file, &err), MODEL_OK);
    assert_int_equal(file.n_entries, 2);
    assert_int_equal(file.data_bytes, 32);
    assert_string_equal(file.entries[0].name, "a");
    assert_int_equal(file.entries[0].dtype, MODEL_I64);
    assert_int_equal(file.entries[0].rank, 0);
    assert_int_equal(file.entries[0].size_bytes, 8);
    assert_int_equal(file.entries[0].offset, 8 + strlen(header));
    assert_string_equal(file.entries[1].name, "b");
    assert_int_equal(file.entries[1].rank, 2);
    assert_int_equal(file.entries[1].shape[0], 2);
    assert_int_equal(file.entries[1].shape[1], 3);
    assert_int_equal(file.entries[1].offset, 16 + strlen(header));
    safetensors_finish(&file);
}

static void accepts_what_the_format_allows(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_bytes;
        size_t n_entries;
    } cases[] = {
        {"{}", 0, 0},
        {"{}      ", 0, 0},
        {"{\"__metadata__\":{}}", 0, 0},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[0,0]}}", 0, 1},
        /* an empty tensor between two others */
        {"{\"c\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
         3, 3},
        /* an element that is not aligned */
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"b\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[1,9]}}",
         9, 2},
        {"{\"\":{\"dtype\":\"BOOL\",\"shape\":[1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, 1},
        {"{\"\\u00e9\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct safetensors file;
        struct model_error err = MODEL_ERROR_INIT;
        if (parse(cases[i].header, cases[i].data_bytes, &file, &err) != MODEL_OK)
            fail_msg("%s: %s", cases[i].header, err.message);
        assert_int_equal(file.n_entries, cases[i].n_entries);
        safetensors_finish(&file);
    }
}

#define ONE(name_, dtype_, shape_, offsets_)                                                       \
    "\"" name_ "\":{\"dtype\":\"" dtype_ "\",\"shape\":" shape_ ",\"data_offsets\":" offsets_ "}"

static const struct {
    const char *header;
    size_t data_bytes;
    model_status status;
    const char *message;
} broken[] = {
    {"", 0, MODEL_CORRUPT, "f: the header does not start with '{'"},
    {" {}", 0, MODEL_CORRUPT, "f: the header does not start with '{'"},
    {"[]", 0, MODEL_CORRUPT, "f: the header does not start with '{'"},
    {"{", 0, MODEL_CORRUPT, "f: header: byte 1: not valid JSON, want a string"},
    {"{}\n", 0, MODEL_CORRUPT, "f: header: byte 2: want only spaces behind the header"},
    {"{}{}", 0, MODEL_CORRUPT, "f: header: byte 2: want only spaces behind the header"},
    {"{\"a\":1}", 0, MODEL_CORRUPT, "f: header: byte 5: not valid JSON, want '{'"},
    {"{\"\xff\":1}", 0, MODEL_CORRUPT, "f: header: byte 2: not UTF-8"},
    {"{\"a\":{}}", 0, MODEL_CORRUPT, "f: tensor 'a': want dtype, shape and data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, MODEL_CORRUPT,
     "f: tensor 'a': want dtype, shape and data_offsets"},
    {"{" ONE("a", "F31", "[1]", "[0,4]") "}", 4, MODEL_CORRUPT,
     "f: tensor 'a': unknown dtype 'F31', want one such as F32, F16, BF16 or I64"},
    {"{" ONE("a", "f32", "[1]", "[0,4]") "}", 4, MODEL_CORRUPT,
     "f: tensor 'a': unknown dtype 'f32', want one such as F32, F16, BF16 or I64"},
    {"{" ONE("a", "F32", "[1]", "[0,4]") "," ONE("a", "F32", "[1]", "[4,8]") "}", 8, MODEL_CORRUPT,
     "f: tensor 'a': the name stands twice"},
    {"{" ONE("a", "F32", "[1]", "[0,4]") "," ONE("\\u0061", "F32", "[1]", "[4,8]") "}", 8,
     MODEL_CORRUPT, "f: tensor 'a': the name stands twice"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, MODEL_CORRUPT,
     "f: tensor '__metadata__': the name stands twice"},
    {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, MODEL_CORRUPT,
     "f: header: byte 32: a key of __metadata__ stands twice"},
    {"{\"__metadata__\":{\"a\":1}}", 0, MODEL_CORRUPT,
     "f: header: byte 21: not valid JSON, want a string"},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     MODEL_CORRUPT, "f: tensor 'a': a member stands twice"},
    {"{" ONE("a", "F32", "[2,3]", "[0,20]") "}", 20, MODEL_CORRUPT,
     "f: tensor 'a': shape [2, 3] of F32 takes 24 bytes, data_offsets 20"},
    {"{" ONE("a", "F32", "[0]", "[0,4]") "}", 4, MODEL_CORRUPT,
     "f: tensor 'a': shape [0] of F32 takes 0 bytes, data_offsets 4"},
    {"{" ONE("a", "F32", "[1]", "[4,0]") "}", 4, MODEL_CORRUPT,
     "f: tensor 'a': data_offsets that end before they begin"},
    {"{" ONE("a", "F32", "[1]", "[0]") "}", 4, MODEL_CORRUPT,
     "f: tensor 'a': data_offsets of fewer than two numbers"},
    {"{" ONE("a", "F32", "[1]", "[0,4,8]") "}", 4, MODEL_CORRUPT,
     "f: tensor 'a': data_offsets of more than two numbers"},
    {"{" ONE("a", "F32", "[-1]", "[0,4]") "}", 4, MODEL_CORRUPT,
     "f: header: byte 29: want a whole number that is not negative"},
    {"{" ONE("a", "F32", "[1.0]", "[0,4]") "}", 4, MODEL_CORRUPT,
     "f: header: byte 30: want a whole number"},
    {"{" ONE("a", "F32", "[9007199254740992]", "[0,4]") "}", 4, MODEL_CORRUPT,
     "f: header: byte 44: a number over 2^53 - 1"},
    {"{" ONE("a", "F32", "[9007199254740991,9007199254740991]", "[0,4]") "}", 4, MODEL_CORRUPT,
     "f: tensor 'a': the size of shape [9007199254740991, 9007199254740991] overflows"},
    {"{" ONE("a", "U8", "[4294967296,4294967296,0]", "[0,0]") "}", 0, MODEL_CORRUPT,
     "f: tensor 'a': the size of shape [4294967296, 4294967296, 0] overflows"},
    {"{" ONE("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1, MODEL_UNSUPPORTED,
     "f: tensor 'a': more than 8 dimensions"},
    {"{" ONE("a", "F32", "[3]", "[0,12]") "}", 8, MODEL_CORRUPT,
     "f: tensor 'a': truncated: ends at data byte 12, the file has 8"},
    {"{" ONE("a", "F32", "[2]", "[0,8]") "," ONE("b", "F32", "[2]", "[4,12]") "}", 12,
     MODEL_CORRUPT, "f: tensor 'b': starts at data byte 4 and overlaps the one that ends at 8"},
    {"{" ONE("a", "F32", "[1]", "[0,4]") "," ONE("b", "F32", "[1]", "[0,4]") "}", 4, MODEL_CORRUPT,
     "f: tensor 'b': starts at data byte 0 and overlaps the one that ends at 4"},
    {"{" ONE("a", "F32", "[1]", "[0,4]") "," ONE("b", "F32", "[1]", "[8,12]") "}", 12,
     MODEL_CORRUPT, "f: tensor 'b': starts at data byte 8, behind a hole that begins at 4"},
    {"{" ONE("a", "F32", "[1]", "[4,8]") "}", 8, MODEL_CORRUPT,
     "f: tensor 'a': starts at data byte 4, behind a hole that begins at 0"},
    {"{" ONE("a", "F32", "[1]", "[0,4]") "}", 7, MODEL_CORRUPT,
     "f: 3 bytes behind the last tensor, want none"},
    {"{}", 5, MODEL_CORRUPT, "f: 5 bytes behind the last tensor, want none"},
};

static void refuses_each_breach_with_its_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct safetensors file;
        struct model_error err = MODEL_ERROR_INIT;
        model_status status = parse(broken[i].header, broken[i].data_bytes, &file, &err);
        assert_string_equal(err.message, broken[i].message);
        assert_int_equal(status, broken[i].status);
    }
}

static void refuses_a_truncated_file_at_every_length(void **state)
{
    (void)state;
    size_t size_bytes = 0;
    uint8_t *file = make_safetensors("{" ONE("a", "F32", "[2]", "[0,8]") "}", 8, &size_bytes);
    for (size_t n = 0; n < size_bytes; n++) {
        uint8_t *part = malloc(n + 1); /* so that a sanitizer sees a read beyond */
        assert_non_null(part);
        memcpy(part, file, n);
        uint8_t *exact = realloc(part, n > 0 ? n : 1);
        struct safetensors result;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(safetensors_parse(exact, n, "f", &result, &err), MODEL_CORRUPT);
        assert_non_null(strstr(err.message, "f: "));
        assert_non_null(strstr(err.message, "truncated"));
        free(exact);
    }
    free(file);
}

static void refuses_a_header_that_is_too_large(void **state)
{
    (void)state;
    uint8_t file[16] = {0x01, 0xe1, 0xf5, 0x05}; /* 100,000,001 */
    struct safetensors result;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(safetensors_parse(file, 200000000, "f", &result, &err), MODEL_CORRUPT);
    assert_string_equal(err.message,
                        "f: a header of 100000001 bytes, the limit is 100000000; is it "
                        "a safetensors file?");
    memset(file, 0xff, 8);
    assert_int_equal(safetensors_parse(file, sizeof file, "f", &result, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "f: a header of 18446744073709551615 bytes, the limit is "
                                     "100000000; is it a safetensors file?");
}

/* A header of n scalars of one byte; each may have dimensions of its own. */
static void make_header(size_t n, size_t max_rank, struct buffer *ret)
{
    for (size_t i = 0; i < n; i++) {
        (void)buffer_printf(ret, "%s\"t%zu\":{\"dtype\":\"U8\",\"shape\":[", i == 0 ? "{" : ",", i);
        for (size_t d = 0; d < i % (max_rank + 1); d++)
            (void)buffer_append_text(ret, d == 0 ? "1" : ",1");
        assert_int_equal(buffer_printf(ret, "],\"data_offsets\":[%zu,%zu]}", i, i + 1), MODEL_OK);
    }
    assert_int_equal(buffer_append_text(ret, "}"), MODEL_OK);
}

static void keeps_each_shape_where_many_are_read(void **state)
{
    (void)state;
    const size_t n = 1000;
    struct buffer header = BUFFER_INIT(1u << 20);
    struct safetensors file;
    struct model_error err = MODEL_ERROR_INIT;
    make_header(n, MODEL_MAX_RANK, &header);
    assert_int_equal(parse(header.data, n, &file, &err), MODEL_OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(file.entries[i].rank, i % (MODEL_MAX_RANK + 1));
        for (uint32_t d = 0; d < file.entries[i].rank; d++)
            assert_int_equal(file.entries[i].shape[d], 1);
    }
    safetensors_finish(&file);
    buffer_finish(&header);
}

static void refuses_more_tensors_than_the_limit(void **state)
{
    (void)state;
    struct buffer header = BUFFER_INIT(64u << 20);
    struct safetensors file;
    struct model_error err = MODEL_ERROR_INIT;
    make_header(SAFETENSORS_MAX_TENSORS, 0, &header);
    assert_int_equal(parse(header.data, SAFETENSORS_MAX_TENSORS, &file, &err), MODEL_OK);
    safetensors_finish(&file);
    buffer_clear(&header);
    make_header(SAFETENSORS_MAX_TENSORS + 1, 0, &header);
    assert_int_equal(parse(header.data, SAFETENSORS_MAX_TENSORS + 1, &file, &err),
                     MODEL_UNSUPPORTED);
    assert_string_equal(err.message, "f: more than 262144 tensors in one file, the limit; have "
                                     "them put into several (shards)");
    buffer_finish(&header);
    /* what a download may spend on each: 64 bytes with two dimensions and a pointer to sort by */
    assert_true(sizeof(struct safetensors_entry) + 2 * sizeof(int64_t) + sizeof(char *) <= 64);
}

static void reads_a_hundred_thousand_tensors_quickly(void **state)
{
    (void)state;
    size_t n = 100000, size_bytes = 0;
    struct buffer header = BUFFER_INIT(64u << 20);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(
            buffer_printf(&header,
                          "%s\"encoder.layer.%zu.weight\":{\"dtype\":\"F32\",\"shape\":"
                          "[1],\"data_offsets\":[%zu,%zu]}",
                          i == 0 ? "{" : ",", i, (n - 1 - i) * 4, (n - i) * 4),
            MODEL_OK);
    assert_int_equal(buffer_append_text(&header, "}"), MODEL_OK);
    uint8_t *bytes = make_safetensors(header.data, n * 4, &size_bytes);
    struct safetensors file;
    struct model_error err = MODEL_ERROR_INIT;
    int64_t start_ns = clock_now_ns();
    assert_int_equal(safetensors_parse(bytes, size_bytes, "f", &file, &err), MODEL_OK);
    int64_t took_ms = (clock_now_ns() - start_ns) / NS_PER_MS;
    print_message("100,000 tensors: %lld ms\n", (long long)took_ms);
    assert_true(took_ms < 20000); /* quadratic work would take minutes; sanitizers are slow */
    assert_int_equal(file.n_entries, n);
    assert_string_equal(file.entries[0].name, "encoder.layer.99999.weight");
    safetensors_finish(&file);
    free(bytes);
    buffer_finish(&header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_names_types_shapes_and_places),
        cmocka_unit_test(accepts_what_the_format_allows),
        cmocka_unit_test(refuses_each_breach_with_its_sentence),
        cmocka_unit_test(refuses_a_truncated_file_at_every_length),
        cmocka_unit_test(refuses_a_header_that_is_too_large),
        cmocka_unit_test(keeps_each_shape_where_many_are_read),
        cmocka_unit_test(refuses_more_tensors_than_the_limit),
        cmocka_unit_test(reads_a_hundred_thousand_tensors_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
