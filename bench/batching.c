/* batching.c - see batching.h. Clients are threads that each wait for their answer before they ask again. The
 * two ways take turns, so that what else the machine does meets both. */
#include "batching.h"
#include "clock.h"
#include "dtype.h"
#include "modelhost.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define MAX_CLIENTS  64
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define N_TURNS      6
#define MAX_TOKENS   16

/* The hosts that are compared: a lane for all processors, or one each. */
static const struct {
    const char *name;
    uint32_t lanes; /* 0: as many as there are threads in all */
} layouts[] = {{"one lane", 1}, {"a lane each", 0}};

/* Tokens of a text, the least and the most: a word or two, a sentence. */
struct lengths {
    uint32_t min, max;
};
static const struct lengths lengths[] = {{2, 4}, {8, MAX_TOKENS}};

/* What clients ask for: little behind the encoder, or a product with the whole vocabulary. */
static const char *const outputs[] = {"last_hidden_state", "logits"};

struct client {
    pthread_t thread;
    struct modelhost_model *model;
    int64_t end_ns;
    const char *output;
    uint32_t n_tokens;
    uint64_t n_answers;
    model_status status;
};

static void *ask(void *argument)
{
    struct client *client = argument;
    int64_t ids[MAX_TOKENS];
    const int64_t shape[] = {1, client->n_tokens};
    struct model_tensor input;
    const struct model_tensor *inputs[] = {&input};
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.output_names = &client->output;
    options.n_output_names = 1;
    for (uint32_t i = 0; i < client->n_tokens; i++)
        ids[i] = (int64_t)(100 + i);
    tensor_init(&input, "input_ids", MODEL_I64, 2, shape, ids);
    while (client->status == MODEL_OK && clock_now_ns() < client->end_ns) {
        struct modelhost_result *result = NULL;
        client->status = modelhost_run(client->model, inputs, 1, &options, &result, NULL);
        modelhost_result_destroy(result);
        client->n_answers++;
    }
    return NULL;
}

/* What the turns of one way have come to. */
struct tally {
    double seconds, cpu_seconds; /* of all threads */
    uint64_t n_answers;
};

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* One turn; returns whether it failed. */
static int take_turn(struct modelhost_model *model, const char *output, struct lengths tokens,
                     uint32_t n_clients, int64_t turn_ns, struct tally *tally)
{
    const double cpu_start = cpu_seconds();
    struct client clients[MAX_CLIENTS];
    const int64_t start_ns = clock_now_ns();
    uint32_t n = 0;
    int failed = 0;
    for (; n < n_clients && !failed; n++) {
        clients[n] = (struct client){.model = model,
                                     .output = output,
                                     .end_ns = start_ns + turn_ns,
                                     .n_tokens = tokens.min + n % (tokens.max - tokens.min + 1)};
        failed = pthread_create(&clients[n].thread, NULL, ask, &clients[n]) != 0;
        n -= (uint32_t)failed;
    }
    for (uint32_t i = 0; i < n; i++) {
        (void)pthread_join(clients[i].thread, NULL);
        tally->n_answers += clients[i].n_answers;
        failed |= clients[i].status != MODEL_OK;
    }
    tally->seconds += (double)(clock_now_ns() - start_ns) / NS_PER_S;
    tally->cpu_seconds += cpu_seconds() - cpu_start;
    return failed;
}

static void print_tallies(const char *layout, const char *output, struct lengths tokens,
                          uint32_t n_clients, const struct tally *alone, const struct tally *joint)
{
    const double alone_n = (double)alone->n_answers, joint_n = (double)joint->n_answers;
    const double alone_per_s = alone_n / alone->seconds, joint_per_s = joint_n / joint->seconds;
    (void)printf(
        "{\"batching\":\"%s\",\"output\":\"%s\",\"min_tokens\":%u,\"max_tokens\":%u,\"clients\":%u,"
        "\"alone_per_s\":%.0f,\"joined_per_s\":%.0f,"
        "\"ratio\":%.2f,\"alone_cpu_us\":%.0f,\"joined_cpu_us\":%.0f}\n",
        layout, output, tokens.min, tokens.max, n_clients, alone_per_s, joint_per_s,
        joint_per_s / alone_per_s, alone->cpu_seconds * 1e6 / alone_n,
        joint->cpu_seconds * 1e6 / joint_n);
}

static bool has_output(const struct modelhost_model *model, const char *name)
{
    const struct model_description *description = modelhost_description(model);
    for (uint32_t i = 0; i < description->n_outputs; i++)
        if (strcmp(description->outputs[i]->name, name) == 0)
            return true;
    return false;
}

static int measure_layout(const char *folder, size_t layout, const char *output,
                          struct lengths tokens, uint32_t n_clients, uint32_t seconds,
                          struct model_error *err)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options joined = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct modelhost_model *one = NULL, *together = NULL;
    struct tally alone = {0}, joint = {0};
    options.lanes = layouts[layout].lanes;
    options.threads = layouts[layout].lanes == 0 ? 1 : 0;
    if (options.lanes == 0)
        options.lanes = 2;
    joined.max_batch = n_clients;
    int failed = modelhost_create(&options, &host, err) ||
                 modelhost_load(host, folder, &one, err) ||
                 modelhost_load_with(host, folder, &joined, &together, err);
    const bool measures = !failed && has_output(one, output);
    for (uint32_t turn = 0; turn < N_TURNS && measures && !failed; turn++) {
        const int64_t turn_ns = seconds * NS_PER_S / (2 * N_TURNS);
        failed = take_turn(one, output, tokens, n_clients, turn_ns, &alone) ||
                 take_turn(together, output, tokens, n_clients, turn_ns, &joint);
    }
    modelhost_release(one);
    modelhost_release(together);
    modelhost_destroy(host);
    if (measures && !failed)
        print_tallies(layouts[layout].name, output, tokens, n_clients, &alone, &joint);
    return failed;
}

int batching_measure(const char *folder, uint32_t n_clients, uint32_t seconds)
{
    struct model_error err = {.struct_size = sizeof err};
    if (n_clients == 0 || n_clients > MAX_CLIENTS)
        return 2;
    const size_t n_lengths = COUNT(lengths), n_outputs = COUNT(outputs);
    for (size_t i = 0; i < COUNT(layouts) * n_lengths * n_outputs; i++)
        if (measure_layout(folder, i / n_outputs / n_lengths, outputs[i % n_outputs],
                           lengths[i / n_outputs % n_lengths], n_clients, seconds, &err)) {
            (void)fprintf(stderr, "bench: %s: %s\n", folder, err.message);
            return 1;
        }
    return 0;
}
