/* test_backend_order.c - which backends of a package are tried, and in which order; and how they are named
 * (store/backend_name.c). */
#include "backend_order.h"
#include "errors.h"
#include "files.h"
#include "testing.h"

/* A package folder with these backends, names separated by spaces; to be removed and freed. */
static char *make_folders(const char *names)
{
    char *dir = scratch_dir();
    for (const char *at = names; *at != '\0'; at += strspn(at, " ")) {
        const int n_bytes = (int)strcspn(at, " ");
        char *folder = text_format("%s/backends/%.*s", dir, n_bytes, at);
        assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
        free(folder);
        at += n_bytes;
    }
    return dir;
}

static void assert_names(const struct backend_order *order, const char *expected)
{
    char text[1200] = "";
    for (size_t i = 0, used = 0; i < order->n_names; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "",
                                 order->names[i]);
    assert_string_equal(text, expected);
}

static void assert_order(const char *folders, bool has_core_ml, const char *expected)
{
    char *dir = make_folders(folders);
    struct backend_order order;
    assert_int_equal(backend_order_find(dir, has_core_ml, &order, NULL), MODEL_OK);
    assert_names(&order, expected);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

static void assert_wanted(const char *wanted, const char *expected)
{
    struct backend_order order;
    assert_int_equal(backend_order_read(wanted, &order, NULL), MODEL_OK);
    assert_names(&order, expected);
}

static void assert_refused(const char *wanted, const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct backend_order order = {.n_names = 77};
    assert_int_equal(backend_order_read(wanted, &order, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, sentence);
    assert_int_equal(order.n_names, 77);
}

static void known_backends_come_first_then_names(void **state)
{
    (void)state;
    assert_order("zeta torch cpu alpha onnx coreml", false, "cpu torch onnx alpha coreml zeta");
}

static void where_there_is_core_ml_it_comes_first_and_our_kernels_for_the_same_model_behind(
    void **state)
{
    (void)state;
    assert_order("coreml", true, "coreml coreml:cpu");
    assert_order("zeta cpu coreml", true, "coreml coreml:cpu cpu zeta");
    assert_order("cpu torch", true, "cpu torch");
    assert_order("coreml", false, "coreml");
}

static void a_package_may_have_one_backend_or_none(void **state)
{
    (void)state;
    assert_order("", false, "");
    assert_order("cpu", false, "cpu");
    assert_order("cpu .tmp", false, "cpu");
}

static void what_is_wanted_is_taken_as_it_is(void **state)
{
    (void)state;
    assert_wanted("torch", "torch");
    assert_wanted("torch,absent,cpu", "torch absent cpu");
    assert_wanted("coreml:cpu,coreml", "coreml:cpu coreml");
}

static void more_folders_than_fit_are_left_out(void **state)
{
    (void)state;
    assert_order("a b c d e f g h i j k l m n o p q r", false, "a b c d e f g h i j k l m n o p");
}

static void what_is_no_list_of_names_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"",     "../cpu", "a/b",     "coreml:gpu",
                                        ":cpu", "cpu:",   "cpu:cpu:"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *sentence =
            text_format("'%s' is no name of a backend; want that of its folder, such as "
                        "cpu, with ':cpu' behind it where no accelerator shall be used",
                        names[i]);
        assert_refused(names[i], sentence);
        char *list = text_format("torch,%s", names[i]);
        assert_refused(list, sentence);
        free(list);
        free(sentence);
    }
    assert_refused("cpu,torch,cpu", "the backend 'cpu' is named twice");
    assert_refused("a123456789b123456789c123456789d123456789e123456789f123456789g123",
                   "'a123456789b123456789...' is no name of a backend: want at most 63 bytes");
    assert_refused("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "more than 16 backends");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_backends_come_first_then_names),
        cmocka_unit_test(
            where_there_is_core_ml_it_comes_first_and_our_kernels_for_the_same_model_behind),
        cmocka_unit_test(a_package_may_have_one_backend_or_none),
        cmocka_unit_test(what_is_wanted_is_taken_as_it_is),
        cmocka_unit_test(more_folders_than_fit_are_left_out),
        cmocka_unit_test(what_is_no_list_of_names_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
