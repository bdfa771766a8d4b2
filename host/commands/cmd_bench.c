/* cmd_bench.c - `modelhost bench PKG`: how fast one model is here, and what it takes. Covered by
 * tests/system/test_bench.sh. */
#include "cmd_measure.h"
#include "compute_dtype.h"
#include "errors.h"
#include "file_cache.h"
#include "fma_peak.h"
#include "memory_usage.h"
#include "model_bench.h"
#include "schema.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SECONDS 5
#define DEFAULT_TOKENS  128
#define MS(ns)          ((double)(ns) / 1e6)

const char cmd_bench_help[] =
    "usage: modelhost bench PKG [OPTION]...\n\n"
    "Measures how long calls of a package (a name in the store, a folder, or a file .mhp) take, with\n"
    "inputs made from the model's own description, and what it takes to load. Nothing else should run\n"
    "meanwhile.\n\n"
    "  --tokens N           of each text, as far as the model takes them (default 128); a warning says\n"
    "                       what was measured instead\n"
    "  --batch N            texts or pictures in one call (default 1)\n"
    "  --image WxH          size of pictures, within what the model takes (default 224x224)\n"
    "  --new-tokens N       generate so many tokens behind a prompt of --tokens, greedily, and measure\n"
    "                       each of them; models that generate text only. Token by token, unless with\n"
    "                       --set speculation=prompt\n"
    "  --threads N          threads to compute with (default 1)\n"
    "  --dtype TYPE         what products of weights are computed in: f32 (default), bf16, int8, int4,\n"
    "                       auto (the fewest bits whose report of `modelhost quantize` is good)\n"
    "  --output-names A,B   which outputs are asked for (default: the usual ones)\n"
    "  --warmup N           calls that do not count, before the others (default 3)\n"
    "  --runs N             calls that count, or\n"
    "  --seconds N          how long they go on (default 5)\n"
    "  --backend A,B        backends of the package to use, in order of preference\n"
    "  --set KEY=VALUE      any option of host or model (`modelhost config keys`)\n"
    "  --store DIR          default: MODELHOST_STORE, or ~/.cache/modelhost\n"
    "  --plugin-path DIRS   where to look when the package brings no plugin\n" COMMAND_LOAD_SECRET_HELP
    "  --json               a JSON object\n\n"
    "p50_ms, p90_ms and p99_ms are those of a call, or with --new-tokens of a token. gflops counts the\n"
    "multiply-adds of matrix products, convolutions and attention, two operations each, as the plugin's\n"
    "kernels report them; share_of_peak divides it by the rate of float32 multiply-adds that the same\n"
    "threads reached before and behind it, so that fewer bits may exceed 1. load_ms is the time to open the\n"
    "package: first (as it was found), cold (weights not in the system's memory), warm. peak_rss_mb is\n"
    "the most memory that the process had while it loaded and ran; not with isolation=worker.\n";

struct bench_command {
    struct measured_package measured;
    struct bench_options options;
    const char *image, *output_names_text;
    char *names_memory;
    const char *output_names[SCHEMA_MAX_TENSORS];
    int64_t seconds, tokens; /* tokens: as given, 0: not */
    bool as_json;
};

/* ---- the command line */

static bool take_image(struct bench_command *bench, const char *command)
{
    unsigned long size[2] = {224, 224};
    if (bench->image != NULL) {
        char *end = NULL;
        size[0] = strtoul(bench->image, &end, 10);
        size[1] = *end == 'x' ? strtoul(end + 1, &end, 10) : 0;
        if (*end != '\0' || size[0] < 1 || size[1] < 1 || size[0] > 65535 || size[1] > 65535)
            return command_usage(command,
                                 "--image is '%.40s', want a size such as 640x480 (width x height)",
                                 bench->image) == 0;
    }
    bench->options.width = (int64_t)size[0];
    bench->options.height = (int64_t)size[1];
    return true;
}

static bool take_names(struct bench_command *bench, const char *command)
{
    if (bench->output_names_text == NULL)
        return true;
    bench->names_memory = strdup(bench->output_names_text);
    for (char *rest = bench->names_memory, *name; (name = strsep(&rest, ",")) != NULL;) {
        if (*name == '\0' || bench->options.n_outputs == SCHEMA_MAX_TENSORS)
            return command_usage(command,
                                 "--output-names is '%.80s', want names with one comma "
                                 "between, at most %d",
                                 bench->output_names_text, SCHEMA_MAX_TENSORS) == 0;
        bench->output_names[bench->options.n_outputs++] = name;
    }
    bench->options.outputs = bench->output_names;
    return bench->names_memory != NULL;
}

static bool parse(struct bench_command *bench, int argc, char **argv)
{
    struct measured_package *measured = &bench->measured;
    struct bench_options *run = &bench->options;
    const struct command_option options[] = {
        {"tokens", .integer = &bench->tokens, .min = 1, .max = 1 << 20},
        {"batch", .integer = &run->batch, .min = 1, .max = 65536},
        {"image", .text = &bench->image},
        {"new-tokens", .integer = &run->n_new_tokens, .min = 2, .max = 1 << 20},
        {"threads", .integer = &measured->threads, .min = 1, .max = 1024},
        {"dtype", .text = &measured->loading.dtype},
        {"output-names", .text = &bench->output_names_text},
        {"warmup", .integer = &run->n_warmup, .max = 1 << 20},
        {"runs", .integer = &run->n_runs, .min = 1, .max = 1 << 24},
        {"seconds", .integer = &bench->seconds, .min = 1, .max = 86400},
        {"backend", .text = &measured->backend},
        {"set", .list = &measured->assignments},
        {"store", .text = &measured->places.store_dir},
        {"plugin-path", .text = &measured->places.plugin_path},
        {"passphrase-file", .text = &measured->loading.passphrase_file},
        {"key-file", .text = &measured->loading.key_file},
        {"json", .flag = &bench->as_json},
        {.name = NULL},
    };
    if (!command_read_options(argc, argv, options))
        return false;
    if (argc - optind != 1)
        return command_usage(argv[0], "wants one package, got %d", argc - optind) == 0;
    if (run->n_runs > 0 && bench->seconds > 0)
        return command_usage(argv[0], "give one of --runs and --seconds") == 0;
    if (run->n_new_tokens > 0 && bench->output_names_text != NULL)
        return command_usage(argv[0], "--output-names does not go with --new-tokens") == 0;
    measured->package = argv[optind];
    measured->command = argv[0];
    run->tokens = bench->tokens > 0 ? bench->tokens : DEFAULT_TOKENS;
    run->seconds_ns = (bench->seconds > 0 ? bench->seconds : DEFAULT_SECONDS) * 1000000000ll;
    return take_image(bench, argv[0]) && take_names(bench, argv[0]) && measured_check(measured);
}

/* ---- the result */

struct bench_numbers {
    struct bench_result run;
    double load_first_ms, load_cold_ms, load_warm_ms, peak_gflops;
    double peak_rss_mb; /* 0: another process's, not known */
    const char *peak_isa;
};

static void add_sizes(json_node *root, const struct bench_command *bench,
                      const struct bench_result *run)
{
    if (run->batch >= 0)
        (void)json_add_number(root, "batch", (double)run->batch);
    if (run->tokens >= 0)
        (void)json_add_number(root, "tokens", (double)run->tokens);
    if (run->height >= 0) {
        (void)json_add_number(root, "height", (double)run->height);
        (void)json_add_number(root, "width", (double)run->width);
    }
    if (bench->options.n_new_tokens > 0)
        (void)json_add_number(root, "new_tokens", (double)bench->options.n_new_tokens);
    (void)json_add_number(root, "threads",
                          bench->measured.threads > 0 ? (double)bench->measured.threads : 1);
    (void)json_add_number(root, "warmup", (double)bench->options.n_warmup);
    (void)json_add_number(root, "runs", (double)run->calls.n);
}

static void add_times(json_node *root, struct run_times *times)
{
    static const struct {
        const char *name;
        double share;
    } rows[] = {{"min_ms", 0}, {"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}, {"max_ms", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        (void)json_add_number(root, rows[i].name, MS(run_times_percentile(times, rows[i].share)));
}

static void add_rates(json_node *root, const struct bench_command *bench,
                      struct bench_numbers *numbers)
{
    struct bench_result *run = &numbers->run;
    const bool generates = bench->options.n_new_tokens > 0;
    const double calls = (double)run->calls.n, items = run->batch > 0 ? (double)run->batch : 1;
    const double call_s = (double)run_times_percentile(&run->calls, 0.5) / 1e9;
    if (generates) {
        const double followed =
            (double)run->new_tokens - calls * items; /* all but the first ones */
        (void)json_add_number(root, "tokens_per_s", followed / ((double)run->decode_ns / 1e9));
        (void)json_add_number(root, "prefill_ms", MS((double)run->prefill_ns / calls));
        (void)json_add_number(root, "prefill_tokens_per_s",
                              items * (double)run->tokens * calls /
                                  ((double)run->prefill_ns / 1e9));
        (void)json_add_number(root, "call_p50_ms", call_s * 1e3);
    } else if (run->tokens > 0) {
        (void)json_add_number(root, "tokens_per_s", items * (double)run->tokens / call_s);
    }
    if (!generates)
        (void)json_add_number(root, "items_per_s", items / call_s);
    if (run->multiply_adds > 0) {
        const double gflop = 2 * run->multiply_adds / 1e9;
        (void)json_add_number(root, "gflop_per_call", gflop);
        (void)json_add_number(root, "gflops", gflop / call_s);
        if (numbers->peak_gflops > 0)
            (void)json_add_number(root, "share_of_peak", gflop / call_s / numbers->peak_gflops);
    }
    if (numbers->peak_gflops > 0) {
        (void)json_add_number(root, "peak_gflops", numbers->peak_gflops);
        (void)json_add_string(root, "peak_of", numbers->peak_isa);
    }
}

/* Sizes that were asked for and are not what was measured. */
static void warn_of_sizes(const struct bench_command *bench, const struct bench_result *run)
{
    const struct bench_options *asked = &bench->options;
    const char *command = bench->measured.command;
    if (bench->tokens > 0 && run->tokens < 0 && run->height >= 0)
        (void)fprintf(stderr, "modelhost %s: --tokens is not used: the model takes pictures\n",
                      command);
    if (bench->tokens > 0 && run->tokens >= 0 && run->tokens != bench->tokens)
        (void)fprintf(
            stderr, "modelhost %s: --tokens is %lld, the model takes %lld: measured with %lld\n",
            command, (long long)bench->tokens, (long long)run->tokens, (long long)run->tokens);
    if (bench->image != NULL && run->height < 0)
        (void)fprintf(stderr, "modelhost %s: --image is not used: the model takes no pictures\n",
                      command);
    if (bench->image != NULL && run->height >= 0 &&
        (run->height != asked->height || run->width != asked->width))
        (void)fprintf(
            stderr, "modelhost %s: --image is %s, the model takes %lldx%lld: measured with that\n",
            command, bench->image, (long long)run->width, (long long)run->height);
}

/* What is known while the model is open. */
static json_node *make_report(const struct bench_command *bench, struct modelhost_model *model,
                              struct bench_numbers *numbers)
{
    json_node *root = json_new_object();
    const struct model_description *description = modelhost_description(model);
    const bool generates = bench->options.n_new_tokens > 0;
    (void)json_add_string(root, "package", bench->measured.package);
    (void)json_add_string(root, "architecture", description->architecture);
    (void)json_add_string(root, "plugin", model->plugin.file.name);
    (void)json_add_string(root, "plugin_version", model->plugin.file.version);
    (void)json_add_string(root, "backend", model->package.backend);
    (void)json_add_string(root, "dtype", compute_dtype_of(description));
    add_sizes(root, bench, &numbers->run);
    (void)json_add_number(root, "first_ms", MS(numbers->run.first_ns));
    add_times(root, generates ? &numbers->run.steps : &numbers->run.calls);
    add_rates(root, bench, numbers);
    return root;
}

static void add_loads(json_node *root, const struct bench_numbers *numbers)
{
    json_node *load = json_add_object(root, "load_ms");
    (void)json_add_number(load, "first", numbers->load_first_ms);
    (void)json_add_number(load, "cold", numbers->load_cold_ms);
    (void)json_add_number(load, "warm", numbers->load_warm_ms);
    if (numbers->peak_rss_mb > 0)
        (void)json_add_number(root, "peak_rss_mb", numbers->peak_rss_mb);
}

/* ---- measuring */

/* Opened again twice: with the files out of the system's memory, and with them in it. */
static model_status measure_loads(const struct bench_command *bench,
                                  const struct model_files *files, struct bench_numbers *numbers,
                                  struct model_error *err)
{
    struct measured_model model = {.load_ns = 0};
    model_files_drop_cache(files);
    model_status status = measured_open(&bench->measured, NULL, NULL, &model, err);
    numbers->load_cold_ms = MS(model.load_ns);
    measured_close(&model);
    if (status == MODEL_OK)
        status = measured_open(&bench->measured, NULL, NULL, &model, err);
    numbers->load_warm_ms = MS(model.load_ns);
    measured_close(&model);
    return status;
}

static void measure_peak(uint32_t threads, struct bench_numbers *numbers)
{
    const double gflops = fma_peak_gflops(threads, &numbers->peak_isa);
    numbers->peak_gflops = gflops > numbers->peak_gflops ? gflops : numbers->peak_gflops;
}

static model_status measure(struct bench_command *bench, json_node **ret, struct model_error *err)
{
    struct measured_model model = {.load_ns = 0};
    struct bench_numbers numbers = {.peak_isa = "none"};
    struct model_files files = {NULL, 0};
    json_node *report = NULL;
    const uint32_t threads = bench->measured.threads > 0 ? (uint32_t)bench->measured.threads : 1;
    model_status status = measured_open(&bench->measured, NULL, NULL, &model, err);
    if (status != MODEL_OK)
        return status;
    numbers.load_first_ms = MS(model.load_ns);
    measure_peak(threads, &numbers); /* twice: what else runs comes and goes */
    status = model_bench_run(model.model, &bench->options, &numbers.run, err);
    if (model.model->load.isolation != MODELHOST_WORKER)
        numbers.peak_rss_mb = (double)memory_usage_peak() / 1e6;
    if (status == MODEL_OK)
        status = model_files_list(model.model, &files, err);
    if (status == MODEL_OK) {
        warn_of_sizes(bench, &numbers.run);
        measure_peak(threads, &numbers);
        report = make_report(bench, model.model, &numbers);
    }
    measured_close(&model);
    if (status == MODEL_OK)
        status = measure_loads(bench, &files, &numbers, err);
    model_files_finish(&files);
    bench_result_finish(&numbers.run);
    if (status != MODEL_OK) {
        json_free(report);
        return status;
    }
    add_loads(report, &numbers);
    *ret = report;
    return MODEL_OK;
}

int cmd_bench(int argc, char **argv)
{
    struct bench_command bench = {
        .options = {.batch = 1, .n_warmup = 3, .interrupted = command_interrupted}};
    struct model_error err = MODEL_ERROR_INIT;
    json_node *report = NULL;
    bench.measured.assignments.values =
        calloc((size_t)argc + 1, sizeof *bench.measured.assignments.values);
    if (bench.measured.assignments.values == NULL)
        return command_fail(error_no_memory(&err, "the command line"), &err);
    const bool parsed = parse(&bench, argc, argv);
    model_status status = MODEL_OK;
    if (parsed) {
        command_catch_interrupts();
        status = measure(&bench, &report, &err);
    }
    if (parsed && status == MODEL_OK)
        status = measured_print(report, bench.as_json, &err);
    json_free(report);
    free(bench.names_memory);
    free(bench.measured.assignments.values);
    if (!parsed)
        return COMMAND_USAGE;
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
