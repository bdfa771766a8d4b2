/* cmd_explain.c - `modelhost explain PKG`: every plugin that could serve a package, in the order in which
 * the host looks, and why each is taken or refused. Reads files; runs no plugin. */
#include "errors.h"
#include "json_view.h"
#include "modelhost_commands.h"
#include "package.h"
#include "package_architectures.h"
#include "plugin_path.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const char cmd_explain_help[] =
    "usage: modelhost explain PKG [--store DIR] [--plugin-path DIRS] [--json]\n"
    "                         [--passphrase-file FILE]\n\n"
    "Shows every candidate plugin for a package (a name in the store, or a folder), in the order\n"
    "in which they are looked at, and why each one is taken or refused. Exit code 3 when none is\n"
    "taken.\n\n"
    "  --store DIR         default: MODELHOST_STORE, or ~/.cache/modelhost\n"
    "  --plugin-path DIRS  folders separated by ':' (default: MODELHOST_PLUGIN_PATH, or the\n"
    "                      installation's lib/modelhost/plugins)\n"
    "  --json              a JSON object\n" COMMAND_LOAD_SECRET_HELP;

struct explanation {
    const struct package_architectures *architectures;
    json_node *candidates;
    bool taken;
};

/* The first name that a plugin serves, or NULL. */
static const char *served(const struct explanation *explanation, const struct plugin_file *file)
{
    for (size_t i = 0; i < explanation->architectures->n_names; i++)
        if (plugin_file_serves(file, explanation->architectures->names[i]))
            return explanation->architectures->names[i];
    return NULL;
}

static void add(struct explanation *explanation, const char *path, const char *origin,
                const struct plugin_file *file, bool usable, const char *reason)
{
    json_node *node = json_add_object(explanation->candidates, NULL);
    bool taken = usable && !explanation->taken;
    explanation->taken = explanation->taken || taken;
    (void)json_add_string(node, "path", path);
    (void)json_add_string(node, "origin", origin);
    if (file != NULL) {
        (void)json_add_string(node, "name", file->name);
        (void)json_add_string(node, "version", file->version);
        (void)json_add_string(node, "architectures", file->architectures);
    }
    (void)json_add_string(node, "verdict", taken ? "taken" : usable ? "not needed" : "refused");
    (void)json_add_string(node, "reason",
                          usable && !taken ? "an earlier candidate is taken" : reason);
}

static bool add_candidate(void *context, const struct plugin_candidate *candidate)
{
    struct explanation *explanation = context;
    char reason[640];
    const char *name = candidate->file != NULL ? served(explanation, candidate->file) : NULL;
    bool usable = candidate->status == MODEL_OK && name != NULL;
    if (usable)
        (void)snprintf(reason, sizeof reason, "serves '%s'", name);
    else if (candidate->status != MODEL_OK)
        (void)snprintf(reason, sizeof reason, "%s", candidate->reason);
    else
        (void)snprintf(reason, sizeof reason, "serves '%s', the package wants '%s'",
                       candidate->file->architectures,
                       explanation->architectures->n_names > 0
                           ? explanation->architectures->names[0]
                           : "nothing known");
    add(explanation, candidate->path, "plugin path", candidate->file, usable, reason);
    return true;
}

/* The package's own plugin is used whatever its note serves: someone put it there. */
static void add_own(struct explanation *explanation, const struct package *package)
{
    struct plugin_file file = {0};
    struct model_error err = MODEL_ERROR_INIT;
    if (package->plugin == NULL) {
        (void)snprintf(err.message, sizeof err.message, "no %s in %s", PACKAGE_PLUGIN_NAME,
                       package->backend_dir);
        add(explanation, package->backend_dir, "package", NULL, false, err.message);
        return;
    }
    model_status status = plugin_file_read(package->plugin, &file, &err);
    const struct plugin_file *known = status == MODEL_OK ? &file : NULL;
    if (status == MODEL_OK)
        status = plugin_file_check(&file, package->plugin, &err);
    if (status != MODEL_OK)
        (void)package_name_plugin(package, &err);
    add(explanation, package->plugin_name, "package", known, status == MODEL_OK,
        status == MODEL_OK ? "the package's own plugin" : err.message);
}

static model_status print_explanation(const json_node *root, bool as_json, struct model_error *err)
{
    if (as_json) {
        char *text = json_print(root, true);
        model_status status =
            text != NULL ? command_print(text, err) : error_no_memory(err, "the answer");
        free(text);
        return status;
    }
    printf("package       %s\narchitecture  %s\n", json_string_or(json_member(root, "path"), ""),
           json_string_or(json_path(root, "architectures[0]"), "(none in config.json)"));
    for (const json_node *c = json_first(json_member(root, "candidates")); c != NULL;
         c = json_next(c))
        printf("%-12s  %s (%s): %s\n", json_string_or(json_member(c, "verdict"), ""),
               json_string_or(json_member(c, "path"), ""),
               json_string_or(json_member(c, "origin"), ""),
               json_string_or(json_member(c, "reason"), ""));
    return command_flush(err);
}

static model_status explain(const struct package *package, const char *plugin_path, bool as_json,
                            struct model_error *err)
{
    char config_path[4096];
    (void)snprintf(config_path, sizeof config_path, "%s/config.json", package->backend_dir);
    struct package_architectures architectures = {0};
    model_status status =
        package_architectures_read(package->archive, config_path, &architectures, err);
    if (status == MODEL_NOT_FOUND)
        status = MODEL_OK; /* an author's folder may have none */
    json_node *root = json_new_object();
    (void)json_add_string(root, "path", package->dir);
    json_node *names = json_add_array(root, "architectures");
    for (size_t i = 0; i < architectures.n_names; i++)
        (void)json_add_string(names, NULL, architectures.names[i]);
    struct explanation explanation = {&architectures, json_add_array(root, "candidates"), false};
    if (status == MODEL_OK) {
        add_own(&explanation, package);
        status = package->plugin == NULL || explanation.taken
                     ? plugin_path_visit(plugin_path, add_candidate, &explanation, err)
                     : MODEL_OK;
    }
    if (status == MODEL_OK)
        status = print_explanation(root, as_json, err);
    if (status == MODEL_OK && !explanation.taken)
        status = error_set(err, MODEL_NOT_FOUND,
                           "no plugin can serve %s; install one: pkgmgr install PKG PLUGIN%s",
                           package->dir, PLUGIN_SUFFIX);
    json_free(root);
    package_architectures_finish(&architectures);
    return status;
}

int cmd_explain(int argc, char **argv)
{
    struct command_places places = {0};
    struct command_loading loading = {0};
    struct archive_access access = {.level = ARCHIVE_CHECKSUM};
    bool as_json = false;
    const struct command_option options[] = {{"store", .text = &places.store_dir},
                                             {"passphrase-file", .text = &loading.passphrase_file},
                                             {"key-file", .text = &loading.key_file},
                                             {"plugin-path", .text = &places.plugin_path},
                                             {"json", .flag = &as_json},
                                             {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (argc - optind != 1)
        return command_usage(argv[0], "wants one package, got %d", argc - optind);
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = NULL, *plugin_path = NULL;
    struct package package = {0};
    model_status status = command_find_package(&places, argv[optind], &dir, &err);
    if (status == MODEL_OK)
        status = command_plugin_path(&places, &plugin_path, &err);
    if (status == MODEL_OK)
        status = command_secret(&loading, &access.secret, &err);
    if (status == MODEL_OK)
        status = package_open_with(dir, NULL, &access, &package, &err);
    if (status == MODEL_OK) {
        status = explain(&package, plugin_path, as_json, &err);
        package_finish(&package);
    }
    free(dir);
    free(plugin_path);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
