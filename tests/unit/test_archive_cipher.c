/* test_archive_cipher.c - keys, chunks and parameters of encrypted archives, apart from files: archive_cipher.c,
 * store/archive/archive_encryption.c, store/archive/archive_secret.c. */
#include "archive_cipher.h"
#include "errors.h"
#include "in_folder.h"

#include <fcntl.h>
#include <unistd.h>

static const uint8_t digest_a[32] = {1}, digest_b[32] = {2};

static struct archive_secret *secret_of(enum archive_key_source source, const char *bytes)
{
    struct archive_secret *secret = NULL;
    assert_int_equal(archive_secret_create(source, bytes, strlen(bytes), &secret, NULL), MODEL_OK);
    return secret;
}

#define KEY_TEXT "0123456789abcdef0123456789abcdef"

static struct archive_cipher *make(const struct archive_secret *secret,
                                   struct archive_encryption *encryption)
{
    struct archive_cipher *cipher = NULL;
    *encryption = (struct archive_encryption){.memory_kib = 8, .passes = 1, .chunk_bytes = 4096};
    assert_int_equal(archive_cipher_create(secret, encryption, &cipher, NULL), MODEL_OK);
    assert_int_equal(archive_cipher_bind(cipher, digest_a, encryption, NULL), MODEL_OK);
    return cipher;
}

static model_status open_again(const struct archive_encryption *encryption,
                               const struct archive_secret *secret, const uint8_t *digest,
                               struct model_error *err)
{
    struct archive_cipher *cipher = NULL;
    model_status status = archive_cipher_open(encryption, secret, digest, "a.mhp", &cipher, err);
    archive_cipher_destroy(cipher);
    return status;
}

static void opens_with_the_secret_alone(void **state)
{
    (void)state;
    static const enum archive_key_source sources[] = {ARCHIVE_KEY_OF_PASSPHRASE,
                                                      ARCHIVE_KEY_OF_FILE};
    static const char *const says[] = {
        "a.mhp: decryption: the passphrase is not the one that it was encrypted with (or its "
        "encryption parameters are damaged); try another, or get the file again",
        "a.mhp: decryption: the key is not the one that it was encrypted with (or its encryption "
        "parameters are damaged); try another, or get the file again"};
    for (int i = 0; i < 2; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        struct archive_encryption encryption;
        struct archive_secret *secret = secret_of(sources[i], KEY_TEXT);
        struct archive_secret *wrong = secret_of(sources[i], "1123456789abcdef0123456789abcdef");
        struct archive_secret *other = secret_of(sources[1 - i], KEY_TEXT);
        struct archive_cipher *cipher = make(secret, &encryption);
        assert_int_equal(open_again(&encryption, secret, digest_a, &err), MODEL_OK);
        assert_int_equal(open_again(&encryption, wrong, digest_a, &err), MODELHOST_UNAUTHORIZED);
        assert_string_equal(err.message, says[i]);
        assert_int_equal(open_again(&encryption, other, digest_a, &err), MODELHOST_UNAUTHORIZED);
        assert_non_null(strstr(err.message, i == 0 ? "--passphrase-file" : "--key-file"));
        assert_int_equal(open_again(&encryption, secret, digest_b, &err), MODEL_CORRUPT);
        assert_non_null(strstr(err.message, i == 0 ? "the passphrase is right, but the metadata"
                                                   : "the key is right, but the metadata"));
        assert_non_null(strstr(err.message, "they were damaged or changed; get the file again"));
        archive_cipher_destroy(cipher);
        archive_secret_destroy(other);
        archive_secret_destroy(wrong);
        archive_secret_destroy(secret);
    }
}

static void another_passphrase_opens_the_same_chunks(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct archive_encryption encryption;
    struct archive_secret *old = secret_of(ARCHIVE_KEY_OF_PASSPHRASE, "old");
    struct archive_secret *new = secret_of(ARCHIVE_KEY_OF_FILE, KEY_TEXT);
    struct archive_cipher *cipher = make(old, &encryption), *again = NULL;
    struct archive_chunks chunks, chunks_again;
    uint8_t sealed[5 + CIPHER_TAG_BYTES], opened[5];
    assert_int_equal(archive_chunks_init(cipher, "a", 5, &chunks, &err), MODEL_OK);
    assert_int_equal(archive_chunk_seal(&chunks, 0, "hello", sealed, &err), MODEL_OK);
    assert_int_equal(archive_cipher_wrap(cipher, new, &encryption, &err), MODEL_OK);
    assert_int_equal(open_again(&encryption, old, digest_a, &err), MODELHOST_UNAUTHORIZED);
    assert_int_equal(archive_cipher_open(&encryption, new, digest_a, "a", &again, &err), MODEL_OK);
    assert_int_equal(archive_chunks_init(again, "a", 5, &chunks_again, &err), MODEL_OK);
    assert_int_equal(archive_chunk_open(&chunks_again, 0, sealed, opened, "a", &err), MODEL_OK);
    assert_memory_equal(opened, "hello", 5);
    archive_chunks_finish(&chunks);
    archive_chunks_finish(&chunks_again);
    archive_cipher_destroy(cipher);
    archive_cipher_destroy(again);
    archive_secret_destroy(old);
    archive_secret_destroy(new);
}

/* Two full chunks and a part; each opens at its own place only. */
static void binds_a_chunk_to_its_place(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    static uint8_t data[4096], sealed[3][4096 + CIPHER_TAG_BYTES], opened[4096];
    struct archive_encryption encryption;
    struct archive_secret *secret = secret_of(ARCHIVE_KEY_OF_PASSPHRASE, "p");
    struct archive_cipher *cipher = make(secret, &encryption),
                          *stranger = make(secret, &encryption);
    struct archive_chunks chunks, shorter, moved, elsewhere;
    assert_int_equal(archive_chunks_init(cipher, "a", 8192 + 4096, &chunks, &err), MODEL_OK);
    assert_int_equal(archive_chunks_init(cipher, "a", 4096, &shorter, &err), MODEL_OK);
    assert_int_equal(archive_chunks_init(cipher, "b", 8192 + 4096, &moved, &err), MODEL_OK);
    assert_int_equal(archive_chunks_init(stranger, "a", 8192 + 4096, &elsewhere, &err), MODEL_OK);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(archive_chunk_seal(&chunks, i, data, sealed[i], &err), MODEL_OK);
    for (uint64_t i = 0; i < 3; i++)
        for (uint64_t j = 0; j < 3; j++)
            assert_int_equal(archive_chunk_open(&chunks, i, sealed[j], opened, "a", &err),
                             i == j ? MODEL_OK : MODEL_CORRUPT);
    assert_string_equal(err.message, "a: decryption: entry 'a': chunk 3 of 3 is not what was "
                                     "written there; get the file again");
    assert_int_equal(archive_chunk_open(&shorter, 0, sealed[0], opened, "a", &err), MODEL_CORRUPT);
    assert_int_equal(archive_chunk_open(&moved, 0, sealed[0], opened, "a", &err), MODEL_CORRUPT);
    assert_int_equal(archive_chunk_open(&elsewhere, 0, sealed[0], opened, "a", &err),
                     MODEL_CORRUPT);
    archive_cipher_destroy(cipher);
    archive_cipher_destroy(stranger);
    archive_secret_destroy(secret);
}

static void knows_how_long_payloads_become(void **state)
{
    (void)state;
    static const uint64_t payloads[] = {0, 1, 4095, 4096, 4097, 8192, 8193};
    static const uint64_t sealed[] = {16, 17, 4111, 4112, 4129, 8224, 8241};
    static const uint64_t none[] = {0, 15, 4113, 4128, 8225, 8240};
    uint64_t back = 0;
    for (int i = 0; i < 7; i++) {
        assert_int_equal(archive_sealed_bytes(payloads[i], 4096), sealed[i]);
        assert_true(archive_payload_bytes(sealed[i], 4096, &back));
        assert_int_equal(back, payloads[i]);
    }
    for (int i = 0; i < 6; i++)
        assert_false(archive_payload_bytes(none[i], 4096, &back));
}

/* ---- parameters */

static void writes_parameters_where_the_specification_says(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct archive_encryption encryption = {
        ARCHIVE_KEY_OF_PASSPHRASE, 0x10203, 3, 1u << 20, {0xA0}, {0xB0}, {0xC0}, {0xD0}};
    struct archive_encryption again;
    uint8_t bytes[ARCHIVE_ENCRYPTION_SIZE_BYTES], want[ARCHIVE_ENCRYPTION_SIZE_BYTES] = {0};
    want[0] = want[4] = want[16] = 1;
    want[8] = 3, want[9] = 2, want[10] = 1;
    want[12] = 3;
    want[22] = 0x10;
    want[24] = 0xA0, want[40] = 0xB0, want[64] = 0xC0, want[112] = 0xD0;
    archive_encryption_write(&encryption, bytes);
    assert_memory_equal(bytes, want, sizeof want);
    assert_int_equal(archive_encryption_parse(bytes, sizeof bytes, "a", &again, &err), MODEL_OK);
    assert_memory_equal(&again, &encryption, sizeof again);
}

static void refuses_parameters_that_cost_too_much_or_make_no_sense(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint32_t value;
        model_status want;
        const char *says;
    } cases[] = {
        {0, 2, MODEL_CORRUPT,
         "encryption parameters of version 2, this program reads 1: it is damaged, or of a newer"},
        {4, 3, MODEL_CORRUPT,
         "a key of source 3, want 1 (passphrase) or 2 (key file): it is damaged, or of a newer"},
        {4, 2, MODEL_CORRUPT, "Argon2id with 1024 KiB, 2 passes and 1 lanes is nothing"},
        {8, 7, MODEL_CORRUPT, "Argon2id with 7 KiB"},
        {8, (1u << 19) + 1, MODEL_CORRUPT,
         "takes 524289 KiB of memory and 2 passes to try, the limits are 524288 and 4, so that a "
         "stranger's file cannot exhaust this computer: it is damaged, or was not written by"},
        {12, 0, MODEL_CORRUPT, "0 passes"},
        {12, 5, MODEL_CORRUPT, "5 passes to try"},
        {16, 4, MODEL_CORRUPT, "4 lanes"},
        {20, 4095, MODEL_CORRUPT, "chunks of 4095 bytes, want 4096 to 16777216"},
        {20, (16u << 20) + 1, MODEL_CORRUPT, "chunks of 16777217 bytes"},
    };
    const struct archive_encryption good = {
        ARCHIVE_KEY_OF_PASSPHRASE, 1024, 2, 4096, {0}, {0}, {0}, {0}};
    struct archive_encryption ret;
    uint8_t bytes[ARCHIVE_ENCRYPTION_SIZE_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        archive_encryption_write(&good, bytes);
        for (int byte = 0; byte < 4; byte++)
            bytes[cases[i].at + (size_t)byte] = (uint8_t)(cases[i].value >> 8 * byte);
        assert_int_equal(archive_encryption_parse(bytes, sizeof bytes, "a", &ret, &err),
                         cases[i].want);
        if (strstr(err.message, cases[i].says) == NULL)
            fail_msg("'%s' lacks '%s'", err.message, cases[i].says);
    }
    for (size_t n = 0; n < sizeof bytes; n++)
        assert_int_not_equal(archive_encryption_parse(bytes, n, "a", &ret, NULL), MODEL_OK);
}

/* ---- secrets */

static model_status read_secret(enum archive_key_source source, const char *text, size_t n_bytes,
                                struct archive_secret **ret, struct model_error *err)
{
    write_file(in_folder("secret"), text, n_bytes);
    return archive_secret_read_file(source, in_folder("secret"), ret, err);
}

static void takes_the_first_line_as_the_passphrase(void **state)
{
    (void)state;
    static const char *const files[] = {"a b", "a b\n", "a b\r\n", "a b\nsecond line"};
    struct model_error err = MODEL_ERROR_INIT;
    for (int i = 0; i < 4; i++) {
        struct archive_secret *secret = NULL;
        assert_int_equal(
            read_secret(ARCHIVE_KEY_OF_PASSPHRASE, files[i], strlen(files[i]), &secret, &err),
            MODEL_OK);
        assert_int_equal(secret->size_bytes, 3);
        assert_memory_equal(secret->bytes, "a b", 3);
        archive_secret_destroy(secret);
    }
}

static void refuses_what_is_no_secret_without_repeating_it(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct archive_secret *secret = NULL;
    char long_text[1100];
    memset(long_text, 'x', sizeof long_text);
    assert_int_equal(read_secret(ARCHIVE_KEY_OF_PASSPHRASE, "\n", 1, &secret, &err),
                     MODELHOST_UNAUTHORIZED);
    expect_message(&err, "%s/secret: a passphrase has 1 to 1024 bytes, this one is empty");
    assert_int_equal(
        read_secret(ARCHIVE_KEY_OF_PASSPHRASE, long_text, sizeof long_text, &secret, &err),
        MODELHOST_UNAUTHORIZED);
    expect_message(&err, "%s/secret: a passphrase has 1 to 1024 bytes, this one has more");
    assert_int_equal(read_secret(ARCHIVE_KEY_OF_PASSPHRASE, "ab\0cd\n", 6, &secret, &err),
                     MODELHOST_UNAUTHORIZED);
    expect_message(&err, "%s/secret: a passphrase has no NUL bytes, this one has one at offset 2; "
                         "want a line of text, or give a key file");
    assert_int_equal(read_secret(ARCHIVE_KEY_OF_FILE, KEY_TEXT "\n", 33, &secret, &err),
                     MODELHOST_UNAUTHORIZED);
    expect_message(&err, "%s/secret: a key has 32 bytes, this one has more; 'head -c 32 "
                         "/dev/urandom >FILE' makes one");
    assert_int_equal(
        archive_secret_read_file(ARCHIVE_KEY_OF_FILE, in_folder("none"), &secret, &err),
        MODEL_NOT_FOUND);
    assert_null(secret);
}

int main(void)
{
    const struct CMUnitTest always[] = {
        cmocka_unit_test(knows_how_long_payloads_become),
        cmocka_unit_test(writes_parameters_where_the_specification_says),
        cmocka_unit_test(refuses_parameters_that_cost_too_much_or_make_no_sense),
        IN_FOLDER(takes_the_first_line_as_the_passphrase),
        IN_FOLDER(refuses_what_is_no_secret_without_repeating_it),
    };
    const struct CMUnitTest with_cipher[] = {
        cmocka_unit_test(opens_with_the_secret_alone),
        cmocka_unit_test(another_passphrase_opens_the_same_chunks),
        cmocka_unit_test(binds_a_chunk_to_its_place),
    };
    int failed = cmocka_run_group_tests(always, NULL, NULL);
    if (cipher_is_compiled_in())
        failed += cmocka_run_group_tests(with_cipher, NULL, NULL);
    return failed;
}
