/* test_safetensors_write.c - what is written can be read, aligned; nonsense is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dtype.h"
#include "safetensors.h"
#include "store_fixture.h"

static void writes_what_it_reads_back_aligned(void **state)
{
    const char *path = in_folder(*state, "out.safetensors");
    uint8_t bytes[3] = {1, 2, 3};
    double wide[2] = {1.5, -2.5};
    float scalar = 4.0f;
    struct model_tensor tensors[4];
    tensor_init(&tensors[0], "bytes \"quoted\" \xc3\xa9", MODEL_U8, 1, (int64_t[]){3}, bytes);
    tensor_init(&tensors[1], "wide", MODEL_F64, 2, (int64_t[]){1, 2}, wide);
    tensor_init(&tensors[2], "scalar", MODEL_F32, 0, NULL, &scalar);
    tensor_init(&tensors[3], "empty", MODEL_F32, 2, (int64_t[]){0, 5}, NULL);
    const struct model_tensor *list[] = {&tensors[0], &tensors[1], &tensors[2], &tensors[3]};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(safetensors_write(path, list, 4, &err), MODEL_OK);

    struct buffer text = BUFFER_INIT(1 << 20);
    struct safetensors file;
    assert_int_equal(file_read(path, 1 << 20, &text, &err), MODEL_OK);
    assert_int_equal(safetensors_parse((const uint8_t *)text.data, text.size, path, &file, &err),
                     MODEL_OK);
    assert_int_equal(file.n_entries, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct safetensors_entry *entry = &file.entries[i];
        assert_int_equal(entry->offset % dtype_size_bytes(entry->dtype), 0);
        for (size_t j = 0; j < 4; j++)
            if (strcmp(tensors[j].name, entry->name) == 0) {
                assert_int_equal(entry->dtype, tensors[j].dtype);
                assert_int_equal(entry->rank, tensors[j].rank);
                assert_int_equal(entry->size_bytes, tensors[j].size_bytes);
                if (entry->size_bytes > 0)
                    assert_memory_equal(text.data + entry->offset, tensors[j].data,
                                        (size_t)entry->size_bytes);
            }
    }
    safetensors_finish(&file);
    buffer_finish(&text);
}

/* Writes each tensor's first letter as often as it has bytes. */
static model_status write_letters(void *context, const struct model_tensor *tensor,
                                  struct file_out *out, struct model_error *err)
{
    (void)context;
    for (uint64_t i = 0; i < tensor->size_bytes; i++)
        if (file_out_write(out, tensor->name, 1, err) != MODEL_OK)
            return MODEL_IO;
    return tensor->name[0] != '!' ? MODEL_OK : error_set(err, MODEL_CORRUPT, "no more");
}

static void writes_what_a_source_makes_with_metadata(void **state)
{
    const char *path = in_folder(*state, "made.safetensors");
    const char *const metadata[][2] = {{"format", "pt"}, {"b", "a"}};
    const struct safetensors_source source = {write_letters, NULL, metadata, 2};
    struct model_tensor tensors[2];
    tensor_init(&tensors[0], "a", MODEL_F16, 1, (int64_t[]){2}, NULL);
    tensor_init(&tensors[1], "c", MODEL_U8, 1, (int64_t[]){3}, NULL);
    const struct model_tensor *list[] = {&tensors[1], &tensors[0]};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(safetensors_write_from(path, list, 2, &source, &err), MODEL_OK);
    struct buffer text = BUFFER_INIT(1 << 20);
    assert_int_equal(file_read(path, 1 << 20, &text, &err), MODEL_OK);
    assert_non_null(strstr(text.data + 8, "{\"__metadata__\":{\"format\":\"pt\",\"b\":\"a\"},"));
    assert_memory_equal(text.data + text.size - 7, "aaaaccc", 7);
    struct safetensors file;
    assert_int_equal(safetensors_parse((const uint8_t *)text.data, text.size, path, &file, &err),
                     MODEL_OK);
    safetensors_finish(&file);
    buffer_finish(&text);
}

static void a_source_that_fails_leaves_no_file(void **state)
{
    const char *path = in_folder(*state, "made.safetensors");
    const struct safetensors_source source = {.write = write_letters};
    struct model_tensor tensor;
    tensor_init(&tensor, "!", MODEL_F16, 1, (int64_t[]){2}, NULL);
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(
        safetensors_write_from(path, (const struct model_tensor *[]){&tensor}, 1, &source, &err),
        MODEL_CORRUPT);
    assert_string_equal(err.message, "no more");
    struct dir_list list;
    assert_int_equal(dir_read(*state, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_names, 0);
    dir_list_finish(&list);
}

static void refuses_to_write_nonsense(void **state)
{
    const char *path = in_folder(*state, "out.safetensors");
    float value = 1;
    struct model_tensor a, b;
    struct model_error err = MODEL_ERROR_INIT;
    const struct model_tensor *list[] = {&a, &b};
    tensor_init(&a, "a", MODEL_F32, 1, (int64_t[]){1}, &value);
    b = a;
    assert_int_equal(safetensors_write(path, list, 2, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "tensor 'a' stands twice");
    const struct model_tensor **many = malloc((SAFETENSORS_MAX_TENSORS + 1) * sizeof *many);
    assert_non_null(many);
    for (size_t i = 0; i <= SAFETENSORS_MAX_TENSORS; i++)
        many[i] = &a;
    assert_int_equal(safetensors_write(path, many, SAFETENSORS_MAX_TENSORS + 1, &err),
                     MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "262145 tensors for one safetensors file, which has at most 262144");
    free(many);
    a.name = "__metadata__";
    assert_int_equal(safetensors_write(path, list, 1, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "cannot write a tensor named '__metadata__'");
    a = b;
    a.size_bytes = 8;
    assert_int_equal(safetensors_write(path, list, 1, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "tensor 'a': its shape takes 4 bytes, it has 8");
    a = b;
    a.dtype = 99;
    assert_int_equal(safetensors_write(path, list, 1, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "tensor 'a': dtype 99, rank 1");
    a = b;
    a.shape[0] = -1;
    assert_int_equal(safetensors_write(path, list, 1, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "tensor 'a': the size of its shape overflows");
    assert_false(path_is_file(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_what_it_reads_back_aligned, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(writes_what_a_source_makes_with_metadata, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_source_that_fails_leaves_no_file, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(refuses_to_write_nonsense, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
