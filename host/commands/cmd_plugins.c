/* cmd_plugins.c - `modelhost plugins`: what the plugin path holds. Reads notes; runs no plugin. */
#include "errors.h"
#include "json_view.h"
#include "modelhost_commands.h"
#include "plugin_path.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const char cmd_plugins_help[] =
    "usage: modelhost plugins [--plugin-path DIRS] [--json]\n\n"
    "Lists the plugins on the plugin path: name, version, ABI, architectures, file, and why one\n"
    "cannot be used. Only their files are read; no code of them runs.\n\n"
    "  --plugin-path DIRS  folders separated by ':' (default: MODELHOST_PLUGIN_PATH, or the\n"
    "                      installation's lib/modelhost/plugins)\n"
    "  --json              a JSON array\n";

struct listing {
    json_node *array; /* NULL: a table on stdout */
    size_t n;
};

static bool list_one(void *context, const struct plugin_candidate *candidate)
{
    struct listing *listing = context;
    const struct plugin_file *file = candidate->file;
    const char *reason = candidate->status == MODEL_OK ? "ok" : candidate->reason;
    listing->n++;
    if (listing->array == NULL) {
        char abi[16] = "-";
        if (file != NULL)
            (void)snprintf(abi, sizeof abi, "%u.%u", file->abi_major, file->abi_minor);
        printf("%-12s %-8s %-5s %-20s %s%s%s\n", file ? file->name : "-",
               file ? file->version : "-", abi, file ? file->architectures : "-", candidate->path,
               candidate->status == MODEL_OK ? "" : "  refused: ",
               candidate->status == MODEL_OK ? "" : reason);
        return true;
    }
    json_node *node = json_add_object(listing->array, NULL);
    (void)json_add_string(node, "path", candidate->path);
    if (file != NULL) {
        char abi[16];
        (void)snprintf(abi, sizeof abi, "%u.%u", file->abi_major, file->abi_minor);
        (void)json_add_string(node, "name", file->name);
        (void)json_add_string(node, "version", file->version);
        (void)json_add_string(node, "abi", abi);
        (void)json_add_string(node, "architectures", file->architectures);
    }
    (void)json_add_string(node, "status", status_name(candidate->status));
    (void)json_add_string(node, "reason", reason);
    return true;
}

static model_status list_all(const char *plugin_path, bool as_json, struct model_error *err)
{
    struct listing listing = {.array = as_json ? json_new_array() : NULL};
    if (!as_json)
        printf("%-12s %-8s %-5s %-20s %s\n", "NAME", "VERSION", "ABI", "ARCHITECTURES", "FILE");
    model_status status = plugin_path_visit(plugin_path, list_one, &listing, err);
    if (status == MODEL_OK && as_json) {
        char *text = json_print(listing.array, true);
        status = text != NULL ? command_print(text, err) : error_no_memory(err, "the list");
        free(text);
    } else if (status == MODEL_OK && listing.n == 0) {
        fprintf(
            stderr,
            "modelhost: no plugins in %s; build some there, or name other folders with --plugin-path\n",
            plugin_path);
    }
    json_free(listing.array);
    return status;
}

int cmd_plugins(int argc, char **argv)
{
    struct command_places places = {0};
    bool as_json = false;
    const struct command_option options[] = {
        {"plugin-path", .text = &places.plugin_path}, {"json", .flag = &as_json}, {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (optind < argc)
        return command_usage(argv[0], "takes no argument, got '%s'", argv[optind]);
    struct model_error err = MODEL_ERROR_INIT;
    char *plugin_path = NULL;
    model_status status = command_plugin_path(&places, &plugin_path, &err);
    if (status == MODEL_OK)
        status = list_all(plugin_path, as_json, &err);
    free(plugin_path);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
