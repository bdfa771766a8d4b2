/* cmd_info.c - `pkgmgr info`. */
#include "buffer.h"
#include "commands.h"
#include "errors.h"
#include "human_text.h"
#include "package_json.h"
#include "package_locate.h"

#include <getopt.h>
#include <stdlib.h>

const char help_info[] =
    "usage: pkgmgr info PKG [OPTION]...\n\n"
    "Shows what a package is made of: where it came from, its files with their digests, its\n"
    "plugin, and what is known about the model. PKG is a name in the store or a folder.\n\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json         print it as JSON\n";

#define MAX_TEXT_BYTES (64u << 20)

/* "label  value", where there is a value. */
static void add_line(struct buffer *text, const char *label, const json_node *value)
{
    char size[HUMAN_TEXT_BYTES];
    const char *string = json_string_or(value, NULL);
    if (string != NULL && string[0] != '\0')
        (void)buffer_printf(text, "%-12s  %s\n", label, string);
    else if (json_is_number(value))
        (void)buffer_printf(text, "%-12s  %s\n", label,
                            human_size((uint64_t)json_number_or(value, 0), size));
}

static void add_plugin(struct buffer *text, const json_node *plugin)
{
    if (!json_is_object(plugin))
        (void)buffer_append_text(text, "plugin        none; see 'pkgmgr help install'\n");
    else if (json_member(plugin, "error") != NULL)
        (void)buffer_printf(text, "plugin        broken: %s\n",
                            json_string_or(json_member(plugin, "error"), "?"));
    else
        (void)buffer_printf(text, "plugin        %s %s (ABI %s)\n",
                            json_string_or(json_member(plugin, "name"), "?"),
                            json_string_or(json_member(plugin, "version"), "?"),
                            json_string_or(json_member(plugin, "abi"), "?"));
}

static char *as_table(const json_node *root)
{
    struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
    const json_node *info = json_member(root, "model_info");
    char size[HUMAN_TEXT_BYTES];
    int64_t parameters;
    add_line(&text, "id", json_member(root, "id"));
    add_line(&text, "revision", json_member(root, "revision"));
    add_line(&text, "from", json_member(root, "endpoint"));
    add_line(&text, "created", json_member(root, "created"));
    add_line(&text, "path", json_member(root, "path"));
    add_line(&text, "model_type", json_member(info, "model_type"));
    add_line(&text, "architecture", json_path(info, "architectures[0]"));
    add_line(&text, "task", json_member(info, "task"));
    if (json_integer(json_member(info, "parameters"), 0, INT64_MAX, &parameters))
        (void)buffer_printf(&text, "%-12s  %lld\n", "parameters", (long long)parameters);
    add_line(&text, "memory", json_member(info, "memory_bytes"));
    add_plugin(&text, json_member(root, "plugin"));
    add_line(&text, "size", json_member(root, "size"));
    for (const json_node *file = json_first(json_member(root, "files")); file != NULL;
         file = json_next(file))
        (void)buffer_printf(
            &text, "  %8s  %.12s  %s\n",
            human_size((uint64_t)json_number_or(json_member(file, "size"), 0), size),
            json_string_or(json_member(file, "sha256"), "?"),
            json_string_or(json_member(file, "path"), "?"));
    char *table = buffer_take(&text);
    buffer_finish(&text);
    return table;
}

static model_status show(const char *word, const char *store_dir, bool as_json,
                         struct model_error *err)
{
    struct store *store = NULL;
    struct package_place place = {0};
    struct package package = {0};
    model_status status = command_look_into_store(store_dir, &store, err);
    if (status == MODEL_OK)
        status = package_locate(store, word, &place, err);
    if (status == MODEL_OK)
        status = package_open(place.dir, NULL, &package, err);
    if (status == MODEL_OK) {
        json_node *root = package_json(&package);
        char *text = root == NULL ? NULL : as_json ? json_print(root, true) : as_table(root);
        status = text != NULL ? command_print(text, err) : error_no_memory(err, "the result");
        free(text);
        json_free(root);
    }
    package_finish(&package);
    package_place_finish(&place);
    store_close(store);
    return status;
}

int cmd_info(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    const char *store_dir = NULL;
    bool as_json = false;
    const struct command_option options[] = {
        {"store", .text = &store_dir}, {"json", .flag = &as_json}, {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (argc - optind != 1)
        return command_usage("info", "want one PKG");
    int code = command_check_package("info", argv[optind]);
    if (code != 0)
        return code;
    model_status status = show(argv[optind], store_dir, as_json, &err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
