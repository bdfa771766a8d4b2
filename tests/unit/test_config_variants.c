/* test_config_variants.c - each field changed, all others as they were. */
#include "config_variants.h"
#include "testing.h"

struct seen {
    size_t n, n_size, n_inner;
    bool missing, negative, others_stay, text_is_config;
    size_t stop_at;
};

static bool see(void *context, const struct config_variant *variant)
{
    struct seen *seen = context;
    json_node *again = NULL;
    seen->n++;
    assert_int_equal(json_parse(variant->text, strlen(variant->text), "t", &again, NULL), 0);
    const json_node *size = json_member(variant->config, "size");
    seen->text_is_config &= json_count(again) == json_count(variant->config);
    if (strcmp(variant->field, "size") == 0) {
        seen->n_size++;
        seen->missing |= size == NULL;
        seen->negative |= json_number_or(size, 0) == -1;
        seen->others_stay &=
            strcmp(json_string_or(json_member(variant->config, "name"), ""), "a") == 0 &&
            json_number_or(json_path(variant->config, "inner.depths[1]"), 0) == 2;
    } else if (strcmp(variant->field, "inner.depths") == 0) {
        seen->n_inner++;
        seen->others_stay &= json_number_or(size, 0) == 4;
    }
    json_free(again);
    return seen->n != seen->stop_at;
}

static void each_field_is_missing_and_wrong_and_the_others_stay(void **state)
{
    (void)state;
    static const char text[] = "{\"size\":4,\"name\":\"a\",\"inner\":{\"depths\":[1,2]}}";
    struct seen seen = {.others_stay = true, .text_is_config = true};
    json_node *config = NULL;
    assert_int_equal(json_parse(text, strlen(text), "t", &config, NULL), 0);
    assert_true(config_variants_visit(config, see, &seen));
    assert_true(seen.missing && seen.negative && seen.others_stay && seen.text_is_config);
    assert_int_equal(seen.n, 4 * seen.n_size);
    assert_int_equal(seen.n_inner, seen.n_size);
    struct seen stopped = {.stop_at = 5};
    assert_false(config_variants_visit(config, see, &stopped));
    assert_int_equal(stopped.n, 5);
    json_free(config);
}

static void an_empty_configuration_has_no_variant(void **state)
{
    (void)state;
    struct seen seen = {.n = 0};
    json_node *config = json_new_object();
    assert_true(config_variants_visit(config, see, &seen));
    assert_int_equal(seen.n, 0);
    json_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_is_missing_and_wrong_and_the_others_stay),
        cmocka_unit_test(an_empty_configuration_has_no_variant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
