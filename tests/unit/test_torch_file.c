/* test_torch_file.c - which tensors a file of torch.save() has. Covers also packager/convert/torch_names.c and
 * packager/convert/torch_storages.c; whole files of torch itself are in tests/system. */
#include "errors.h"
#include "in_folder.h"
#include "torch_file.h"
#include "torch_fixture.h"

#define F32 "torch\nFloatStorage\n"
#define F16 "torch\nHalfStorage\n"

static const float twelve[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static model_status open_views(const struct view *views, size_t n_views, struct torch_file *ret,
                               struct model_error *err)
{
    const char *path = in_folder("m.bin");
    put_torch_file(path, views, n_views, &(struct file_piece){twelve, sizeof twelve}, 1);
    return torch_file_open(path, ret, err);
}

static void views_have_the_strides_of_the_file(void **state)
{
    (void)state;
    const struct view views[] = {
        {"w", F32, "0", 12, 0, 2, {3, 4}, {4, 1}},      {"t", F32, "0", 12, 0, 2, {4, 3}, {1, 4}},
        {"part", F32, "0", 12, 5, 1, {2}, {4}},         {"scalar", F32, "0", 12, 11, 0, {0}, {0}},
        {"empty", F32, "0", 12, 99, 2, {0, 5}, {5, 1}},
    };
    struct torch_file file;
    assert_int_equal(open_views(views, 5, &file, NULL), MODEL_OK);
    assert_int_equal(file.n_tensors, 5);
    assert_int_equal(file.n_aliases, 0);
    float value;
    memcpy(&value, (const uint8_t *)file.tensors[2].data + 4 * file.tensors[2].strides[0], 4);
    assert_true(value == 9);
    memcpy(&value, file.tensors[3].data, 4);
    assert_true(value == 11);
    assert_int_equal(file.tensors[1].strides[1], 4);
    assert_int_equal(file.tensors[2].size_bytes, 8);
    assert_null(file.tensors[4].data);
    assert_int_equal(torch_file_check(&file, NULL), MODEL_OK);
    torch_file_close(&file);
}

static void the_first_name_of_shared_elements_is_the_tensor(void **state)
{
    (void)state;
    const struct view views[] = {
        {"wte", F32, "0", 12, 0, 2, {3, 4}, {4, 1}},
        {"other_shape", F32, "0", 12, 0, 1, {12}, {1}},
        {"head", F32, "0", 12, 0, 2, {3, 4}, {4, 1}},
    };
    struct torch_file file;
    assert_int_equal(open_views(views, 3, &file, NULL), MODEL_OK);
    assert_int_equal(file.n_tensors, 2);
    assert_int_equal(file.n_aliases, 1);
    assert_string_equal(file.aliases[0].name, "head");
    assert_string_equal(file.tensors[file.aliases[0].tensor].name, "wte");
    torch_file_close(&file);
}

static void what_is_no_tensor_is_told(void **state)
{
    (void)state;
    struct buffer pickle = pickle_begin();
    pickle_put_text(&pickle, "step\x07");
    pickle_put_integer(&pickle, 3);
    assert_int_equal(buffer_append_text(&pickle, "s"), MODEL_OK);
    pickle_put_text(&pickle, "state_dict");
    assert_int_equal(buffer_append_text(&pickle, "}"), MODEL_OK);
    pickle_put_view(&pickle, &(struct view){"w", F32, "0", 12, 0, 1, {12}, {1}});
    assert_int_equal(buffer_append_text(&pickle, "s"), MODEL_OK);
    pickle_end(&pickle);
    struct zip_fixture zip = torch_archive(&pickle, &(struct file_piece){twelve, sizeof twelve}, 1);
    struct torch_file file;
    write_file(in_folder("m.bin"), zip.file.data, zip.file.size);
    zip_fixture_finish(&zip);
    assert_int_equal(torch_file_open(in_folder("m.bin"), &file, NULL), MODEL_OK);
    assert_int_equal(file.n_tensors, 1);
    assert_int_equal(file.n_left_out, 1);
    assert_string_equal(file.left_out[0], "step\\x07 (an integer)");
    torch_file_close(&file);
}

static void refuses_what_the_storages_do_not_hold(void **state)
{
    static const struct {
        struct view view;
        const char *problem;
    } wrong[] = {
        {{"w", F32, "1", 12, 0, 1, {12}, {1}}, "the data of storage '1' is missing"},
        {{"w", F32, "../data/0", 12, 0, 1, {12}, {1}},
         "the data of storage '../data/0' is missing"},
        {{"w", F32, "0", 13, 0, 1, {12}, {1}}, "storage '0' has 48 bytes, want 13 elements of 4"},
        {{"w", F16, "0", 12, 0, 1, {12}, {1}}, "storage '0' has 48 bytes, want 12 elements of 2"},
        {{"w", F32, "0", 12, 0, 2, {1LL << 40, 1}, {0, 1}},
         "tensor 'w' makes the weights more than 16"},
        {{"w\xff", F32, "0", 12, 0, 1, {12}, {1}}, "is longer than 4096 bytes, or no UTF-8 text"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct torch_file file;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(open_views(&wrong[i].view, 1, &file, &err), MODEL_CORRUPT);
        if (strstr(err.message, wrong[i].problem) == NULL)
            fail_msg("'%s', want '%s'", err.message, wrong[i].problem);
    }
}

static void a_name_stands_once(void **state)
{
    (void)state;
    const struct view views[] = {{"w", F32, "0", 12, 0, 1, {12}, {1}},
                                 {"w", F32, "0", 12, 1, 1, {3}, {1}}};
    struct torch_file file;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(open_views(views, 2, &file, &err), MODEL_CORRUPT);
    expect_message(&err, "%s/m.bin: tensor 'w' stands twice");
}

/* Magic number, protocol, sizes; then the object, the keys, and the storage. */
static struct buffer legacy_file(const char *keys, size_t keys_bytes)
{
    static const char preface[] = "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
                                  "\x80\2M\xe9\3."
                                  "\x80\2}X\x0d\0\0\0little_endian\x88s.";
    struct buffer file = BUFFER_INIT(1 << 20);
    assert_int_equal(buffer_append(&file, preface, sizeof preface - 1), MODEL_OK);
    struct buffer pickle = pickle_begin();
    pickle_put_view(&pickle, &(struct view){"w", F32, "77", 12, 2, 1, {3}, {2}});
    pickle_end(&pickle);
    assert_int_equal(buffer_append(&file, pickle.data, pickle.size), MODEL_OK);
    assert_int_equal(buffer_append(&file, keys, keys_bytes), MODEL_OK);
    zip_put(&file, 12, 8);
    assert_int_equal(buffer_append(&file, twelve, sizeof twelve), MODEL_OK);
    buffer_finish(&pickle);
    return file;
}

static void the_older_form_is_read_too(void **state)
{
    static const char keys[] = "\x80\2](X\2\0\0\0"
                               "77e.";
    (void)state;
    struct buffer bytes = legacy_file(keys, sizeof keys - 1);
    struct torch_file file;
    struct model_error err = MODEL_ERROR_INIT;
    write_file(in_folder("old.bin"), bytes.data, bytes.size);
    assert_int_equal(torch_file_open(in_folder("old.bin"), &file, &err), MODEL_OK);
    float value;
    memcpy(&value, (const uint8_t *)file.tensors[0].data + 2 * 4 * 2, 4);
    assert_true(value == 6);
    torch_file_close(&file);
    for (size_t size = 0; size < bytes.size; size++) {
        write_file(in_folder("cut.bin"), bytes.data, size);
        assert_int_not_equal(torch_file_open(in_folder("cut.bin"), &file, &err), MODEL_OK);
        assert_true(err.message[0] != '\0');
    }
    assert_int_equal(buffer_append(&bytes, "x", 1), MODEL_OK);
    write_file(in_folder("long.bin"), bytes.data, bytes.size);
    assert_int_equal(torch_file_open(in_folder("long.bin"), &file, &err), MODEL_CORRUPT);
    expect_message(&err, "%s/long.bin: something follows the last storage");
    buffer_finish(&bytes);
}

static void the_older_form_lists_each_storage_once(void **state)
{
    static const char twice[] = "\x80\2](X\2\0\0\0"
                                "77X\2\0\0\0"
                                "77e.",
                      other[] = "\x80\2](X\2\0\0\0"
                                "78e.";
    static const struct {
        const char *keys;
        size_t size_bytes;
        const char *message;
    } wrong[] = {
        {twice, sizeof twice - 1, "%s/old.bin: its list of storages is not what its tensors need"},
        {other, sizeof other - 1,
         "%s/old.bin: its list of storages has one that nothing uses, or one twice"},
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct buffer bytes = legacy_file(wrong[i].keys, wrong[i].size_bytes);
        struct torch_file file;
        struct model_error err = MODEL_ERROR_INIT;
        write_file(in_folder("old.bin"), bytes.data, bytes.size);
        assert_int_equal(torch_file_open(in_folder("old.bin"), &file, &err), MODEL_CORRUPT);
        expect_message(&err, wrong[i].message);
        buffer_finish(&bytes);
    }
}

static void other_files_are_none_of_torch(void **state)
{
    (void)state;
    struct torch_file file;
    struct model_error err = MODEL_ERROR_INIT;
    write_file(in_folder("text"), "hello", 5);
    assert_int_equal(torch_file_open(in_folder("text"), &file, &err), MODEL_UNSUPPORTED);
    expect_message(
        &err,
        "%s/text: neither a zip archive nor a pickle of protocol 2 or later, so not written by torch.save(), "
        "and not read: save the weights with torch.save(model.state_dict(), ...), or as safetensors");
    write_file(in_folder("empty"), "", 0);
    assert_int_equal(torch_file_open(in_folder("empty"), &file, &err), MODEL_UNSUPPORTED);
    struct zip_fixture zip = zip_fixture_init();
    zip_fixture_add(&zip, "a.txt", "x", 1);
    zip_fixture_end(&zip);
    write_file(in_folder("z.bin"), zip.file.data, zip.file.size);
    zip_fixture_finish(&zip);
    assert_int_equal(torch_file_open(in_folder("z.bin"), &file, &err), MODEL_UNSUPPORTED);
    expect_message(&err, "%s/z.bin: a zip archive without data.pkl: not written by torch.save()");
    assert_int_equal(torch_file_open(in_folder("nothing"), &file, &err), MODEL_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(views_have_the_strides_of_the_file),
        IN_FOLDER(the_first_name_of_shared_elements_is_the_tensor),
        IN_FOLDER(what_is_no_tensor_is_told),
        IN_FOLDER(refuses_what_the_storages_do_not_hold),
        IN_FOLDER(a_name_stands_once),
        IN_FOLDER(the_older_form_is_read_too),
        IN_FOLDER(the_older_form_lists_each_storage_once),
        IN_FOLDER(other_files_are_none_of_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
