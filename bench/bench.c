/* bench.c - our side of `make bench`.
 *
 *   bench FOLDER THREADS [DTYPE]     opens the package FOLDER, with products in DTYPE (f32), and answers commands on
 *                                    stdin
 *   bench --peak THREADS BYTES       prints what the processor can do: {"gflops":..,"name":"..","gbs":..},
 *                                    gbs: reading BYTES again and again
 *   bench --batching FOLDER CLIENTS SECONDS
 *                                    asks for short texts one by one and joined: batching.h
 *   bench --inputs tokenize|image FOLDER
 *                        turns inputs into tensors: input_worker.h
 *   bench --least-cosines            prints what quantize's budgets ask for: {"bf16":..,"int8":..,"int4":..}
 *   bench --metrics                  prints what it costs to count a request, by 1 and 2 threads, and to write
 *                                    the text of 10 models
 *
 * Once the model is ready, one line: {"load_ns":..,"version":".."}. Then one line back for each line:
 *   inputs OUTPUT FILE   FILE: safetensors with the inputs; a run computes OUTPUT from them
 *   prompt N FILE        FILE: safetensors with input_ids (1, n); a run continues them by N tokens, greedily,
 *                        all but the last of them read before (by the first run, which is not timed)
 *   steps N FILE         FILE: the same; a run reads the last N of the ids one by one, behind the others
 *   run                  nanoseconds of one modelhost_run() or modelhost_generate()
 *   output FILE          writes OUTPUT of the last run, as float32; of a prompt the new tokens, and the logits
 *                        that the last of them was chosen by; of steps the logits behind each
 * bench/workers.py talks to this program and to the peers in the same words, so that the runs of all
 * can be interleaved. Everything goes through the public API; one thread. */
#include "accuracy_report.h"
#include "batching.h"
#include "clock.h"
#include "dtype.h"
#include "errors.h"
#include "fma_peak.h"
#include "input_worker.h"
#include "metrics_cost.h"
#include "modelhost.h"
#include "openmp.h"
#include "read_speed.h"
#include "weights.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 4096
#define MAX_INPUTS 16
#define MAX_TOKENS 4096
#define MAX_BYTES  (1l << 32)

struct bench {
    struct modelhost *host;
    struct modelhost_model *model;
    struct weights *file; /* the inputs; what `inputs` points into */
    struct model_tensor inputs[MAX_INPUTS];
    uint32_t n_inputs;
    char output[64];                 /* the wanted output; "": the inputs are a prompt */
    struct modelhost_result *result; /* of the last run */
    uint32_t n_wanted, n_tokens;     /* of the tokens; n_tokens of the last run */
    float tokens[MAX_TOKENS];        /* ids up to 2^24 are exact */
    bool in_steps;                   /* the last n_wanted of the prompt are given, not generated */
    float *logits;                   /* (n_logits) of the steps, owned */
    size_t n_logits;
};

static int complain(const char *what, const struct model_error *err)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, err->message);
    return 1;
}

static bool parse_number(const char *text, long max, long *ret)
{
    char *end = NULL;
    errno = 0;
    long value = text ? strtol(text, &end, 10) : 0;
    if (errno || !end || end == text || *end || value < 1 || value > max)
        return false;
    *ret = value;
    return true;
}

/* ---- inputs */

static const char *read_file(struct bench *bench, const char *path)
{
    struct weights *file = NULL;
    struct model_error err = {.struct_size = sizeof err};
    if (weights_open_file(path, &file, &err)) {
        (void)complain(path, &err);
        return "error the inputs cannot be read";
    }
    weights_destroy(bench->file);
    bench->file = file;
    bench->n_inputs = 0;
    for (size_t i = 0; i < weights_count(file) && i < MAX_INPUTS; i++) {
        bench->inputs[i].struct_size = sizeof bench->inputs[i];
        weights_at(file, i, &bench->inputs[i]);
        bench->n_inputs++;
    }
    return "ok";
}

static const char *set_inputs(struct bench *bench, char *words)
{
    const char *output = strsep(&words, " ");
    if (!words || strlen(output) >= sizeof bench->output)
        return "error usage: inputs OUTPUT FILE";
    memcpy(bench->output, output, strlen(output) + 1);
    return read_file(bench, words);
}

static const char *set_prompt(struct bench *bench, char *words, bool in_steps)
{
    long n_tokens = 0;
    if (!parse_number(strsep(&words, " "), MAX_TOKENS, &n_tokens) || !words)
        return "error usage: prompt N FILE or steps N FILE";
    bench->n_wanted = (uint32_t)n_tokens;
    bench->output[0] = 0;
    bench->in_steps = in_steps;
    const char *answer = read_file(bench, words);
    const struct model_tensor *ids = &bench->inputs[0];
    if (*answer == 'o' &&
        (bench->n_inputs != 1 || ids->dtype != MODEL_I64 || ids->rank != 2 || ids->shape[0] != 1))
        return "error a prompt is one I64 tensor of shape (1, n)";
    if (*answer == 'o' && in_steps && ids->shape[1] <= n_tokens)
        return "error the prompt has no more tokens than steps";
    return answer;
}

/* ---- runs */

static model_status run_tensors(struct bench *bench, struct model_error *err)
{
    const char *const outputs[] = {bench->output};
    const struct model_tensor *inputs[MAX_INPUTS];
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    for (uint32_t i = 0; i < bench->n_inputs; i++)
        inputs[i] = &bench->inputs[i];
    options.output_names = outputs;
    options.n_output_names = 1;
    return modelhost_run(bench->model, inputs, bench->n_inputs, &options, &bench->result, err);
}

/* [lane-thread], while run_prompt() waits */
static void take_token(void *context, const struct modelhost_token *token)
{
    struct bench *bench = context;
    if (token->token_id >= 0 && bench->n_tokens < bench->n_wanted)
        bench->tokens[bench->n_tokens++] = (float)token->token_id;
}

static model_status run_prompt(struct bench *bench, struct model_error *err)
{
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    const struct modelhost_prompt prompt = {.struct_size = sizeof prompt,
                                            .token_ids = bench->inputs[0].data,
                                            .n_token_ids = (size_t)bench->inputs[0].shape[1]};
    generation.max_new_tokens = bench->n_wanted;
    generation.do_sample = 0;
    generation.ignore_eos = 1;
    generation.speculation = MODELHOST_SPECULATION_OFF; /* what a step costs, for all engines */
    generation.on_token = take_token;
    generation.context = bench;
    bench->n_tokens = 0;
    return modelhost_generate(bench->model, &prompt, 1, &generation, NULL, &bench->result, err);
}

/* ---- what is compared */

/* Reads ids(n) in a session; their next_token_logits become the result. */
static model_status read_ids(struct bench *bench, struct modelhost_session *session, int64_t *ids,
                             int64_t n, struct model_error *err)
{
    static const char *const outputs[] = {"next_token_logits"};
    struct model_tensor input = {.struct_size = sizeof input};
    const struct model_tensor *inputs[] = {&input};
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    const int64_t shape[] = {1, n};
    tensor_init(&input, "input_ids", MODEL_I64, 2, shape, ids);
    options.output_names = outputs;
    options.n_output_names = 1;
    options.session = session;
    modelhost_result_destroy(bench->result);
    bench->result = NULL;
    return modelhost_run(bench->model, inputs, 1, &options, &bench->result, err);
}

/* Adds the result's logits to those of the steps. */
static model_status keep_logits(struct bench *bench, struct model_error *err)
{
    const struct model_tensor *row = modelhost_result_find(bench->result, "next_token_logits");
    const size_t n = row ? row->size_bytes / sizeof(float) : 0;
    float *logits = realloc(bench->logits, (bench->n_logits + n) * sizeof(float) + 1);
    if (!logits)
        return error_no_memory(err, "logits");
    if (n > 0)
        memcpy(logits + bench->n_logits, row->data, n * sizeof(float));
    bench->logits = logits;
    bench->n_logits += n;
    return MODEL_OK;
}

/* The same tokens for each number of bits: one other token would make all behind it other ones. */
static model_status run_steps(struct bench *bench, struct model_error *err)
{
    struct modelhost_session *session = NULL;
    int64_t *ids = bench->inputs[0].data; /* as in repeat_steps() */
    const int64_t n_ids = bench->inputs[0].shape[1], n_before = n_ids - bench->n_wanted;
    bench->n_logits = 0;
    model_status status = modelhost_session_create(bench->model, &session, err);
    if (status == MODEL_OK)
        status = read_ids(bench, session, ids, n_before, err);
    for (int64_t i = n_before; i < n_ids && status == MODEL_OK; i++) {
        status = read_ids(bench, session, &ids[i], 1, err);
        if (status == MODEL_OK)
            status = keep_logits(bench, err);
    }
    modelhost_session_release(session);
    return status;
}

/* Makes the result the logits that the last token was chosen by, token after token as they were generated:
 * tokens alone say little of a model that repeats itself. */
static model_status repeat_steps(struct bench *bench, struct model_error *err)
{
    struct modelhost_session *session = NULL;
    int64_t *ids = bench->inputs[0].data; /* a private mapping, which is not written to */
    const int64_t n_ids = bench->inputs[0].shape[1];
    int64_t last = ids[n_ids - 1];
    model_status status = modelhost_session_create(bench->model, &session, err);
    if (status == MODEL_OK && n_ids > 1)
        status = read_ids(bench, session, ids, n_ids - 1, err);
    for (uint32_t i = 0; i < bench->n_tokens && status == MODEL_OK; i++) {
        status = read_ids(bench, session, &last, 1, err);
        last = (int64_t)bench->tokens[i];
    }
    modelhost_session_release(session);
    return status;
}

/* Writes n of `first` and m of `second`. */
static const char *write_floats(const char *path, const float *first, size_t n, const float *second,
                                size_t m)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return "error the output file cannot be written";
    bool written =
        fwrite(first, sizeof *first, n, file) == n && fwrite(second, sizeof *second, m, file) == m;
    if (fclose(file) || !written)
        return "error the output file cannot be written";
    return "ok";
}

static const char *write_output(struct bench *bench, const char *path)
{
    struct model_error err = {.struct_size = sizeof err};
    const char *output = bench->output[0] ? bench->output : "next_token_logits";
    if (!bench->output[0] && bench->in_steps)
        return write_floats(path, bench->tokens, 0, bench->logits, bench->n_logits);
    if (!bench->output[0] && repeat_steps(bench, &err)) {
        (void)complain("session", &err);
        return "error the steps cannot be repeated";
    }
    const struct model_tensor *tensor =
        bench->result ? modelhost_result_find(bench->result, output) : NULL;
    if (!tensor || tensor->dtype != MODEL_F32)
        return "error there is no such float32 output";
    return write_floats(path, bench->tokens, bench->output[0] ? 0 : bench->n_tokens, tensor->data,
                        tensor->size_bytes / sizeof(float));
}

/* Nanoseconds, or -1 with an error on stderr. */
static int64_t run_once(struct bench *bench)
{
    struct model_error err = {.struct_size = sizeof err};
    modelhost_result_destroy(bench->result);
    bench->result = NULL;
    const int64_t start_ns = clock_now_ns();
    if (bench->output[0]  ? run_tensors(bench, &err)
        : bench->in_steps ? run_steps(bench, &err)
                          : run_prompt(bench, &err)) {
        (void)complain("run", &err);
        return -1;
    }
    return clock_now_ns() - start_ns;
}

/* ---- the conversation */

static void answer(struct bench *bench, char *line)
{
    char *words = line;
    const char *command = strsep(&words, " ");

    if (strcmp(command, "inputs") == 0 && words) {
        (void)puts(set_inputs(bench, words));
    } else if (strcmp(command, "prompt") == 0 && words) {
        (void)puts(set_prompt(bench, words, false));
    } else if (strcmp(command, "steps") == 0 && words) {
        (void)puts(set_prompt(bench, words, true));
    } else if (strcmp(command, "run") == 0 && bench->n_inputs > 0) {
        int64_t ns = run_once(bench);
        if (ns < 0)
            (void)puts("error the run failed");
        else
            (void)printf("%lld\n", (long long)ns);
    } else if (strcmp(command, "output") == 0 && words) {
        (void)puts(write_output(bench, words));
    } else {
        (void)puts(
            "error want: inputs OUTPUT FILE, prompt N FILE or steps N FILE, then run, then output FILE");
    }
    (void)fflush(stdout);
}

static int serve(const char *folder, uint32_t threads, int32_t dtype)
{
    static struct bench bench;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    struct model_error err = {.struct_size = sizeof err};
    char line[LINE_BYTES];
    int exit_code = 0;

    options.lanes = 1;
    options.threads = threads;
    load.dtype = dtype;
    int64_t start_ns = clock_now_ns();
    if (modelhost_create(&options, &bench.host, &err))
        return complain("host", &err);
    if (modelhost_load_with(bench.host, folder, &load, &bench.model, &err)) {
        exit_code = complain(folder, &err);
        goto done;
    }
    (void)printf("{\"load_ns\":%lld,\"version\":\"modelhost " MODELHOST_VERSION "\"}\n",
                 (long long)(clock_now_ns() - start_ns));
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        answer(&bench, line);
    }
done:
    modelhost_result_destroy(bench.result);
    modelhost_release(bench.model);
    modelhost_destroy(bench.host);
    weights_destroy(bench.file);
    free(bench.logits);
    return exit_code;
}

/* MODELHOST_F32 and so on, -1: there is no such. */
static int32_t parse_dtype(const char *name)
{
    static const char *const names[] = {[MODELHOST_F32] = "f32",
                                        [MODELHOST_BF16] = "bf16",
                                        [MODELHOST_INT8] = "int8",
                                        [MODELHOST_INT4] = "int4"};
    for (int32_t i = 0; i < (int32_t)(sizeof names / sizeof names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

int main(int argc, char **argv)
{
    long threads = 0, size_bytes = 0, seconds = 0;
    (void)setenv("GOMP_SPINCOUNT", OPENMP_SPIN_COUNT, 0); /* as the command has it */
    if (argc == 2 && strcmp(argv[1], "--metrics") == 0) {
        (void)printf("{\"count_ns\":%.0f,\"count_2_threads_ns\":%.0f,\"text_us\":%.0f}\n",
                     metrics_cost_ns(1), metrics_cost_ns(2), metrics_cost_text_us(10));
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--least-cosines") == 0) {
        (void)printf("{\"bf16\":%.6f,\"int8\":%.6f,\"int4\":%.6f}\n",
                     1 - accuracy_default_budget(MODELHOST_BF16).max_cosine_loss,
                     1 - accuracy_default_budget(MODELHOST_INT8).max_cosine_loss,
                     1 - accuracy_default_budget(MODELHOST_INT4).max_cosine_loss);
        return 0;
    }
    if (argc == 5 && strcmp(argv[1], "--batching") == 0 && parse_number(argv[3], 64, &threads) &&
        parse_number(argv[4], 3600, &seconds))
        return batching_measure(argv[2], (uint32_t)threads, (uint32_t)seconds);
    if (argc == 4 && strcmp(argv[1], "--inputs") == 0)
        return input_worker_serve(argv[2], argv[3]);
    const bool peak = argc == 4 && strcmp(argv[1], "--peak") == 0;
    const int32_t dtype = argc == 4 && !peak ? parse_dtype(argv[3]) : MODELHOST_F32;
    if (argc < 3 || argc > 4 || dtype < 0 || !parse_number(argv[2], 64, &threads) ||
        (peak && !parse_number(argv[3], MAX_BYTES, &size_bytes))) {
        (void)fputs(
            "usage: bench FOLDER THREADS [f32|bf16|int8|int4] | bench --peak THREADS BYTES | bench --metrics | bench --least-cosines | "
            "bench --inputs tokenize|image FOLDER | bench --batching FOLDER CLIENTS SECONDS\n",
            stderr);
        return 2;
    }
    if (peak) {
        const char *name = NULL;
        double gflops = fma_peak_gflops((uint32_t)threads, &name);
        (void)printf("{\"gflops\":%.1f,\"name\":\"%s\",\"gbs\":%.1f}\n", gflops, name,
                     read_speed_gbs((uint32_t)threads, (size_t)size_bytes));
        return 0;
    }
    return serve(argv[1], (uint32_t)threads, dtype);
}
