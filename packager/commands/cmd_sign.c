/* cmd_sign.c - `pkgmgr sign`. */
#include "command_trust.h"
#include "commands.h"
#include "errors.h"
#include "package_locate.h"
#include "package_sign.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char help_sign[] =
    "usage: pkgmgr sign PKG [OPTION]...\n\n"
    "Signs a package with a key of yours: its metadata.json, which lists every file with its SHA-256,\n"
    "plugins included. PKG is a name in the store, a folder, or an archive (.mhp). All files are\n"
    "compared first. The signature is metadata.json.minisig beside it, or in the archive's header;\n"
    "`minisign -V` verifies it, too. A folder that somebody made by hand gets a metadata.json.\n"
    "Prints the package's path.\n\n"
    "  --key NAME|FILE    which key: by its name, or a file, one of minisign's, too (default: the\n"
    "                     only one there is)\n"
    "  --password-file FILE  its password is the first line; '-' is standard input (default: asked for\n"
    "                     at a terminal)\n"
    "  --name ID          of a folder without metadata.json: its id, 'owner/name' (default: the\n"
    "                     folder's name)\n"
    "  --revision R       of such a folder (default: digits of a digest of its files)\n"
    "  --renew            sign also what was changed since it was signed, and say what that is, or what\n"
    "                     another trusted key has signed, in place of that signature; a folder whose\n"
    "                     files were changed gets a new metadata.json and revision\n"
    "  --store DIR        where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json             print the result as JSON\n"
    "  -q, --quiet        say nothing but errors\n";

struct arguments {
    const char *package, *key, *password_file, *id, *revision, *store_dir;
    bool renew, json, quiet;
};

static model_status load_key(const struct arguments *arguments, struct secret_key **ret,
                             struct model_error *err)
{
    struct key_store store = {0};
    char *path = NULL, *text = NULL, *password = NULL;
    size_t n_bytes = 0;
    model_status status = command_key_store(&store, err);
    if (status == MODEL_OK)
        status = key_store_find_secret(&store, arguments->key, &path, err);
    if (status == MODEL_OK)
        status = key_store_read_secret(path, &text, &n_bytes, err);
    if (status == MODEL_OK && secret_key_wants_password(text, n_bytes))
        status = command_password(arguments->password_file, "Password of the key: ", false,
                                  &password, err);
    if (status == MODEL_OK)
        status = secret_key_parse(text, n_bytes, path, password, ret, err);
    secret_free(password);
    secret_text_free(text);
    free(path);
    key_store_finish(&store);
    return status;
}

static void tell_changes(const struct signed_changes *changes)
{
    for (size_t i = 0; i < changes->n_changes; i++)
        fprintf(stderr, "pkgmgr: since it was signed: %s %s\n", changes->changes[i].path,
                signed_change_name(changes->changes[i].kind));
}

static void add_changes(json_node *root, const struct signed_changes *changes)
{
    json_node *array = json_add_array(root, "changes");
    for (size_t i = 0; i < changes->n_changes; i++) {
        json_node *item = json_add_object(array, NULL);
        (void)json_add_string(item, "path", changes->changes[i].path);
        (void)json_add_string(item, "change", signed_change_name(changes->changes[i].kind));
    }
}

static model_status print_result(const struct arguments *arguments, const char *dir,
                                 const struct secret_key *key, const struct package_signed *result,
                                 struct model_error *err)
{
    struct public_key public;
    char id[KEY_ID_TEXT_BYTES];
    secret_key_public(key, &public);
    key_id_write(public.id, id);
    if (!arguments->quiet && !arguments->json)
        tell_changes(&result->changes);
    if (!arguments->quiet)
        fprintf(stderr, "pkgmgr: %s@%.12s, %zu files, signed with the key %s%s\n", result->id,
                result->revision, result->n_files, id,
                result->made_manifest ? "; metadata.json was made" : "");
    if (result->plugin != NULL)
        command_warn("%s takes libraries from places of its own, which the signature does not "
                     "cover: with require_signature it is not opened",
                     result->plugin);
    if (!arguments->json)
        return printf("%s\n", dir) > 0 ? command_flush(err) : MODEL_OK;
    json_node *root = json_new_object();
    (void)json_add_string(root, "path", dir);
    (void)json_add_string(root, "id", result->id);
    (void)json_add_string(root, "revision", result->revision);
    (void)json_add_number(root, "files", (double)result->n_files);
    (void)json_add_string(root, "key", id);
    if (arguments->renew)
        add_changes(root, &result->changes);
    model_status status = command_print_json(root, err);
    json_free(root);
    return status;
}

static void print_warning(void *context, int32_t level, const char *message)
{
    (void)context;
    (void)level;
    command_warn("%s", message);
}

static model_status sign(const struct arguments *arguments, struct model_error *err)
{
    struct store *store = NULL;
    struct package_place place = {0};
    struct secret_key *key = NULL;
    struct package_signed result = {0};
    struct trusted_keys trusted = {0};
    const struct log_sink log = {.level = MODEL_LOG_WARN, .write = print_warning};
    struct package_signing signing = {.id = arguments->id,
                                      .revision = arguments->revision,
                                      .keys = &trusted,
                                      .renew = arguments->renew,
                                      .now = time(NULL),
                                      .wait = command_wait(),
                                      .log = arguments->quiet ? NULL : &log};
    model_status status = command_look_into_store(arguments->store_dir, &store, err);
    if (status == MODEL_OK)
        status = package_locate(store, arguments->package, &place, err);
    if (status == MODEL_OK)
        status = load_key(arguments, &key, err);
    /* who cannot read the list can still sign: what is there is judged by the own key then */
    (void)command_trusted_keys(&trusted, NULL);
    signing.path = place.dir;
    signing.key = key;
    if (status == MODEL_OK)
        status = package_sign(&signing, &result, err);
    if (status == MODEL_OK)
        status = print_result(arguments, place.dir, key, &result, err);
    package_signed_finish(&result);
    trusted_keys_finish(&trusted);
    secret_key_destroy(key);
    package_place_finish(&place);
    store_close(store);
    return status;
}

int cmd_sign(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct arguments arguments = {.package = NULL};
    const struct command_option options[] = {{"key", .text = &arguments.key},
                                             {"password-file", .text = &arguments.password_file},
                                             {"name", .text = &arguments.id},
                                             {"revision", .text = &arguments.revision},
                                             {"renew", .flag = &arguments.renew},
                                             {"store", .text = &arguments.store_dir},
                                             {"json", .flag = &arguments.json},
                                             {"quiet", .flag = &arguments.quiet, .letter = 'q'},
                                             {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (argc - optind != 1)
        return command_usage("sign", "want one PKG");
    arguments.package = argv[optind];
    int code = command_check_package("sign", arguments.package);
    if (code != 0)
        return code;
    model_status status = sign(&arguments, &err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
