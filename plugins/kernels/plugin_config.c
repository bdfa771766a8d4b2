/* plugin_config.c - see plugin_config.h. */
#include "kernels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* false: absent, null, or an error before or now. */
static bool fetch(struct config_reader *reader, const char *path, struct model_value *ret)
{
    *ret = (struct model_value){.struct_size = sizeof *ret, .kind = MODEL_VALUE_NULL};
    if (reader->status != MODEL_OK)
        return false;
    model_status status = reader->services->config_value(reader->services->context, path, ret);
    if (status != MODEL_OK && status != MODEL_NOT_FOUND)
        reader->status =
            kernels_fail(reader->err, status, "config.json: '%s' cannot be read", path);
    return status == MODEL_OK && ret->kind != MODEL_VALUE_NULL;
}

/* What was found, for a sentence. */
static const char *describe(const struct model_value *value, char *text, size_t text_bytes)
{
    switch (value->kind) {
    case MODEL_VALUE_BOOL:
        return value->number != 0 ? "true" : "false";
    case MODEL_VALUE_NUMBER:
        (void)snprintf(text, text_bytes, "%.15g", value->number);
        return text;
    case MODEL_VALUE_STRING:
        (void)snprintf(text, text_bytes, "\"%.80s\"", value->string);
        return text;
    case MODEL_VALUE_ARRAY:
        return "an array";
    case MODEL_VALUE_OBJECT:
        return "an object";
    default:
        return "null";
    }
}

static void wrong(struct config_reader *reader, const struct model_value *value, const char *path,
                  const char *want)
{
    char text[96];
    reader->status =
        kernels_fail(reader->err, MODEL_INVALID_ARGUMENT, "config.json: '%s' is %s, want %s", path,
                     describe(value, text, sizeof text), want);
}

int64_t config_integer(struct config_reader *reader, const char *path, int64_t min, int64_t max,
                       int64_t fallback)
{
    struct model_value value;
    char want[80];
    (void)snprintf(want, sizeof want, "a whole number from %lld to %lld", (long long)min,
                   (long long)max);
    if (!fetch(reader, path, &value)) {
        if (fallback == CONFIG_REQUIRED && reader->status == MODEL_OK)
            reader->status = kernels_fail(reader->err, MODEL_NOT_FOUND,
                                          "config.json: '%s' is missing, want %s", path, want);
        return fallback == CONFIG_REQUIRED ? min : fallback;
    }
    if (value.kind == MODEL_VALUE_NUMBER && value.number >= (double)min &&
        value.number <= (double)max && value.number == floor(value.number))
        return (int64_t)value.number;
    wrong(reader, &value, path, want);
    return min;
}

double config_number(struct config_reader *reader, const char *path, double min, double max,
                     double fallback)
{
    struct model_value value;
    char want[80];
    if (!fetch(reader, path, &value))
        return fallback;
    if (value.kind == MODEL_VALUE_NUMBER && value.number >= min && value.number <= max)
        return value.number;
    (void)snprintf(want, sizeof want, "a number from %g to %g", min, max);
    wrong(reader, &value, path, want);
    return fallback;
}

bool config_bool(struct config_reader *reader, const char *path, bool fallback)
{
    struct model_value value;
    if (!fetch(reader, path, &value))
        return fallback;
    if (value.kind == MODEL_VALUE_BOOL)
        return value.number != 0;
    wrong(reader, &value, path, "true or false");
    return fallback;
}

const char *config_string(struct config_reader *reader, const char *path, const char *fallback)
{
    struct model_value value;
    if (!fetch(reader, path, &value))
        return fallback;
    if (value.kind == MODEL_VALUE_STRING)
        return value.string;
    wrong(reader, &value, path, "a string");
    return fallback;
}

uint32_t config_length(struct config_reader *reader, const char *path)
{
    struct model_value value;
    if (!fetch(reader, path, &value))
        return 0;
    if (value.kind == MODEL_VALUE_ARRAY || value.kind == MODEL_VALUE_OBJECT)
        return value.length;
    wrong(reader, &value, path, "an array or an object");
    return 0;
}

void config_require_string(struct config_reader *reader, const char *path, const char *want)
{
    const char *found = config_string(reader, path, want);
    if (strcmp(found, want) != 0)
        reader->status = kernels_fail(
            reader->err, MODEL_UNSUPPORTED,
            "config.json: '%s' is \"%.80s\", this plugin computes \"%s\" only", path, found, want);
}

void config_require_bool(struct config_reader *reader, const char *path, bool want)
{
    if (config_bool(reader, path, want) != want)
        reader->status = kernels_fail(reader->err, MODEL_UNSUPPORTED,
                                      "config.json: '%s' is %s, this plugin computes %s only", path,
                                      want ? "false" : "true", want ? "true" : "false");
}

enum activation config_activation(struct config_reader *reader, const char *path,
                                  enum activation fallback)
{
    enum activation activation = fallback;
    const char *name = config_string(reader, path, NULL);
    if (reader->status == MODEL_OK && name != NULL)
        reader->status = activation_by_name(name, &activation, reader->err);
    return activation;
}
