/* cmd_import.c - `pkgmgr import`. */
#include "command_secret.h"
#include "command_trust.h"
#include "commands.h"
#include "environment.h"
#include "errors.h"
#include "files.h"
#include "human_text.h"
#include "package_adopt.h"
#include "package_import.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const char help_import[] =
    "usage: pkgmgr import PATH [OPTION]...\n\n"
    "Makes a package of a model that is on this disk: a folder (as transformers' save_pretrained()\n"
    "writes it), a Core ML model (.mlmodel, .mlpackage, or compiled .mlmodelc), or a repository or snapshot of the hub's cache (.../hub/models--OWNER--NAME). A package,\n"
    "as a folder with metadata.json or as an archive (.mhp), goes in as it is, with its signature.\n"
    "Bytes are hashed, and shared with what they come from where the disk can do that. Prints the\n"
    "package's folder.\n\n"
    "  --name ID          the package's id (default: what the cache says, or the folder's name)\n"
    "  --revision R       which ref or commit of a cache's repository (default: main)\n"
    "  --allow-pickle     take weights in pickles too; they can run any code when opened\n"
    "  --plugin-path P    folders with plugins, separated by ':' (default: MODELHOST_PLUGIN_PATH)\n"
    "  --store DIR        where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n" COMMAND_SECRET_HELP
        COMMAND_REQUIRE_HELP "  --json             print the result as JSON\n"
    "  -q, --quiet        say nothing but errors\n";

static void warn(void *context, int32_t level, const char *message)
{
    (void)context;
    if (level <= MODEL_LOG_WARN)
        command_warn("%s", message);
    else
        command_note("%s", message);
}

static model_status print(const struct package_imported *result, bool json, bool quiet,
                          struct model_error *err)
{
    char size[HUMAN_TEXT_BYTES];
    if (json) {
        json_node *root = json_new_object();
        (void)json_add_string(root, "path", result->dir);
        (void)json_add_string(root, "id", result->id);
        (void)json_add_string(root, "revision", result->revision);
        (void)json_add_number(root, "size", (double)result->size_bytes);
        (void)json_add_number(root, "files", (double)result->n_files);
        if (result->note != NULL)
            (void)json_add_string(root, "note", result->note);
        model_status status = command_print_json(root, err);
        json_free(root);
        return status;
    }
    if (!quiet)
        fprintf(stderr, "%s@%.12s: %zu files, %s\n", result->id, result->revision, result->n_files,
                human_size(result->size_bytes, size));
    if (!quiet && result->note != NULL)
        command_warn("%s", result->note);
    if (!quiet && result->plugin_advice != NULL)
        command_warn("%s", result->plugin_advice);
    printf("%s\n", result->dir);
    return MODEL_OK;
}

/* What is no package has no signature. */
static model_status adopt_or_import(const struct store *store, const struct package_import *import,
                                    struct command_secret *secret, bool require_signature,
                                    struct package_imported *ret, struct model_error *err)
{
    struct command_trust trust;
    struct trusted_keys known = {0};
    struct archive *archive = NULL;
    model_status status = command_trust_init(&trust, require_signature, err);
    secret->signature = command_trust_policy(&trust);
    const bool is_package = package_is_adoptable(import->path);
    struct package_adoption adoption = {.path = import->path,
                                        .revision = import->revision,
                                        .keys = &known,
                                        .signature = secret->signature};
    /* without the list no signature is known, and what the store has stays */
    (void)command_trusted_keys(&known, NULL);
    if (status == MODEL_OK && !is_package && trust.is_required)
        status = error_set(err, MODELHOST_UNTRUSTED,
                           "%s is no package and so has no signature; import it without "
                           "--require-signature, look through it and sign it yourself",
                           import->path);
    else if (status == MODEL_OK && !is_package)
        status = package_import(store, import, ret, err);
    else if (status == MODEL_OK) {
        if (path_is_file(import->path))
            status = command_open_archive(import->path, ARCHIVE_STANDARD, secret, &archive, err);
        adoption.archive = archive;
        if (status == MODEL_OK)
            status = package_adopt(store, &adoption, ret, err);
        archive_close(archive);
    }
    trusted_keys_finish(&known);
    command_trust_finish(&trust);
    return status;
}

int cmd_import(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct store *store = NULL;
    struct package_import import = {.log = {.level = MODEL_LOG_WARN, .write = warn}};
    struct package_imported result = {0};
    const char *store_dir = NULL;
    char *plugin_path = NULL, *key = NULL;
    bool json = false, quiet = false, require_signature = false;
    struct command_secret secret = {.key_file = NULL};
    const struct command_option table[] = {{"name", .text = &import.id},
                                           {"revision", .text = &import.revision},
                                           {"allow-pickle", .flag = &import.allow_pickle},
                                           {"plugin-path", .text = &import.plugin_path},
                                           {"store", .text = &store_dir},
                                           {"passphrase-file", .text = &secret.passphrase_file},
                                           {"key-file", .text = &secret.key_file},
                                           {"require-signature", .flag = &require_signature},
                                           {"json", .flag = &json},
                                           {"quiet", .flag = &quiet, .letter = 'q'},
                                           {.name = NULL}};
    if (!command_read_options(argc, argv, table))
        return COMMAND_USAGE;
    if (argc - optind != 1)
        return command_usage("import", "want one PATH");
    if (!command_secret_check("import", &secret))
        return COMMAND_USAGE;
    if (import.id != NULL && store_key_of(import.id, &key, &err) != MODEL_OK)
        return command_usage("import", "--name: %s", err.message);
    free(key);
    import.path = argv[optind];
    if (import.id != NULL && package_is_adoptable(import.path))
        return command_usage("import", "%s is a package and says its id itself: leave --name out",
                             import.path);
    if (quiet)
        import.log.level = MODEL_LOG_ERROR;
    model_status status = command_open_store(store_dir, 1, &store, &err);
    if (status == MODEL_OK && import.plugin_path == NULL) {
        status = environment_plugin_path(&plugin_path, &err);
        import.plugin_path = plugin_path;
    }
    if (status == MODEL_OK)
        status = adopt_or_import(store, &import, &secret, require_signature, &result, &err);
    if (status != MODEL_OK && store != NULL)
        command_advise_store(store, &err);
    if (status == MODEL_OK)
        status = print(&result, json, quiet, &err);
    package_imported_finish(&result);
    free(plugin_path);
    store_close(store);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
