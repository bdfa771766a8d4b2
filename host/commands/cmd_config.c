/* cmd_config.c - `modelhost config`: files of options, and what may stand in them. */
#include "buffer.h"
#include "config_fields.h"
#include "errors.h"
#include "modelhost_commands.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char cmd_config_help[] =
    "usage: modelhost config check FILE [--json]\n"
    "       modelhost config keys\n\n"
    "Checks a file of options for `modelhost run --config` and modelhost_config_read(), or lists\n"
    "the keys that may stand in one.\n\n"
    "  --json   print all options as they are with this file, the defaults among them\n";

static model_status check(const char *path, bool as_json, struct model_error *err)
{
    struct modelhost_config *config = NULL;
    char *text = NULL;
    model_status status = modelhost_config_read(path, &config, err);
    if (status == MODEL_OK && as_json)
        status = modelhost_config_show(config, &text, err);
    else if (status == MODEL_OK && (text = text_format("%s: ok\n", path)) == NULL)
        status = error_no_memory(err, "the answer");
    if (status == MODEL_OK)
        status = command_print(text, err);
    free(text);
    modelhost_config_destroy(config);
    return status;
}

static void add_keys(struct buffer *text, const char *part, const struct config_field *fields)
{
    static const char *const kinds[] = {
        [CONFIG_BOOL] = "boolean", [CONFIG_U32] = "number", [CONFIG_I32] = "number",
        [CONFIG_U64] = "number",   [CONFIG_I64] = "number", [CONFIG_DOUBLE] = "number",
        [CONFIG_TEXT] = "string",  [CONFIG_WORD] = "word"};
    _Static_assert(sizeof kinds / sizeof *kinds == CONFIG_N_KINDS && CONFIG_N_KINDS == 8,
                   "each kind has a name");
    for (; fields->key != NULL; fields++) {
        const int width = 36 - (int)strlen(part);
        (void)buffer_printf(text, "%s.%-*s %-7s %s", part, width, fields->key, kinds[fields->kind],
                            fields->meaning);
        for (const char *const *word = fields->words; word != NULL && *word != NULL; word++)
            (void)buffer_printf(text, "%s%s", word == fields->words ? ": " : ", ", *word);
        (void)buffer_append_text(text, "\n");
    }
}

static model_status list_keys(struct model_error *err)
{
    struct buffer text = BUFFER_INIT(1 << 20);
    add_keys(&text, "host", config_host_fields);
    add_keys(&text, "models.NAME", config_model_fields);
    model_status status = command_print(text.data != NULL ? text.data : "", err);
    buffer_finish(&text);
    return status;
}

int cmd_config(int argc, char **argv)
{
    bool as_json = false;
    const struct command_option options[] = {{"json", .flag = &as_json}, {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    const int n = argc - optind;
    const char *action = n > 0 ? argv[optind] : "";
    const bool checks = strcmp(action, "check") == 0 && n == 2;
    if (!checks && !(strcmp(action, "keys") == 0 && n == 1 && !as_json))
        return command_usage(argv[0], "wants 'check FILE' or 'keys'");
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = checks ? check(argv[optind + 1], as_json, &err) : list_keys(&err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
