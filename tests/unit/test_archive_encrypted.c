/* test_archive_encrypted.c - encrypted archives as they are written and read again:
 * store/archive/archive_seal.c, store/archive/archive_payload.c, store/archive/archive_contents.c,
 * store/archive/archive_rekey.c; what was changed,
 * moved or cut off is found, also by who can compute digests anew. */
#include "archive_fixture.h"
#include "archive_rekey.h"
#include "archive_write.h"
#include "errors.h"
#include "manifest.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BIG_BYTES 700001u

static const char *const names[] = {"metadata.json", "big.txt", "empty", "model.safetensors",
                                    "tiny"};
#define N_NAMES 5

static void write_manifest(void)
{
    char id[] = "ns/name", revision[] = "1234", nothing[] = "", hex[SHA256_HEX_BYTES];
    struct manifest manifest = {id, id, revision, revision, nothing, nothing, NULL, 0};
    uint64_t size_bytes = 0;
    for (int i = 1; i < N_NAMES; i++) {
        assert_int_equal(digest_file_sha256(in_folder(names[i]), hex, &size_bytes, NULL), MODEL_OK);
        assert_int_equal(manifest_add(&manifest, names[i], NULL, size_bytes, hex, NULL), MODEL_OK);
    }
    char *text = manifest_print(&manifest);
    write_file(in_folder("metadata.json"), text, strlen(text));
    free(text);
    manifest = (struct manifest){.files = manifest.files, .n_files = manifest.n_files};
    manifest_finish(&manifest);
}

static void write_files(void)
{
    static uint8_t big[BIG_BYTES];
    fill_text(big, sizeof big, 7);
    write_file(in_folder("big.txt"), big, sizeof big);
    write_file(in_folder("model.safetensors"), big, 70000);
    write_file(in_folder("empty"), "", 0);
    write_file(in_folder("tiny"), "SECRETWORD", 10);
    write_manifest();
}

static struct archive_secret *passphrase(const char *text)
{
    struct archive_secret *secret = NULL;
    assert_int_equal(
        archive_secret_create(ARCHIVE_KEY_OF_PASSPHRASE, text, strlen(text), &secret, NULL),
        MODEL_OK);
    return secret;
}

static model_status pack(const char *name, const char *text, int level, uint32_t chunk_bytes,
                         struct model_error *err)
{
    struct archive_source sources[N_NAMES];
    char paths[N_NAMES][PATH_MAX];
    struct archive_secret *secret = text != NULL ? passphrase(text) : NULL;
    const struct archive_options options = {.level = level,
                                            .compress_weights = level > 3,
                                            .secret = secret,
                                            .kdf_memory_kib = 8,
                                            .kdf_passes = 1,
                                            .chunk_bytes = chunk_bytes};
    for (int i = 0; i < N_NAMES; i++) {
        (void)snprintf(paths[i], PATH_MAX, "%s/%s", folder, names[i]);
        sources[i] = (struct archive_source){names[i], paths[i], NULL};
    }
    model_status status = archive_write(in_folder(name), sources, N_NAMES, &options, NULL, err);
    archive_secret_destroy(secret);
    return status;
}

static model_status open_with(const char *name, enum archive_level level, const char *text,
                              struct archive **ret, struct model_error *err)
{
    struct archive_secret *secret = text != NULL ? passphrase(text) : NULL;
    const struct archive_access access = {.level = level, .secret = secret};
    model_status status = archive_open_with(in_folder(name), &access, ret, err);
    archive_secret_destroy(secret);
    return status;
}

static void gives_back_what_was_written_for_each_chunk_size(void **state)
{
    (void)state;
    static const uint32_t chunks[] = {4096, 5000, 0, 700001, 70000, 4096};
    static const int levels[] = {0, 3, 3, 0, 4, 4};
    struct model_error err = MODEL_ERROR_INIT;
    write_files();
    for (int i = 0; i < 6; i++) {
        struct archive *archive = NULL;
        if (pack("a.mhp", "pass", levels[i], chunks[i], &err) != MODEL_OK ||
            open_with("a.mhp", (enum archive_level)(i % 3), "pass", &archive, &err) != MODEL_OK)
            fail_msg("%s", err.message);
        for (int name = 0; name < N_NAMES; name++)
            expect_content(archive, names[name]);
        assert_int_equal(archive_check_file(archive, &err), MODEL_OK);
        archive_close(archive);
    }
}

static bool file_has(const char *name, const char *word)
{
    struct buffer bytes = BUFFER_INIT(1u << 24);
    assert_int_equal(file_read(in_folder(name), 1u << 24, &bytes, NULL), MODEL_OK);
    const bool found = memmem(bytes.data, bytes.size, word, strlen(word)) != NULL;
    buffer_finish(&bytes);
    return found;
}

static void hides_contents_but_not_the_manifest(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct archive *archive = NULL;
    write_files();
    assert_int_equal(pack("a.mhp", "pass", 0, 0, &err), MODEL_OK);
    assert_false(file_has("a.mhp", "SECRETWORD"));
    assert_true(file_has("a.mhp", "\"ns/name\""));
    assert_false(file_has("a.mhp", "pass"));
    assert_int_equal(open_with("a.mhp", ARCHIVE_CHECKSUM, NULL, &archive, &err), MODEL_OK);
    expect_content(archive, "metadata.json");
    struct buffer bytes = BUFFER_INIT(100);
    assert_int_equal(archive_read(archive, archive_find(archive, "tiny"), 100, &bytes, &err),
                     MODELHOST_UNAUTHORIZED);
    expect_message(&err, "%s/a.mhp: decryption: entry 'tiny' is encrypted with a passphrase; give "
                         "it with --passphrase-file");
    archive_close(archive);
    buffer_finish(&bytes);
    assert_int_equal(open_with("a.mhp", ARCHIVE_CHECKSUM, "Pass", &archive, &err),
                     MODELHOST_UNAUTHORIZED);
    assert_non_null(strstr(err.message, "the passphrase is not the one"));
    assert_null(strstr(err.message, "Pass"));
}

static void writes_no_two_archives_alike(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer first = BUFFER_INIT(1u << 24), second = BUFFER_INIT(1u << 24);
    struct archive *archive = NULL;
    write_files();
    assert_int_equal(pack("a.mhp", "pass", 0, 0, &err), MODEL_OK);
    assert_int_equal(pack("b.mhp", "pass", 0, 0, &err), MODEL_OK);
    assert_int_equal(open_with("a.mhp", ARCHIVE_CHECKSUM, "pass", &archive, &err), MODEL_OK);
    const uint64_t at = archive_find(archive, "big.txt")->offset;
    archive_close(archive);
    assert_int_equal(file_read(in_folder("a.mhp"), 1u << 24, &first, &err), MODEL_OK);
    assert_int_equal(file_read(in_folder("b.mhp"), 1u << 24, &second, &err), MODEL_OK);
    assert_memory_not_equal(first.data + at, second.data + at, 64);
    buffer_finish(&first);
    buffer_finish(&second);
}

static bool is_found(const char *name)
{
    struct archive *archive = NULL;
    bool found = open_with(name, ARCHIVE_STANDARD, "pass", &archive, NULL) != MODEL_OK;
    for (int i = 0; i < N_NAMES && !found; i++)
        found = archive_check_entry(archive, archive_find(archive, names[i]), NULL) != MODEL_OK;
    archive_close(archive);
    return found;
}

static void flip(int fd, off_t at, uint8_t mask)
{
    uint8_t byte = 0;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= mask;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

/* Every byte of an entry is vouched for by a tag: the whole file's digest is not needed. */
static void finds_changed_chunks_without_the_digest_of_the_file(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct archive *archive = NULL;
    write_files();
    assert_int_equal(pack("a.mhp", "pass", 0, 4096, &err), MODEL_OK);
    assert_int_equal(open_with("a.mhp", ARCHIVE_CHECKSUM, "pass", &archive, &err), MODEL_OK);
    const uint64_t places[] = {
        archive_find(archive, "big.txt")->offset, archive_find(archive, "big.txt")->offset + 4112,
        archive_find(archive, "empty")->offset, archive_find(archive, "tiny")->offset + 9};
    archive_close(archive);
    const int fd = open(in_folder("a.mhp"), O_RDWR);
    for (int i = 0; i < 4; i++) {
        flip(fd, (off_t)places[i], 1);
        assert_true(is_found("a.mhp"));
        flip(fd, (off_t)places[i], 1);
    }
    assert_false(is_found("a.mhp"));
    /* Two chunks change places. */
    uint8_t first[4112], second[4112];
    assert_int_equal(pread(fd, first, sizeof first, (off_t)places[0]), sizeof first);
    assert_int_equal(pread(fd, second, sizeof second, (off_t)places[1]), sizeof second);
    assert_int_equal(pwrite(fd, second, sizeof second, (off_t)places[0]), sizeof second);
    assert_int_equal(pwrite(fd, first, sizeof first, (off_t)places[1]), sizeof first);
    assert_int_equal(open_with("a.mhp", ARCHIVE_CHECKSUM, "pass", &archive, &err), MODEL_OK);
    assert_int_equal(archive_check_entry(archive, archive_find(archive, "big.txt"), &err),
                     MODEL_CORRUPT);
    expect_message(&err, "%s/a.mhp: decryption: entry 'big.txt': chunk 1 of 171 is not what was "
                         "written there; get the file again");
    archive_close(archive);
    assert_int_equal(close(fd), 0);
}

static void copy_range(const char *from, const char *to, size_t offset, size_t n)
{
    uint8_t bytes[8192];
    assert_true(n <= sizeof bytes);
    int fd = open(in_folder(from), O_RDONLY);
    assert_int_equal(pread(fd, bytes, n, (off_t)offset), n);
    assert_int_equal(close(fd), 0);
    fd = open(in_folder(to), O_WRONLY);
    assert_int_equal(pwrite(fd, bytes, n, (off_t)offset), n);
    assert_int_equal(close(fd), 0);
}

/* Header, metadata and manifest of one archive before the contents and keys of another of the same sizes. */
static void finds_metadata_of_another_archive(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct archive *archive = NULL;
    write_files();
    assert_int_equal(pack("a.mhp", "pass", 0, 4096, &err), MODEL_OK);
    write_file(in_folder("tiny"), "OTHERWORDS", 10);
    write_manifest();
    assert_int_equal(pack("b.mhp", "pass", 0, 4096, &err), MODEL_OK);
    assert_int_equal(open_with("b.mhp", ARCHIVE_CHECKSUM, "pass", &archive, &err), MODEL_OK);
    const size_t n = ARCHIVE_HEADER_BYTES + (size_t)archive_header(archive)->metadata_bytes;
    const struct archive_entry *manifest = archive_find(archive, "metadata.json");
    copy_range("b.mhp", "a.mhp", 0, n);
    copy_range("b.mhp", "a.mhp", (size_t)manifest->offset, (size_t)manifest->size_bytes);
    archive_close(archive);
    assert_int_equal(open_with("a.mhp", ARCHIVE_CHECKSUM, "pass", &archive, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "the passphrase is right, but the metadata are not those"));
}

static void refuses_a_readable_archive_to_who_has_a_passphrase(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct archive *archive = NULL;
    write_files();
    assert_int_equal(pack("a.mhp", NULL, 0, 4096, &err), MODEL_OK);
    for (int level = ARCHIVE_CHECKSUM; level <= ARCHIVE_PARANOID; level++) {
        assert_int_equal(open_with("a.mhp", (enum archive_level)level, "pass", &archive, &err),
                         MODEL_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "a.mhp is not encrypted, and a passphrase or key"));
        assert_int_equal(open_with("a.mhp", (enum archive_level)level, NULL, &archive, &err),
                         MODEL_OK);
        archive_close(archive);
    }
}

static void another_passphrase_leaves_every_content(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct archive *archive = NULL;
    struct archive_secret *new = passphrase("new");
    write_files();
    assert_int_equal(pack("a.mhp", "old", 3, 4096, &err), MODEL_OK);
    const size_t n_names = n_names_in(folder);
    assert_int_equal(open_with("a.mhp", ARCHIVE_CHECKSUM, NULL, &archive, &err), MODEL_OK);
    assert_int_equal(archive_rekey(archive, new, &err), MODELHOST_UNAUTHORIZED);
    archive_close(archive);
    assert_int_equal(open_with("a.mhp", ARCHIVE_CHECKSUM, "old", &archive, &err), MODEL_OK);
    if (archive_rekey(archive, new, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    archive_close(archive);
    assert_int_equal(n_names_in(folder), n_names);
    assert_int_equal(open_with("a.mhp", ARCHIVE_CHECKSUM, "old", &archive, &err),
                     MODELHOST_UNAUTHORIZED);
    assert_int_equal(open_with("a.mhp", ARCHIVE_PARANOID, "new", &archive, &err), MODEL_OK);
    for (int name = 0; name < N_NAMES; name++)
        expect_content(archive, names[name]);
    const uint64_t at = archive_find(archive, "big.txt")->offset;
    const int fd = open(in_folder("a.mhp"), O_RDWR);
    flip(fd, (off_t)at, 1);
    assert_int_equal(archive_rekey(archive, new, &err), MODEL_CORRUPT);
    assert_int_equal(close(fd), 0);
    archive_close(archive);
    archive_secret_destroy(new);
}

/* ---- contents that somebody else has decrypted */

static void reads_shared_contents_without_a_key(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct archive *with_key = NULL, *without = NULL;
    struct archive_contents contents = {0};
    write_files();
    assert_int_equal(pack("a.mhp", "pass", 3, 4096, &err), MODEL_OK);
    assert_int_equal(open_with("a.mhp", ARCHIVE_CHECKSUM, "pass", &with_key, &err), MODEL_OK);
    for (int i = 1; i < N_NAMES; i++) {
        struct memory_file file = MEMORY_FILE_NONE;
        assert_int_equal(
            archive_memory_file(with_key, archive_find(with_key, names[i]), &file, &err), MODEL_OK);
        const int fd = fcntl(file.fd, F_DUPFD_CLOEXEC, 0);
        memory_file_close(&file);
        assert_int_equal(archive_contents_add(&contents, names[i], fd, &err), MODEL_OK);
    }
    archive_close(with_key);
    for (int level = ARCHIVE_CHECKSUM; level <= ARCHIVE_PARANOID; level++) {
        const struct archive_access access = {.level = (enum archive_level)level,
                                              .contents = &contents};
        assert_int_equal(archive_open_with(in_folder("a.mhp"), &access, &without, &err), MODEL_OK);
        for (int i = 0; i < N_NAMES; i++)
            expect_content(without, names[i]);
        archive_close(without);
    }
    archive_contents_finish(&contents);
}

static void takes_no_content_that_can_be_changed(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct archive_contents contents = {0};
    struct memory_file file = MEMORY_FILE_NONE;
    assert_int_equal(memory_file_create("x", &file, &err), MODEL_OK);
    assert_int_equal(archive_contents_add(&contents, "x", fcntl(file.fd, F_DUPFD_CLOEXEC, 0), &err),
                     MODEL_CORRUPT);
    assert_int_equal(contents.n_items, 0);
    assert_null(archive_contents_find(&contents, "x"));
    memory_file_close(&file);
}

static void is_refused_where_it_is_not_compiled_in(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    write_files();
    assert_int_equal(pack("a.mhp", "pass", 0, 0, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "encryption is not compiled into this program"));
    assert_false(path_is_file(in_folder("a.mhp")));
}

int main(void)
{
    const struct CMUnitTest with[] = {
        IN_FOLDER(gives_back_what_was_written_for_each_chunk_size),
        IN_FOLDER(hides_contents_but_not_the_manifest),
        IN_FOLDER(writes_no_two_archives_alike),
        IN_FOLDER(finds_changed_chunks_without_the_digest_of_the_file),
        IN_FOLDER(finds_metadata_of_another_archive),
        IN_FOLDER(refuses_a_readable_archive_to_who_has_a_passphrase),
        IN_FOLDER(another_passphrase_leaves_every_content),
        IN_FOLDER(reads_shared_contents_without_a_key),
        IN_FOLDER(takes_no_content_that_can_be_changed),
    };
    const struct CMUnitTest without[] = {
        IN_FOLDER(is_refused_where_it_is_not_compiled_in),
        IN_FOLDER(takes_no_content_that_can_be_changed),
    };
    return cipher_is_compiled_in() ? cmocka_run_group_tests(with, NULL, NULL)
                                   : cmocka_run_group_tests(without, NULL, NULL);
}
