/* test_weights.c - one file or shards, one table; what does not fit together is refused. Covers
 * store/weights_file.c too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dtype.h"
#include "store_fixture.h"
#include "weights.h"

#define U8(name_, from_, to_, n_)                                                                  \
    "\"" name_ "\":{\"dtype\":\"U8\",\"shape\":[" n_ "],\"data_offsets\":[" from_ "," to_ "]}"
#define F32(name_, from_, to_, n_)                                                                 \
    "\"" name_ "\":{\"dtype\":\"F32\",\"shape\":[" n_ "],\"data_offsets\":[" from_ "," to_ "]}"
#define INDEX "model.safetensors.index.json"

static void assert_refused(const char *folder, model_status wanted, const char *sentence)
{
    struct weights *weights = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = weights_open(folder, &weights, &err);
    const char *message = err.message;
    if (strncmp(message, folder, strlen(folder)) == 0) /* the folder's name is made up */
        message += strlen(folder);
    assert_string_equal(message, sentence);
    assert_int_equal(status, wanted);
    assert_null(weights);
}

static void one_file_becomes_views_ordered_by_name(void **state)
{
    const char *folder = *state;
    put_safetensors(in_folder(folder, "model.safetensors"),
                    "{" F32("b", "0", "8", "2") "," U8("a", "8", "11", "3") "}      ", 11);
    struct weights *weights = NULL;
    struct model_tensor view = {.struct_size = sizeof view};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(weights_open(folder, &weights, &err), MODEL_OK);
    assert_int_equal(weights_count(weights), 2);
    weights_at(weights, 0, &view);
    assert_string_equal(view.name, "a");
    assert_int_equal(view.size_bytes, 3);
    assert_int_equal(view.flags, MODEL_TENSOR_READ_ONLY);
    assert_int_equal(((const uint8_t *)view.data)[2], 10);
    weights_at(weights, 1, &view);
    assert_string_equal(view.name, "b");
    assert_int_equal(view.shape[0], 2);
    assert_int_equal(view.strides[0], 1);
    assert_int_equal(weights_find(weights, "a", &view), MODEL_OK);
    assert_int_equal(weights_find(weights, "c", &view), MODEL_NOT_FOUND);

    const char *path = NULL;
    assert_int_equal(weights_n_files(weights), 1);
    struct file_map map = weights_file(weights, 0, &path);
    assert_string_equal(path, in_folder(folder, "model.safetensors"));
    assert_true(view.data >= (const void *)map.data &&
                (const uint8_t *)view.data < map.data + map.size_bytes);
    weights_discard(weights, &view);
    assert_int_equal(((const uint8_t *)view.data)[0], 8);
    weights_destroy(weights);
}

/* A plugin of an older or a newer minor version has its own idea of the struct. */
static void a_view_keeps_to_the_size_that_its_receiver_states(void **state)
{
    struct {
        struct model_tensor view;
        uint8_t behind[16];
    } larger, untouched;
    struct weights *weights = NULL;
    put_safetensors(in_folder(*state, "model.safetensors"), "{" U8("a", "0", "3", "3") "}", 3);
    assert_int_equal(weights_open(*state, &weights, NULL), MODEL_OK);
    memset(&untouched, 0x5A, sizeof untouched);
    for (int find = 0; find < 2; find++) {
        memset(&larger, 0x5A, sizeof larger);
        larger.view.struct_size = sizeof larger;
        if (find == 0)
            weights_at(weights, 0, &larger.view);
        else
            assert_int_equal(weights_find(weights, "a", &larger.view), MODEL_OK);
        assert_int_equal(larger.view.struct_size, sizeof larger);
        assert_string_equal(larger.view.name, "a");
        assert_int_equal(larger.view.size_bytes, 3);
        assert_int_equal(larger.view.reserved, 0);
        assert_memory_equal(larger.behind, untouched.behind, sizeof larger.behind);
    }
    static const size_t too_small[] = {0, sizeof(size_t), 175};
    for (size_t i = 0; i < sizeof too_small / sizeof too_small[0]; i++) {
        memset(&larger, 0x5A, sizeof larger);
        larger.view.struct_size = untouched.view.struct_size = too_small[i];
        weights_at(weights, 0, &larger.view);
        assert_int_equal(weights_find(weights, "a", &larger.view), MODEL_INVALID_ARGUMENT);
        assert_memory_equal(&larger, &untouched, sizeof larger);
    }
    weights_destroy(weights);
}

static void tensors_that_lie_askew_are_copied_into_aligned_memory(void **state)
{
    const char *path = in_folder(*state, "any name.safetensors");
    /* header_bytes % 4 == 1 and one odd byte before b: both are askew in different ways */
    const char *header = "{" U8("a", "0", "1", "1") "," F32(
        "b", "1", "9", "2") ","
                            "\"c\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[9,17]}}";
    for (size_t spaces = 0; spaces < 8; spaces++) {
        char *padded = text_format("%s%.*s", header, (int)spaces, "        ");
        put_safetensors(path, padded, 17);
        free(padded);
        struct weights *weights = NULL;
        struct model_tensor view = {.struct_size = sizeof view};
        assert_int_equal(weights_open_file(path, &weights, NULL), MODEL_OK);
        uint8_t wanted = 0;
        for (size_t i = 0; i < 3; i++) {
            weights_at(weights, i, &view);
            assert_int_equal((uintptr_t)view.data % dtype_size_bytes(view.dtype), 0);
            for (size_t k = 0; k < view.size_bytes; k++)
                assert_int_equal(((const uint8_t *)view.data)[k], wanted++);
            weights_discard(weights, &view);
        }
        weights_destroy(weights);
    }
}

static void shards_look_like_one_file(void **state)
{
    const char *folder = *state;
    put_safetensors(in_folder(folder, "s-1.safetensors"),
                    "{" U8("d", "0", "1", "1") "," U8("b", "1", "2", "1") "}", 2);
    put_safetensors(in_folder(folder, "sub/s-2.safetensors"), "{" U8("c", "0", "1", "1") "}", 1);
    put_text(in_folder(folder, INDEX),
             "{\"metadata\":{\"total_size\":-1.5e9},\"weight_map\":{\"b\":\"s-1.safetensors\","
             "\"c\":\"sub/s-2.safetensors\",\"d\":\"s-1.safetensors\"}}\n");
    struct weights *weights = NULL;
    struct model_tensor view = {.struct_size = sizeof view};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(weights_open(folder, &weights, &err), MODEL_OK);
    assert_int_equal(weights_n_files(weights), 2);
    assert_int_equal(weights_count(weights), 3);
    static const char *const names[] = {"b", "c", "d"};
    static const uint8_t values[] = {1, 0, 0};
    for (size_t i = 0; i < 3; i++) {
        weights_at(weights, i, &view);
        assert_string_equal(view.name, names[i]);
        assert_int_equal(*(const uint8_t *)view.data, values[i]);
    }
    weights_destroy(weights);
}

static void files_may_be_symbolic_links(void **state)
{
    const char *folder = *state;
    put_safetensors(in_folder(folder, "blob"), "{" U8("a", "0", "1", "1") "}", 1);
    assert_int_equal(symlink("blob", in_folder(folder, "model.safetensors")), 0);
    struct weights *weights = NULL;
    assert_int_equal(weights_open(folder, &weights, NULL), MODEL_OK);
    weights_destroy(weights);
}

static void a_folder_without_weights_says_so(void **state)
{
    const char *folder = *state;
    assert_refused(folder, MODEL_NOT_FOUND,
                   " has no model.safetensors and no model.safetensors.index.json");
    put_text(in_folder(folder, "pytorch_model.bin"), "x");
    assert_refused(
        folder, MODEL_NOT_FOUND,
        " has no model.safetensors and no model.safetensors.index.json; pytorch_model.bin "
        "is a pickle, which is never opened: make safetensors of it with 'pkgmgr convert'");
    struct weights *weights = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(weights_open(in_folder(folder, "absent"), &weights, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "No such file or directory"));
}

static void a_missing_shard_is_named(void **state)
{
    const char *folder = *state;
    put_text(in_folder(folder, INDEX), "{\"weight_map\":{\"b\":\"s-1.safetensors\"}}");
    assert_refused(folder, MODEL_CORRUPT,
                   ": shard 's-1.safetensors' is missing, model.safetensors.index.json lists it");
}

static void shards_and_index_must_agree(void **state)
{
    const char *folder = *state;
    put_safetensors(in_folder(folder, "s-1.safetensors"), "{" U8("a", "0", "1", "1") "}", 1);
    put_safetensors(in_folder(folder, "s-2.safetensors"), "{" U8("a", "0", "1", "1") "}", 1);
    static const struct {
        const char *index;
        const char *sentence;
    } cases[] = {
        {"{\"weight_map\":{\"b\":\"s-1.safetensors\"}}",
         "/s-1.safetensors: tensor 'a' is not in model.safetensors.index.json"},
        {"{\"weight_map\":{\"a\":\"s-1.safetensors\",\"b\":\"s-1.safetensors\"}}",
         "/s-1.safetensors: tensor 'b' is not in s-1.safetensors, as model.safetensors.index.json "
         "says"},
        {"{\"weight_map\":{\"a\":\"s-1.safetensors\",\"b\":\"s-2.safetensors\"}}",
         "/s-2.safetensors: tensor 'a' should be in s-1.safetensors by "
         "model.safetensors.index.json"},
        {"{\"weight_map\":{\"a\":\"s-1.safetensors\",\"a\":\"s-2.safetensors\"}}",
         "/model.safetensors.index.json: tensor 'a' stands twice"},
        {"{\"weight_map\":{\"a\":\"../s-1.safetensors\"}}",
         "/model.safetensors.index.json: '../s-1.safetensors' is no safe name for a shard"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}",
         "/model.safetensors.index.json: '/etc/passwd' is no safe name for a shard"},
        {"{\"weight_map\":{}}", "/model.safetensors.index.json: want a weight_map with tensors"},
        {"{}", "/model.safetensors.index.json: want a weight_map with tensors"},
        {"{\"weight_map\":{\"a\":\"s-1.safetensors\"},\"weight_map\":{}}",
         "/model.safetensors.index.json: byte 51: weight_map stands twice"},
        {"{\"weight_map\":{\"a\":1}}",
         "/model.safetensors.index.json: byte 19: not valid JSON, want a string"},
        {"[]", "/model.safetensors.index.json: byte 0: not valid JSON, want '{'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_text(in_folder(folder, INDEX), cases[i].index);
        assert_refused(folder, MODEL_CORRUPT, cases[i].sentence);
    }
}

static void broken_files_are_refused(void **state)
{
    const char *folder = *state;
    put_text(in_folder(folder, "model.safetensors"), "");
    assert_refused(folder, MODEL_CORRUPT,
                   "/model.safetensors: truncated: 0 bytes, a safetensors file has at least 8");
    put_text(in_folder(folder, "model.safetensors"), "\x10\0\0");
    assert_refused(folder, MODEL_CORRUPT,
                   "/model.safetensors: truncated: 1 bytes, a safetensors file has at least 8");
    put_bytes(in_folder(folder, "model.safetensors"), "\x10\0\0\0\0\0\0\0{}", 10);
    assert_refused(folder, MODEL_CORRUPT,
                   "/model.safetensors: truncated: a header of 16 bytes in a file of 10");
    assert_int_equal(unlink(in_folder(folder, "model.safetensors")), 0);
    assert_int_equal(dir_make_all(in_folder(folder, "model.safetensors"), NULL), MODEL_OK);
    assert_refused(folder, MODEL_INVALID_ARGUMENT, "/model.safetensors is not a regular file");
}

/* A trained model; the numbers were counted with another reader. */
static void reads_a_real_file(void **state)
{
    (void)state;
    const char *shared = getenv("SHARED");
    char *path = text_format("%s/models/real/capp-gpt2/model.safetensors",
                             shared != NULL ? shared : "../shared");
    if (path == NULL || !path_is_file(path)) {
        print_message("skipped: %s is not there\n", path);
        free(path);
        skip();
    }
    struct weights *weights = NULL;
    struct model_tensor view = {.struct_size = sizeof view};
    struct model_error err = MODEL_ERROR_INIT;
    uint64_t elements = 0;
    assert_int_equal(weights_open_file(path, &weights, &err), MODEL_OK);
    for (size_t i = 0; i < weights_count(weights); i++) {
        weights_at(weights, i, &view);
        elements += tensor_elements(&view);
        assert_int_equal((uintptr_t)view.data % dtype_size_bytes(view.dtype), 0);
    }
    assert_int_equal(weights_count(weights), 52);
    assert_int_equal(elements, 236224);
    weights_destroy(weights);
    free(path);
}

#define FOLDER_TEST(test_) cmocka_unit_test_setup_teardown(test_, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(one_file_becomes_views_ordered_by_name),
        FOLDER_TEST(a_view_keeps_to_the_size_that_its_receiver_states),
        FOLDER_TEST(tensors_that_lie_askew_are_copied_into_aligned_memory),
        FOLDER_TEST(shards_look_like_one_file),
        FOLDER_TEST(files_may_be_symbolic_links),
        FOLDER_TEST(a_folder_without_weights_says_so),
        FOLDER_TEST(a_missing_shard_is_named),
        FOLDER_TEST(shards_and_index_must_agree),
        FOLDER_TEST(broken_files_are_refused),
        cmocka_unit_test(reads_a_real_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
