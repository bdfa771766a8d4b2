/* command_loading.c - see modelhost_commands.h: options that say how weights are loaded. */
#include "environment.h"
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
    const struct word *loading = given->loading != NULL ? find(loadings, given->loading) : NULL;
    const struct word *verification =
        given->verification != NULL ? find(verifications, given->verification) : NULL;
    if (given->loading != NULL && loading == NULL)
        return command_usage(command, "--loading is '%s', want mapped, eager, streaming or lazy",
                             given->loading) == 0;
    if (given->verification != NULL && verification == NULL)
        return command_usage(command, "--verification is '%s', want checksum, standard or paranoid",
                             given->verification) == 0;
    if (options != NULL && loading != NULL)
        options->loading = loading->value;
    if (options != NULL && verification != NULL)
        options->verification = verification->value;
    if (options != NULL && given->memory_budget_bytes > 0)
        options->memory_budget_bytes = (uint64_t)given->memory_budget_bytes;
    if (options != NULL &&
        (given->require_signature || environment_flag("MODELHOST_REQUIRE_SIGNATURE")))
        options->require_signature = 1;
    if (options != NULL && given->trusted_keys != NULL)
        options->trusted_keys = given->trusted_keys;
    return true;
}
