/* test_accuracy_report.c - reports written and read again, what keeps a budget, and files that are no report. */
#include "accuracy_report.h"
#include "errors.h"
#include "in_folder.h"

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct accuracy_report make_report(void)
{
    return (struct accuracy_report){.key = KEY,
                                    .dtype = "int8",
                                    .plugin = "gpt2",
                                    .plugin_version = "1.0.0",
                                    .host_version = "0.1.0",
                                    .created_s = 1795276800,
                                    .inputs = "texts",
                                    .samples = 12,
                                    .cosine = 0.9991,
                                    .worst_output = "logits",
                                    .max_abs = 0.25,
                                    .top1_agreement = 0.98,
                                    .perplexity_f32 = 20,
                                    .perplexity = 21,
                                    .budget = {0.005, ACCURACY_NOT_MEASURED, 0.9}};
}

static model_status parse(const char *text, struct accuracy_report *ret, struct model_error *err)
{
    return accuracy_report_parse(text, strlen(text), "r", ret, err);
}

static void a_report_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct accuracy_report report = make_report(), again;
    char *text = accuracy_report_print(&report);
    assert_int_equal(parse(text, &again, NULL), MODEL_OK);
    assert_string_equal(again.key, KEY);
    assert_string_equal(again.worst_output, "logits");
    assert_float_equal(again.cosine, 0.9991, 0);
    assert_float_equal(again.perplexity, 21, 0);
    assert_float_equal(again.budget.max_cosine_loss, 0.005, 0);
    assert_float_equal(again.budget.max_perplexity_change, ACCURACY_NOT_MEASURED, 0);
    assert_float_equal(again.budget.min_top1_agreement, 0.9, 0);
    free(text);
}

/* As it was written before there was such a budget, and by nobody after. */
static void a_report_without_a_budget_of_agreement_has_any(void **state)
{
    (void)state;
    struct accuracy_report report = make_report(), again;
    report.budget.min_top1_agreement = 0.99; /* of what 0.98 is not enough for */
    char *text = accuracy_report_print(&report), old[4096];
    const char *from = strstr(text, ",\n\t\t\"min_top1_agreement\":\t0.99"), *passed = NULL;
    assert_non_null(from);
    assert_non_null(passed = strstr(from, "false"));
    (void)snprintf(old, sizeof old, "%.*s\n\t},\n\t\"passed\":\ttrue%s", (int)(from - text), text,
                   passed + strlen("false"));
    assert_int_equal(parse(old, &again, NULL), MODEL_OK);
    assert_float_equal(again.budget.min_top1_agreement, 0, 0);
    assert_true(accuracy_report_passes(&again, &again.budget));
    free(text);
}

static void a_name_of_any_characters_is_written_as_one_that_is_read(void **state)
{
    (void)state;
    static const char name[] = "logits_\xc3\xa9";
    struct accuracy_report report = make_report(), again;
    struct model_error err = MODEL_ERROR_INIT;
    (void)snprintf(report.worst_output, sizeof report.worst_output, "%s", name);
    assert_int_equal(accuracy_report_save(in_folder("store"), &report, &err), MODEL_OK);
    assert_int_equal(accuracy_report_load(in_folder("store"), KEY, &again, &err), MODEL_OK);
    assert_string_equal(again.worst_output, "logits_?");
    /* 47 bytes of 48: the last character is cut in its middle, and one can move a cursor */
    memset(report.worst_output, 'a', sizeof report.worst_output);
    memcpy(report.worst_output, "\x1b[2J", 4);
    memcpy(report.worst_output + 46, "\xc3", 2);
    assert_int_equal(strlen(report.worst_output), 47);
    assert_int_equal(accuracy_report_save(in_folder("store"), &report, &err), MODEL_OK);
    assert_int_equal(accuracy_report_load(in_folder("store"), KEY, &again, &err), MODEL_OK);
    assert_string_equal(again.worst_output, "?[2Jaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?");
}

static void what_was_not_measured_stays_so(void **state)
{
    (void)state;
    struct accuracy_report report = make_report(), again;
    report.top1_agreement = report.perplexity = report.perplexity_f32 = ACCURACY_NOT_MEASURED;
    report.budget.min_top1_agreement = 0;
    char *text = accuracy_report_print(&report);
    assert_non_null(strstr(text, "\"top1_agreement\":\tnull"));
    assert_non_null(strstr(text, "\"perplexity_change\":\tnull"));
    assert_int_equal(parse(text, &again, NULL), MODEL_OK);
    assert_float_equal(again.top1_agreement, ACCURACY_NOT_MEASURED, 0);
    free(text);
}

static void a_budget_is_kept_or_missed(void **state)
{
    (void)state;
    struct accuracy_report report = make_report();
    const struct accuracy_budget exactly = {0.005, -1, 0}, strict = {0.0005, -1, 0},
                                 likely = {0.005, 0.05, 0}, unlikely = {0.005, 0.04, 0};
    char why[160];
    assert_true(accuracy_report_passes(&report, &exactly));
    report.cosine = 0.995;
    assert_true(accuracy_report_passes(&report, &exactly));
    assert_false(accuracy_report_passes(&report, &strict));
    accuracy_report_say(&report, &strict, why, sizeof why);
    assert_string_equal(why, "cosine 0.995 of logits, want at least 0.9995");
    report.perplexity = 20 * 1.049;
    assert_true(accuracy_report_passes(&report, &likely));
    assert_false(accuracy_report_passes(&report, &unlikely));
    accuracy_report_say(&report, &unlikely, why, sizeof why);
    assert_string_equal(why, "perplexity 4.9% higher, want at most 4%");
    report.perplexity = ACCURACY_NOT_MEASURED;
    assert_false(accuracy_report_passes(&report, &likely));
    report.cosine = -1; /* not a number somewhere */
    assert_false(accuracy_report_passes(&report, &exactly));
}

static void rows_of_logits_agree_often_enough_or_not(void **state)
{
    (void)state;
    struct accuracy_report report = make_report();
    const struct accuracy_budget any = {0.005, -1, 0}, exactly = {0.005, -1, 0.98},
                                 strict = {0.005, -1, 0.99}, strict_in_all = {0.0001, -1, 0.99};
    char why[160];
    assert_true(accuracy_report_passes(&report, &any));
    assert_true(accuracy_report_passes(&report, &exactly));
    assert_false(accuracy_report_passes(&report, &strict));
    accuracy_report_say(&report, &strict, why, sizeof why);
    assert_string_equal(why,
                        "the largest logit agrees with float32 in 98% of rows, want at least 99%");
    accuracy_report_say(&report, &strict_in_all, why, sizeof why);
    assert_string_equal(why,
                        "cosine 0.9991 of logits, want at least 0.9999"); /* the first says so */
    report.top1_agreement = 0.931;
    accuracy_report_say(&report, &exactly, why, sizeof why);
    assert_string_equal(
        why, "the largest logit agrees with float32 in 93.1% of rows, want at least 98%");
    report.top1_agreement = ACCURACY_NOT_MEASURED;
    assert_true(accuracy_report_passes(&report, &any));
    assert_false(accuracy_report_passes(&report, &exactly));
    accuracy_report_say(&report, &exactly, why, sizeof why);
    assert_string_equal(why,
                        "there are no logits to agree with float32, want at least 98% of rows");
}

static void a_weaker_report_is_told_from_a_stronger_one(void **state)
{
    (void)state;
    static const struct {
        const char *inputs, *than;
        int64_t samples, than_samples;
        double cosine, than_cosine; /* 0.9 misses the budget */
        bool is_weaker;
    } rows[] = {
        {"texts", "texts", 8, 8, 1, 1, false},
        {"texts", "texts", 7, 8, 1, 1, true},
        {"texts", "images", 9, 8, 1, 1, false},
        {"made", "texts", 64, 8, 1, 1, true},
        {"texts", "made", 1, 64, 1, 1, false},
        {"texts", "texts", 64, 8, 1, 0.9, true}, /* opens the gate */
        {"texts", "texts", 1, 8, 0.9, 1, false}, /* closes it */
        {"made", "texts", 8, 64, 0.9, 1, false}, /* closes it */
        {"made", "texts", 8, 64, 0.9, 0.9, true},
        {"texts", "made", 8, 8, 1, 0.9, false},
        {"made", "made", 8, 8, 1, 0.9, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct accuracy_report report = make_report(), than = make_report();
        report.budget = than.budget = (struct accuracy_budget){0.05, -1, 0};
        (void)snprintf(report.inputs, sizeof report.inputs, "%s", rows[i].inputs);
        (void)snprintf(than.inputs, sizeof than.inputs, "%s", rows[i].than);
        report.samples = rows[i].samples;
        than.samples = rows[i].than_samples;
        report.cosine = rows[i].cosine;
        than.cosine = rows[i].than_cosine;
        if (accuracy_report_is_weaker(&report, &than) != rows[i].is_weaker)
            fail_msg("row %zu", i);
    }
}

static void a_dtype_has_a_budget_of_its_own(void **state)
{
    (void)state;
    assert_float_equal(accuracy_default_budget(MODELHOST_BF16).max_cosine_loss, 0.0001, 0);
    assert_float_equal(accuracy_default_budget(MODELHOST_INT8).max_cosine_loss, 0.005, 0);
    assert_float_equal(accuracy_default_budget(MODELHOST_INT4).max_cosine_loss, 0.02, 0);
    assert_float_equal(accuracy_default_budget(99).max_cosine_loss, 0, 0);
    for (int32_t dtype = MODELHOST_F32; dtype <= MODELHOST_INT4; dtype++) {
        assert_float_equal(accuracy_default_budget(dtype).min_top1_agreement, 0, 0);
        assert_float_equal(accuracy_default_budget(dtype).max_perplexity_change, -1, 0);
    }
}

/* The text of a good report with a part of it replaced. */
static void refuse(const char *part, const char *by)
{
    struct accuracy_report report = make_report(), untouched = {.samples = 77};
    struct model_error err = MODEL_ERROR_INIT;
    char changed[4096];
    char *text = accuracy_report_print(&report), *at = strstr(text, part);
    assert_non_null(at);
    (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, by,
                   at + strlen(part));
    assert_int_equal(parse(changed, &untouched, &err), MODEL_CORRUPT);
    assert_int_equal(untouched.samples, 77);
    free(text);
}

static void what_is_no_report_is_refused(void **state)
{
    (void)state;
    refuse("\"format_version\":\t1", "\"format_version\":\t2");
    refuse("\"cosine\":\t0.9991", "\"cosine\":\t1.5");
    refuse("\"cosine\":\t0.9991", "\"cosine\":\tnull");
    refuse("\"cosine\":\t0.9991", "\"cosine\":\t0.5"); /* and still "passed" */
    refuse("\"passed\":\ttrue", "\"passed\":\tfalse");
    refuse("\"passed\":\ttrue", "\"passed\":\t1");
    refuse("\"max_cosine_loss\":\t0.005", "\"max_cosine_loss\":\t-1");
    refuse("\"min_top1_agreement\":\t0.9", "\"min_top1_agreement\":\t1.5");
    refuse("\"min_top1_agreement\":\t0.9", "\"min_top1_agreement\":\tnull");
    refuse("\"min_top1_agreement\":\t0.9", "\"min_top1_agreement\":\t0.99"); /* and "passed" */
    refuse("\"top1_agreement\":\t0.98", "\"top1_agreement\":\t-0.5");
    refuse("\"samples\":\t12", "\"samples\":\t0");
    refuse("\"perplexity\":\t21", "\"perplexity\":\t\"21\"");
    refuse("logits", "lo\\u001b[31mgits");
    refuse("gpt2", "a name that is longer than any plugin's name may be here");
}

static void the_store_has_one_for_each_key(void **state)
{
    (void)state;
    struct accuracy_report report = make_report(), again;
    struct model_error err = MODEL_ERROR_INIT;
    const char *other = "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    assert_int_equal(accuracy_report_save(in_folder("store"), &report, &err), MODEL_OK);
    assert_int_equal(accuracy_report_load(in_folder("store"), KEY, &again, &err), MODEL_OK);
    assert_int_equal(again.samples, 12);
    assert_int_equal(accuracy_report_load(in_folder("store"), other, &again, &err),
                     MODEL_NOT_FOUND);
    char *from = accuracy_report_path(in_folder("store"), KEY);
    char *to = accuracy_report_path(in_folder("store"), other);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(accuracy_report_load(in_folder("store"), other, &again, &err), MODEL_CORRUPT);
    free(from);
    free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_read_as_it_was_written),
        IN_FOLDER(a_name_of_any_characters_is_written_as_one_that_is_read),
        cmocka_unit_test(what_was_not_measured_stays_so),
        cmocka_unit_test(a_budget_is_kept_or_missed),
        cmocka_unit_test(a_report_without_a_budget_of_agreement_has_any),
        cmocka_unit_test(rows_of_logits_agree_often_enough_or_not),
        cmocka_unit_test(a_weaker_report_is_told_from_a_stronger_one),
        cmocka_unit_test(a_dtype_has_a_budget_of_its_own),
        cmocka_unit_test(what_is_no_report_is_refused),
        IN_FOLDER(the_store_has_one_for_each_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
