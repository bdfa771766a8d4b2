/* cmd_convert.c - `pkgmgr convert`. */
#include "commands.h"
#include "convert.h"
#include "dtype.h"
#include "errors.h"
#include "files.h"
#include "human_text.h"
#include "json_view.h"
#include "package_locate.h"
#include "weights_place.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char help_convert[] =
    "usage: pkgmgr convert IN OUT [OPTION]...\n\n"
    "Makes safetensors of weights in a pickle, and other element types of weights. IN is a file\n"
    "of torch.save() (pytorch_model.bin, *.bin.index.json), a safetensors file, a folder with one\n"
    "of these, or a package, by its name in the store or its folder. OUT is a file, or a folder to\n"
    "make for a package. The pickle is read, not executed: one that asks for more than tensors is\n"
    "refused (exit code 7).\n\n"
    "  --dtype T      what floating-point tensors become: f32, f16 or bf16, rounded to the\n"
    "                 nearest; without it they stay as they are\n"
    "  --force        replace a file that is there\n"
    "  --dry-run      say what would be done, write nothing\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json         print the result as JSON\n"
    "  -q, --quiet    say nothing but errors\n";

struct arguments {
    const char *from, *to, *store_dir, *dtype;
    bool json, quiet, dry_run, force;
};

/* ---- the result */

static model_status print_json(const char *to, const struct convert_report *report,
                               struct model_error *err)
{
    json_node *root = json_new_object();
    (void)json_add_string(root, "path", to);
    (void)json_add_number(root, "tensors", (double)report->n_tensors);
    (void)json_add_number(root, "converted", (double)report->n_converted);
    (void)json_add_number(root, "aliases", (double)report->n_aliases);
    (void)json_add_number(root, "from_bytes", (double)report->from_bytes);
    (void)json_add_number(root, "to_bytes", (double)report->to_bytes);
    (void)json_add_number(root, "became_infinite", (double)report->n_infinite);
    char *text = root != NULL ? command_json_text(root) : NULL;
    model_status status =
        text != NULL ? command_print(text, err) : error_no_memory(err, "the result");
    free(text);
    json_free(root);
    return status;
}

static void print_summary(const struct arguments *arguments, const struct convert_report *report)
{
    char from[HUMAN_TEXT_BYTES], to[HUMAN_TEXT_BYTES];
    fprintf(stderr, "pkgmgr: %zu tensors, %zu with a new element type, %s -> %s%s\n",
            report->n_tensors, report->n_converted, human_size(report->from_bytes, from),
            human_size(report->to_bytes, to), arguments->dry_run ? " (nothing was written)" : "");
    if (report->n_aliases > 0)
        fprintf(stderr, "pkgmgr: %zu names of shared tensors are in the file's metadata alone\n",
                report->n_aliases);
}

static model_status print_result(const struct arguments *arguments, const char *to,
                                 const struct convert_report *report, struct model_error *err)
{
    if (report->n_infinite > 0)
        command_warn("%llu elements of %zu tensors are too large for %s and became infinite, the "
                     "first in '%s'%s",
                     (unsigned long long)report->n_infinite, report->n_infinite_tensors,
                     arguments->dtype, report->infinite_tensor,
                     strcmp(arguments->dtype, "f16") == 0 ? "; bf16 reaches further" : "");
    if (arguments->json)
        return print_json(to, report, err);
    if (!arguments->quiet)
        print_summary(arguments, report);
    if (arguments->dry_run)
        return MODEL_OK;
    char *line = text_format("%s\n", to);
    model_status status =
        line != NULL ? command_print(line, err) : error_no_memory(err, "the result");
    free(line);
    return status;
}

/* ---- files and packages */

static void warn_left_out(const struct tensor_table *table, const struct arguments *arguments)
{
    for (size_t i = 0; i < table->n_files && !arguments->quiet; i++)
        for (size_t j = 0; j < table->files[i].n_left_out; j++)
            command_warn("left out, as it is no tensor of the model: %s",
                         table->files[i].left_out[j]);
}

static model_status convert_file(const struct arguments *arguments,
                                 const struct convert_options *options, struct model_error *err)
{
    struct tensor_table table = {0};
    struct convert_report report = {0};
    char *to = path_is_dir(arguments->to) ? path_join(arguments->to, WEIGHTS_SINGLE_NAME)
                                          : text_format("%s", arguments->to);
    model_status status = to != NULL ? MODEL_OK : error_no_memory(err, "the result");
    if (status == MODEL_OK && !arguments->force && !arguments->dry_run && access(to, F_OK) == 0)
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "%s is there already; give --force to replace it", to);
    if (status == MODEL_OK)
        status = tensor_table_open(arguments->from, &table, err);
    if (status == MODEL_OK) {
        warn_left_out(&table, arguments);
        status = convert_weights(&table, to, options, &report, err);
    }
    if (status != MODEL_OK)
        command_advise_room(err);
    if (status == MODEL_OK)
        status = print_result(arguments, to, &report, err);
    tensor_table_close(&table);
    free(to);
    return status;
}

static model_status refuse_archive(const char *path, struct model_error *err)
{
    if (!path_is_file(path))
        return MODEL_OK;
    return error_set(err, MODEL_UNSUPPORTED,
                     "%.400s is a package in one file, which is not converted as it is: 'pkgmgr "
                     "unpack' makes a folder of it",
                     path);
}

static model_status convert_place(const struct arguments *arguments,
                                  const struct convert_options *options, struct model_error *err)
{
    struct store *store = NULL;
    struct package_place place = {0};
    struct convert_report report = {0};
    model_status status = command_look_into_store(arguments->store_dir, &store, err);
    if (status == MODEL_OK)
        status = package_locate(store, arguments->from, &place, err);
    if (status == MODEL_OK)
        status = refuse_archive(place.dir, err);
    if (status == MODEL_OK)
        status = convert_package(place.dir, arguments->to, options, &report, err);
    if (status != MODEL_OK)
        command_advise_room(err);
    if (status == MODEL_OK)
        status = print_result(arguments, arguments->to, &report, err);
    package_place_finish(&place);
    store_close(store);
    return status;
}

/* ---- arguments */

static const struct {
    const char *name;
    int32_t dtype;
} dtypes[] = {{"f32", MODEL_F32}, {"f16", MODEL_F16}, {"bf16", MODEL_BF16}};

static int read_arguments(int argc, char **argv, struct arguments *arguments, int32_t *ret_dtype)
{
    const struct command_option options[] = {{"dtype", .text = &arguments->dtype},
                                             {"force", .flag = &arguments->force},
                                             {"dry-run", .flag = &arguments->dry_run},
                                             {"store", .text = &arguments->store_dir},
                                             {"json", .flag = &arguments->json},
                                             {"quiet", .flag = &arguments->quiet, .letter = 'q'},
                                             {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    if (argc - optind != 2)
        return command_usage("convert", "want IN and OUT");
    arguments->from = argv[optind];
    arguments->to = argv[optind + 1];
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0] && arguments->dtype != NULL; i++)
        if (strcmp(dtypes[i].name, arguments->dtype) == 0)
            *ret_dtype = dtypes[i].dtype;
    if (arguments->dtype != NULL && *ret_dtype == 0)
        return command_usage("convert", "--dtype is f32, f16 or bf16, not '%s'", arguments->dtype);
    return weights_word_is_path(arguments->from)
               ? 0
               : command_check_package("convert", arguments->from);
}

int cmd_convert(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct arguments arguments = {0};
    struct convert_options options = {.cancelled = command_interrupted};
    int code = read_arguments(argc, argv, &arguments, &options.dtype);
    if (code != 0)
        return code;
    options.dry_run = arguments.dry_run;
    command_catch_interrupts();
    weights_catch_truncation();
    model_status status = weights_word_is_path(arguments.from)
                              ? convert_file(&arguments, &options, &err)
                              : convert_place(&arguments, &options, &err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
