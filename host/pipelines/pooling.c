/* pooling.c - see pooling.h. [any-thread] */
#include "pooling.h"
#include "errors.h"
#include "package_file.h"
#include "json_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MODULES_BYTES (1u << 20)
#define MAX_MODULES       16    /* each may have a file to read */
#define MIN_LENGTH        1e-12 /* torch.nn.functional.normalize's eps */

static const char *const mode_keys[POOLING_N_MODES] = {
    "pooling_mode_cls_token",           "pooling_mode_max_tokens",
    "pooling_mode_mean_tokens",         "pooling_mode_mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken",
};

static model_status read_modes(const struct archive *archive, const char *package_dir,
                               const char *module_path, struct pooling *pooling,
                               struct model_error *err)
{
    char *path = text_format("%s/%s/config.json", package_dir, module_path);
    if (path == NULL)
        return error_no_memory(err, "a path");
    json_node *config = NULL;
    model_status status = package_file_json(archive, path, MAX_MODULES_BYTES, &config, err);
    bool any = false;
    for (int i = 0; status == MODEL_OK && i < POOLING_N_MODES; i++) {
        pooling->modes[i] = json_bool_or(json_member(config, mode_keys[i]), false);
        any = any || pooling->modes[i];
    }
    if (status == MODEL_OK && !any)
        status = error_set(err, MODEL_CORRUPT, "%s: no pooling mode is true", path);
    json_free(config);
    free(path);
    return status;
}

/* sentence-transformers cuts texts there, not where the tokenizer says. */
static model_status read_limit(const struct archive *archive, const char *package_dir,
                               struct pooling *pooling, struct model_error *err)
{
    char *path = path_join(package_dir, "sentence_bert_config.json");
    if (path == NULL)
        return error_no_memory(err, "a path");
    json_node *config = NULL;
    model_status status = MODEL_OK;
    if (package_file_exists(archive, path))
        status = package_file_json(archive, path, MAX_MODULES_BYTES, &config, err);
    const json_node *limit = json_member(config, "max_seq_length");
    if (status == MODEL_OK && !json_is_null(limit) &&
        !json_integer(limit, 1, INT32_MAX, &pooling->max_tokens))
        status = error_set(err, MODEL_CORRUPT, "%s: max_seq_length is not a positive whole number",
                           path);
    json_free(config);
    free(path);
    return status;
}

/* *has_pooling: whether a Pooling stood before this module, and whether one stands now. */
static model_status read_module(const struct archive *archive, const char *package_dir,
                                const json_node *module, struct pooling *pooling, bool *has_pooling,
                                struct model_error *err)
{
    const char *type = json_string_or(json_member(module, "type"), NULL);
    if (type == NULL)
        return error_set(err, MODEL_CORRUPT,
                         "modules.json: a module has no \"type\"; want one such as "
                         "sentence_transformers.models.Pooling");
    const char *module_path = json_string_or(json_member(module, "path"), "");
    const char *dot = strrchr(type, '.');
    const char *class = dot != NULL ? dot + 1 : type;
    if (strcmp(class, "Transformer") == 0)
        return MODEL_OK;
    if (strcmp(class, "Normalize") == 0) {
        if (!*has_pooling)
            return error_set(err, MODEL_UNSUPPORTED,
                             "modules.json: Normalize stands before Pooling or without it; it is "
                             "supported behind Pooling only");
        pooling->normalize = true;
        return MODEL_OK;
    }
    if (strcmp(class, "Pooling") != 0)
        return error_set(
            err, MODEL_UNSUPPORTED,
            "modules.json: module '%s' is not supported; known are Transformer, Pooling "
            "and Normalize",
            class);
    if (!path_is_safe(module_path))
        return error_set(err, MODEL_CORRUPT, "modules.json: the path '%s' leaves the package",
                         module_path);
    *has_pooling = true;
    return read_modes(archive, package_dir, module_path, pooling, err);
}

model_status pooling_read(const struct archive *archive, const char *package_dir,
                          struct pooling *ret, struct model_error *err)
{
    struct pooling pooling = {.modes = {[POOLING_MEAN] = true}};
    char *path = path_join(package_dir, "modules.json");
    if (path == NULL)
        return error_no_memory(err, "a path");
    model_status status = MODEL_OK;
    json_node *modules = NULL;
    if (package_file_exists(archive, path)) {
        status = package_file_json(archive, path, MAX_MODULES_BYTES, &modules, err);
        if (status == MODEL_OK && !json_is_array(modules))
            status = error_set(err, MODEL_CORRUPT, "%s: not a list of modules", path);
        else if (status == MODEL_OK && json_count(modules) == 0)
            status = error_set(err, MODEL_CORRUPT,
                               "%s lists no module; want Transformer and Pooling, or no such file "
                               "for the mean over the tokens",
                               path);
        else if (status == MODEL_OK && json_count(modules) > MAX_MODULES)
            status = error_set(err, MODEL_UNSUPPORTED, "%s: %zu modules, at most %d are read", path,
                               json_count(modules), MAX_MODULES);
    }
    bool has_pooling = false;
    for (const json_node *m = json_first(modules); m != NULL && status == MODEL_OK;
         m = json_next(m))
        status = read_module(archive, package_dir, m, &pooling, &has_pooling, err);
    if (status == MODEL_OK && modules != NULL)
        status = read_limit(archive, package_dir, &pooling, err);
    json_free(modules);
    free(path);
    if (status == MODEL_OK)
        *ret = pooling;
    return status;
}

int64_t pooling_size(const struct pooling *pooling, int64_t hidden_size)
{
    int64_t n = 0;
    for (int i = 0; i < POOLING_N_MODES; i++)
        n += pooling->modes[i];
    return n * hidden_size;
}

/* The sum over visible tokens of weight * vector, divided by divisor. */
static void weighted_sum(const float *hidden_states, const int64_t *mask, size_t n_tokens,
                         size_t hidden_size, bool by_position, double divisor, float *out)
{
    for (size_t h = 0; h < hidden_size; h++) {
        double sum = 0;
        for (size_t t = 0; t < n_tokens; t++)
            if (mask[t] != 0)
                sum += (by_position ? (double)(t + 1) : 1.0) *
                       (double)hidden_states[t * hidden_size + h];
        out[h] = divisor > 0 ? (float)(sum / divisor) : 0;
    }
}

static void largest(const float *hidden_states, const int64_t *mask, size_t n_tokens,
                    size_t hidden_size, float *out)
{
    for (size_t h = 0; h < hidden_size; h++) {
        float best = -INFINITY;
        for (size_t t = 0; t < n_tokens; t++)
            if (mask[t] != 0)
                best = fmaxf(best, hidden_states[t * hidden_size + h]);
        out[h] = isfinite(best) ? best : 0;
    }
}

static void one_token(const float *hidden_states, size_t token, size_t n_visible,
                      size_t hidden_size, float *out)
{
    if (n_visible > 0)
        memcpy(out, hidden_states + token * hidden_size, hidden_size * sizeof *out);
    else
        memset(out, 0, hidden_size * sizeof *out);
}

static void apply_mode(enum pooling_mode mode, const float *hidden_states, const int64_t *mask,
                       size_t n_tokens, size_t hidden_size, float *out)
{
    size_t n_visible = 0, first = 0, last = 0;
    double positions = 0;
    for (size_t t = n_tokens; t-- > 0;)
        if (mask[t] != 0) {
            last = n_visible++ == 0 ? t : last;
            first = t;
            positions += (double)(t + 1);
        }
    if (mode == POOLING_CLS)
        one_token(hidden_states, first, n_visible, hidden_size, out);
    else if (mode == POOLING_LAST_TOKEN)
        one_token(hidden_states, last, n_visible, hidden_size, out);
    else if (mode == POOLING_MAX)
        largest(hidden_states, mask, n_tokens, hidden_size, out);
    else
        weighted_sum(hidden_states, mask, n_tokens, hidden_size, mode == POOLING_WEIGHTED_MEAN,
                     mode == POOLING_MEAN            ? (double)n_visible
                     : mode == POOLING_MEAN_SQRT_LEN ? sqrt((double)n_visible)
                                                     : positions,
                     out);
}

void pooling_apply(const struct pooling *pooling, const float *hidden_states, const int64_t *mask,
                   size_t n_tokens, size_t hidden_size, float *out)
{
    size_t used = 0;
    for (int mode = 0; mode < POOLING_N_MODES; mode++)
        if (pooling->modes[mode]) {
            apply_mode((enum pooling_mode)mode, hidden_states, mask, n_tokens, hidden_size,
                       out + used);
            used += hidden_size;
        }
    if (!pooling->normalize)
        return;
    double squares = 0;
    for (size_t i = 0; i < used; i++)
        squares += (double)out[i] * (double)out[i];
    double length = fmax(sqrt(squares), MIN_LENGTH);
    for (size_t i = 0; i < used; i++)
        out[i] = (float)((double)out[i] / length);
}
