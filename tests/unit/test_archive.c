/* test_archive.c - archives as they are written and read again: store/archive/archive_write.c,
 * store/archive/archive_open.c, store/archive/archive_read.c, store/archive/archive_check.c,
 * store/archive/archive_frames.c. */
#include "archive_fixture.h"
#include "archive_frames.h"
#include "archive_write.h"
#include "errors.h"

#include <fcntl.h>
#include <unistd.h>

#define BIG_BYTES (9u << 20) /* three frames */

static uint8_t *made_content(size_t size_bytes, uint64_t seed)
{
    uint8_t *data = malloc(size_bytes);
    assert_non_null(data);
    fill_text(data, size_bytes, seed);
    return data;
}

static void write_files(size_t big_bytes)
{
    uint8_t *big = made_content(big_bytes, 1), *weights = made_content(70000, 2);
    assert_int_equal(dir_make_all(in_folder("sub"), NULL), MODEL_OK);
    write_file(in_folder("big.txt"), big, big_bytes);
    write_file(in_folder("sub/model.safetensors"), weights, 70000);
    write_file(in_folder("empty"), "", 0);
    write_file(in_folder("tiny"), "x", 1);
    free(big);
    free(weights);
}

static const char *const names[] = {"tiny", "sub/model.safetensors", "big.txt", "empty"};

static model_status pack(const char *target, int level, bool weights, struct model_error *err)
{
    struct archive_source sources[4];
    char paths[4][PATH_MAX];
    const struct archive_options options = {.level = level, .compress_weights = weights};
    for (int i = 0; i < 4; i++) {
        (void)snprintf(paths[i], PATH_MAX, "%s/%s", folder, names[i]);
        sources[i] = (struct archive_source){names[i], paths[i], NULL};
    }
    return archive_write(target, sources, 4, &options, NULL, err);
}

static void gives_back_what_was_written_at_each_level(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    write_files(BIG_BYTES);
    static const int levels[] = {0, 1, 3};
    for (int i = 0; i < 6; i++) {
        struct archive *archive = NULL;
        if (pack(in_folder("a.mhp"), levels[i % 3], i >= 3, &err) != MODEL_OK ||
            archive_open(in_folder("a.mhp"), (enum archive_level)(i % 3), &archive, &err) !=
                MODEL_OK)
            fail_msg("%s", err.message);
        for (int name = 0; name < 4; name++)
            expect_content(archive, names[name]);
        assert_int_equal(archive_check_file(archive, &err), MODEL_OK);
        assert_null(archive_find(archive, "absent"));
        const struct archive_entry *weights = archive_find(archive, "sub/model.safetensors");
        assert_int_equal(weights->offset % 4096, 0);
        const bool is_compressed = i >= 3 && levels[i % 3] > 0;
        assert_int_equal(weights->method, is_compressed ? ARCHIVE_ZSTD_FRAMES : ARCHIVE_STORED);
        archive_close(archive);
    }
}

static void writes_the_same_bytes_for_the_same_files(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    char first[SHA256_HEX_BYTES], second[SHA256_HEX_BYTES];
    uint64_t size_bytes = 0;
    write_files(BIG_BYTES);
    assert_int_equal(pack(in_folder("a.mhp"), 3, false, &err), MODEL_OK);
    assert_int_equal(pack(in_folder("b.mhp"), 3, false, &err), MODEL_OK);
    assert_int_equal(digest_file_sha256(in_folder("a.mhp"), first, &size_bytes, &err), MODEL_OK);
    assert_int_equal(digest_file_sha256(in_folder("b.mhp"), second, &size_bytes, &err), MODEL_OK);
    assert_string_equal(first, second);
}

static void leaves_nothing_when_it_cannot_write(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    write_files(100);
    const size_t before = n_names_in(folder);
    assert_int_equal(unlink(in_folder("tiny")), 0);
    assert_int_equal(pack(in_folder("a.mhp"), 3, false, &err), MODEL_NOT_FOUND);
    assert_int_equal(n_names_in(folder), before - 1);
    assert_int_equal(pack(in_folder("none/a.mhp"), 3, false, &err), MODEL_NOT_FOUND);
}

static void refuses_a_source_that_is_not_what_was_listed(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    write_files(100);
    const char *file = in_folder("tiny");
    const struct archive_options options = {0};
    const struct archive_source source = {
        "tiny", file, "0000000000000000000000000000000000000000000000000000000000000000"};
    assert_int_equal(archive_write(in_folder("a.mhp"), &source, 1, &options, NULL, &err),
                     MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "is not what metadata.json lists"));
}

/* A file in memory is sealed: nobody writes to it. */
static void unpacks_into_a_sealed_file(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct memory_file file = MEMORY_FILE_NONE;
    struct archive *archive = NULL;
    struct buffer bytes = BUFFER_INIT(100);
    write_files(100);
    assert_int_equal(pack(in_folder("a.mhp"), 3, false, &err), MODEL_OK);
    assert_int_equal(archive_open(in_folder("a.mhp"), ARCHIVE_CHECKSUM, &archive, &err), MODEL_OK);
    assert_int_equal(archive_memory_file(archive, archive_find(archive, "tiny"), &file, &err),
                     MODEL_OK);
    archive_close(archive);
    assert_int_equal(file_read(file.path, 100, &bytes, &err), MODEL_OK);
    assert_string_equal(bytes.data, "x");
    assert_int_equal(write(file.fd, "y", 1), -1);
    memory_file_close(&file);
    buffer_finish(&bytes);
}

static void flip(const char *path, uint64_t at)
{
    uint8_t byte = 0;
    const int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    assert_int_equal(close(fd), 0);
}

static void maps_damaged_weights_at_checksum_only(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    write_files(100);
    assert_int_equal(pack(in_folder("a.mhp"), 3, false, &err), MODEL_OK);
    static const model_status want[] = {MODEL_OK, MODEL_CORRUPT};
    for (int level = ARCHIVE_CHECKSUM; level <= ARCHIVE_STANDARD; level++) {
        struct archive *archive = NULL;
        struct file_map map = {.fd = -1};
        assert_int_equal(
            archive_open(in_folder("a.mhp"), (enum archive_level)level, &archive, &err), MODEL_OK);
        const struct archive_entry *entry = archive_find(archive, "sub/model.safetensors");
        if (level == ARCHIVE_CHECKSUM)
            flip(in_folder("a.mhp"), entry->offset + 12345);
        assert_int_equal(archive_map(archive, entry, &map, &err), want[level]);
        file_map_close(&map);
        archive_close(archive);
    }
    assert_non_null(strstr(err.message, "entry 'sub/model.safetensors' has SHA-256"));
    struct archive *archive = NULL;
    assert_int_equal(archive_open(in_folder("a.mhp"), ARCHIVE_PARANOID, &archive, &err),
                     MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "digests: the file's SHA-256 is not"));
}

/* ---- side by side */

static model_status fail_from_seven_on(void *context, size_t i, struct model_error *err)
{
    ((_Atomic int *)context)[i]++;
    return i >= 7 ? error_set(err, MODEL_CORRUPT, "%zu failed", i) : MODEL_OK;
}

static void reports_the_first_failure_of_parallel_work(void **state)
{
    (void)state;
    _Atomic int calls[100] = {0};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(archive_parallel(100, fail_from_seven_on, calls, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "7 failed");
    for (int i = 0; i < 8; i++)
        assert_int_equal(calls[i], 1);
    assert_int_equal(archive_parallel(7, fail_from_seven_on, calls, &err), MODEL_OK);
    assert_int_equal(archive_parallel(0, fail_from_seven_on, calls, &err), MODEL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(gives_back_what_was_written_at_each_level),
        IN_FOLDER(writes_the_same_bytes_for_the_same_files),
        IN_FOLDER(leaves_nothing_when_it_cannot_write),
        IN_FOLDER(refuses_a_source_that_is_not_what_was_listed),
        IN_FOLDER(unpacks_into_a_sealed_file),
        IN_FOLDER(maps_damaged_weights_at_checksum_only),
        cmocka_unit_test(reports_the_first_failure_of_parallel_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
