/* command_loading.c - see modelhost_commands.h: options that say how weights are loaded. */
#include "archive_secret.h"
#include "command_passphrase.h"
#include "environment.h"
#include "errors.h"
#include "modelhost_commands.h"

#include <string.h>
#include <unistd.h>

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
static const struct word dtypes[] = {{"f32", MODELHOST_F32},   {"bf16", MODELHOST_BF16},
                                     {"int8", MODELHOST_INT8}, {"int4", MODELHOST_INT4},
                                     {"auto", MODELHOST_AUTO}, {NULL, 0}};

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
        {"dtype", given->dtype, dtypes, &set->dtype, "f32, bf16, int8, int4 or auto"},
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
    if (given->passphrase_file != NULL && given->key_file != NULL)
        return command_usage(command, "want one of --passphrase-file and --key-file") == 0;
    if (given->memory_budget_bytes > 0)
        set->memory_budget_bytes = (uint64_t)given->memory_budget_bytes;
    if (given->require_signature || environment_demand("MODELHOST_REQUIRE_SIGNATURE"))
        set->require_signature = 1;
    if (given->trusted_keys != NULL)
        set->trusted_keys = given->trusted_keys;
    if (given->trusted_keys != NULL && options != NULL && set->require_signature == 0)
        command_warn("--trusted-keys is for --require-signature: no signature is looked at");
    return true;
}

static model_status ask(const char *terminal, struct archive_secret **ret, struct model_error *err)
{
    size_t n_bytes = 0;
    char *text = secret_allocate(ARCHIVE_MAX_PASSPHRASE_BYTES);
    if (text == NULL)
        return error_no_memory(err, "a passphrase");
    model_status status = command_ask_passphrase(terminal, "Passphrase: ", text,
                                                 ARCHIVE_MAX_PASSPHRASE_BYTES, &n_bytes, err);
    if (status == MODEL_OK)
        status = archive_secret_create(ARCHIVE_KEY_OF_PASSPHRASE, text, n_bytes, ret, err);
    secret_free(text);
    return status;
}

static model_status read_secret(enum archive_key_source source, const char *file,
                                struct archive_secret **ret, struct model_error *err)
{
    if (source == ARCHIVE_KEY_OF_PASSPHRASE && command_is_terminal(file))
        return ask(file, ret, err);
    return strcmp(file, "-") == 0
               ? archive_secret_read(source, STDIN_FILENO, "standard input", ret, err)
               : archive_secret_read_file(source, file, ret, err);
}

model_status command_secret(const struct command_loading *given, const struct archive_secret **ret,
                            struct model_error *err)
{
    static struct archive_secret *secret; /* one command, one secret for all its models */
    const bool is_key = given->key_file != NULL;
    const char *file = is_key ? given->key_file : given->passphrase_file;
    const enum archive_key_source source = is_key ? ARCHIVE_KEY_OF_FILE : ARCHIVE_KEY_OF_PASSPHRASE;
    model_status status = MODEL_OK;
    if (file != NULL && secret == NULL)
        status = read_secret(source, file, &secret, err);
    if (status == MODEL_OK)
        *ret = secret;
    return status;
}

model_status command_load_secret(const struct command_loading *given,
                                 struct modelhost_load_options *options, struct model_error *err)
{
    const struct archive_secret *secret = NULL;
    model_status status = command_secret(given, &secret, err);
    if (status != MODEL_OK || secret == NULL)
        return status;
    const bool is_key = secret->source == ARCHIVE_KEY_OF_FILE;
    options->passphrase_file = options->key_file = NULL; /* of a --config */
    options->passphrase = is_key ? NULL : (const char *)secret->bytes;
    options->passphrase_bytes = is_key ? 0 : secret->size_bytes;
    options->key = is_key ? secret->bytes : NULL;
    return MODEL_OK;
}
