/* test_tensor_tree.c - names become branches with sums, numbers in natural order. */
#include "dtype.h"
#include "tensor_tree.h"
#include "testing.h"

static char *tree_of(const char *const *names, size_t n)
{
    struct model_tensor tensors[16];
    const struct model_tensor *list[16];
    json_node *root = json_new_object();
    assert_true(n <= 16);
    for (size_t i = 0; i < n; i++) {
        tensor_init(&tensors[i], names[i], MODEL_F32, 1, (int64_t[]){(int64_t)i + 1}, NULL);
        list[i] = &tensors[i];
    }
    qsort(list, n, sizeof *list, tensor_tree_compare);
    assert_int_equal(tensor_tree_add(root, list, n, NULL), MODEL_OK);
    char *text = json_print(json_member(root, "tree"), false);
    json_free(root);
    return text;
}

static void branches_have_the_sums_of_their_leaves(void **state)
{
    (void)state;
    char *found = tree_of((const char *const[]){"a.w", "b", "a.b.x", "a"}, 4);
    assert_string_equal(found,
                        "[{\"name\":\"a\",\"tensors\":1,\"parameters\":4,\"bytes\":16},"
                        "{\"name\":\"a\",\"tensors\":2,\"parameters\":4,\"bytes\":16,\"children\":["
                        "{\"name\":\"b\",\"tensors\":1,\"parameters\":3,\"bytes\":12,\"children\":["
                        "{\"name\":\"x\",\"tensors\":1,\"parameters\":3,\"bytes\":12}]},"
                        "{\"name\":\"w\",\"tensors\":1,\"parameters\":1,\"bytes\":4}]},"
                        "{\"name\":\"b\",\"tensors\":1,\"parameters\":2,\"bytes\":8}]");
    free(found);
}

static void numbers_come_in_their_order_and_branches_stay_whole(void **state)
{
    static const char *const names[] = {"h.10.w", "h.2.w",   "h-1", "h.2.b",
                                        "h.02.w", "h.1e9.w", "h2.w"};
    static const char *const want[] = {"h-1",    "h.1e9.w", "h.2.b", "h.2.w",
                                       "h.02.w", "h.10.w",  "h2.w"};
    struct model_tensor tensors[7];
    const struct model_tensor *list[7];
    (void)state;
    for (size_t i = 0; i < 7; i++) {
        tensors[i].name = names[i];
        list[i] = &tensors[i];
    }
    qsort(list, 7, sizeof *list, tensor_tree_compare);
    for (size_t i = 0; i < 7; i++)
        assert_string_equal(list[i]->name, want[i]);
}

static void odd_names_are_leaves(void **state)
{
    (void)state;
    char *found = tree_of((const char *const[]){"", "x.", "..y"}, 3);
    assert_string_equal(found,
                        "[{\"name\":\"\",\"tensors\":1,\"parameters\":1,\"bytes\":4},"
                        "{\"name\":\"\",\"tensors\":1,\"parameters\":3,\"bytes\":12,\"children\":["
                        "{\"name\":\"\",\"tensors\":1,\"parameters\":3,\"bytes\":12,\"children\":["
                        "{\"name\":\"y\",\"tensors\":1,\"parameters\":3,\"bytes\":12}]}]},"
                        "{\"name\":\"x.\",\"tensors\":1,\"parameters\":2,\"bytes\":8}]");
    free(found);
}

static bool note_branch(void *context, const struct tensor_branch *branch)
{
    char *text = context;
    const size_t used = strlen(text);
    (void)snprintf(text + used, 200 - used, "%u%.*s:%zu%s ", branch->depth, (int)branch->name_bytes,
                   branch->name, branch->n_tensors, branch->is_leaf ? "" : "+");
    return strlen(text) < 100;
}

static void walking_goes_no_deeper_than_is_asked(void **state)
{
    static const char *const names[] = {"a.b.c", "a.b.d", "a.x", "z"};
    struct model_tensor tensors[4];
    const struct model_tensor *list[4];
    char found[200] = "";
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        tensor_init(&tensors[i], names[i], MODEL_F32, 1, (int64_t[]){1}, NULL);
        list[i] = &tensors[i];
    }
    assert_true(tensor_tree_walk(list, 4, 2, note_branch, found));
    assert_string_equal(found, "0a:3+ 1b:2+ 1x:1 0z:1 ");
    found[0] = '\0';
    assert_true(tensor_tree_walk(list, 4, 1, note_branch, found));
    assert_string_equal(found, "0a:3+ 0z:1 ");
    memset(found, '.', 99); /* it says when it has enough */
    found[99] = '\0';
    assert_false(tensor_tree_walk(list, 4, 3, note_branch, found));
}

static void depth_has_a_limit(void **state)
{
    char name[4001];
    (void)state;
    for (size_t i = 0; i < 4000; i++)
        name[i] = i % 2 == 0 ? 'x' : '.';
    name[3999] = 'y';
    name[4000] = '\0';
    char *found = tree_of((const char *const[]){name}, 1);
    size_t n_children = 0;
    for (const char *at = found; (at = strstr(at, "children")) != NULL; at++)
        n_children++;
    assert_int_equal(n_children, TENSOR_TREE_MAX_DEPTH);
    free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(branches_have_the_sums_of_their_leaves),
        cmocka_unit_test(numbers_come_in_their_order_and_branches_stay_whole),
        cmocka_unit_test(odd_names_are_leaves),
        cmocka_unit_test(walking_goes_no_deeper_than_is_asked),
        cmocka_unit_test(depth_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
