/* cmd_quantize.c - `modelhost quantize PKG --dtype int8`: how much of a model's answers is lost with fewer bits, and a
 * report of it that loading asks. Covered by tests/system/test_quantize.sh. */
#include "cmd_measure.h"
#include "compute_dtype.h"
#include "errors.h"
#include "files.h"
#include "host.h"
#include "image_files.h"
#include "model_accuracy.h"
#include "model_accuracy_run.h"

#include <float.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_TEXT_BYTES ((size_t)16 << 20)
#define N_MADE         8
#define NOT_GIVEN      (-DBL_MAX)

const char cmd_quantize_help[] =
    "usage: modelhost quantize PKG --dtype TYPE [--report] [OPTION]...\n\n"
    "Runs the same inputs through a package in float32 and in fewer bits, and says how far its answers\n"
    "are from each other. Exit code 1 when that is more than the budget. Inputs are what is given, else\n"
    "the package's reference.safetensors, else some made from the model's description, which say less\n"
    "than real ones.\n\n"
    "  --dtype TYPE         bf16, int8 or int4\n"
    "  --report             keep the report in the store, where it decides: what missed its budget is\n"
    "                       not loaded in that dtype, and --dtype auto takes the fewest bits that kept\n"
    "                       theirs with 8 samples or more of real inputs. A weaker report than the one\n"
    "                       that is there is not kept. A package without metadata.json gets a copy in\n"
    "                       reports/, for people\n"
    "  --replace            with --report: keep it also when it is the weaker one: of made inputs instead\n"
    "                       of real ones, within its budget instead of beyond, of fewer samples\n"
    "  --text FILE          a text, in pieces of --tokens; with a model that generates text its\n"
    "                       perplexity, too; may be given several times\n"
    "  --image FILE         a picture; may be given several times\n"
    "  --inputs FILE        tensors by the names of the model's inputs (safetensors); may be given\n"
    "                       several times\n"
    "  --tokens N           of each piece of text (default 256)\n"
    "  --samples N          pieces, pictures or files at most (default 64)\n"
    "  --max-cosine-loss X  the budget: 1 - cosine of an output, the worst of all (default 0.0001 for\n"
    "                       bf16, 0.005 for int8, 0.02 for int4)\n"
    "  --max-perplexity-change X   and how much the perplexity may grow, such as 0.02 (default: any)\n"
    "  --min-top1-agreement X      and the share of rows of logits whose largest must be where float32\n"
    "                       has it, such as 0.99 (default: any)\n"
    "  --threads N          threads to compute with (default 1)\n"
    "  --backend A,B        backends of the package to use, in order of preference\n"
    "  --set KEY=VALUE      any option of host or model (`modelhost config keys`)\n"
    "  --store DIR          default: MODELHOST_STORE, or ~/.cache/modelhost\n"
    "  --plugin-path DIRS   where to look when the package brings no plugin\n" COMMAND_LOAD_SECRET_HELP
    "  --json               a JSON object\n";

struct quantize_command {
    struct measured_package measured;
    struct command_list texts, images, inputs; /* values owned */
    const char *dtype_text;
    int32_t dtype;
    int64_t n_tokens, n_samples;
    double max_cosine_loss, max_perplexity_change, min_top1_agreement;
    bool keeps_report, replaces, as_json;
};

/* ---- the command line */

static bool make_lists(struct quantize_command *quantize, size_t n)
{
    struct command_list *const lists[] = {&quantize->texts, &quantize->images, &quantize->inputs,
                                          &quantize->measured.assignments};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if ((lists[i]->values = calloc(n, sizeof *lists[i]->values)) == NULL)
            return false;
    return true;
}

static void free_lists(struct quantize_command *quantize)
{
    free(quantize->texts.values);
    free(quantize->images.values);
    free(quantize->inputs.values);
    free(quantize->measured.assignments.values);
}

static bool take_dtype(struct quantize_command *quantize, const char *command)
{
    for (int32_t dtype = MODELHOST_BF16; dtype <= MODELHOST_INT4; dtype++)
        if (quantize->dtype_text != NULL &&
            strcmp(quantize->dtype_text, compute_dtype_asked(dtype)) == 0)
            quantize->dtype = dtype;
    return quantize->dtype != MODELHOST_F32 ||
           command_usage(command,
                         quantize->dtype_text == NULL
                             ? "wants --dtype: bf16, int8 or int4%s"
                             : "--dtype is '%.40s', want bf16, int8 or int4",
                         quantize->dtype_text != NULL ? quantize->dtype_text : "") == 0;
}

/* From 0 to max, or not given at all. */
static bool is_given_within(double value, double max)
{
    return value == NOT_GIVEN || (value >= 0 && value <= max);
}

static bool check(struct quantize_command *quantize, const char *command)
{
    const int kinds = (quantize->texts.n_values > 0) + (quantize->images.n_values > 0) +
                      (quantize->inputs.n_values > 0);
    if (kinds > 1)
        return command_usage(command, "give texts, images or tensors, one kind of them") == 0;
    if (!is_given_within(quantize->max_cosine_loss, 2) ||
        !is_given_within(quantize->max_perplexity_change, 1e6) ||
        !is_given_within(quantize->min_top1_agreement, 1))
        return command_usage(command,
                             "--max-cosine-loss wants 0 to 2, --max-perplexity-change 0 to "
                             "1000000, --min-top1-agreement 0 to 1") == 0;
    return take_dtype(quantize, command) && measured_check(&quantize->measured);
}

static bool parse(struct quantize_command *quantize, int argc, char **argv)
{
    struct measured_package *measured = &quantize->measured;
    const struct command_option options[] = {
        {"dtype", .text = &quantize->dtype_text},
        {"report", .flag = &quantize->keeps_report},
        {"replace", .flag = &quantize->replaces},
        {"text", .list = &quantize->texts},
        {"image", .list = &quantize->images},
        {"inputs", .list = &quantize->inputs},
        {"tokens", .integer = &quantize->n_tokens, .min = 2, .max = 1 << 20},
        {"samples", .integer = &quantize->n_samples, .min = 1, .max = SAMPLE_SET_MAX},
        {"max-cosine-loss", .number = &quantize->max_cosine_loss},
        {"max-perplexity-change", .number = &quantize->max_perplexity_change},
        {"min-top1-agreement", .number = &quantize->min_top1_agreement},
        {"threads", .integer = &measured->threads, .min = 1, .max = 1024},
        {"backend", .text = &measured->backend},
        {"set", .list = &measured->assignments},
        {"store", .text = &measured->places.store_dir},
        {"plugin-path", .text = &measured->places.plugin_path},
        {"passphrase-file", .text = &measured->loading.passphrase_file},
        {"key-file", .text = &measured->loading.key_file},
        {"json", .flag = &quantize->as_json},
        {.name = NULL},
    };
    if (!command_read_options(argc, argv, options))
        return false;
    if (argc - optind != 1)
        return command_usage(argv[0], "wants one package, got %d", argc - optind) == 0;
    if (quantize->replaces && !quantize->keeps_report)
        return command_usage(argv[0], "--replace goes with --report") == 0;
    measured->package = argv[optind];
    measured->command = argv[0];
    return check(quantize, argv[0]);
}

/* ---- samples */

static model_status add_text_file(const struct quantize_command *quantize,
                                  struct modelhost_model *model, const char *path,
                                  struct sample_set *set, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
    model_status status = file_read(path, MAX_TEXT_BYTES, &text, err);
    if (status == MODEL_OK) { /* whose errors do not name the file yet */
        status = sample_set_add_text(set, model, text.data != NULL ? text.data : "", text.size,
                                     quantize->n_tokens, err);
        if (status == MODEL_INVALID_ARGUMENT)
            error_prefix(err, "%s", path);
    }
    buffer_finish(&text);
    return status;
}

static model_status add_image_files(const struct quantize_command *quantize,
                                    struct modelhost_model *model, struct sample_set *set,
                                    struct model_error *err)
{
    struct image_files files;
    model_status status =
        image_files_init(quantize->images.values, (uint32_t)quantize->images.n_values, &files, err);
    if (status != MODEL_OK)
        return status;
    status = sample_set_add_images(set, model, files.images, files.n_images, err);
    image_files_finish(&files);
    return status;
}

static model_status add_own(const struct quantize_command *quantize, struct modelhost_model *model,
                            struct sample_set *set, struct model_error *err)
{
    struct model_error why = MODEL_ERROR_INIT;
    char *path = path_join(model->package.dir, "reference.safetensors");
    const bool is_there = path != NULL && model->package.archive == NULL && path_is_file(path);
    const bool is_taken = is_there && sample_set_add_tensors(set, model, path, &why) == MODEL_OK;
    if (is_there && !is_taken)
        command_warn("%s is not used, inputs are made instead: %s", path, why.message);
    free(path);
    if (is_taken) {
        set->source = "reference";
        return MODEL_OK;
    }
    return sample_set_add_made(set, model, N_MADE, quantize->n_tokens, err);
}

static model_status make_samples(const struct quantize_command *quantize,
                                 struct modelhost_model *model, struct sample_set *set,
                                 struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < quantize->texts.n_values && status == MODEL_OK; i++)
        status = add_text_file(quantize, model, quantize->texts.values[i], set, err);
    for (size_t i = 0; i < quantize->inputs.n_values && status == MODEL_OK; i++)
        status = sample_set_add_tensors(set, model, quantize->inputs.values[i], err);
    if (status == MODEL_OK && quantize->images.n_values > 0)
        status = add_image_files(quantize, model, set, err);
    if (status == MODEL_OK && set->source == NULL)
        status = add_own(quantize, model, set, err);
    return status;
}

/* ---- the report */

static void take_facts(const struct quantize_command *quantize, const struct modelhost_model *model,
                       struct accuracy_report *report)
{
    struct accuracy_budget budget = accuracy_default_budget(quantize->dtype);
    if (quantize->max_cosine_loss >= 0)
        budget.max_cosine_loss = quantize->max_cosine_loss;
    if (quantize->max_perplexity_change >= 0)
        budget.max_perplexity_change = quantize->max_perplexity_change;
    if (quantize->min_top1_agreement >= 0)
        budget.min_top1_agreement = quantize->min_top1_agreement;
    report->budget = budget;
    report->created_s = (int64_t)time(NULL);
    (void)snprintf(report->dtype, sizeof report->dtype, "%s", quantize->dtype_text);
    (void)snprintf(report->plugin, sizeof report->plugin, "%s", model->plugin.file.name);
    (void)snprintf(report->plugin_version, sizeof report->plugin_version, "%s",
                   model->plugin.file.version);
    (void)snprintf(report->host_version, sizeof report->host_version, "%s", MODELHOST_VERSION);
}

/* Beside an author's files, which nothing lists yet. What decides is the one in the store. */
static model_status write_copy(const struct modelhost_model *model,
                               const struct accuracy_report *report, struct model_error *err)
{
    if (model->package.archive != NULL || model->package.has_manifest)
        return MODEL_OK;
    char *dir = path_join(model->package.dir, "reports");
    char *name = text_format("quantize-%s-%s.json", model->package.backend, report->dtype);
    model_status status = dir == NULL || name == NULL
                              ? error_no_memory(err, "a report")
                              : accuracy_report_write(dir, name, report, err);
    free(dir);
    free(name);
    return status;
}

/* Whether a stronger one is there, which stays; said then. */
static bool gives_way(const struct modelhost_model *model, const struct accuracy_report *report)
{
    struct accuracy_report there;
    char is[80], was[80];
    if (accuracy_report_load(model->host->store_dir, report->key, &there, NULL) != MODEL_OK ||
        !accuracy_report_is_weaker(report, &there))
        return false;
    accuracy_report_describe(report, is, sizeof is);
    accuracy_report_describe(&there, was, sizeof was);
    command_warn("the report in the store stays (%s): this one is weaker (%s); --replace takes it "
                 "all the same",
                 was, is);
    return true;
}

static void warn_of_weak(const struct accuracy_report *report)
{
    char is[80];
    if (!accuracy_report_is_weak(report) || !accuracy_report_passes(report, &report->budget))
        return;
    accuracy_report_describe(report, is, sizeof is);
    command_warn("--dtype auto does not go by this report (%s): %sit wants %d samples or more of "
                 "texts, pictures or tensors",
                 is,
                 accuracy_report_is_made(report) ? "made inputs do not count, however many; " : "",
                 ACCURACY_FEW_SAMPLES);
}

static model_status keep_report(const struct quantize_command *quantize,
                                const struct modelhost_model *model,
                                const struct accuracy_report *report, struct model_error *err)
{
    if (model->host->store_dir == NULL)
        return error_set(err, MODEL_NOT_FOUND, "there is no store for the report; give --store");
    if (!quantize->replaces && gives_way(model, report))
        return MODEL_OK;
    warn_of_weak(report);
    model_status status = accuracy_report_save(model->host->store_dir, report, err);
    return status == MODEL_OK ? write_copy(model, report, err) : status;
}

/* ---- measuring */

/* The gate is not asked by who makes its reports. */
static void in_dtype(void *context, struct modelhost_load_options *options)
{
    options->dtype = *(const int32_t *)context;
    options->accuracy_policy = MODELHOST_ACCURACY_ANY;
    options->isolation = MODELHOST_INPROC;
}

static model_status measure(const struct quantize_command *quantize, struct accuracy_report *report,
                            struct model_error *err)
{
    struct measured_model exact = {.host = NULL}, other = {.host = NULL};
    struct sample_set *set = calloc(1, sizeof *set);
    int32_t f32 = MODELHOST_F32, dtype = quantize->dtype;
    if (set == NULL)
        return error_no_memory(err, "the samples");
    set->max = (size_t)quantize->n_samples;
    model_status status = measured_open(&quantize->measured, in_dtype, &f32, &exact, err);
    if (status == MODEL_OK)
        status = measured_open(&quantize->measured, in_dtype, &dtype, &other, err);
    if (status == MODEL_OK)
        status = make_samples(quantize, exact.model, set, err);
    if (status == MODEL_OK)
        status =
            model_accuracy_run(exact.model, other.model, set, command_interrupted, report, err);
    if (status == MODEL_OK) {
        take_facts(quantize, other.model, report);
        status = model_accuracy_key(other.model, report->key, err);
    }
    if (status == MODEL_OK && quantize->keeps_report)
        status = keep_report(quantize, other.model, report, err);
    sample_set_finish(set);
    free(set);
    measured_close(&other);
    measured_close(&exact);
    return status;
}

static model_status print_report(const struct quantize_command *quantize,
                                 const struct accuracy_report *report, struct model_error *err)
{
    json_node *root = NULL;
    char *text = accuracy_report_print(report);
    model_status status = text != NULL ? json_parse(text, strlen(text), "the report", &root, err)
                                       : error_no_memory(err, "the report");
    free(text);
    if (status == MODEL_OK)
        status = measured_print(root, quantize->as_json, err);
    json_free(root);
    return status;
}

static model_status judge(const struct accuracy_report *report, struct model_error *err)
{
    char why[160];
    if (accuracy_report_passes(report, &report->budget))
        return MODEL_OK;
    accuracy_report_say(report, &report->budget, why, sizeof why);
    return error_set(err, MODEL_UNSUPPORTED, "%s missed its budget: %s", report->dtype, why);
}

int cmd_quantize(int argc, char **argv)
{
    struct quantize_command quantize = {.n_tokens = 256,
                                        .n_samples = 64,
                                        .max_cosine_loss = NOT_GIVEN,
                                        .max_perplexity_change = NOT_GIVEN,
                                        .min_top1_agreement = NOT_GIVEN};
    struct accuracy_report report = {.created_s = 0};
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = MODEL_OK;
    const bool there = make_lists(&quantize, (size_t)argc + 1);
    const bool parsed = there && parse(&quantize, argc, argv);
    if (!there)
        status = error_no_memory(&err, "the command line");
    if (parsed) {
        command_catch_interrupts();
        status = measure(&quantize, &report, &err);
    }
    if (parsed && status == MODEL_OK)
        status = print_report(&quantize, &report, &err);
    if (parsed && status == MODEL_OK)
        status = judge(&report, &err);
    free_lists(&quantize);
    if (there && !parsed)
        return COMMAND_USAGE;
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
