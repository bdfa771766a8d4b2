/* cmd_install.c - `pkgmgr install`. */
#include "buffer.h"
#include "command_trust.h"
#include "commands.h"
#include "errors.h"
#include "package_json.h"
#include "plugin_install.h"
#include "plugin_trust.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const char help_install[] =
    "usage: pkgmgr install PKG PLUGIN.so [OPTION]...\n\n"
    "Puts a plugin into a package, after checking that it is one, that this version can open it\n"
    "and that it serves the package's model; prints the package's folder. PKG is a name in the\n"
    "store or a folder. In the store a new version of the package takes the old one's place.\n\n"
    "  --force        install even if the plugin does not name the model's architecture\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --require-signature  the package must be signed by a trusted key before, and the plugin by\n"
    "                 PLUGIN.so.minisig beside it (exit code 7; pkgmgr help keys). What comes of both\n"
    "                 has another manifest: sign it anew\n"
    "  --json         print the package as JSON\n"
    "  -q, --quiet    say nothing but errors\n";

struct arguments {
    const char *package, *plugin, *store_dir;
    bool force, json, quiet, require_signature;
};

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    const struct command_option options[] = {
        {"force", .flag = &arguments->force},
        {"store", .text = &arguments->store_dir},
        {"require-signature", .flag = &arguments->require_signature},
        {"json", .flag = &arguments->json},
        {"quiet", .flag = &arguments->quiet, .letter = 'q'},
        {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (argc - optind != 2)
        return command_usage("install", "want PKG and PLUGIN.so");
    arguments->package = argv[optind];
    arguments->plugin = argv[optind + 1];
    return command_check_package("install", arguments->package);
}

static void print_message(void *context, int32_t level, const char *message)
{
    (void)context;
    (void)level;
    command_note("%s", message);
}

static model_status print_result(const char *dir, bool as_json, struct model_error *err)
{
    struct package package = {0};
    char *text;
    if (!as_json) {
        text = text_format("%s\n", dir);
    } else {
        model_status status = package_open(dir, NULL, &package, err);
        if (status != MODEL_OK)
            return status;
        json_node *root = package_json(&package);
        text = root != NULL ? command_json_text(root) : NULL;
        json_free(root);
        package_finish(&package);
    }
    model_status status =
        text != NULL ? command_print(text, err) : error_no_memory(err, "the result");
    free(text);
    return status;
}

static model_status install(const struct arguments *arguments, struct model_error *err)
{
    struct store *store = NULL;
    struct package_place place = {0};
    struct plugin_file plugin;
    struct log_sink log = {.level = arguments->quiet ? MODEL_LOG_ERROR : MODEL_LOG_INFO,
                           .write = print_message};
    char *dir = NULL;
    struct command_trust trust = {.is_required = false};
    struct memory_file trusted = MEMORY_FILE_NONE;
    model_status status = command_look_into_store(arguments->store_dir, &store, err);
    if (status == MODEL_OK)
        status = package_locate(store, arguments->package, &place, err);
    if (status == MODEL_OK)
        status = command_trust_init(&trust, arguments->require_signature, err);
    if (status == MODEL_OK)
        status = command_trust_check(&trust, place.dir, NULL, err);
    if (status == MODEL_OK && trust.is_required)
        status = plugin_trust_open(arguments->plugin, &trust.keys, &trusted, err);
    if (status == MODEL_OK)
        status = plugin_install(store, &place, trust.is_required ? trusted.path : arguments->plugin,
                                arguments->force, &log, &dir, &plugin, err);
    if (status == MODEL_OK && !arguments->quiet)
        fprintf(stderr, "installed the plugin '%s' %s (ABI %u.%u)\n", plugin.name, plugin.version,
                plugin.abi_major, plugin.abi_minor);
    if (status == MODEL_OK)
        status = print_result(dir, arguments->json, err);
    memory_file_close(&trusted);
    command_trust_finish(&trust);
    free(dir);
    package_place_finish(&place);
    store_close(store);
    return status;
}

int cmd_install(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct arguments arguments = {0};
    int code = read_arguments(argc, argv, &arguments);
    if (code != 0)
        return code;
    model_status status = install(&arguments, &err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
