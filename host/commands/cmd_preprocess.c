/* cmd_preprocess.c - `modelhost preprocess PKG --image FILE --outputs FILE`: the pixel_values that a model
 * would be given. No plugin is opened. */
#include "coreml_backend.h"
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
    "that file. Of a Core ML model the tensor has the name of its picture and numbers from 0 to 255.\n"
    "modelhost run PKG --inputs takes the file.\n\n"
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

struct prepared_pictures {
    struct preprocessor preprocessor;
    char *input; /* of a Core ML model with its own preprocessor; NULL: pixel_values */
};

/* The picture that a backend's Core ML model takes, to be freed; NULL: none. */
static char *find_picture(const struct archive *archive, const char *backend_dir)
{
    struct coreml_model *model = NULL;
    char *path = coreml_backend_find(archive, backend_dir), *found = NULL;
    if (path != NULL && coreml_backend_open(archive, path, false, &model, NULL) == MODEL_OK)
        for (size_t i = 0; i < model->inputs.n && found == NULL; i++)
            if (model->inputs.items[i].kind == COREML_FEATURE_IMAGE)
                found = text_format("%s", model->inputs.items[i].name);
    coreml_model_close(model);
    free(path);
    return found;
}

/* The first backend's own file goes before the package's, as when it runs. */
static model_status load(const struct archive *archive, const char *dir,
                         struct prepared_pictures *ret, struct model_error *err)
{
    static const char *const backends[] = {"backends/cpu", "backends/coreml"};
    model_status status = MODEL_NOT_FOUND;
    char *backend = NULL;
    for (size_t i = 0; i < sizeof backends / sizeof backends[0] && backend == NULL; i++) {
        backend = path_join(dir, backends[i]);
        if (backend == NULL)
            return error_no_memory(err, "a path");
        if (package_folder_exists(archive, backend))
            continue;
        free(backend);
        backend = NULL;
    }
    if (backend != NULL)
        status = preprocessor_load(archive, backend, &ret->preprocessor, err);
    if (status == MODEL_OK)
        ret->input = find_picture(archive, backend);
    else if (status == MODEL_NOT_FOUND)
        status = preprocessor_load(archive, dir, &ret->preprocessor, err);
    free(backend);
    return status;
}

/* A folder with the file, or with backends, is taken as it is; anything else is a name in the store. */
static model_status open_preprocessor(const struct preprocess_command *command,
                                      struct prepared_pictures *ret, struct model_error *err)
{
    char *dir = NULL, *path = path_join(command->package, PREPROCESSOR_FILE);
    char *backends = path_join(command->package, "backends");
    const bool is_plain =
        (path != NULL && path_is_file(path)) || (backends != NULL && path_is_dir(backends));
    free(backends);
    free(path);
    if (is_plain)
        return load(NULL, command->package, ret, err);
    model_status status = command_find_package(&command->places, command->package, &dir, err);
    struct archive *archive = NULL;
    struct archive_access access = {.level = ARCHIVE_CHECKSUM};
    if (status == MODEL_OK)
        status = command_secret(&command->loading, &access.secret, err);
    if (status == MODEL_OK)
        status = package_archive_open_with(dir, &access, &archive, err);
    if (status == MODEL_OK)
        status = load(archive, dir, ret, err);
    archive_close(archive);
    free(dir);
    return status;
}

static model_status preprocess(const struct preprocess_command *command, struct model_error *err)
{
    struct prepared_pictures pictures = {.input = NULL};
    struct image_files files;
    struct pixel_batch batch = {.values = NULL};
    model_status status = open_preprocessor(command, &pictures, err);
    if (status == MODEL_OK)
        status = image_files_init(command->images, command->n_images, &files, err);
    if (status != MODEL_OK) {
        free(pictures.input);
        return status;
    }
    status = pixel_batch_init(&pictures.preprocessor, files.images, files.n_images, cpu_budget(),
                              NULL, &batch, err);
    if (status != MODEL_OK)
        image_files_name(&files, err);
    image_files_finish(&files);
    if (status == MODEL_OK) {
        if (pictures.input != NULL)
            batch.tensor.name = pictures.input;
        const struct model_tensor *tensors[] = {&batch.tensor};
        status = safetensors_write(command->outputs_path, tensors, 1, err);
    }
    pixel_batch_finish(&batch);
    free(pictures.input);
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
