/* command_loading.c - see modelhost_commands.h: options that say how weights are loaded. */
#include "modelhost_commands.h"

#include <string.h>

struct word {
    const char *name;
    int32_t value;
};

static const struct word loadings[] = {{"mapped", MODELHOST_MAPPED},
                                       {"eager", MODELHOST_EAGER},
                                       {"streaming", MODELHOST_STREAMING},
                                       {"lazy", MODELHOST_LAZY},
                                       {NULL, 0}};
static const struct word verifications[] = {{"checksum", MODELHOST_CHECKSUM},
                                            {"standard", MODELHOST_STANDARD},
                                            {"paranoid", MODELHOST_PARANOID},
                                            {NULL, 0}};
static const struct word dtypes[] = {{"f32", MODELHOST_F32},
                                     {"bf16", MODELHOST_BF16},
                                     {"int8", MODELHOST_INT8},
                                     {"int4", MODELHOST_INT4},
                                     {NULL, 0}};

/* The word of that name, or NULL. */
static const struct word *find(const struct word *words, const char *name)
{
    while (words->name != NULL && strcmp(words->name, name) != 0)
        words++;
    return words->name != NULL ? words : NULL;
}

bool command_loading(const char *command, const struct command_loading *given,
                     struct modelhost_load_options *options)
{
    struct modelhost_load_options unused = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost_load_options *set = options != NULL ? options : &unused;
    const struct {
        const char *option, *given;
        const struct word *words;
        int32_t *field;
        const char *wanted;
    } choices[] = {
        {"loading", given->loading, loadings, &set->loading, "mapped, eager, streaming or lazy"},
        {"verification", given->verification, verifications, &set->verification,
         "checksum, standard or paranoid"},
        {"dtype", given->dtype, dtypes, &set->dtype, "f32, bf16, int8 or int4"},
    };
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        const struct word *word =
            choices[i].given != NULL ? find(choices[i].words, choices[i].given) : NULL;
        if (choices[i].given != NULL && word == NULL)
            return command_usage(command, "--%s is '%s', want %s", choices[i].option,
                                 choices[i].given, choices[i].wanted) == 0;
        if (word != NULL)
            *choices[i].field = word->value;
    }
    if (given->memory_budget_bytes > 0)
        set->memory_budget_bytes = (uint64_t)given->memory_budget_bytes;
    return true;
}
