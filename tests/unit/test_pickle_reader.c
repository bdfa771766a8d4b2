/* test_pickle_reader.c - pickles of data are read, all else is refused by its name. Covers also
 * packager/convert/pickle_machine.c, packager/convert/pickle_globals.c and packager/convert/pickle_values.c.
 * The pickles are written by hand, after Python's pickletools; whole files of torch are in tests/system. */
#include "errors.h"
#include "pickle_globals.h"
#include "pickle_reader.h"
#include "testing.h"

#define STORAGE                                                                                    \
    "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"                                             \
    "0X\3\0\0\0cpuK\x0ctQ" /* 12 elements */
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n"

/* A literal's bytes, the zeros in it included. */
#define READ(literal_, ret_, err_) read_bytes(literal_, sizeof(literal_) - 1, ret_, err_)

static model_status read_bytes(const char *data, size_t size_bytes, struct pickle *ret,
                               struct model_error *err)
{
    size_t used = 0;
    /* as long as it is, so that a sanitizer sees what is read behind it */
    uint8_t *copy = malloc(size_bytes > 0 ? size_bytes : 1);
    assert_non_null(copy);
    memcpy(copy, data, size_bytes);
    model_status status = pickle_read(copy, size_bytes, "p", ret, &used, err);
    if (status == MODEL_OK) {
        assert_int_equal(used, size_bytes);
        /* texts point into the copy: these tests look at none of them after it is gone */
    }
    free(copy);
    return status;
}

static void reads_numbers_as_python_writes_them(void **state)
{
    static const struct {
        const char *bytes;
        size_t size_bytes;
        int64_t want;
    } integers[] = {
        {"\x80\2K\xff.", 5, 255},
        {"\x80\2M\xff\xff.", 6, 65535},
        {"\x80\2J\xff\xff\xff\xff.", 8, -1},
        {"\x80\2\x8a\0.", 5, 0},
        {"\x80\2\x8a\1\x80.", 6, -128},
        {"\x80\2\x8a\2\x80\0.", 7, 128},
        {"\x80\2\x8a\5\0\0\0\0\1.", 10, 4294967296},
        {"\x80\2\x8a\x08\0\0\0\0\0\0\0\x80.", 13, INT64_MIN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        struct pickle pickle;
        assert_int_equal(read_bytes(integers[i].bytes, integers[i].size_bytes, &pickle, NULL),
                         MODEL_OK);
        assert_int_equal(pickle_at(&pickle, pickle.root)->kind, PICKLE_INTEGER);
        assert_int_equal(pickle_at(&pickle, pickle.root)->integer, integers[i].want);
        pickle_finish(&pickle);
    }
    struct pickle pickle;
    assert_int_equal(READ("\x80\2G\xbf\xe0\0\0\0\0\0\0.", &pickle, NULL), MODEL_OK);
    assert_true(pickle_at(&pickle, pickle.root)->number == -0.5);
    pickle_finish(&pickle);
    assert_int_equal(READ("\x80\2\x8a\x09"
                          "123456789.",
                          &pickle, NULL),
                     MODEL_OK);
    assert_int_equal(pickle_at(&pickle, pickle.root)->kind, PICKLE_BIG_INTEGER);
    assert_int_equal(pickle_at(&pickle, pickle.root)->n, 9);
    pickle_finish(&pickle);
}

static void reads_dicts_in_each_form(void **state)
{
    (void)state;
    static const char setitems[] = "\x80\2}(X\1\0\0\0aK\1X\1\0\0\0bK\2u.";
    static const char ordered[] = "\x80\2"
                                  "ccollections\nOrderedDict\n](](U\1aK\1eU\1bK\2\x86"
                                  "e\x85R.";
    static const char marked[] = "\x80\4\x95\0\0\0\0\0\0\0\0(\x8c\1aK\1\x8c\1bK\2d.";
    const struct {
        const char *bytes;
        size_t size_bytes;
    } forms[] = {{setitems, sizeof setitems - 1},
                 {ordered, sizeof ordered - 1},
                 {marked, sizeof marked - 1}};
    for (size_t i = 0; i < 3; i++) {
        struct pickle pickle;
        size_t used = 0;
        assert_int_equal(pickle_read((const uint8_t *)forms[i].bytes, forms[i].size_bytes, "p",
                                     &pickle, &used, NULL),
                         MODEL_OK);
        const struct pickle_value *root = pickle_at(&pickle, pickle.root);
        assert_int_equal(root->kind, PICKLE_DICT);
        assert_int_equal(root->n, 4);
        assert_int_equal(pickle_member(&pickle, root, "b")->integer, 2);
        assert_null(pickle_member(&pickle, root, "c"));
        pickle_finish(&pickle);
    }
}

static void the_memo_gives_values_again(void **state)
{
    (void)state;
    struct pickle pickle;
    /* a list in itself, twice */
    assert_int_equal(READ("\x80\2]q\0(h\0h\0e.", &pickle, NULL), MODEL_OK);
    const struct pickle_value *root = pickle_at(&pickle, pickle.root);
    assert_int_equal(root->n, 2);
    assert_int_equal(root->items[0], pickle.root);
    pickle_finish(&pickle);
    /* MEMOIZE counts up; LONG_BINPUT may jump */
    assert_int_equal(READ("\x80\4K\7\x94r\x09\0\0\0j\x09\0\0\0h\0\x86\x86.", &pickle, NULL),
                     MODEL_OK);
    pickle_finish(&pickle);
}

static void a_tensor_knows_its_storage_and_shape(void **state)
{
    (void)state;
    struct pickle pickle;
    assert_int_equal(READ("\x80\2" REBUILD "(" STORAGE "K\1K\2K\3\x86K\4K\1\x86\x89"
                          "ccollections\nOrderedDict\n)RtR.",
                          &pickle, NULL),
                     MODEL_OK);
    const struct pickle_value *root = pickle_at(&pickle, pickle.root);
    assert_int_equal(root->kind, PICKLE_TENSOR);
    assert_int_equal(root->tensor->dtype, MODEL_F32);
    assert_int_equal(root->tensor->rank, 2);
    assert_int_equal(root->tensor->shape[1], 3);
    assert_int_equal(root->tensor->strides[0], 4);
    assert_int_equal(root->tensor->offset, 1);
    assert_int_equal(pickle_at(&pickle, root->tensor->storage)->storage->n_elements, 12);
    pickle_finish(&pickle);
}

static void names_that_no_tensor_needs_are_refused_by_name(void **state)
{
    (void)state;
    struct pickle pickle;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(READ("\x80\2"
                          "cposix\nsystem\nX\2\0\0\0ls\x85R.",
                          &pickle, &err),
                     MODEL_CORRUPT);
    assert_string_equal(
        err.message, "p asks for 'posix.system', which no tensor needs; nothing was executed: get "
                     "the weights as safetensors, or save the model's state_dict() alone");
    assert_int_equal(READ("\x80\4\x8c\x08"
                          "builtins\x8c\4exec\x93.",
                          &pickle, &err),
                     MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "p asks for 'builtins.exec', which no tensor needs"));
    /* parts of a name that is known do not make it */
    assert_int_equal(READ("\x80\2"
                          "ccollections.OrderedDict\nx\n.",
                          &pickle, &err),
                     MODEL_CORRUPT);
    assert_int_equal(READ("\x80\2"
                          "ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
                          &pickle, &err),
                     MODEL_CORRUPT);
}

static void refuses_broken_pickles_with_the_byte(void **state)
{
#define BROKEN(literal_, problem_)                                                                 \
    {                                                                                              \
        literal_, sizeof(literal_) - 1, problem_                                                   \
    }
    static const struct {
        const char *bytes;
        size_t size_bytes;
        const char *problem;
    } broken[] = {
        BROKEN("", "at byte 0: truncated"),
        BROKEN("\x80", "at byte 1: truncated"),
        BROKEN("\x80\6.", "at byte 2: its protocol is none of 2 to 5"),
        BROKEN("\x80\2.", "ends with more or less than one value"),
        BROKEN("\x80\2NN.", "ends with more or less than one value"),
        BROKEN("\x80\2(N.", "ends with more or less than one value"),
        BROKEN("\x80\2X\5\0\0\0ab", "truncated"),
        BROKEN("\x80\2\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "truncated"),
        BROKEN("\x80\2t", "no mark is set"),
        BROKEN("\x80\2\x86", "takes more than is there"),
        BROKEN("\x80\2N(\x85", "takes more than is there"),
        BROKEN("\x80\2h\0.", "reads a memo slot that nothing was put into"),
        BROKEN("\x80\2q\0.", "takes more than is there"),
        BROKEN("\x80\2Nr\xff\xff\xff\xff.", "a memo slot that a pickle of this size cannot need"),
        BROKEN("\x80\2}(Nu", "a key without a value"),
        BROKEN("\x80\2(Nd", "a key without a value"),
        BROKEN("\x80\2NNa", "adds items to what is no list or dict"),
        BROKEN("\x80\2])Na", "adds items to what is no list or dict"),
        BROKEN("\x80\2NNb", "sets the state of what is no dict or tensor"),
        BROKEN("\x80\2}Nb", "sets the state of what is no dict or tensor"),
        BROKEN("\x80\2NN\x93", "a name that is no text"),
        BROKEN("\x80\2"
               "cabc",
               "truncated"),
        BROKEN("\x80\2I1\n.", "opcode 0x49 is none that tensors need"),
        BROKEN("\x80\2)\x81.", "the opcode NEWOBJ at byte 3, which no tensor needs"),
        BROKEN("\x80\2\x83\1\0.", "the opcode EXT2 at byte 2, which no tensor needs"),
        BROKEN("\x80\2Pid\n.", "the opcode PERSID at byte 2, which no tensor needs"),
        BROKEN("\x80\2N)R.", "calls None, want a function"),
        BROKEN("\x80\2NQ.", "a persistent id is not that of a storage"),
        BROKEN("\x80\2" REBUILD ")R.", "has the wrong number of arguments"),
        BROKEN("\x80\2" REBUILD "(" STORAGE "K\0K\x0d\x85K\1\x85tR.", "reaches beyond its storage"),
        BROKEN("\x80\2" REBUILD "(" STORAGE "K\x0bK\2\x85K\1\x85tR.", "reaches beyond its storage"),
        BROKEN("\x80\2" REBUILD "(" STORAGE "K\0K\2\x85K\1K\1\x86tR.", "no shape and strides"),
        BROKEN("\x80\2" REBUILD "(" STORAGE "K\0(KKKKKKKKKKKKKKKKKKt(ttR.", "no shape and strides"),
        BROKEN("\x80\2" REBUILD "(" STORAGE
               "K\0\x8a\x08\0\0\0\0\0\0\0\x40\x8a\x08\0\0\0\0\0\0\0\x40\x86K\0K\0\x86tR.",
               "reaches beyond its storage"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct pickle pickle;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(read_bytes(broken[i].bytes, broken[i].size_bytes, &pickle, &err),
                         MODEL_CORRUPT);
        if (strstr(err.message, broken[i].problem) == NULL)
            fail_msg("pickle %zu: '%s', want '%s'", i, err.message, broken[i].problem);
    }
}

static void marks_have_a_limit(void **state)
{
    (void)state;
    char text[2002] = "\x80\2";
    struct pickle pickle;
    struct model_error err = MODEL_ERROR_INIT;
    memset(text + 2, '(', 2000);
    assert_int_equal(read_bytes(text, sizeof text, &pickle, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "at byte 1003: nested too deeply"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers_as_python_writes_them),
        cmocka_unit_test(reads_dicts_in_each_form),
        cmocka_unit_test(the_memo_gives_values_again),
        cmocka_unit_test(a_tensor_knows_its_storage_and_shape),
        cmocka_unit_test(names_that_no_tensor_needs_are_refused_by_name),
        cmocka_unit_test(refuses_broken_pickles_with_the_byte),
        cmocka_unit_test(marks_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
