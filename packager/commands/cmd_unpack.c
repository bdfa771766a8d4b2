/* cmd_unpack.c - `pkgmgr unpack`. */
#include "buffer.h"
#include "case_twins.h"
#include "command_secret.h"
#include "command_trust.h"
#include "commands.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"
#include "package_unpack.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char help_unpack[] =
    "usage: pkgmgr unpack FILE.mhp [OPTION]...\n\n"
    "Unpacks an archive into a folder, which is there with all its files or not at all. The whole\n"
    "file and each of its contents are compared with their SHA-256: any bit that was changed is found\n"
    "(exit code 7). Prints the folder.\n\n"
    "  -o, --output DIR   the folder to make, or an empty one (default: FILE without .mhp)\n"
    "  --filter GLOB      only files whose path matches; may come several times; '*' is any text,\n"
    "                     '/' too\n" COMMAND_SECRET_HELP COMMAND_REQUIRE_HELP
    "  --json             print the result as JSON, and events to standard error, one a line\n"
    "  -q, --quiet        say nothing but errors\n";

struct arguments {
    const char *file, *output;
    struct command_list filters;
    struct command_secret secret;
    bool json, quiet, require_signature;
};

static model_status print_result(const struct arguments *arguments, const char *dir,
                                 const struct unpack_summary *summary, struct model_error *err)
{
    if (!arguments->quiet && !arguments->json)
        fprintf(stderr, "pkgmgr: %zu files, %llu bytes\n", summary->n_files,
                (unsigned long long)summary->size_bytes);
    char *text = NULL;
    if (arguments->json) {
        json_node *root = json_new_object();
        (void)json_add_string(root, "path", dir);
        (void)json_add_number(root, "files", (double)summary->n_files);
        (void)json_add_number(root, "size_bytes", (double)summary->size_bytes);
        text = command_json_text(root);
        json_free(root);
    } else {
        text = text_format("%s\n", dir);
    }
    model_status status =
        text != NULL ? command_print(text, err) : error_no_memory(err, "the result");
    free(text);
    return status;
}

/* What the file is called without its suffix, here. */
static char *usual_folder(const char *file)
{
    const char *name = path_base(file);
    const size_t n = strlen(name), n_suffix = sizeof ARCHIVE_SUFFIX - 1;
    const bool has_suffix = n > n_suffix && strcmp(name + n - n_suffix, ARCHIVE_SUFFIX) == 0;
    return has_suffix ? text_format("%.*s", (int)(n - n_suffix), name)
                      : text_format("%s.unpacked", name);
}

static void tell_file(void *context, const char *path, uint64_t size_bytes)
{
    (void)context;
    command_event_file(path, size_bytes);
}

static const char *path_at(const void *index, size_t i)
{
    return ((const struct archive_index *)index)->entries[i].path;
}

static void warn_of_twins(const struct archive *archive)
{
    const struct archive_index *index = archive_index(archive);
    size_t first, second;
    if (case_twins_find(path_at, index, index->n_entries, &first, &second))
        command_warn(CASE_TWINS_WARNING, index->entries[first].path, index->entries[second].path);
}

static model_status unpack(const struct arguments *arguments, struct model_error *err)
{
    struct archive *archive = NULL;
    struct command_trust trust;
    struct command_secret access = arguments->secret;
    struct unpack_summary summary = {0};
    const struct unpack_options options = {
        .filters = arguments->filters.values,
        .n_filters = arguments->filters.n_values,
        .is_cancelled = command_interrupted,
        .file_done = arguments->json && !arguments->quiet ? tell_file : NULL};
    char *dir = arguments->output != NULL ? text_format("%s", arguments->output)
                                          : usual_folder(arguments->file);
    if (dir == NULL)
        return error_no_memory(err, "a path");
    for (size_t n = strlen(dir); n > 1 && dir[n - 1] == '/'; n--)
        dir[n - 1] = '\0'; /* the temporary folder is beside it, not in it */
    command_catch_interrupts();
    model_status status = command_trust_init(&trust, arguments->require_signature, err);
    access.signature = command_trust_policy(&trust);
    if (status == MODEL_OK)
        status = command_open_archive(arguments->file, ARCHIVE_STANDARD, &access, &archive, err);
    if (status == MODEL_OK && !arguments->quiet)
        warn_of_twins(archive);
    if (status == MODEL_OK)
        status = package_unpack(archive, dir, &options, &summary, err);
    if (status != MODEL_OK)
        command_advise_room(err);
    if (status == MODEL_OK && !arguments->quiet)
        command_warn_of_own(archive);
    if (status == MODEL_OK)
        status = print_result(arguments, dir, &summary, err);
    archive_close(archive);
    command_trust_finish(&trust);
    free(dir);
    return status;
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    const struct command_option options[] = {
        {"output", .text = &arguments->output, .letter = 'o'},
        {"filter", .list = &arguments->filters},
        {"passphrase-file", .text = &arguments->secret.passphrase_file},
        {"key-file", .text = &arguments->secret.key_file},
        {"require-signature", .flag = &arguments->require_signature},
        {"json", .flag = &arguments->json},
        {"quiet", .flag = &arguments->quiet, .letter = 'q'},
        {.name = NULL}};
    arguments->filters.values = calloc((size_t)argc, sizeof *arguments->filters.values);
    if (arguments->filters.values == NULL || !command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (argc - optind != 1)
        return command_usage("unpack", "want one FILE" ARCHIVE_SUFFIX);
    if (!command_secret_check("unpack", &arguments->secret))
        return COMMAND_USAGE;
    arguments->file = argv[optind];
    return 0;
}

int cmd_unpack(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct arguments arguments = {0};
    int code = read_arguments(argc, argv, &arguments);
    if (code == 0) {
        model_status status = unpack(&arguments, &err);
        code = status == MODEL_OK ? 0 : command_fail(status, &err);
    }
    free(arguments.filters.values);
    return code;
}
