/* cmd_inspect.c - `pkgmgr inspect`. */
#include "command_trust.h"
#include "commands.h"
#include "coreml_print.h"
#include "errors.h"
#include "files.h"
#include "inspect_print.h"
#include "inspection.h"
#include "weights_place.h"

#include <getopt.h>
#include <stdlib.h>

const char help_inspect[] =
    "usage: pkgmgr inspect WEIGHTS [OPTION]...\n\n"
    "Shows what weights are made of: their element types and sizes, and the tensors by the dotted\n"
    "parts of their names, with sums. WEIGHTS is a safetensors file, a file of torch.save()\n"
    "(which is read, not executed), a package by its name in the store, its folder or its .mhp file,\n"
    "or another folder with weights. Reads headers only, except with --stats and of weights that are\n"
    "compressed.\n"
    "Of a Core ML model (.mlmodel, .mlpackage, or a package's coreml backend) the inputs, outputs,\n"
    "operators, weights and metadata are shown; of a program as text (model.mil) inputs, outputs and\n"
    "operators, and of a compiled model (.mlmodelc) what its metadata.json and its text, if it has\n"
    "them, say of these.\n\n"
    "  --tensors      a line for each tensor instead of the tree\n"
    "  --depth N      levels of the tree (default: 3)\n"
    "  --stats        read all elements: least, greatest, mean, standard deviation, how many are\n"
    "                 zero, infinite or no numbers; implies --tensors\n"
    "  --backend B    which of a package's backends\n" COMMAND_SECRET_HELP
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json         print all of it as JSON\n";

#define MAX_TEXT_BYTES ((size_t)1 << 30)
#define DEFAULT_DEPTH  3
#define MAX_DEPTH      100

struct arguments {
    const char *word;
    struct weights_access access;
    int64_t depth;
    bool tensors, stats, json;
};

static json_node *describe_package(json_node *root, const struct package *package)
{
    json_node *object = json_add_object(root, "package");
    (void)json_add_string(object, "path", package->dir);
    (void)json_add_string(object, "backend", package->backend);
    if (package->has_manifest) {
        (void)json_add_string(object, "id", package->manifest.id);
        (void)json_add_string(object, "revision", package->manifest.revision);
    }
    return command_add_signature(object, package->dir, package->archive);
}

static model_status add_line(void *context, const json_node *tensor, struct model_error *err)
{
    struct buffer *text = context;
    (void)err;
    inspect_line(tensor, text);
    return MODEL_OK;
}

static model_status add_tree(const struct tensor_table *table, unsigned depth, struct buffer *ret,
                             struct model_error *err)
{
    const struct model_tensor **ordered = inspection_order(table);
    if (ordered == NULL)
        return error_no_memory(err, "the result");
    inspect_tree(ordered, table->n_tensors, depth, ret);
    free(ordered);
    return MODEL_OK;
}

static model_status make_text(const json_node *root, const struct tensor_table *table,
                              const struct arguments *arguments,
                              const struct inspection_options *options, struct buffer *ret,
                              struct model_error *err)
{
    if (json_member(root, "kind") != NULL) {
        coreml_text_of(root, ret);
        return MODEL_OK;
    }
    inspect_summary(root, table->n_tensors, ret);
    if (table->n_tensors == 0 && buffer_append_text(ret, "no tensors\n") != MODEL_OK)
        return error_no_memory(err, "the result");
    return arguments->tensors || arguments->stats
               ? inspection_each(table, options, add_line, ret, err)
               : add_tree(table, (unsigned)arguments->depth, ret, err);
}

static model_status print_inspection(const json_node *root, const struct tensor_table *table,
                                     const struct arguments *arguments,
                                     const struct inspection_options *options,
                                     struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
    char *printed = NULL;
    model_status status = MODEL_OK;
    if (!arguments->json)
        status = make_text(root, table, arguments, options, &text, err);
    if (status == MODEL_OK) {
        printed = arguments->json ? command_json_text(root) : buffer_take(&text);
        status = printed != NULL ? command_print(printed, err) : error_no_memory(err, "the result");
    }
    free(printed);
    buffer_finish(&text);
    return status;
}

static model_status inspect(const struct arguments *arguments, struct model_error *err)
{
    struct weights_place place = {0};
    const struct inspection_options options = {.statistics = arguments->stats,
                                               .no_tensors = !arguments->json,
                                               .no_tree = !arguments->json,
                                               .cancelled = command_interrupted};
    json_node *root = json_new_object();
    model_status status = root != NULL
                              ? weights_place_open(arguments->word, &arguments->access, &place, err)
                              : error_no_memory(err, "the result");
    if (status == MODEL_OK && place.is_package && describe_package(root, &place.package) == NULL)
        status = error_no_memory(err, "the result");
    if (status == MODEL_OK && json_add_string(root, "path", place.path) == NULL)
        status = error_no_memory(err, "the result");
    if (status == MODEL_OK)
        status = place.coreml != NULL
                     ? coreml_describe(root, place.package.archive, place.coreml, err)
                     : inspection_add(root, &place.table, &options, err);
    if (status == MODEL_OK)
        status = print_inspection(root, &place.table, arguments, &options, err);
    weights_place_close(&place);
    json_free(root);
    return status;
}

int cmd_inspect(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct arguments arguments = {.depth = DEFAULT_DEPTH, .access.with_coreml = true};
    const struct command_option options[] = {
        {"tensors", .flag = &arguments.tensors},
        {"stats", .flag = &arguments.stats},
        {"depth", .integer = &arguments.depth, .min = 1, .max = MAX_DEPTH},
        {"backend", .text = &arguments.access.backend},
        {"passphrase-file", .text = &arguments.access.secret.passphrase_file},
        {"key-file", .text = &arguments.access.secret.key_file},
        {"store", .text = &arguments.access.store_dir},
        {"json", .flag = &arguments.json},
        {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (argc - optind != 1)
        return command_usage("inspect", "want one WEIGHTS");
    if (!command_secret_check("inspect", &arguments.access.secret))
        return COMMAND_USAGE;
    arguments.word = argv[optind];
    command_catch_interrupts();
    weights_catch_truncation();
    model_status status = inspect(&arguments, &err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
