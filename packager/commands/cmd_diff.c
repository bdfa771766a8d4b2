/* cmd_diff.c - `pkgmgr diff`. */
#include "commands.h"
#include "errors.h"
#include "inspect_print.h"
#include "json_difference.h"
#include "package_file.h"
#include "weights_difference.h"
#include "weights_place.h"

#include <getopt.h>
#include <stdlib.h>

const char help_diff[] =
    "usage: pkgmgr diff A B [OPTION]...\n\n"
    "Shows how two models differ: their metadata, their config.json (by JSON pointers), and their\n"
    "tensors: which are added (+), removed (-) or changed (~), with the greatest and the mean\n"
    "absolute difference and the mean one relative to the mean element. A and B are weights as\n"
    "for 'pkgmgr inspect'; of packages of Core ML models metadata, files and configuration are\n"
    "compared. As with diff(1) the exit code is 0 when they are the same, 1 when they\n"
    "differ, and another one when something went wrong.\n\n"
    "  --backend B    which backend of packages\n"
    "  --passphrase-file FILE, --key-file FILE  of encrypted archives: each takes the one that it was\n"
    "                 encrypted with; '-' is standard input, a line for each (default: asked for at\n"
    "                 a terminal)\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json         print it as JSON\n"
    "  -q, --quiet    print nothing, the exit code tells\n";

#define MAX_TEXT_BYTES ((size_t)1 << 30)
#define EXIT_DIFFERENT 1
#define EXIT_TROUBLE   2 /* failures whose usual code would say "different" */

struct arguments {
    const char *a, *b;
    struct weights_access access;
    bool json, quiet;
};

/* ---- metadata: what a manifest says, but for what differs between any two downloads */

static json_node *manifest_tree(const struct manifest *manifest)
{
    json_node *root = json_new_object();
    bool complete = json_add_string(root, "id", manifest->id) != NULL &&
                    json_add_string(root, "revision", manifest->revision) != NULL;
    json_node *files = json_add_object(root, "files");
    for (size_t i = 0; i < manifest->n_files && complete; i++)
        complete =
            json_add_string(files, manifest->files[i].path, manifest->files[i].sha256) != NULL;
    if (complete && files != NULL)
        return root;
    json_free(root);
    return NULL;
}

static model_status compare_metadata(const struct weights_place *a, const struct weights_place *b,
                                     json_node *list, size_t *ret_n, struct model_error *err)
{
    if (!a->is_package || !b->is_package || !a->package.has_manifest || !b->package.has_manifest)
        return a->coreml == NULL && b->coreml == NULL
                   ? MODEL_OK
                   : error_set(err, MODEL_UNSUPPORTED,
                               "a package of a Core ML model is compared by what metadata.json "
                               "lists, which one of both has not; 'pkgmgr import' makes packages "
                               "that have it");
    json_node *of_a = manifest_tree(&a->package.manifest);
    json_node *of_b = manifest_tree(&b->package.manifest);
    model_status status = of_a != NULL && of_b != NULL
                              ? json_difference(of_a, of_b, list, ret_n, err)
                              : error_no_memory(err, "metadata.json");
    json_free(of_b);
    json_free(of_a);
    return status;
}

/* ---- config.json */

static model_status compare_configs(const struct weights_place *a, const struct weights_place *b,
                                    json_node *list, size_t *ret_n, struct model_error *err)
{
    json_node *of_a = NULL, *of_b = NULL;
    model_status status = MODEL_OK;
    if (a->config != NULL)
        status =
            package_file_json(a->package.archive, a->config, PACKAGE_MAX_CONFIG_BYTES, &of_a, err);
    if (status == MODEL_OK && b->config != NULL)
        status =
            package_file_json(b->package.archive, b->config, PACKAGE_MAX_CONFIG_BYTES, &of_b, err);
    if (status == MODEL_OK)
        status = json_difference(of_a, of_b, list, ret_n, err);
    json_free(of_b);
    json_free(of_a);
    return status;
}

/* ---- all */

static model_status compare(const struct weights_place *a, const struct weights_place *b,
                            json_node *root, size_t *ret_n, struct model_error *err)
{
    const struct difference_options options = {command_interrupted, NULL};
    size_t n_metadata = 0, n_config = 0, n_tensors = 0;
    json_node *metadata = json_add_array(root, "metadata");
    json_node *config = json_add_array(root, "config");
    json_node *tensors = json_add_object(root, "tensors");
    if (metadata == NULL || config == NULL || tensors == NULL)
        return error_no_memory(err, "the differences");
    model_status status = compare_metadata(a, b, metadata, &n_metadata, err);
    if (status == MODEL_OK)
        status = compare_configs(a, b, config, &n_config, err);
    if (status == MODEL_OK)
        status = weights_difference(&a->table, &b->table, &options, tensors, &n_tensors, err);
    if (status == MODEL_OK)
        *ret_n = n_metadata + n_config + n_tensors;
    return status;
}

static model_status print_difference(json_node *root, const struct arguments *arguments,
                                     size_t n_different, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
    char *printed = NULL;
    if (arguments->quiet)
        return MODEL_OK;
    (void)json_add_bool(root, "same", n_different == 0);
    if (arguments->json) {
        printed = command_json_text(root);
    } else {
        diff_text(root, &text);
        printed = buffer_take(&text);
    }
    model_status status =
        printed != NULL ? command_print(printed, err) : error_no_memory(err, "the result");
    free(printed);
    buffer_finish(&text);
    return status;
}

static bool is_encrypted(const struct weights_place *place)
{
    const struct archive *archive = place->package.archive;
    return archive != NULL && (archive_header(archive)->flags & ARCHIVE_ENCRYPTED) != 0;
}

/* A secret is a demand: one of both must have been made with it. */
static model_status check_secret(const struct arguments *arguments, const struct weights_place *a,
                                 const struct weights_place *b, struct model_error *err)
{
    const struct command_secret *secret = &arguments->access.secret;
    if ((secret->passphrase_file == NULL && secret->key_file == NULL) || is_encrypted(a) ||
        is_encrypted(b))
        return MODEL_OK;
    return error_set(
        err, MODEL_INVALID_ARGUMENT,
        "neither %.400s nor %.400s is encrypted, and a passphrase or key was given for them: "
        "if one should be, another file was put in its place, so get it again; if "
        "not, compare them without one",
        arguments->a, arguments->b);
}

/* A Core ML model has no tensors to compare, but a package of it has files. */
static model_status open_place(const char *word, const struct weights_access *access,
                               struct weights_place *ret, struct model_error *err)
{
    model_status status = weights_place_open(word, access, ret, err);
    if (status == MODEL_OK && ret->coreml != NULL && !ret->is_package)
        status = error_set(err, MODEL_UNSUPPORTED,
                           "%.400s is a Core ML model, whose weights are not compared; 'pkgmgr "
                           "inspect' shows what it is made of, and packages that 'pkgmgr import' "
                           "makes of two are compared by their files",
                           word);
    return status;
}

static model_status diff(const struct arguments *arguments, size_t *ret_n, struct model_error *err)
{
    struct weights_place a = {0}, b = {0};
    json_node *root = json_new_object();
    size_t n = 0;
    model_status status = root != NULL ? open_place(arguments->a, &arguments->access, &a, err)
                                       : error_no_memory(err, "the differences");
    if (status == MODEL_OK)
        status = open_place(arguments->b, &arguments->access, &b, err);
    if (status == MODEL_OK)
        status = check_secret(arguments, &a, &b, err);
    if (status == MODEL_OK)
        status = compare(&a, &b, root, &n, err);
    if (status == MODEL_OK)
        status = print_difference(root, arguments, n, err);
    if (status == MODEL_OK)
        *ret_n = n;
    weights_place_close(&b);
    weights_place_close(&a);
    json_free(root);
    return status;
}

int cmd_diff(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct arguments arguments = {.access = {.secret.is_choice = true, .with_coreml = true}};
    size_t n_different = 0;
    const struct command_option options[] = {
        {"backend", .text = &arguments.access.backend},
        {"passphrase-file", .text = &arguments.access.secret.passphrase_file},
        {"key-file", .text = &arguments.access.secret.key_file},
        {"store", .text = &arguments.access.store_dir},
        {"json", .flag = &arguments.json},
        {"quiet", .flag = &arguments.quiet, .letter = 'q'},
        {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (argc - optind != 2)
        return command_usage("diff", "want A and B");
    arguments.a = argv[optind];
    arguments.b = argv[optind + 1];
    command_catch_interrupts();
    weights_catch_truncation();
    model_status status = diff(&arguments, &n_different, &err);
    if (status == MODEL_OK)
        return n_different > 0 ? EXIT_DIFFERENT : 0;
    int code = command_fail(status, &err);
    return code == EXIT_DIFFERENT ? EXIT_TROUBLE : code;
}
