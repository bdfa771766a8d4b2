/* cmd_rekey.c - `pkgmgr rekey`. */
#include "archive_rekey.h"
#include "buffer.h"
#include "command_secret.h"
#include "commands.h"
#include "errors.h"

#include <getopt.h>
#include <stdio.h>

const char help_rekey[] =
    "usage: pkgmgr rekey FILE.mhp [OPTION]...\n\n"
    "Gives an encrypted archive another passphrase or key. Its contents are not encrypted again, so\n"
    "that who has the old file and the old passphrase still reads them: where a passphrase became\n"
    "known, pack the package anew. Prints the file.\n\n" COMMAND_SECRET_HELP
    "  --new-passphrase-file FILE  what opens it from now on (default: asked for, twice)\n"
    "  --new-key-file FILE\n"
    "  -q, --quiet        say nothing but errors\n";

struct arguments {
    const char *file;
    struct command_secret old, new;
    bool quiet;
};

static model_status rekey(const struct arguments *arguments, struct model_error *err)
{
    struct archive *archive = NULL;
    struct archive_secret *secret = NULL;
    model_status status =
        command_open_archive(arguments->file, ARCHIVE_STANDARD, &arguments->old, &archive, err);
    if (status == MODEL_OK)
        status = command_secret_new(&arguments->new, &secret, err);
    if (status == MODEL_OK)
        status = archive_rekey(archive, secret, err);
    if (status == MODEL_OK && !arguments->quiet)
        fprintf(stderr, "pkgmgr: older copies still open with the older passphrase or key\n");
    if (status == MODEL_OK)
        status = printf("%s\n", arguments->file) > 0 ? command_flush(err) : MODEL_OK;
    archive_secret_destroy(secret);
    archive_close(archive);
    return status;
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    const struct command_option options[] = {
        {"passphrase-file", .text = &arguments->old.passphrase_file},
        {"key-file", .text = &arguments->old.key_file},
        {"new-passphrase-file", .text = &arguments->new.passphrase_file},
        {"new-key-file", .text = &arguments->new.key_file},
        {"quiet", .flag = &arguments->quiet, .letter = 'q'},
        {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (argc - optind != 1)
        return command_usage("rekey", "want one FILE" ARCHIVE_SUFFIX);
    if (!command_secret_check("rekey", &arguments->old))
        return COMMAND_USAGE;
    if (arguments->new.passphrase_file != NULL && arguments->new.key_file != NULL)
        return command_usage("rekey", "want one of --new-passphrase-file and --new-key-file");
    arguments->file = argv[optind];
    return 0;
}

int cmd_rekey(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct arguments arguments = {0};
    int code = read_arguments(argc, argv, &arguments);
    if (code != 0)
        return code;
    model_status status = rekey(&arguments, &err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
