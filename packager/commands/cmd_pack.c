/* cmd_pack.c - `pkgmgr pack`. */
#include "command_secret.h"
#include "command_trust.h"
#include "commands.h"
#include "errors.h"
#include "json_view.h"
#include "package_locate.h"
#include "package_pack.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char help_pack[] =
    "usage: pkgmgr pack PKG -o FILE.mhp [OPTION]...\n\n"
    "Makes one file of a package: weights as they are, so that the host maps them straight from it,\n"
    "other files compressed. The same package gives the same bytes. PKG is a name in the store or\n"
    "a folder; files whose names begin with '.' are left out. Prints the file's path.\n\n"
    "  -o, --output FILE  the archive, which should end in .mhp\n"
    "  --force            replace a file that is there, when the new one is whole\n"
    "  --compress LEVEL   1 (fast) to 19 (small) for all but weights, 0: nothing (default: 3)\n"
    "  --ship             as small as possible: weights, too, at level 19; the host then unpacks\n"
    "                     them into memory\n"
    "  --encrypt          only who has the passphrase, or the key, can use the package; names, sizes\n"
    "                     and digests of its files stay readable (docs/trust.md). No two archives\n"
    "                     have the same bytes then\n"
    "  --passphrase-file FILE  the first line is the passphrase; '-' is standard input (default:\n"
    "                     asked for at the terminal, twice)\n"
    "  --key-file FILE    a key of 32 bytes in place of a passphrase\n"
    "  --without-signature  leave out the signature that is there; one that is bad or does not fit is\n"
    "                     refused otherwise\n"
    "  --store DIR        where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json             print the result as JSON, and events to standard error, one a line\n"
    "  -q, --quiet        say nothing but errors\n";

struct arguments {
    const char *package, *output, *store_dir;
    int64_t level;
    struct command_secret secret;
    bool ship, encrypt, without_signature, force, json, quiet;
};

static model_status print_result(const struct arguments *arguments,
                                 const struct archive_summary *summary, struct model_error *err)
{
    if (!arguments->json)
        return printf("%s\n", arguments->output) > 0 ? command_flush(err) : MODEL_OK;
    json_node *root = json_new_object();
    (void)json_add_string(root, "path", arguments->output);
    (void)json_add_number(root, "entries", (double)summary->n_entries);
    (void)json_add_number(root, "content_bytes", (double)summary->content_bytes);
    (void)json_add_number(root, "file_bytes", (double)summary->file_bytes);
    char *text = command_json_text(root);
    model_status status =
        text != NULL ? command_print(text, err) : error_no_memory(err, "the result");
    json_free(root);
    free(text);
    return status;
}

static void tell_file(void *context, const char *path, uint64_t size_bytes)
{
    (void)context;
    command_event_file(path, size_bytes);
}

static model_status pack(const struct arguments *arguments, struct model_error *err)
{
    struct store *store = NULL;
    struct package_place place = {0};
    struct archive_summary summary = {0};
    struct archive_secret *secret = NULL;
    struct trusted_keys keys = {0};
    const struct pack_signature signature = {.keys = &keys,
                                             .is_left_out = arguments->without_signature};
    struct archive_options options = {
        .level = arguments->ship ? 19 : (int)arguments->level,
        .compress_weights = arguments->ship,
        .is_cancelled = command_interrupted,
        .source_done = arguments->json && !arguments->quiet ? tell_file : NULL,
    };
    command_catch_interrupts();
    model_status status = command_look_into_store(arguments->store_dir, &store, err);
    if (status == MODEL_OK)
        status = package_locate(store, arguments->package, &place, err);
    if (status == MODEL_OK && !arguments->force && access(arguments->output, F_OK) == 0)
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "%s is there already; give --force to replace it", arguments->output);
    if (status == MODEL_OK && arguments->encrypt)
        status = command_secret_new(&arguments->secret, &secret, err);
    options.secret = secret;
    if (status == MODEL_OK && !arguments->without_signature && store_package_is_signed(place.dir))
        status = command_trusted_keys(&keys, err);
    if (status == MODEL_OK)
        status = package_pack(place.dir, arguments->output, &signature, &options, &summary, err);
    if (status != MODEL_OK)
        command_advise_room(err);
    if (status == MODEL_OK && !arguments->quiet && !arguments->json)
        fprintf(stderr, "pkgmgr: %zu files, %llu bytes, packed into %llu\n", summary.n_entries,
                (unsigned long long)summary.content_bytes, (unsigned long long)summary.file_bytes);
    if (status == MODEL_OK)
        status = print_result(arguments, &summary, err);
    archive_secret_destroy(secret);
    trusted_keys_finish(&keys);
    package_place_finish(&place);
    store_close(store);
    return status;
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    const struct command_option options[] = {
        {"output", .text = &arguments->output, .letter = 'o'},
        {"compress", .integer = &arguments->level, .min = 0, .max = 19},
        {"ship", .flag = &arguments->ship},
        {"encrypt", .flag = &arguments->encrypt},
        {"passphrase-file", .text = &arguments->secret.passphrase_file},
        {"key-file", .text = &arguments->secret.key_file},
        {"force", .flag = &arguments->force},
        {"without-signature", .flag = &arguments->without_signature},
        {"store", .text = &arguments->store_dir},
        {"json", .flag = &arguments->json},
        {"quiet", .flag = &arguments->quiet, .letter = 'q'},
        {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (argc - optind != 1)
        return command_usage("pack", "want one PKG");
    if (arguments->output == NULL)
        return command_usage("pack", "want the file to make: -o FILE" ARCHIVE_SUFFIX);
    if (!command_secret_check("pack", &arguments->secret))
        return COMMAND_USAGE;
    if (!arguments->encrypt &&
        (arguments->secret.passphrase_file != NULL || arguments->secret.key_file != NULL))
        return command_usage("pack", "a passphrase or a key is for --encrypt");
    arguments->package = argv[optind];
    return command_check_package("pack", arguments->package);
}

int cmd_pack(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct arguments arguments = {.level = 3};
    int code = read_arguments(argc, argv, &arguments);
    if (code != 0)
        return code;
    model_status status = pack(&arguments, &err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
