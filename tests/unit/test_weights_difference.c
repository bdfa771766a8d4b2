/* test_weights_difference.c - pairs of tensors and what becomes of them. Covers also
 * packager/convert/inspection.c. */
#include "weights_difference.h"
#include "dtype.h"
#include "in_folder.h"
#include "inspection.h"
#include "safetensors.h"

struct source {
    const char *name;
    int32_t dtype;
    int64_t n;
    void *data;
};

static struct tensor_table table_of(const char *name, const struct source *sources, size_t n)
{
    struct model_tensor tensors[8];
    const struct model_tensor *list[8];
    struct tensor_table table;
    assert_true(n <= 8);
    for (size_t i = 0; i < n; i++) {
        tensor_init(&tensors[i], sources[i].name, sources[i].dtype, 1, &sources[i].n,
                    sources[i].data);
        list[i] = &tensors[i];
    }
    assert_int_equal(safetensors_write(in_folder(name), list, n, NULL), MODEL_OK);
    assert_int_equal(tensor_table_open(in_folder(name), &table, NULL), MODEL_OK);
    return table;
}

static void expect(const struct tensor_table *a, const struct tensor_table *b, const char *want,
                   size_t n_want)
{
    const struct difference_options options = {.cancelled = NULL};
    json_node *root = json_new_object();
    size_t n = 99;
    assert_int_equal(weights_difference(a, b, &options, root, &n, NULL), MODEL_OK);
    char *found = json_print(root, false);
    assert_string_equal(found, want);
    assert_int_equal(n, n_want);
    free(found);
    json_free(root);
}

static void each_tensor_is_in_one_list(void **state)
{
    (void)state;
    float one[] = {1, 2}, two[] = {1, 4};
    uint16_t halves[] = {0x3C00, 0x4000}; /* 1, 2 */
    struct tensor_table a = table_of("a",
                                     (const struct source[]){{"changed", MODEL_F32, 2, one},
                                                             {"gone", MODEL_F32, 1, one},
                                                             {"long", MODEL_F32, 2, one},
                                                             {"same", MODEL_F32, 2, one},
                                                             {"type", MODEL_F32, 2, one}},
                                     5);
    struct tensor_table b = table_of("b",
                                     (const struct source[]){{"changed", MODEL_F32, 2, two},
                                                             {"long", MODEL_F32, 1, one},
                                                             {"new", MODEL_F16, 1, halves},
                                                             {"same", MODEL_F32, 2, one},
                                                             {"type", MODEL_F16, 2, halves}},
                                     5);
    expect(&a, &a, "{\"added\":[],\"removed\":[],\"changed\":[],\"same\":5}", 0);
    expect(&a, &b,
           "{\"added\":[{\"name\":\"new\",\"dtype\":\"F16\",\"shape\":[1]}],"
           "\"removed\":[{\"name\":\"gone\",\"dtype\":\"F32\",\"shape\":[1]}],"
           "\"changed\":["
           "{\"name\":\"changed\",\"a\":{\"dtype\":\"F32\",\"shape\":[2]},"
           "\"b\":{\"dtype\":\"F32\",\"shape\":[2]},"
           "\"different\":1,\"unlike\":0,\"max\":2,\"mean\":1,\"relative\":0.66666666666666663},"
           "{\"name\":\"long\",\"a\":{\"dtype\":\"F32\",\"shape\":[2]},"
           "\"b\":{\"dtype\":\"F32\",\"shape\":[1]}},"
           "{\"name\":\"type\",\"a\":{\"dtype\":\"F32\",\"shape\":[2]},"
           "\"b\":{\"dtype\":\"F16\",\"shape\":[2]},"
           "\"different\":0,\"unlike\":0,\"max\":0,\"mean\":0,\"relative\":0}],\"same\":1}",
           5);
    tensor_table_close(&b);
    tensor_table_close(&a);
}

static void a_second_name_counts_where_the_other_side_has_a_tensor(void **state)
{
    (void)state;
    float one[] = {1, 2};
    struct tensor_table a = table_of("a", (const struct source[]){{"w", MODEL_F32, 2, one}}, 1);
    struct tensor_table b = table_of(
        "b", (const struct source[]){{"head", MODEL_F32, 2, one}, {"w", MODEL_F32, 2, one}}, 2);
    struct tensor_alias alias = {"head", "w"};
    expect(&a, &b,
           "{\"added\":[{\"name\":\"head\",\"dtype\":\"F32\",\"shape\":[2]}],"
           "\"removed\":[],\"changed\":[],\"same\":1}",
           1);
    struct tensor_table with_alias = a;
    with_alias.aliases = &alias;
    with_alias.n_aliases = 1;
    expect(&with_alias, &b, "{\"added\":[],\"removed\":[],\"changed\":[],\"same\":2}", 0);
    expect(&b, &with_alias, "{\"added\":[],\"removed\":[],\"changed\":[],\"same\":2}", 0);
    expect(&with_alias, &a, "{\"added\":[],\"removed\":[],\"changed\":[],\"same\":1}", 0);
    tensor_table_close(&b);
    tensor_table_close(&a);
}

static void an_inspection_has_sums_tensors_and_a_tree(void **state)
{
    (void)state;
    float one[] = {1, 3};
    struct tensor_table table = table_of(
        "a", (const struct source[]){{"x.10", MODEL_F32, 2, one}, {"x.9", MODEL_I8, 2, one}}, 2);
    json_node *root = json_new_object();
    struct inspection_options options = {.statistics = false};
    assert_int_equal(inspection_add(root, &table, &options, NULL), MODEL_OK);
    char *found = json_print(root, false);
    assert_string_equal(
        found,
        "{\"form\":\"safetensors\",\"parameters\":4,\"bytes\":10,"
        "\"dtypes\":{\"I8\":2,\"F32\":2},\"tensors\":["
        "{\"name\":\"x.9\",\"dtype\":\"I8\",\"shape\":[2],\"bytes\":2},"
        "{\"name\":\"x.10\",\"dtype\":\"F32\",\"shape\":[2],\"bytes\":8}],\"aliases\":{},"
        "\"tree\":[{\"name\":\"x\",\"tensors\":2,\"parameters\":4,\"bytes\":10,\"children\":["
        "{\"name\":\"9\",\"tensors\":1,\"parameters\":2,\"bytes\":2},"
        "{\"name\":\"10\",\"tensors\":1,\"parameters\":2,\"bytes\":8}]}]}");
    free(found);
    json_free(root);
    root = json_new_object();
    options.statistics = true;
    assert_int_equal(inspection_add(root, &table, &options, NULL), MODEL_OK);
    found = json_print(json_path(root, "tensors[1].statistics"), false);
    assert_string_equal(found, "{\"min\":1,\"max\":3,\"mean\":2,\"std\":1,\"nan\":0,"
                               "\"infinite\":0,\"zero\":0}");
    free(found);
    json_free(root);
    tensor_table_close(&table);
}

static bool is_cancelled_on_the_third(void *context)
{
    return ++*(int *)context == 3;
}

static void a_file_of_empty_tensors_can_be_interrupted(void **state)
{
    (void)state;
    int n_asked = 0;
    float none[1];
    const struct source sources[] = {{"a", MODEL_F32, 0, none},
                                     {"b", MODEL_F32, 0, none},
                                     {"c", MODEL_F32, 0, none},
                                     {"d", MODEL_F32, 0, none}};
    struct tensor_table table = table_of("a", sources, 4);
    json_node *root = json_new_object();
    struct inspection_options options = {.statistics = true};
    assert_int_equal(inspection_add(root, &table, &options, NULL), MODEL_OK);
    assert_true(json_is_null(json_path(root, "tensors[3].statistics")));
    json_free(root);
    root = json_new_object();
    options.cancelled = is_cancelled_on_the_third;
    options.context = &n_asked;
    assert_int_equal(inspection_add(root, &table, &options, NULL), MODEL_CANCELLED);
    assert_int_equal(json_count(json_path(root, "tensors")), 2);
    json_free(root);
    tensor_table_close(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(each_tensor_is_in_one_list),
        IN_FOLDER(a_second_name_counts_where_the_other_side_has_a_tensor),
        IN_FOLDER(an_inspection_has_sums_tensors_and_a_tree),
        IN_FOLDER(a_file_of_empty_tensors_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
