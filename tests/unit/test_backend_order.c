/* test_backend_order.c - which backends of a package are tried, and in which order. */
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

static void assert_order(const char *folders, const char *wanted, const char *expected)
{
    char *dir = make_folders(folders), text[1200] = "";
    struct backend_order order;
    assert_int_equal(backend_order_find(dir, wanted, &order, NULL), MODEL_OK);
    for (size_t i = 0, used = 0; i < order.n_names; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "",
                                 order.names[i]);
    assert_string_equal(text, expected);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

static void assert_refused(const char *wanted, const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct backend_order order = {.n_names = 77};
    assert_int_equal(backend_order_find("/", wanted, &order, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, sentence);
    assert_int_equal(order.n_names, 77);
}

static void known_backends_come_first_then_names(void **state)
{
    (void)state;
    assert_order("zeta torch cpu alpha onnx", NULL, "cpu torch onnx alpha zeta");
}

static void one_backend_or_none_is_no_choice(void **state)
{
    (void)state;
    assert_order("", NULL, "");
    assert_order("cpu", NULL, "");
    assert_order("cpu .tmp", NULL, "");
}

static void what_is_wanted_is_taken_as_it_is(void **state)
{
    (void)state;
    assert_order("cpu torch", "torch", "torch");
    assert_order("cpu torch", "torch,absent,cpu", "torch absent cpu");
}

static void more_folders_than_fit_are_left_out(void **state)
{
    (void)state;
    assert_order("a b c d e f g h i j k l m n o p q r", NULL, "a b c d e f g h i j k l m n o p");
}

static void what_is_no_list_of_names_is_refused(void **state)
{
    (void)state;
    assert_refused("", "'' is no name of a backend; want one such as cpu, or several with commas "
                       "between");
    assert_refused("cpu,", "'' is no name of a backend; want one such as cpu, or several with "
                           "commas between");
    assert_refused("../cpu", "'../cpu' is no name of a backend; want one such as cpu, or several "
                             "with commas between");
    assert_refused("cpu,torch,cpu", "the backend 'cpu' is named twice");
    assert_refused("a123456789b123456789c123456789d123456789e123456789f123456789g123",
                   "'a123456789b123456789...' is no name of a backend: want at most 63 bytes");
    assert_refused("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "more than 16 backends");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_backends_come_first_then_names),
        cmocka_unit_test(one_backend_or_none_is_no_choice),
        cmocka_unit_test(what_is_wanted_is_taken_as_it_is),
        cmocka_unit_test(more_folders_than_fit_are_left_out),
        cmocka_unit_test(what_is_no_list_of_names_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
