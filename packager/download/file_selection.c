/* file_selection.c - see file_selection.h. */
#include "file_selection.h"
#include "coreml_package.h"
#include "errors.h"
#include "hub_glob.h"
#include "package_members.h"

#include <string.h>
#include <strings.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const char *const pickles[] = {"*.bin",    "*.pt",   "*.pth",   "*.pkl",
                                      "*.pickle", "*.ckpt", "*.joblib"};

/* Pickles that are no weights: leftovers of training. */
static const char *const training_state[] = {"*training_args.bin", "*optimizer*.pt",
                                             "*optimizer*.bin",    "*scheduler*.pt",
                                             "*scheduler*.bin",    "*rng_state*.pth"};

static const char *const other_frameworks[] = {
    "*.h5",        "*.keras",   "*.msgpack",  "*.ot",          "*.onnx",       "*.onnx_data",
    "*.onnx.data", "*.gguf",    "*.tflite",   "*.mlmodel",     "*.nemo",       "onnx/",
    "*/onnx/",     "openvino/", "coreml/",    "*/coreml/",     "*.mlpackage/", "*.mlmodelc/",
    "*/openvino/", "original/", "openvino_*", "saved_model.pb"};

static const char *const housekeeping[] = {".gitattributes", "*/.gitattributes", ".gitignore",
                                           "*/.gitignore", "*events.out.tfevents.*"};

static bool is_reserved(const char *path)
{
    /* in any case: some file systems do not tell */
    return strncasecmp(path, "backends/", 9) == 0 || strcasecmp(path, "backends") == 0 ||
           strcasecmp(path, "model_info.json") == 0 || package_keeps_name(path);
}

/* The weights of a Core ML model are called *.bin, too. */
static bool is_pickle_name(const char *path)
{
    return coreml_container_length(path) == 0 && hub_glob_match_any(pickles, COUNT(pickles), path);
}

static bool is_weight_pickle(const char *path)
{
    return is_pickle_name(path) && !hub_glob_match_any(training_state, COUNT(training_state), path);
}

static bool is_weights(const char *path)
{
    return hub_glob_match("*.safetensors", path) || is_weight_pickle(path);
}

/* What the whole repository has, on which the verdict about each file depends. */
struct stock {
    bool safetensors;
    const char *pickle; /* one of the pickles that hold weights, or NULL */
};

static struct stock take_stock(const struct hub_files *files)
{
    struct stock stock = {0};
    for (size_t i = 0; i < files->n_files; i++) {
        const char *path = files->files[i].path;
        if (is_reserved(path))
            continue; /* cannot stand for weights that are left out */
        if (hub_glob_match("*.safetensors", path))
            stock.safetensors = true;
        else if (stock.pickle == NULL && is_weight_pickle(path))
            stock.pickle = path;
    }
    return stock;
}

static enum file_verdict judge(const char *path, const struct selection_rules *rules,
                               const struct stock *stock)
{
    bool asked =
        rules->n_includes == 0 || hub_glob_match_any(rules->includes, rules->n_includes, path);
    if (!asked || hub_glob_match_any(rules->excludes, rules->n_excludes, path))
        return FILE_NOT_ASKED;
    if (is_reserved(path))
        return FILE_RESERVED;
    bool is_pickle = is_pickle_name(path);
    if (is_pickle && !rules->allow_pickle)
        return FILE_PICKLE;
    if (rules->n_includes > 0)
        return FILE_TAKEN;
    if (hub_glob_match_any(housekeeping, COUNT(housekeeping), path))
        return FILE_HOUSEKEEPING;
    if (is_pickle)
        return stock->safetensors ? FILE_OTHER_FRAMEWORK : FILE_TAKEN;
    bool native = stock->safetensors || (rules->allow_pickle && stock->pickle != NULL);
    if (native && hub_glob_match_any(other_frameworks, COUNT(other_frameworks), path))
        return FILE_OTHER_FRAMEWORK;
    return FILE_TAKEN;
}

static model_status refuse_pickles(const char *id, const char *path, struct model_error *err)
{
    return error_set(
        err, MODEL_UNSUPPORTED,
        "the model '%s' has no safetensors, only pickles ('%.200s'), which can run "
        "any code when they are opened: look for a revision with safetensors (often "
        "--revision refs/pr/N), or give --allow-pickle and make safetensors of them with "
        "'pkgmgr convert', which runs nothing",
        id, path);
}

/* What somebody made a package of and put there as a folder. */
static model_status refuse_reserved(const char *id, const char *path, struct model_error *err)
{
    return error_set(
        err, MODEL_UNSUPPORTED,
        "the weights of '%s' ('%.200s') are where packages keep their own, and are not taken from there, "
        "since a plugin could come with them: move them to the top of the folder; only a package with its "
        "metadata.json, a folder or an archive of this disk, is imported as it is",
        id, path);
}

model_status file_selection_judge(const struct hub_files *files,
                                  const struct selection_rules *rules, const char *id,
                                  enum file_verdict *ret_verdicts, struct model_error *err)
{
    struct stock stock = take_stock(files);
    const char *left_pickle = NULL, *reserved = NULL;
    size_t n_taken = 0;
    for (size_t i = 0; i < files->n_files; i++) {
        ret_verdicts[i] = judge(files->files[i].path, rules, &stock);
        n_taken += ret_verdicts[i] == FILE_TAKEN;
        if (ret_verdicts[i] == FILE_PICKLE)
            left_pickle = files->files[i].path;
        if (ret_verdicts[i] == FILE_RESERVED && is_weights(files->files[i].path))
            reserved = files->files[i].path;
    }
    if (rules->n_includes == 0 && reserved != NULL && !stock.safetensors && stock.pickle == NULL)
        return refuse_reserved(id, reserved, err);
    if (rules->n_includes == 0 && !stock.safetensors && stock.pickle != NULL &&
        !rules->allow_pickle)
        return refuse_pickles(id, stock.pickle, err);
    if (n_taken > 0)
        return MODEL_OK;
    if (left_pickle != NULL)
        return error_set(err, MODEL_UNSUPPORTED,
                         "of '%s' only pickles ('%.200s') were asked for, which can run any code "
                         "when they are opened; give --allow-pickle if you trust their author",
                         id, left_pickle);
    return error_set(
        err, MODEL_NOT_FOUND, "the model '%s' has no file to download%s", id,
        rules->n_includes + rules->n_excludes > 0 ? " that --include and --exclude allow" : "");
}

const char *file_verdict_reason(enum file_verdict verdict)
{
    static const char *const reasons[] = {
        [FILE_TAKEN] = "taken",
        [FILE_NOT_ASKED] = "not asked for",
        [FILE_OTHER_FRAMEWORK] = "another framework's weights",
        [FILE_PICKLE] = "a pickle, which can run code",
        [FILE_HOUSEKEEPING] = "the repository's housekeeping",
        [FILE_RESERVED] = "a name that packages keep for themselves",
    };
    return (size_t)verdict < COUNT(reasons) ? reasons[verdict] : "?";
}
