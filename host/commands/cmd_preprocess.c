/* cmd_preprocess.c - `modelhost preprocess PKG --image FILE --outputs FILE`: the pixel_values that a model
 * would be given. No plugin is opened. */
#include "cpu_budget.h"
#include "errors.h"
#include "package_file.h"
#include "image_files.h"
#include "modelhost_commands.h"
#include "pixel_batch.h"
#include "safetensors.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char cmd_preprocess_help[] =
    "usage: modelhost preprocess PKG --image FILE... --outputs OUT.safetensors [--store DIR]\n"
    "                            [--passphrase-file FILE]\n\n"
    "Writes the tensor pixel_values (images, channels, height, width) that pictures become by the\n"
    "preprocessor_config.json of PKG: a name in the store, a package's folder, or any folder with\n"
    "that file. modelhost run PKG --inputs takes the file.\n\n"
    "  --image FILE    a PNG or a JPEG; - is standard input; may be given several times\n"
    "  --outputs FILE  where the tensor goes\n"
    "  --store DIR     default: MODELHOST_STORE, or ~/.cache/modelhost\n" COMMAND_LOAD_SECRET_HELP;

struct preprocess_command {
    const char **images; /* (n_images); pointers into argv */
    uint32_t n_images;
    const char *outputs_path;
    const char *package;
    struct command_places places;
    struct command_loading loading; /* its secret alone */
};

/* A folder with the file is taken as it is; anything else is a name in the store. */
static model_status open_preprocessor(const struct preprocess_command *command,
                                      struct preprocessor *ret, struct model_error *err)
{
    char *dir = NULL, *path = path_join(command->package, PREPROCESSOR_FILE);
    const bool is_plain = path != NULL && path_is_file(path);
    free(path);
    if (is_plain)
        return preprocessor_load(NULL, command->package, ret, err);
    model_status status = command_find_package(&command->places, command->package, &dir, err);
    struct archive *archive = NULL;
    struct archive_access access = {.level = ARCHIVE_CHECKSUM};
    if (status == MODEL_OK)
        status = command_secret(&command->loading, &access.secret, err);
    if (status == MODEL_OK)
        status = package_archive_open_with(dir, &access, &archive, err);
    if (status == MODEL_OK)
        status = preprocessor_load(archive, dir, ret, err);
    archive_close(archive);
    free(dir);
    return status;
}

static model_status preprocess(const struct preprocess_command *command, struct model_error *err)
{
    struct preprocessor preprocessor;
    struct image_files files;
    struct pixel_batch batch = {.values = NULL};
    model_status status = open_preprocessor(command, &preprocessor, err);
    if (status == MODEL_OK)
        status = image_files_init(command->images, command->n_images, &files, err);
    if (status != MODEL_OK)
        return status;
    status = pixel_batch_init(&preprocessor, files.images, files.n_images, cpu_budget(), NULL,
                              &batch, err);
    if (status != MODEL_OK)
        image_files_name(&files, err);
    image_files_finish(&files);
    if (status == MODEL_OK) {
        const struct model_tensor *tensors[] = {&batch.tensor};
        status = safetensors_write(command->outputs_path, tensors, 1, err);
    }
    pixel_batch_finish(&batch);
    return status;
}

static bool parse(struct preprocess_command *command, int argc, char **argv)
{
    static const struct option options[] = {{"image", required_argument, NULL, 'g'},
                                            {"outputs", required_argument, NULL, 'o'},
                                            {"store", required_argument, NULL, 's'},
                                            {"passphrase-file", required_argument, NULL, 'P'},
                                            {"key-file", required_argument, NULL, 'K'},
                                            {NULL, 0, NULL, 0}};
    for (int c; (c = command_next_option(argc, argv, ":", options)) != -1;) {
        if (c == 'g')
            command->images[command->n_images++] = optarg;
        else if (c == 'o')
            command->outputs_path = optarg;
        else if (c == 's')
            command->places.store_dir = optarg;
        else if (c == 'P')
            command->loading.passphrase_file = optarg;
        else if (c == 'K')
            command->loading.key_file = optarg;
        else
            return false;
    }
    if (argc - optind != 1)
        return command_usage(argv[0], "wants one package or folder") == 0;
    if (command->n_images == 0 || command->outputs_path == NULL)
        return command_usage(argv[0], "wants --image and --outputs") == 0;
    command->package = argv[optind];
    return true;
}

int cmd_preprocess(int argc, char **argv)
{
    struct preprocess_command command = {.images = calloc((size_t)argc + 1, sizeof(char *))};
    struct model_error err = MODEL_ERROR_INIT;
    if (command.images == NULL)
        return command_fail(error_no_memory(&err, "the command line"), &err);
    bool parsed = parse(&command, argc, argv);
    model_status status = parsed ? preprocess(&command, &err) : MODEL_OK;
    free(command.images);
    if (!parsed)
        return COMMAND_USAGE;
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
