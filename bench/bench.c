/* bench.c - our side of `make bench`.
 *
 *   bench FOLDER THREADS     opens the package FOLDER and answers commands on stdin
 *   bench --peak THREADS     prints the processor's peak as {"gflops":..,"name":".."}
 *
 * Once the model is ready, one line: {"load_ns":..,"version":".."}. Then one line back for each line:
 *   inputs BATCH TOKENS FILE   FILE: int64 input_ids, attention_mask, token_type_ids, one after the other
 *   run                        nanoseconds of one modelhost_run() to last_hidden_state
 *   output FILE                writes the last last_hidden_state as float32
 * bench/workers.py talks to this program and to the peers in the same words, so that the runs of all
 * can be interleaved. Everything goes through the public API; one thread. */
#include "modelhost.h"

#include "clock.h"
#include "fma_peak.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 4096
#define MAX_TOKENS (1 << 20) /* in one batch */
#define N_INPUTS   3

struct bench {
    struct modelhost *host;
    struct modelhost_model *model;
    struct modelhost_result *result; /* of the last run */
    struct model_tensor inputs[N_INPUTS];
    int64_t *ids; /* (N_INPUTS, batch, tokens): what the inputs point into */
};

static const char *const INPUT_NAMES[N_INPUTS] = {"input_ids", "attention_mask", "token_type_ids"};

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

static void set_input(struct model_tensor *tensor, const char *name, int64_t *data, long batch,
                      long tokens)
{
    *tensor = (struct model_tensor){
        .struct_size = sizeof *tensor,
        .name = name,
        .data = data,
        .size_bytes = (uint64_t)batch * (uint64_t)tokens * sizeof *data,
        .dtype = MODEL_I64,
        .rank = 2,
        .shape = {batch, tokens},
        .strides = {tokens, 1},
        .flags = MODEL_TENSOR_READ_ONLY,
    };
}

static const char *read_inputs(struct bench *bench, char *words)
{
    long batch = 0, tokens = 0;
    char *rest = words;
    const char *batch_text = strsep(&rest, " ");
    const char *tokens_text = strsep(&rest, " ");

    if (!parse_number(batch_text, MAX_TOKENS, &batch) ||
        !parse_number(tokens_text, MAX_TOKENS / batch, &tokens) || !rest || !*rest)
        return "error usage: inputs BATCH TOKENS FILE";
    size_t n = (size_t)batch * (size_t)tokens;
    int64_t *ids = calloc(N_INPUTS * n, sizeof *ids);
    FILE *file = fopen(rest, "rb");
    size_t n_read = ids && file ? fread(ids, sizeof *ids, N_INPUTS * n, file) : 0;
    if (file)
        (void)fclose(file);
    if (n_read != N_INPUTS * n) {
        free(ids);
        return "error the file of inputs is missing or too short";
    }
    free(bench->ids);
    bench->ids = ids;
    for (size_t i = 0; i < N_INPUTS; i++)
        set_input(&bench->inputs[i], INPUT_NAMES[i], ids + i * n, batch, tokens);
    return "ok";
}

/* Nanoseconds, or -1 with an error on stderr. */
static int64_t run_once(struct bench *bench)
{
    static const char *const outputs[] = {"last_hidden_state"};
    const struct model_tensor *inputs[N_INPUTS];
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = {.struct_size = sizeof err};

    for (size_t i = 0; i < N_INPUTS; i++)
        inputs[i] = &bench->inputs[i];
    options.output_names = outputs;
    options.n_output_names = 1;
    modelhost_result_destroy(bench->result);
    bench->result = NULL;

    int64_t start_ns = clock_now_ns();
    if (modelhost_run(bench->model, inputs, N_INPUTS, &options, &bench->result, &err)) {
        (void)complain("run", &err);
        return -1;
    }
    return clock_now_ns() - start_ns;
}

static const char *write_output(const struct bench *bench, const char *path)
{
    const struct model_tensor *tensor =
        bench->result ? modelhost_result_find(bench->result, "last_hidden_state") : NULL;
    if (!tensor || tensor->dtype != MODEL_F32)
        return "error there is no float32 last_hidden_state";
    FILE *file = fopen(path, "wb");
    if (!file)
        return "error the output file cannot be written";
    size_t n_written = fwrite(tensor->data, 1, tensor->size_bytes, file);
    if (fclose(file) || n_written != tensor->size_bytes)
        return "error the output file cannot be written";
    return "ok";
}

static void answer(struct bench *bench, char *line)
{
    char *words = line;
    const char *command = strsep(&words, " ");

    if (strcmp(command, "inputs") == 0 && words) {
        (void)puts(read_inputs(bench, words));
    } else if (strcmp(command, "run") == 0 && bench->ids) {
        int64_t ns = run_once(bench);
        if (ns < 0)
            (void)puts("error the run failed");
        else
            (void)printf("%lld\n", (long long)ns);
    } else if (strcmp(command, "output") == 0 && words) {
        (void)puts(write_output(bench, words));
    } else {
        (void)puts("error want: inputs BATCH TOKENS FILE, then run, then output FILE");
    }
    (void)fflush(stdout);
}

static int serve(const char *folder, uint32_t threads)
{
    struct bench bench = {0};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = {.struct_size = sizeof err};
    char line[LINE_BYTES];
    int exit_code = 0;

    options.lanes = 1;
    options.threads = threads;
    int64_t start_ns = clock_now_ns();
    if (modelhost_create(&options, &bench.host, &err))
        return complain("host", &err);
    if (modelhost_load(bench.host, folder, &bench.model, &err)) {
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
    free(bench.ids);
    return exit_code;
}

int main(int argc, char **argv)
{
    long threads = 0;
    if (argc != 3 || !parse_number(argv[2], 64, &threads)) {
        (void)fputs("usage: bench FOLDER THREADS | bench --peak THREADS\n", stderr);
        return 2;
    }
    if (strcmp(argv[1], "--peak") == 0) {
        const char *name = NULL;
        double gflops = fma_peak_gflops((uint32_t)threads, &name);
        (void)printf("{\"gflops\":%.1f,\"name\":\"%s\"}\n", gflops, name);
        return 0;
    }
    return serve(argv[1], (uint32_t)threads);
}
