/* test_digest.c - digests against published values: FIPS 180-4's examples and git's own names. */
#include "digest.h"
#include "errors.h"
#include "files.h"
#include "testing.h"

#include <sys/stat.h>

#define SHA256_EMPTY     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHA256_ABC       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA256_MILLION_A "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void sha256_of_the_published_messages(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"", SHA256_EMPTY},
        {"abc", SHA256_ABC},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hex[SHA256_HEX_BYTES];
        assert_int_equal(digest_bytes_sha256(cases[i].text, strlen(cases[i].text), hex, NULL),
                         MODEL_OK);
        assert_string_equal(hex, cases[i].hex);
    }
}

static void pieces_give_the_digest_of_the_whole(void **state)
{
    (void)state;
    struct digest *digest = NULL;
    char block[1000], hex[SHA256_HEX_BYTES];
    memset(block, 'a', sizeof block);
    assert_int_equal(digest_create_sha256(&digest, NULL), MODEL_OK);
    size_t left = 1000000;
    for (size_t n = 1; left > 0; n = n % 999 + 1) {
        size_t size = n < left ? n : left;
        digest_update(digest, block, size);
        left -= size;
    }
    digest_update(digest, block, 0);
    digest_finish_hex(digest, hex);
    assert_string_equal(hex, SHA256_MILLION_A);
}

static void git_names_blobs_the_same_way(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex; /* git hash-object */
    } cases[] = {
        {"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
        {"hello world\n", "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct digest *digest = NULL;
        char hex[SHA1_HEX_BYTES];
        size_t size = strlen(cases[i].text);
        assert_int_equal(digest_create_git_blob(size, &digest, NULL), MODEL_OK);
        digest_update(digest, cases[i].text, size);
        digest_finish_hex(digest, hex);
        assert_string_equal(hex, cases[i].hex);
    }
}

static void sha1_of_the_published_message(void **state)
{
    (void)state;
    struct digest *digest = NULL;
    char hex[SHA1_HEX_BYTES];
    assert_int_equal(digest_create_sha1(&digest, NULL), MODEL_OK);
    digest_update(digest, "abc", 3);
    digest_finish_hex(digest, hex);
    assert_string_equal(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
}

static void a_file_s_digest_and_size(void **state)
{
    (void)state;
    char *folder = scratch_dir(), *path = path_join(folder, "x");
    char *data = malloc(1000000), hex[SHA256_HEX_BYTES];
    uint64_t size_bytes = 1;
    assert_non_null(data);
    memset(data, 'a', 1000000);
    write_file(path, data, 1000000);
    assert_int_equal(digest_file_sha256(path, hex, &size_bytes, NULL), MODEL_OK);
    assert_string_equal(hex, SHA256_MILLION_A);
    assert_int_equal(size_bytes, 1000000);
    write_file(path, "", 0);
    assert_int_equal(digest_file_sha256(path, hex, &size_bytes, NULL), MODEL_OK);
    assert_string_equal(hex, SHA256_EMPTY);
    assert_int_equal(size_bytes, 0);
    assert_int_equal(dir_remove_all(folder, NULL), MODEL_OK);
    free(data);
    free(path);
    free(folder);
}

static void a_file_that_cannot_be_read_leaves_the_results_alone(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    char *folder = scratch_dir(), *path = path_join(folder, "no"), hex[SHA256_HEX_BYTES] = "kept";
    char want[PATH_MAX + 100];
    uint64_t size_bytes = 42;
    assert_int_equal(digest_file_sha256(path, hex, &size_bytes, &err), MODEL_NOT_FOUND);
    (void)snprintf(want, sizeof want, "cannot open %s: No such file or directory", path);
    assert_string_equal(err.message, want);
    assert_int_equal(digest_file_sha256(folder, hex, &size_bytes, &err), MODEL_INVALID_ARGUMENT);
    (void)snprintf(want, sizeof want, "%s is not a regular file", folder);
    assert_string_equal(err.message, want);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(digest_file_sha256(path, hex, &size_bytes, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(hex, "kept");
    assert_int_equal(size_bytes, 42);
    assert_int_equal(dir_remove_all(folder, NULL), MODEL_OK);
    free(path);
    free(folder);
}

static void destroy_takes_null_and_an_unfinished_digest(void **state)
{
    (void)state;
    struct digest *digest = NULL;
    assert_int_equal(digest_create_sha256(&digest, NULL), MODEL_OK);
    digest_update(digest, "x", 1);
    digest_destroy(digest);
    digest_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_the_published_messages),
        cmocka_unit_test(pieces_give_the_digest_of_the_whole),
        cmocka_unit_test(git_names_blobs_the_same_way),
        cmocka_unit_test(sha1_of_the_published_message),
        cmocka_unit_test(a_file_s_digest_and_size),
        cmocka_unit_test(a_file_that_cannot_be_read_leaves_the_results_alone),
        cmocka_unit_test(destroy_takes_null_and_an_unfinished_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
