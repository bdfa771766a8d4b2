/* soak_chaos.c - see soak_model.h: what is known of examples/chaos: which requests meet its fault, what that
 * comes to, and what is right otherwise. */
#include "soak_model.h"

#include <string.h>

#define CHAOS_RATE 0.1 /* as scripts/soak.sh writes them into config.json */
#define CHAOS_SEED 11

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_LIMIT 0 /* their shadow takes address space without end */
#else
#define MEMORY_LIMIT ((uint64_t)320 << 20)
#endif

static const struct soak_fault faults[] = {
    {"ok", true, MODEL_OK, NULL, 0, 0},
    {"crash", false, MODELHOST_CRASHED, "plugin crashed: SIGSEGV in run", 0, 0},
    {"abort", false, MODELHOST_CRASHED, "plugin aborted in run", 0, 0},
    {"exit", false, MODELHOST_CRASHED, "plugin called exit(3) in run", 0, 0},
    {"oom", false, MODEL_OUT_OF_MEMORY, NULL, 0, MEMORY_LIMIT},
    {"hang", false, MODEL_DEADLINE, NULL, 50, 0},
    {"spin", false, MODEL_DEADLINE, NULL, 50, 0},
    {"slow", true, MODEL_DEADLINE, NULL, 5, 0},
    {"throw-away-error", true, MODEL_INTERNAL, "no sentence", 0, 0},
    {"wrong-shape", true, MODEL_INTERNAL, "dimension 1 (n) is", 0, 0},
    {"no-output", true, MODEL_INTERNAL, "did not produce output 'output'", 0, 0},
};

const struct soak_fault *soak_fault_find(const char *folder_name)
{
    if (strncmp(folder_name, "chaos-", strlen("chaos-")) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (strcmp(folder_name + strlen("chaos-"), faults[i].mode) == 0)
            return &faults[i];
    return NULL;
}

static uint64_t mix(uint64_t sum)
{
    sum += 0x9E3779B97F4A7C15u;
    sum = (sum ^ (sum >> 30)) * 0xBF58476D1CE4E5B9u;
    sum = (sum ^ (sum >> 27)) * 0x94D049BB133111EBu;
    return sum ^ (sum >> 31);
}

bool soak_is_doomed(const float *values, size_t n)
{
    const unsigned char *bytes = (const unsigned char *)values;
    uint64_t sum = mix(CHAOS_SEED);
    for (size_t i = 0; i < n * sizeof *values; i++)
        sum = mix(sum ^ bytes[i]);
    return (double)(sum >> 11) / (double)(UINT64_C(1) << 53) < CHAOS_RATE;
}

bool soak_chaos_is_right(const struct modelhost_result *result, const float *values, size_t n)
{
    const struct model_tensor *output = modelhost_result_find(result, "output");
    if (output == NULL || output->dtype != MODEL_F32 || output->size_bytes != n * sizeof *values)
        return false;
    const float *found = output->data;
    for (size_t i = 0; i < n; i++)
        if (found[i] != 2 * values[i] + 1)
            return false;
    return true;
}
