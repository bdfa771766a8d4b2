/* test_cipher_primitives.c - store/trust/cipher_primitives.c against published values: XChaCha20-Poly1305 of
 * draft-irtf-cfrg-xchacha-03 (A.3.1), Argon2id as the reference implementation's argon2(1)
 * prints it; and store/trust/secret_memory.c. */
#include "cipher_primitives.h"
#include "errors.h"
#include "testing.h"

static void bytes_of(const char *hex, uint8_t *ret, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        ret[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

static const char text[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one "
    "tip for the future, sunscreen would be it.";
#define TEXT_BYTES (sizeof text - 1)

static const char sealed_hex[] =
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
    "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
    "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";

struct vector {
    uint8_t key[32], nonce[24], associated[12];
    struct cipher_call call;
};

static void make_vector(struct vector *vector)
{
    for (int i = 0; i < 32; i++)
        vector->key[i] = (uint8_t)(0x80 + i);
    for (int i = 0; i < 24; i++)
        vector->nonce[i] = (uint8_t)(0x40 + i);
    bytes_of("50515253c0c1c2c3c4c5c6c7", vector->associated, 12);
    vector->call = (struct cipher_call){vector->key, vector->nonce, vector->associated, 12};
}

static void encrypts_as_the_draft_does(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct vector vector;
    uint8_t want[TEXT_BYTES + CIPHER_TAG_BYTES], sealed[sizeof want], opened[TEXT_BYTES];
    make_vector(&vector);
    bytes_of(sealed_hex, want, sizeof want);
    assert_int_equal(cipher_seal(&vector.call, text, TEXT_BYTES, sealed, &err), MODEL_OK);
    assert_memory_equal(sealed, want, sizeof want);
    assert_int_equal(cipher_open(&vector.call, sealed, sizeof sealed, opened, &err), MODEL_OK);
    assert_memory_equal(opened, text, TEXT_BYTES);
}

static void refuses_any_other_bit(void **state)
{
    (void)state;
    struct vector vector;
    uint8_t sealed[TEXT_BYTES + CIPHER_TAG_BYTES], opened[TEXT_BYTES];
    make_vector(&vector);
    bytes_of(sealed_hex, sealed, sizeof sealed);
    uint8_t *const parts[] = {vector.key, vector.nonce, vector.associated, sealed};
    const size_t sizes[] = {32, 24, 12, sizeof sealed};
    for (int part = 0; part < 4; part++)
        for (size_t bit = 0; bit < sizes[part] * 8; bit++) {
            parts[part][bit / 8] ^= (uint8_t)(1u << (bit & 7));
            assert_int_equal(cipher_open(&vector.call, sealed, sizeof sealed, opened, NULL),
                             MODEL_CORRUPT);
            parts[part][bit / 8] ^= (uint8_t)(1u << (bit & 7));
        }
    assert_int_equal(cipher_open(&vector.call, sealed, sizeof sealed, opened, NULL), MODEL_OK);
}

/* printf password | argon2 somesaltsomesalt -id -t 3 -k 64 -p 1 -l 32 -r */
static void makes_the_keys_of_argon2id(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    uint8_t key[CIPHER_KEY_BYTES], want[CIPHER_KEY_BYTES];
    bytes_of("6164c739a04e17de34a80bee65c6a58f4b8a240cbf5652f4a79e35ae02b7c616", want, sizeof want);
    assert_int_equal(
        cipher_passphrase_key("password", 8, (const uint8_t *)"somesaltsomesalt", 64, 3, key, &err),
        MODEL_OK);
    assert_memory_equal(key, want, sizeof want);
}

/* Python: hashlib.blake2b(b'abc', key=bytes(range(32)),
 * digest_size=32). */
static void derives_keys_by_blake2b(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    uint8_t key[CIPHER_KEY_BYTES], ret[CIPHER_KEY_BYTES], want[CIPHER_KEY_BYTES];
    for (int i = 0; i < 32; i++)
        key[i] = (uint8_t)i;
    bytes_of("d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f", want, sizeof want);
    assert_int_equal(cipher_derive_key(key, "abc", 3, ret, &err), MODEL_OK);
    assert_memory_equal(ret, want, sizeof want);
}

static void says_when_it_is_not_compiled_in(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    uint8_t bytes[4];
    assert_int_equal(cipher_random(bytes, sizeof bytes, &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message, "encryption is not compiled into this program; install one "
                                     "that was built with libsodium");
}

static void gives_memory_that_is_zero(void **state)
{
    (void)state;
    static const uint8_t zeros[100];
    uint8_t *memory = secret_allocate(sizeof zeros);
    assert_non_null(memory);
    assert_memory_equal(memory, zeros, sizeof zeros);
    memory[0] = 1;
    secret_wipe(memory, sizeof zeros);
    assert_memory_equal(memory, zeros, sizeof zeros);
    secret_free(memory);
    secret_free(NULL);
}

int main(void)
{
    const struct CMUnitTest with[] = {
        cmocka_unit_test(encrypts_as_the_draft_does), cmocka_unit_test(refuses_any_other_bit),
        cmocka_unit_test(makes_the_keys_of_argon2id), cmocka_unit_test(derives_keys_by_blake2b),
        cmocka_unit_test(gives_memory_that_is_zero),
    };
    const struct CMUnitTest without[] = {
        cmocka_unit_test(says_when_it_is_not_compiled_in),
        cmocka_unit_test(gives_memory_that_is_zero),
    };
    return cipher_is_compiled_in() ? cmocka_run_group_tests(with, NULL, NULL)
                                   : cmocka_run_group_tests(without, NULL, NULL);
}
