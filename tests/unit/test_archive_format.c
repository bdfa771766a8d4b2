/* test_archive_format.c - the header of an archive: each field that is wrong is refused by name, and each
 * kind of cipher suite has its own sentence. */
#include "archive_format.h"
#include "cipher_primitives.h"
#include "errors.h"
#include "testing.h"

#define FILE_BYTES 8192

static const struct archive_header good = {.file_bytes = FILE_BYTES, .metadata_bytes = 200};

static model_status parse(const struct archive_header *header, int at, uint8_t value,
                          struct model_error *err)
{
    uint8_t bytes[ARCHIVE_HEADER_BYTES];
    struct archive_header ret;
    archive_header_write(header, bytes);
    if (at >= 0)
        bytes[at] = value;
    return archive_header_parse(bytes, sizeof bytes, FILE_BYTES, "a.mhp", &ret, err);
}

/* The offsets as docs/package-format.md has them. */
static void writes_little_endian_fields_where_the_specification_says(void **state)
{
    (void)state;
    uint8_t bytes[ARCHIVE_HEADER_BYTES];
    struct archive_header header = {.flags = 3,
                                    .cipher_suite = 1,
                                    .file_bytes = 0x0102030405060708,
                                    .metadata_bytes = 0x11,
                                    .encryption_bytes = 0x12,
                                    .signature_bytes = 0x13};
    memset(header.metadata_sha256, 0xAA, 32);
    memset(header.file_sha256, 0xBB, 32);
    archive_header_write(&header, bytes);
    static const uint8_t first[] = {0x89, 'M', 'H', 'P', 13, 10, 26, 10, 1, 0, 0, 0, 128, 0,
                                    0,    0,   3,   0,   0,  0,  1,  0,  0, 0, 8, 7, 6,   5,
                                    4,    3,   2,   1,   17, 0,  0,  0,  0, 0, 0, 0, 18};
    assert_memory_equal(bytes, first, sizeof first);
    assert_int_equal(bytes[48], 0x13);
    assert_int_equal(bytes[56], 0xAA);
    assert_int_equal(bytes[87], 0xAA);
    assert_int_equal(bytes[88], 0xBB);
    assert_int_equal(bytes[119], 0xBB);
    for (int i = 120; i < 128; i++)
        assert_int_equal(bytes[i], 0);
}

static void refuses_each_field_that_is_wrong(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(parse(&good, -1, 0, &err), MODEL_OK);
    static const struct {
        int at;
        uint8_t value;
        model_status status;
        const char *part;
    } wrong[] = {
        {0, 'M', MODEL_CORRUPT, "is no package archive"},
        {8, 2, MODEL_CORRUPT,
         "format version 2, this program reads 1: it is damaged, or of a newer program; get"},
        {12, 64, MODEL_CORRUPT, "says it has 64 bytes, want 128"},
        {16, 8, MODEL_CORRUPT, "flags 0x8 are not known: it is damaged, or of a newer"},
        {20, 1, MODEL_CORRUPT, "cipher suite 1 in an archive that is not encrypted"},
        {24, 1, MODEL_CORRUPT, "has 8192 bytes and should have 8193"},
        {32, 0, MODEL_CORRUPT, "0 bytes of metadata, want 1 to"},
        {38, 1, MODEL_CORRUPT, "bytes of metadata, want 1 to"},
        {40, 1, MODEL_CORRUPT, "encryption parameters in an archive that is not encrypted"},
        {42, 1, MODEL_CORRUPT, "bytes of encryption parameters, want 0 to 4096"},
        {51, 1, MODEL_CORRUPT, "bytes of signature, want 0 to 65536"},
        {34, 1, MODEL_CORRUPT, "ends before its entries begin"},
        {127, 1, MODEL_CORRUPT, "reserved bytes are not zero"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(parse(&good, wrong[i].at, wrong[i].value, &err), wrong[i].status);
        if (strstr(err.message, wrong[i].part) == NULL)
            fail_msg("%d: %s", wrong[i].at, err.message);
    }
}

static void every_refusal_says_what_to_do(void **state)
{
    (void)state;
    uint8_t bytes[ARCHIVE_HEADER_BYTES];
    archive_header_write(&good, bytes);
    for (int bit = 0; bit < 8 * ARCHIVE_HEADER_BYTES; bit++) {
        struct model_error err = MODEL_ERROR_INIT;
        const uint8_t flipped = (uint8_t)(bytes[bit / 8] ^ (1u << bit % 8));
        if (parse(&good, bit / 8, flipped, &err) != MODEL_OK &&
            strstr(err.message, "; get the file again") == NULL &&
            strstr(err.message, "; 'pkgmgr pack' makes them") == NULL)
            fail_msg("bit %d: %s", bit, err.message);
    }
}

static void refuses_a_file_that_ends_in_the_header(void **state)
{
    (void)state;
    uint8_t bytes[ARCHIVE_HEADER_BYTES];
    struct archive_header ret;
    struct model_error err = MODEL_ERROR_INIT;
    archive_header_write(&good, bytes);
    for (size_t n = 0; n < sizeof bytes; n++)
        assert_int_equal(archive_header_parse(bytes, n, n, "a.mhp", &ret, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "a.mhp: header: 127 bytes, want 128; get the file again");
}

static void has_a_sentence_for_each_kind_of_cipher_suite(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(archive_cipher_check(ARCHIVE_CIPHER_NONE, "a", &err), MODEL_OK);
    assert_int_equal(archive_cipher_check(2, "a", &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "is deprecated"));
    assert_int_equal(archive_cipher_check(77, "a", &err), MODEL_CORRUPT);
    assert_string_equal(err.message,
                        "a: decryption: cipher suite 77 is not known: it is damaged, or of a newer "
                        "program; get the file again, and if it stays so, use a newer program");
    assert_int_equal(archive_cipher_check(3, "a", &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "a: decryption: cipher suite 3 (AES-256-GCM with Argon2id) is not compiled "
                        "into this program; install one that was built with it");
    assert_int_equal(archive_cipher_check(ARCHIVE_CIPHER_XCHACHA, "a", &err),
                     cipher_is_compiled_in() ? MODEL_OK : MODEL_UNSUPPORTED);
    assert_true(cipher_is_compiled_in() || strstr(err.message, "is not compiled into"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_little_endian_fields_where_the_specification_says),
        cmocka_unit_test(refuses_each_field_that_is_wrong),
        cmocka_unit_test(every_refusal_says_what_to_do),
        cmocka_unit_test(refuses_a_file_that_ends_in_the_header),
        cmocka_unit_test(has_a_sentence_for_each_kind_of_cipher_suite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
