/* test_archive_bits.c - any single bit that is flipped in an archive is found at level `standard`, as `pkgmgr unpack` and
 * `verify` look at it: store/archive/archive_check.c, and each layer before it, over five kinds of archives.
 *
 * MODELHOST_TEST_ROUNDS says how many bits are flipped in each (default 100). */
#include "archive.h"
#include "archive_write.h"
#include "errors.h"
#include "in_folder.h"
#include "manifest.h"
#include "package_signature.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What an archive is made of, and how it is stored. */
struct kind {
    const char *name;
    int level; /* of compression, 0: none */
    bool compresses_weights, is_signed, is_encrypted;
    size_t text_bytes, weights_bytes;
    uint64_t seed; /* of its contents, and of the bits that are flipped */
};

static const struct kind kinds[] = {
    {"plain", 0, false, false, false, 5000, 20000, 1},
    {"compressed", 3, true, false, false, 60000, 40000, 2},
    {"signed", 3, false, true, false, 30000, 9, 3},
    {"encrypted", 3, false, false, true, 20000, 30000, 4},
    {"signed and encrypted", 9, true, true, true, 12345, 54321, 5},
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

static const char *const names[] = {"a.json", "backends/cpu/model.safetensors", "empty",
                                    "metadata.json"};
#define N_NAMES  4
#define MANIFEST 3

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* ---- one archive of each kind */

struct made {
    const struct kind *kind;
    struct trusted_keys keys; /* of a signed one */
    struct archive_secret *secret;
    char *signature;
};

static void write_content(const char *name, size_t size_bytes, uint64_t seed)
{
    uint8_t *data = malloc(size_bytes + 1);
    assert_non_null(data);
    for (size_t i = 0; i < size_bytes; i++)
        data[i] = (uint8_t)("abcdefghijklmnop"[next_random(&seed) & 15]);
    write_file(in_folder(name), data, size_bytes);
    free(data);
}

static void write_files(const struct kind *kind)
{
    char id[] = "ns/name", revision[] = "1234", nothing[] = "", hex[SHA256_HEX_BYTES];
    struct manifest manifest = {id, id, revision, revision, nothing, nothing, NULL, 0};
    const size_t sizes[] = {kind->text_bytes, kind->weights_bytes, 0};
    uint64_t size_bytes = 0;
    assert_int_equal(dir_make_all(in_folder("backends/cpu"), NULL), MODEL_OK);
    for (size_t i = 0; i < MANIFEST; i++) {
        write_content(names[i], sizes[i], kind->seed + i);
        assert_int_equal(digest_file_sha256(in_folder(names[i]), hex, &size_bytes, NULL), MODEL_OK);
        assert_int_equal(manifest_add(&manifest, names[i], NULL, size_bytes, hex, NULL), MODEL_OK);
    }
    char *text = manifest_print(&manifest);
    write_file(in_folder(names[MANIFEST]), text, strlen(text));
    free(text);
    manifest = (struct manifest){.files = manifest.files, .n_files = manifest.n_files};
    manifest_finish(&manifest);
}

static void sign_manifest(struct made *made)
{
    struct secret_key *key = NULL;
    struct public_key public;
    struct buffer text = BUFFER_INIT(1u << 20);
    assert_int_equal(file_read(in_folder(names[MANIFEST]), 1u << 20, &text, NULL), MODEL_OK);
    assert_int_equal(secret_key_create(&key, NULL), MODEL_OK);
    secret_key_public(key, &public);
    assert_int_equal(trusted_keys_add(&made->keys, &public, "tester", 0, NULL), MODEL_OK);
    assert_int_equal(signature_file_make(key, text.data, text.size, true,
                                         "timestamp:0\tpackage:ns/name\trevision:1234",
                                         &made->signature, NULL),
                     MODEL_OK);
    secret_key_destroy(key);
    buffer_finish(&text);
}

static void make(const struct kind *kind, struct made *made)
{
    static const uint8_t key[32] = {1, 2, 3};
    struct archive_source sources[N_NAMES];
    char paths[N_NAMES][PATH_MAX];
    struct model_error err = MODEL_ERROR_INIT;
    *made = (struct made){.kind = kind};
    write_files(kind);
    if (kind->is_signed)
        sign_manifest(made);
    if (kind->is_encrypted)
        assert_int_equal(
            archive_secret_create(ARCHIVE_KEY_OF_FILE, key, sizeof key, &made->secret, &err),
            MODEL_OK);
    const struct archive_options options = {.level = kind->level,
                                            .compress_weights = kind->compresses_weights,
                                            .signature = made->signature,
                                            .secret = made->secret,
                                            .chunk_bytes = 4096};
    for (size_t i = 0; i < N_NAMES; i++) {
        (void)snprintf(paths[i], PATH_MAX, "%s/%s", folder, names[i]);
        sources[i] = (struct archive_source){names[i], paths[i], NULL};
    }
    if (archive_write(in_folder("a.mhp"), sources, N_NAMES, &options, NULL, &err) != MODEL_OK)
        fail_msg("%s: %s", kind->name, err.message);
}

static void finish(struct made *made)
{
    trusted_keys_finish(&made->keys);
    archive_secret_destroy(made->secret);
    free(made->signature);
}

/* ---- flipping */

static bool is_found_at_standard(const struct made *made)
{
    struct archive *archive = NULL;
    const struct signature_policy policy = {.keys = &made->keys};
    const struct archive_access access = {.level = ARCHIVE_STANDARD,
                                          .secret = made->secret,
                                          .signature = made->kind->is_signed ? &policy : NULL};
    const bool is_found =
        archive_open_with(in_folder("a.mhp"), &access, &archive, NULL) != MODEL_OK ||
        archive_check_file(archive, NULL) != MODEL_OK;
    archive_close(archive);
    return is_found;
}

static void flip(int fd, off_t at, uint8_t mask)
{
    uint8_t byte = 0;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= mask;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

/* Every other one among header, metadata, parameters and signature, which are a small part of the file. */
static void flip_bits(const struct made *made, long rounds)
{
    uint64_t random = made->kind->seed;
    struct stat info;
    const int fd = open(in_folder("a.mhp"), O_RDWR);
    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    for (long round = 0; round < rounds; round++) {
        const off_t at = (off_t)(next_random(&random) % (round % 2 ? info.st_size : 2000));
        const uint8_t mask = (uint8_t)(1u << (next_random(&random) & 7));
        flip(fd, at, mask);
        if (!is_found_at_standard(made))
            fail_msg("%s: byte %lld mask %u", made->kind->name, (long long)at, mask);
        flip(fd, at, mask);
    }
    assert_int_equal(close(fd), 0);
}

static void finds_any_flipped_bit_of_each_kind(void **state)
{
    const char *text = getenv("MODELHOST_TEST_ROUNDS");
    const long rounds = text != NULL ? strtol(text, NULL, 10) : 100;
    (void)state;
    for (size_t i = 0; i < N_KINDS; i++) {
        struct made made;
        make(&kinds[i], &made);
        assert_false(is_found_at_standard(&made));
        flip_bits(&made, rounds);
        assert_false(is_found_at_standard(&made));
        finish(&made);
        printf("%s: %ld bits flipped, %ld found\n", kinds[i].name, rounds, rounds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(finds_any_flipped_bit_of_each_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
