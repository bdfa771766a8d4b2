/* plugin_config.h - fields of config.json, checked. [create-thread]
 *
 * A reader keeps its first error: read all fields, then look at `status` once. `path` as in
 * model_services.config_value: "hidden_size", "text_config.depths[2]". An absent or null field gives
 * the fallback. A field of another kind or out of its bounds is MODEL_INVALID_ARGUMENT:
 *   config.json: 'hidden_size' is "big", want a whole number from 1 to 65536 */
#ifndef PLUGIN_CONFIG_H
#define PLUGIN_CONFIG_H

#include "model_abi.h"

#include "row_ops.h"

/* As a fallback: the field must be there (MODEL_NOT_FOUND). */
#define CONFIG_REQUIRED INT64_MIN

struct config_reader {
    const struct model_services *services;
    struct model_error *err;
    model_status status; /* of the first error; later reads give fallbacks */
};

int64_t config_integer(struct config_reader *reader, const char *path, int64_t min, int64_t max,
                       int64_t fallback);
double config_number(struct config_reader *reader, const char *path, double min, double max,
                     double fallback);
bool config_bool(struct config_reader *reader, const char *path, bool fallback);
/* The string lives as long as the services. */
const char *config_string(struct config_reader *reader, const char *path, const char *fallback);
/* Items of an array or members of an object; 0 when absent; another kind is an error. */
uint32_t config_length(struct config_reader *reader, const char *path);

/* MODEL_UNSUPPORTED, naming what there is, for a function that is not in row_ops.h. */
enum activation config_activation(struct config_reader *reader, const char *path,
                                  enum activation fallback);

/* MODEL_UNSUPPORTED, "config.json: 'position_embedding_type' is "relative_key", this plugin computes
 * "absolute" only", unless the field is absent, null or `want`. */
void config_require_string(struct config_reader *reader, const char *path, const char *want);
void config_require_bool(struct config_reader *reader, const char *path, bool want);

#endif
