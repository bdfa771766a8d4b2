/* test_labels.c - scores and names of labels by config.json. */
#include "labels.h"
#include "testing.h"

#include <math.h>

static json_node *config_of(const char *text)
{
    json_node *config = NULL;
    assert_int_equal(json_parse(text, strlen(text), "config.json", &config, NULL), MODEL_OK);
    return config;
}

static void assert_scores(const char *config_text, const float *logits, size_t n, double first,
                          double second)
{
    double scores[2] = {-1, -1};
    json_node *config = config_of(config_text);
    labels_score(config, logits, n, scores);
    json_free(config);
    assert_true(fabs(scores[0] - first) < 1e-12);
    assert_true(n < 2 || fabs(scores[1] - second) < 1e-12);
}

static void several_labels_share_one_probability(void **state)
{
    (void)state;
    const float logits[2] = {1.0f, 0.0f};
    assert_scores("{}", logits, 2, 0.7310585786300049, 0.2689414213699951);
}

static void one_label_and_multi_label_heads_score_each_by_itself(void **state)
{
    (void)state;
    const float logits[2] = {2.0f, 0.0f};
    assert_scores("{}", logits, 1, 0.8807970779778823, 0);
    assert_scores("{\"problem_type\":\"multi_label_classification\"}", logits, 2,
                  0.8807970779778823, 0.5);
}

static void regression_gives_plain_values(void **state)
{
    (void)state;
    const float logits[2] = {-3.5f, 7.0f};
    assert_scores("{\"problem_type\":\"regression\"}", logits, 2, -3.5, 7);
}

static void a_label_without_a_name_gets_its_number(void **state)
{
    (void)state;
    char text[32];
    json_node *config = config_of("{\"id2label\":{\"0\":\"cat\",\"1\":7}}");
    assert_string_equal(labels_name(config, 0, text, sizeof text), "cat");
    assert_string_equal(labels_name(config, 1, text, sizeof text), "LABEL_1");
    assert_string_equal(labels_name(config, 2, text, sizeof text), "LABEL_2");
    assert_string_equal(labels_name(NULL, 5, text, sizeof text), "LABEL_5");
    json_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_labels_share_one_probability),
        cmocka_unit_test(one_label_and_multi_label_heads_score_each_by_itself),
        cmocka_unit_test(regression_gives_plain_values),
        cmocka_unit_test(a_label_without_a_name_gets_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
