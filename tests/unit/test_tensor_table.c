/* test_tensor_table.c - one table of tensors, whatever form the weights lie in. */
#include "dtype.h"
#include "errors.h"
#include "in_folder.h"
#include "safetensors.h"
#include "tensor_table.h"
#include "torch_fixture.h"

#define F32 "torch\nFloatStorage\n"

static const float four[4] = {1, 2, 3, 4};

static void put_shard(const char *name, const char *first, const char *second)
{
    const struct view views[] = {{first, F32, "0", 4, 0, 1, {4}, {1}},
                                 {second, F32, "0", 4, 0, 1, {2}, {1}}};
    put_torch_file(in_folder(name), views, 2, &(struct file_piece){four, sizeof four}, 1);
}

static void put_text(const char *name, const char *text)
{
    write_file(in_folder(name), text, strlen(text));
}

static void put_safetensors(const char *path, const char *name)
{
    struct model_tensor tensor;
    tensor_init(&tensor, name, MODEL_F32, 1, (int64_t[]){4}, (void *)(uintptr_t)four);
    assert_int_equal(safetensors_write(path, (const struct model_tensor *[]){&tensor}, 1, NULL),
                     MODEL_OK);
}

static void each_form_gives_its_tensors_by_name(void **state)
{
    (void)state;
    struct tensor_table table;
    put_shard("m.pt", "z", "a");
    assert_int_equal(tensor_table_open(in_folder("m.pt"), &table, NULL), MODEL_OK);
    assert_string_equal(table.form, "torch");
    assert_string_equal(table.tensors[0].name, "a");
    assert_int_equal(tensor_table_bytes(&table), 24);
    assert_ptr_equal(tensor_table_find(&table, "z"), &table.tensors[1]);
    assert_null(tensor_table_find(&table, "y"));
    tensor_table_close(&table);
    put_safetensors(in_folder("m.safetensors"), "s");
    assert_int_equal(tensor_table_open(in_folder("m.safetensors"), &table, NULL), MODEL_OK);
    assert_string_equal(table.form, "safetensors");
    assert_string_equal(table.tensors[0].name, "s");
    tensor_table_close(&table);
}

static void a_folder_gives_safetensors_before_pickles(void **state)
{
    (void)state;
    struct tensor_table table;
    struct model_error err = MODEL_ERROR_INIT;
    put_shard("pytorch_model.bin", "z", "a");
    assert_int_equal(tensor_table_open(in_folder("."), &table, &err), MODEL_OK);
    assert_string_equal(table.form, "torch");
    tensor_table_close(&table);
    put_safetensors(in_folder("model.safetensors"), "s");
    assert_int_equal(tensor_table_open(in_folder("."), &table, &err), MODEL_OK);
    assert_string_equal(table.form, "safetensors");
    tensor_table_close(&table);
}

/* The length of a safetensors header may begin with the byte that a pickle begins with. */
static void the_first_bytes_tell_a_pickle_from_safetensors(void **state)
{
    (void)state;
    struct tensor_table table;
    char name[200];
    for (size_t length = 1; length < sizeof name; length++) {
        memset(name, 'n', length);
        name[length] = '\0';
        put_safetensors(in_folder("m"), name);
        assert_false(tensor_file_is_torch(in_folder("m")));
        assert_int_equal(tensor_table_open(in_folder("m"), &table, NULL), MODEL_OK);
        tensor_table_close(&table);
    }
    put_shard("p", "z", "a");
    assert_true(tensor_file_is_torch(in_folder("p")));
    assert_false(tensor_file_is_torch(in_folder("nothing")));
}

static void pickles_without_a_protocol_are_known_as_such(void **state)
{
    static const char *const pickles[] = {"cposix\nsystem\n(S'true'\ntR.", "(dp0\nS'w'\np1\nI1\ns.",
                                          "L119547037146038801333356L\n.", "}q.", "I1\n."};
    (void)state;
    struct tensor_table table;
    for (size_t i = 0; i < sizeof pickles / sizeof pickles[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        put_text("m", pickles[i]);
        assert_true(tensor_file_is_torch(in_folder("m")));
        assert_int_equal(tensor_table_open(in_folder("m"), &table, &err), MODEL_UNSUPPORTED);
        assert_non_null(strstr(err.message, "protocol 2 or later"));
    }
}

static void shards_are_what_their_index_lists(void **state)
{
    static const struct {
        const char *index, *message;
    } wrong[] = {
        {"{\"weight_map\":{\"a\":\"1.bin\",\"b\":\"1.bin\",\"c\":\"2.bin\",\"d\":\"2.bin\",\"e\":\"2.bin\"}}",
         "%s/m.bin.index.json: tensor 'e' is in none of the shards"},
        {"{\"weight_map\":{\"a\":\"1.bin\",\"b\":\"1.bin\",\"c\":\"2.bin\"}}",
         "%s/m.bin.index.json: tensor 'd' of a shard is not listed"},
        {"{\"weight_map\":{\"a\":\"1.bin\",\"b\":\"3.bin\"}}",
         "%s/m.bin.index.json: the shard '3.bin' is missing"},
        {"{\"weight_map\":{\"a\":\"1.bin\",\"b\":\"1.bin\",\"x\":\"4.bin\"}}",
         "%s/m.bin.index.json: tensor 'a' stands in two shards"},
    };
    (void)state;
    struct tensor_table table;
    put_shard("1.bin", "a", "b");
    put_shard("2.bin", "c", "d");
    put_shard("4.bin", "a", "x");
    put_text("m.bin.index.json", "{\"metadata\":{},\"weight_map\":{\"a\":\"1.bin\",\"b\":\"1.bin\","
                                 "\"c\":\"2.bin\",\"d\":\"2.bin\"}}");
    assert_int_equal(tensor_table_open(in_folder("m.bin.index.json"), &table, NULL), MODEL_OK);
    assert_int_equal(table.n_tensors, 4);
    assert_int_equal(tensor_table_check(&table, NULL), MODEL_OK);
    tensor_table_discard(&table, &table.tensors[2]);
    assert_memory_equal(table.tensors[2].data, four, sizeof four);
    tensor_table_close(&table);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        put_text("m.bin.index.json", wrong[i].index);
        assert_int_equal(tensor_table_open(in_folder("m.bin.index.json"), &table, &err),
                         MODEL_CORRUPT);
        expect_message(&err, wrong[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(each_form_gives_its_tensors_by_name),
        IN_FOLDER(a_folder_gives_safetensors_before_pickles),
        IN_FOLDER(the_first_bytes_tell_a_pickle_from_safetensors),
        IN_FOLDER(pickles_without_a_protocol_are_known_as_such),
        IN_FOLDER(shards_are_what_their_index_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
