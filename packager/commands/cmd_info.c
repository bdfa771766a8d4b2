/* cmd_info.c - `pkgmgr info`. */
#include "buffer.h"
#include "command_secret.h"
#include "command_trust.h"
#include "commands.h"
#include "errors.h"
#include "human_text.h"
#include "package_json.h"
#include "package_license.h"
#include "package_locate.h"
#include "printable_text.h"
#include "utf8.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char help_info[] =
    "usage: pkgmgr info PKG [OPTION]...\n\n"
    "Shows what a package is made of: where it came from, its files with their digests, its\n"
    "plugin, and what is known about the model. PKG is a name in the store, a folder or a file\n"
    "(.mhp).\n\n"
    "  --license      show the licence instead: what the author declares, and its text\n" COMMAND_SECRET_HELP
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json         print it as JSON\n";

#define MAX_TEXT_BYTES (64u << 20)

/* "label  value", where there is a value. */
static void add_line(struct buffer *text, const char *label, const json_node *value)
{
    char size[HUMAN_TEXT_BYTES], shown[PRINTABLE_TEXT_BYTES];
    const char *string = json_string_or(value, NULL);
    if (string != NULL && string[0] != '\0')
        (void)buffer_printf(text, "%-12s  %s\n", label, printable_line(string, shown));
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
    char size[HUMAN_TEXT_BYTES], shown[PRINTABLE_TEXT_BYTES];
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
    char *signature = command_signature_text(json_member(root, "signature"));
    if (signature != NULL)
        (void)buffer_printf(&text, "signature     %s\n", signature);
    free(signature);
    add_line(&text, "size", json_member(root, "size"));
    for (const json_node *file = json_first(json_member(root, "files")); file != NULL;
         file = json_next(file))
        (void)buffer_printf(
            &text, "  %8s  %.12s  %s\n",
            human_size((uint64_t)json_number_or(json_member(file, "size"), 0), size),
            json_string_or(json_member(file, "sha256"), "?"),
            printable_line(json_string_or(json_member(file, "path"), "?"), shown));
    char *table = buffer_take(&text);
    buffer_finish(&text);
    return table;
}

/* ---- the licence */

static json_node *license_json(const struct package *package, const struct package_license *license)
{
    json_node *root = json_new_object();
    (void)json_add_string(root, "path", package->dir);
    if (license->expression != NULL)
        (void)json_add_string(root, "license", license->expression);
    else
        (void)json_add_null(root, "license");
    json_node *declared = json_add_array(root, "declared");
    for (size_t i = 0; i < license->claim.n_values; i++)
        (void)json_add_string(declared, NULL, license->claim.values[i]);
    if (license->claim.name[0] != '\0')
        (void)json_add_string(root, "name", license->claim.name);
    if (license->claim.link[0] != '\0')
        (void)json_add_string(root, "link", license->claim.link);
    (void)json_add_bool(root, "guessed", license->is_guessed);
    if (license->text != NULL) {
        (void)json_add_string(root, "text_path", license->text_path);
        (void)json_add_text(root, "text", license->text, strlen(license->text));
    }
    return root;
}

/* A licence's text is the author's: what would steer a terminal is taken out. */
static void add_license_text(struct buffer *text, const char *license)
{
    for (size_t left = strlen(license); left > 0;) {
        const size_t n =
            *license != '\n' && *license != '\t' ? utf8_control_bytes(license, left) : 0;
        if (n == 0)
            (void)buffer_append(text, license, 1);
        license += n > 0 ? n : 1;
        left -= n > 0 ? n : 1;
    }
}

static char *license_as_text(const struct package_license *license)
{
    struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
    const struct license_claim *claim = &license->claim;
    char shown[PRINTABLE_TEXT_BYTES];
    if (license->expression == NULL)
        (void)buffer_append_text(&text, "license       not declared: neither README.md nor a "
                                        "LICENSE file says one that is known\n");
    else
        (void)buffer_printf(&text, "license       %s%s%s\n", license->expression,
                            license->is_guessed ? ", by the words of " : ", as README.md declares",
                            license->is_guessed ? license->text_path : "");
    if (claim->name[0] != '\0')
        (void)buffer_printf(&text, "name          %s\n", printable_line(claim->name, shown));
    if (claim->link[0] != '\0')
        (void)buffer_printf(&text, "link          %s\n", printable_line(claim->link, shown));
    if (license->text != NULL) {
        (void)buffer_printf(&text, "text          %s\n\n", license->text_path);
        add_license_text(&text, license->text);
    }
    char *all = buffer_take(&text);
    buffer_finish(&text);
    return all;
}

static model_status show_license(const struct package *package, bool as_json,
                                 struct model_error *err)
{
    struct package_license license = {0};
    model_status status = package_license_read(package, &license, err);
    if (status == MODEL_OK && as_json) {
        json_node *root = license_json(package, &license);
        status = command_print_json(root, err);
        json_free(root);
    } else if (status == MODEL_OK) {
        char *text = license_as_text(&license);
        status = text != NULL ? command_print(text, err) : error_no_memory(err, "the result");
        free(text);
    }
    package_license_finish(&license);
    return status;
}

struct arguments {
    const char *word, *store_dir;
    struct command_secret secret;
    bool json, license;
};

static model_status show(const struct arguments *arguments, struct model_error *err)
{
    struct store *store = NULL;
    struct package_place place = {0};
    struct package package = {0};
    model_status status = command_look_into_store(arguments->store_dir, &store, err);
    if (status == MODEL_OK)
        status = package_locate(store, arguments->word, &place, err);
    if (status == MODEL_OK)
        status = command_open_package(place.dir, NULL, &arguments->secret, &package, err);
    if (status == MODEL_OK && arguments->license) {
        status = show_license(&package, arguments->json, err);
    } else if (status == MODEL_OK) {
        json_node *root = package_json(&package);
        (void)command_add_signature(root, package.dir, package.archive);
        char *text = root == NULL      ? NULL
                     : arguments->json ? command_json_text(root)
                                       : as_table(root);
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
    struct arguments arguments = {.word = NULL};
    const struct command_option options[] = {
        {"license", .flag = &arguments.license},
        {"passphrase-file", .text = &arguments.secret.passphrase_file},
        {"key-file", .text = &arguments.secret.key_file},
        {"store", .text = &arguments.store_dir},
        {"json", .flag = &arguments.json},
        {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (argc - optind != 1)
        return command_usage("info", "want one PKG");
    if (!command_secret_check("info", &arguments.secret))
        return COMMAND_USAGE;
    arguments.word = argv[optind];
    int code = command_check_package("info", arguments.word);
    if (code != 0)
        return code;
    model_status status = show(&arguments, &err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
