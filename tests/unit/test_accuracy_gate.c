/* test_accuracy_gate.c - which dtype a model may compute in by the reports in a store, and which is "auto". Covers
 * host/accuracy/model_accuracy.c, too, whose work accuracy_gate_choose() is. */
#include "accuracy_gate.h"
#include "errors.h"
#include "files.h"
#include "in_folder.h"

#include <sys/stat.h>
#include <unistd.h>

static const char plugin[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static struct modelhost_load_options options;
static struct package package;
static struct weights *weights;
static struct prepared_model model;
static struct model_error err;
static char said[1024]; /* the last line of the log */

static void keep_line(void *context, int32_t level, const char *line)
{
    (void)context;
    assert_int_equal(level, MODEL_LOG_WARN);
    (void)snprintf(said, sizeof said, "%s", line);
}

static const struct log_sink sink = {.level = MODEL_LOG_DEBUG, .write = keep_line};

static int set_up(void **state)
{
    static const char header[] =
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}  ";
    const uint64_t n_header = sizeof header - 1;
    uint8_t file[8 + sizeof header - 1 + 4] = {0};
    memcpy(file, &n_header, 8);
    memcpy(file + 8, header, sizeof header - 1);
    (void)make_folder(state);
    said[0] = '\0';
    assert_int_equal(dir_make_all(in_folder("p/backends/cpu"), NULL), MODEL_OK);
    write_file(in_folder("p/backends/cpu/" PACKAGE_PLUGIN_NAME), "x", 1);
    write_file(in_folder("p/backends/cpu/model.safetensors"), file, sizeof file);
    err = (struct model_error)MODEL_ERROR_INIT;
    assert_int_equal(package_open(in_folder("p"), NULL, &package, &err), MODEL_OK);
    if (weights_open(package.backend_dir, &weights, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    options = (struct modelhost_load_options)MODELHOST_LOAD_OPTIONS_INIT;
    model = (struct prepared_model){.package = &package,
                                    .config_text = "{}",
                                    .config_bytes = 2,
                                    .weights = weights,
                                    .plugin_sha256 = plugin,
                                    .options = &options};
    return 0;
}

static int tear_down(void **state)
{
    weights_destroy(weights);
    weights = NULL;
    package_finish(&package);
    return remove_folder(state);
}

/* Of 8 texts, and without logits. */
static struct accuracy_report make_report(int32_t dtype, const char *name, double cosine)
{
    struct accuracy_report made = {.plugin = "p",
                                   .plugin_version = "1",
                                   .host_version = "1",
                                   .inputs = "texts",
                                   .samples = 8,
                                   .cosine = cosine,
                                   .worst_output = "y",
                                   .top1_agreement = -1,
                                   .perplexity_f32 = -1,
                                   .perplexity = -1,
                                   .budget = accuracy_default_budget(dtype)};
    const int32_t asked = options.dtype;
    (void)snprintf(made.dtype, sizeof made.dtype, "%s", name);
    options.dtype = dtype;
    assert_int_equal(prepared_key_make(&model, made.key, &err), MODEL_OK);
    options.dtype = asked;
    return made;
}

/* The store has a report of the model in a dtype from here on. */
static void keep(const struct accuracy_report *made)
{
    assert_int_equal(accuracy_report_save(in_folder("store"), made, &err), MODEL_OK);
}

static void report(int32_t dtype, const char *name, double cosine)
{
    const struct accuracy_report made = make_report(dtype, name, cosine);
    keep(&made);
}

static void report_rows(int32_t dtype, const char *name, double cosine, double top1,
                        double min_top1)
{
    struct accuracy_report made = make_report(dtype, name, cosine);
    made.top1_agreement = top1;
    made.budget.min_top1_agreement = min_top1;
    keep(&made);
}

static void report_of(const char *inputs, int64_t samples, double cosine)
{
    struct accuracy_report made = make_report(MODELHOST_INT8, "int8", cosine);
    (void)snprintf(made.inputs, sizeof made.inputs, "%s", inputs);
    made.samples = samples;
    keep(&made);
}

/* That of int8, to be freed. */
static char *path_of_report(void)
{
    const struct accuracy_report made = make_report(MODELHOST_INT8, "int8", 1);
    char *path = accuracy_report_path(in_folder("store"), made.key);
    assert_non_null(path);
    return path;
}

/* What a model asked for in a dtype computes in; -1: it is refused. */
static int32_t chosen(int32_t dtype)
{
    int32_t ret = -2;
    options.dtype = dtype;
    const model_status status =
        accuracy_gate_choose(in_folder("store"), &model, "pkg", &sink, &ret, &err);
    assert_true(status == MODEL_OK || (status == MODEL_UNSUPPORTED && ret == -2));
    return status == MODEL_OK ? ret : -1;
}

static void without_reports_nothing_is_decided(void **state)
{
    (void)state;
    assert_int_equal(chosen(MODELHOST_INT8), MODELHOST_INT8);
    assert_int_equal(chosen(MODELHOST_F32), MODELHOST_F32);
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_F32);
}

static void what_missed_its_budget_is_refused_with_the_figure(void **state)
{
    (void)state;
    report(MODELHOST_INT8, "int8", 0.97);
    assert_int_equal(chosen(MODELHOST_INT8), -1);
    assert_non_null(strstr(err.message, "pkg in int8 missed its budget: cosine 0.97 of y, want at "
                                        "least 0.995 ("));
    assert_non_null(strstr(err.message, "/accuracy/"));
    assert_int_equal(chosen(MODELHOST_BF16), MODELHOST_BF16); /* nobody has measured it */
    options.accuracy_policy = MODELHOST_ACCURACY_ANY;
    assert_int_equal(chosen(MODELHOST_INT8), MODELHOST_INT8);
}

static void auto_is_the_fewest_bits_that_kept_their_budget(void **state)
{
    (void)state;
    report(MODELHOST_BF16, "bf16", 0.99999);
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_BF16);
    report(MODELHOST_INT8, "int8", 0.999);
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_INT8);
    report(MODELHOST_INT4, "int4", 0.9);
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_INT8);
}

static void a_budget_of_the_options_goes_over_the_report(void **state)
{
    (void)state;
    report(MODELHOST_INT8, "int8", 0.99);
    report(MODELHOST_BF16, "bf16", 0.99999);
    options.max_cosine_loss = 0.02;
    assert_int_equal(chosen(MODELHOST_INT8), MODELHOST_INT8);
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_INT8);
    options.max_cosine_loss = 1e-6;
    assert_int_equal(chosen(MODELHOST_BF16), -1);
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_F32);
}

static void rows_that_disagree_too_often_are_refused_with_the_figure(void **state)
{
    (void)state;
    report_rows(MODELHOST_INT8, "int8", 0.999, 0.931, 0.99);
    report_rows(MODELHOST_BF16, "bf16", 0.99999, 0.995, 0.99);
    assert_int_equal(chosen(MODELHOST_INT8), -1);
    assert_non_null(strstr(err.message,
                           "pkg in int8 missed its budget: the largest logit agrees with float32 "
                           "in 93.1% of rows, want at least 99% ("));
    assert_int_equal(chosen(MODELHOST_BF16), MODELHOST_BF16);
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_BF16);
    options.min_top1_agreement = 0.93; /* goes over the report's, down */
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_INT8);
    options.min_top1_agreement = 1; /* and up */
    assert_int_equal(chosen(MODELHOST_BF16), -1);
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_F32);
}

static void who_wants_rows_to_agree_takes_no_model_without_logits(void **state)
{
    (void)state;
    report(MODELHOST_INT8, "int8", 0.999);
    assert_int_equal(chosen(MODELHOST_INT8), MODELHOST_INT8);
    options.min_top1_agreement = 0.5;
    assert_int_equal(chosen(MODELHOST_INT8), -1);
    assert_non_null(strstr(err.message, "there are no logits to agree with float32"));
}

static void who_requires_reports_takes_nothing_without(void **state)
{
    (void)state;
    options.accuracy_policy = MODELHOST_ACCURACY_REQUIRED;
    assert_int_equal(chosen(MODELHOST_INT8), -1);
    assert_string_equal(
        err.message, "pkg has no accuracy report for int8 of 8 samples or more of real inputs "
                     "(found: none), and the accuracy policy is \"required\"; get one: modelhost "
                     "quantize pkg --dtype int8 --report");
    assert_int_equal(chosen(MODELHOST_F32), MODELHOST_F32);
    report(MODELHOST_INT8, "int8", 0.999);
    assert_int_equal(chosen(MODELHOST_INT8), MODELHOST_INT8);
}

static void a_weak_report_forbids_and_does_not_allow(void **state)
{
    (void)state;
    static const struct {
        const char *inputs, *found;
        int64_t samples;
    } rows[] = {{"texts", "(found: 7 samples of texts, within its budget)", 7},
                {"reference", "(found: 1 sample of reference, within its budget)", 1},
                {"made", "(found: 64 samples of made inputs, within its budget)", 64}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        report_of(rows[i].inputs, rows[i].samples, 0.999);
        options.accuracy_policy = MODELHOST_ACCURACY_MEASURED;
        assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_F32);
        assert_int_equal(chosen(MODELHOST_INT8), MODELHOST_INT8);
        options.accuracy_policy = MODELHOST_ACCURACY_REQUIRED;
        assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_F32);
        assert_int_equal(chosen(MODELHOST_INT8), -1);
        assert_non_null(strstr(err.message, rows[i].found));
        options.accuracy_policy = MODELHOST_ACCURACY_ANY;
        assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_INT8);
        options.accuracy_policy = MODELHOST_ACCURACY_MEASURED;
        report_of(rows[i].inputs, rows[i].samples, 0.97);
        assert_int_equal(chosen(MODELHOST_INT8), -1);
    }
}

static void a_report_that_others_may_have_written_does_not_count(void **state)
{
    (void)state;
    char *path = path_of_report(), *away = text_format("%s.away", path);
    report(MODELHOST_INT8, "int8", 0.97);
    assert_int_equal(chosen(MODELHOST_INT8), -1);
    assert_string_equal(said, "");
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(chosen(MODELHOST_INT8), MODELHOST_INT8);
    assert_non_null(strstr(said, "is not used: it may be written to by others"));
    assert_int_equal(chmod(path, 0644) | rename(path, away) | symlink(away, path), 0);
    assert_int_equal(chosen(MODELHOST_INT8), MODELHOST_INT8);
    assert_non_null(strstr(said, "is not used: it is a symbolic link"));
    if (geteuid() == 0) {
        assert_int_equal(unlink(path) | rename(away, path) | chown(path, 65534, 0), 0);
        assert_int_equal(chosen(MODELHOST_INT8), MODELHOST_INT8);
        assert_non_null(strstr(said, "is not used: it belongs to another user"));
    }
    free(path);
    free(away);
}

static void a_report_is_its_writers_whatever_the_umask_is(void **state)
{
    (void)state;
    const mode_t before = umask(0);
    report(MODELHOST_INT8, "int8", 0.97);
    (void)umask(before);
    assert_int_equal(chosen(MODELHOST_INT8), -1);
}

static void a_report_of_another_plugin_or_configuration_does_not_count(void **state)
{
    (void)state;
    report(MODELHOST_INT8, "int8", 0.999);
    model.config_text = "[]";
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_F32);
    model.config_text = "{}";
    model.plugin_sha256 = "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_F32);
    model.plugin_sha256 = "";
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_F32);
}

/* As that of a plugin that reads no safetensors. */
static void a_report_does_not_count_beside_another_file(void **state)
{
    (void)state;
    report(MODELHOST_INT8, "int8", 0.999);
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_INT8);
    write_file(in_folder("p/backends/cpu/model.mlmodel"), "x", 1);
    assert_int_equal(chosen(MODELHOST_AUTO), MODELHOST_F32);
}

static void a_broken_report_is_no_report(void **state)
{
    (void)state;
    char *path = path_of_report();
    report(MODELHOST_INT8, "int8", 0.97);
    write_file(path, "{", 1);
    free(path);
    assert_int_equal(chosen(MODELHOST_INT8), MODELHOST_INT8);
    assert_non_null(strstr(said, "an accuracy report does not count: "));
    options.accuracy_policy = MODELHOST_ACCURACY_REQUIRED;
    assert_int_equal(chosen(MODELHOST_INT8), -1);
}

#define GATE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE(without_reports_nothing_is_decided),
        GATE(what_missed_its_budget_is_refused_with_the_figure),
        GATE(auto_is_the_fewest_bits_that_kept_their_budget),
        GATE(a_budget_of_the_options_goes_over_the_report),
        GATE(rows_that_disagree_too_often_are_refused_with_the_figure),
        GATE(who_wants_rows_to_agree_takes_no_model_without_logits),
        GATE(who_requires_reports_takes_nothing_without),
        GATE(a_weak_report_forbids_and_does_not_allow),
        GATE(a_report_that_others_may_have_written_does_not_count),
        GATE(a_report_is_its_writers_whatever_the_umask_is),
        GATE(a_report_of_another_plugin_or_configuration_does_not_count),
        GATE(a_report_does_not_count_beside_another_file),
        GATE(a_broken_report_is_no_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
