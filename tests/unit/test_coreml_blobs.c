/* test_coreml_blobs.c - weight.bin: every check of a blob's metadata, and which file a name may mean; files of a model on disk
 * (store/coreml/coreml_disk.c). */
#include "coreml_blobs.h"
#include "coreml_disk.h"
#include "coreml_program.h"
#include "errors.h"
#include "in_folder.h"

#define FILE_BYTES 256

static void put(uint8_t *at, uint64_t value, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void put_metadata(uint8_t *at, uint32_t dtype, uint64_t size_bytes, uint64_t data)
{
    put(at, 0xDEADBEEF, 4);
    put(at + 4, dtype, 4);
    put(at + 8, size_bytes, 8);
    put(at + 16, data, 8);
}

/* A file with one blob: metadata at 64, data at 128. Words that nobody has to write are noise. */
static void make_file(uint8_t file[FILE_BYTES], uint32_t dtype, uint64_t size_bytes)
{
    memset(file, 0xab, FILE_BYTES);
    put(file, 1, 4);
    put(file + 4, 2, 4);
    put_metadata(file + 64, dtype, size_bytes, 128);
}

static model_status view(const uint8_t *file, uint64_t offset, int32_t dtype, uint64_t n,
                         struct model_error *err)
{
    const uint8_t *data = NULL;
    uint64_t size_bytes = 0;
    model_status status =
        coreml_blob_view(file, FILE_BYTES, offset, dtype, n, "w", &data, &size_bytes, err);
    if (status == MODEL_OK) {
        assert_ptr_equal(data, file + 128);
        assert_true(size_bytes <= FILE_BYTES - 128);
    }
    return status;
}

static void gives_the_data_and_ignores_words_that_nobody_writes(void **state)
{
    (void)state;
    uint8_t file[FILE_BYTES];
    make_file(file, 2, 128);
    assert_int_equal(coreml_blob_check_file(file, FILE_BYTES, "w", NULL), MODEL_OK);
    assert_int_equal(view(file, 64, COREML_F32, 32, NULL), MODEL_OK);
    make_file(file, 3, 7); /* a byte each */
    assert_int_equal(view(file, 64, COREML_BOOL, 7, NULL), MODEL_OK);
    make_file(file, 11, 2); /* uint4: three elements and four bits of padding, which are counted */
    put(file + 88, 4, 8);
    assert_int_equal(view(file, 64, COREML_U4, 3, NULL), MODEL_OK);
}

static void refuses_metadata_that_lies(void **state)
{
    (void)state;
    uint8_t file[FILE_BYTES];
    struct model_error err = MODEL_ERROR_INIT;
    make_file(file, 2, 128);
    assert_int_equal(view(file, 64, COREML_F16, 64, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "w: weights at 64: stored as type 2, the model says fp16");
    assert_int_equal(view(file, 64, COREML_F32, 31, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "w: weights at 64: 128 bytes, 31 elements of fp32 are 124");
    assert_int_equal(view(file, 64, COREML_F32, UINT64_MAX / 4, &err), MODEL_CORRUPT);
    assert_int_equal(view(file, 65, COREML_F32, 32, &err), MODEL_CORRUPT);
    assert_int_equal(view(file, 0, COREML_F32, 32, &err), MODEL_CORRUPT);
    assert_int_equal(view(file, FILE_BYTES, COREML_F32, 32, &err), MODEL_CORRUPT);
    assert_int_equal(view(file, UINT64_MAX - 63, COREML_F32, 32, &err), MODEL_CORRUPT);
    assert_int_equal(view(file, 128, COREML_F32, 32, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "w: weights at 128: no metadata is there");
    put(file + 80, 192, 8); /* half of it is outside */
    assert_int_equal(view(file, 64, COREML_F32, 32, &err), MODEL_CORRUPT);
    put(file + 80, UINT64_MAX - 63, 8);
    assert_int_equal(view(file, 64, COREML_F32, 32, &err), MODEL_CORRUPT);
    static const uint64_t over[] = {64, 128};
    for (size_t i = 0; i < 2;
         i++) { /* of metadata at 128: data that ends in it, and that begins there */
        make_file(file, 2, 128);
        put_metadata(file + 128, 2, 128, over[i]);
        assert_int_equal(view(file, 128, COREML_F32, 32, &err), MODEL_CORRUPT);
        assert_string_equal(err.message, "w: weights at 128: the data lies over its own metadata");
    }
    make_file(file, 11, 2);
    assert_int_equal(view(file, 64, COREML_U4, 3, &err), MODEL_CORRUPT);
    assert_string_equal(err.message,
                        "w: weights at 64: the bits behind the last element are miscounted");
}

/* Nothing else is wrong with them: all lies in the file, and says what the model does. */
static void refuses_places_at_no_multiple_of_64_or_in_the_header(void **state)
{
    (void)state;
    static const uint64_t places[] = {0, 65, 96}, data[] = {0, 32, 65, 130};
    uint8_t file[FILE_BYTES];
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        make_file(file, 2, 64);
        put_metadata(file + places[i], 2, 64, 128);
        assert_int_equal(view(file, places[i], COREML_F32, 16, &err), MODEL_CORRUPT);
        assert_non_null(strstr(err.message, "no place for metadata"));
    }
    for (size_t i = 0; i < sizeof data / sizeof data[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        make_file(file, 2, 64);
        put_metadata(file + 64, 2, 64, data[i]);
        assert_int_equal(view(file, 64, COREML_F32, 16, &err), MODEL_CORRUPT);
        assert_non_null(strstr(err.message, "or not at a multiple of 64"));
    }
}

static void refuses_files_of_another_version(void **state)
{
    (void)state;
    uint8_t file[FILE_BYTES];
    struct model_error err = MODEL_ERROR_INIT;
    make_file(file, 2, 128);
    assert_int_equal(coreml_blob_check_file(file, 63, "w", &err), MODEL_CORRUPT);
    put(file + 4, 1, 4);
    assert_int_equal(coreml_blob_check_file(file, FILE_BYTES, "w", &err), MODEL_UNSUPPORTED);
    put(file + 4, 3, 4);
    assert_int_equal(coreml_blob_check_file(file, FILE_BYTES, "w", &err), MODEL_CORRUPT);
}

static void refuses_files_that_count_other_weights(void **state)
{
    (void)state;
    static const uint64_t bad[] = {0, UINT32_MAX, (FILE_BYTES - 64) / 64 + 1};
    uint8_t file[FILE_BYTES];
    struct model_error err = MODEL_ERROR_INIT;
    make_file(file, 2, 128);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put(file, bad[i], 4);
        assert_int_equal(coreml_blob_check_file(file, FILE_BYTES, "w", &err), MODEL_CORRUPT);
    }
    assert_non_null(strstr(err.message, "w: its header counts"));
    put(file, (FILE_BYTES - 64) / 64, 4); /* all metadata, of nothing each */
    assert_int_equal(coreml_blob_check_file(file, FILE_BYTES, "w", &err), MODEL_OK);
    put(file, 0, 4);
    assert_int_equal(coreml_blob_check_file(file, 64, "w", &err), MODEL_OK); /* no weights */
}

static void finds_files_below_the_model_only(void **state)
{
    (void)state;
    static const char *const bad[] = {"weights.bin",        "/etc/passwd",  "@model_path/../w.bin",
                                      "@model_path//w.bin", "@model_path/", ""};
    uint8_t file[FILE_BYTES];
    struct coreml_disk disk;
    char *prefix = text_format("%s/", folder);
    coreml_disk_init(&disk);
    struct coreml_blobs blobs = {.source = &disk.files, .folder = prefix};
    const struct coreml_blob_file *found = NULL, *again = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    make_file(file, 2, 128);
    write_file(in_folder("w.bin"), file, sizeof file);
    assert_int_equal(coreml_blobs_find(&blobs, "@model_path/w.bin", &found, &err), MODEL_OK);
    assert_true(found->is_there);
    assert_int_equal(found->size_bytes, FILE_BYTES);
    assert_int_equal(coreml_blobs_find(&blobs, "@model_path/w.bin", &again, &err), MODEL_OK);
    assert_ptr_equal(found, again);
    assert_int_equal(coreml_blobs_find(&blobs, "@model_path/none.bin", &found, &err), MODEL_OK);
    assert_false(found->is_there);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(coreml_blobs_find(&blobs, bad[i], &found, &err), MODEL_CORRUPT);
    coreml_blobs_finish(&blobs);
    coreml_disk_finish(&disk);
    free(prefix);
}

static struct {
    const void *data;
    uint64_t size_bytes;
    size_t n;
} discarded;

static void note_discard(void *context, const void *data, uint64_t size_bytes)
{
    (void)context;
    discarded.data = data;
    discarded.size_bytes = size_bytes;
    discarded.n++;
}

/* Pages of 2 MB around what was read, and no byte of what is not in the file. */
static void gives_back_what_the_system_maps_around_a_blob(void **state)
{
    (void)state;
    enum { LARGE = 2 << 20, SIZE = 2 * LARGE + 100 };
    static const uint8_t memory[SIZE];
    const struct model_backend_files source = {.struct_size = sizeof source,
                                               .discard = note_discard};
    const struct coreml_blobs blobs = {
        .source = &source,
        .files = {{.is_there = false}, {.data = memory, .size_bytes = SIZE, .is_there = true}},
        .n_files = 2};
    memset(&discarded, 0, sizeof discarded);
    coreml_blobs_discard(&blobs, memory + LARGE + 64, 4);
    assert_ptr_equal(discarded.data, memory + LARGE);
    assert_int_equal(discarded.size_bytes, LARGE);
    coreml_blobs_discard(&blobs, memory + LARGE - 4, 8);
    assert_ptr_equal(discarded.data, memory);
    assert_int_equal(discarded.size_bytes, 2 * LARGE);
    coreml_blobs_discard(&blobs, memory + SIZE - 4, 4);
    assert_ptr_equal(discarded.data, memory + 2 * LARGE);
    assert_int_equal(discarded.size_bytes, 100);
    coreml_blobs_rest(&blobs);
    assert_ptr_equal(discarded.data, memory);
    assert_int_equal(discarded.size_bytes, SIZE);
    assert_int_equal(discarded.n, 4);
    coreml_blobs_discard(&blobs, memory + SIZE - 4, 5);
    coreml_blobs_discard(&blobs, &blobs, 4);
    assert_int_equal(discarded.n, 4);
    assert_true(coreml_blobs_have(&blobs, memory + SIZE - 4, 4));
    assert_false(coreml_blobs_have(&blobs, memory + SIZE - 4, 5));
    assert_false(coreml_blobs_have(&blobs, &blobs, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_data_and_ignores_words_that_nobody_writes),
        cmocka_unit_test(refuses_metadata_that_lies),
        cmocka_unit_test(refuses_places_at_no_multiple_of_64_or_in_the_header),
        cmocka_unit_test(refuses_files_of_another_version),
        cmocka_unit_test(gives_back_what_the_system_maps_around_a_blob),
        cmocka_unit_test(refuses_files_that_count_other_weights),
        IN_FOLDER(finds_files_below_the_model_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
