/* preprocessor.c - see preprocessor.h: reading preprocessor_config.json. [any-thread] */
#include "preprocessor.h"
#include "errors.h"
#include "package_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONFIG_BYTES (1u << 20)
#define WARP_FROM        384 /* ConvNext: from this size on, the whole picture is taken */

enum processor_flag {
    SQUARE = 1u << 0,   /* a single number as size means both sides; else the shortest edge */
    CROP_PCT = 1u << 1, /* crops by crop_pct instead of do_center_crop */
    CLIP_MEAN = 1u << 2,
    FLIP = 1u << 3 /* has do_flip_channel_order, on by default, and no do_normalize */
};

/* A processor and its defaults. */
static const struct processor {
    const char *name; /* before "ImageProcessor" */
    uint32_t flags, size;
    uint32_t crop; /* has do_center_crop, on by default, to this size; 0: has it not */
    enum image_filter filter;
} processors[] = {
    {"ViT", SQUARE, 224, 0, IMAGE_BILINEAR},
    {"DeiT", SQUARE, 256, 224, IMAGE_BICUBIC},
    {"Beit", SQUARE, 256, 224, IMAGE_BICUBIC},
    {"Siglip", SQUARE, 224, 0, IMAGE_BICUBIC},
    {"CLIP", CLIP_MEAN, 224, 224, IMAGE_BICUBIC},
    {"Bit", CLIP_MEAN, 224, 224, IMAGE_BICUBIC},
    {"ViTHybrid", CLIP_MEAN, 224, 224, IMAGE_BICUBIC},
    {"MobileNetV1", 0, 256, 224, IMAGE_BILINEAR},
    {"MobileNetV2", 0, 256, 224, IMAGE_BILINEAR},
    {"MobileViT", FLIP, 224, 256, IMAGE_BILINEAR},
    {"ConvNext", CROP_PCT, 384, 0, IMAGE_BICUBIC},
};

#define N_PROCESSORS (sizeof processors / sizeof processors[0])

/* Fields that this file reads, and those that change no pixel. */
static const char *const known_fields[] = {"image_processor_type",
                                           "feature_extractor_type",
                                           "do_resize",
                                           "size",
                                           "default_to_square",
                                           "resample",
                                           "do_center_crop",
                                           "crop_size",
                                           "crop_pct",
                                           "do_rescale",
                                           "rescale_factor",
                                           "do_normalize",
                                           "do_flip_channel_order",
                                           "image_mean",
                                           "image_std",
                                           "num_channels",
                                           "data_format",
                                           "do_convert_rgb",
                                           "processor_class",
                                           "_valid_processor_keys",
                                           "_processor_class",
                                           "transformers_version",
                                           "return_tensors",
                                           "disable_grouping",
                                           "do_reduce_labels",
                                           "reduce_labels",
                                           "device"};

struct reader {
    const json_node *config;
    const struct processor *processor;
    struct preprocessor result;
    struct model_error *err;
};

/* The sentence for a value that is not what is wanted. */
static model_status refuse(const struct reader *reader, const char *field, const json_node *value,
                           const char *want)
{
    char *text = value != NULL ? json_print(value, false) : NULL;
    model_status status =
        error_set(reader->err, MODEL_CORRUPT, PREPROCESSOR_FILE ": %s is %.80s, want %s", field,
                  text != NULL ? text : "not there", want);
    free(text);
    return status;
}

static model_status read_flag(const struct reader *reader, const char *field, bool fallback,
                              bool *ret)
{
    const json_node *value = json_member(reader->config, field);
    if (!json_is_null(value) && !json_is_bool(value))
        return refuse(reader, field, value, "true or false");
    *ret = json_bool_or(value, fallback);
    return MODEL_OK;
}

static model_status read_side(const struct reader *reader, const char *field,
                              const json_node *value, uint32_t *ret)
{
    int64_t side = 0;
    if (!json_integer(value, 1, PREPROCESSOR_MAX_SIDE, &side))
        return refuse(reader, field, value, "a whole number from 1 to 8192");
    *ret = (uint32_t)side;
    return MODEL_OK;
}

static model_status read_number(const struct reader *reader, const char *field,
                                const json_node *value, double min, double max, const char *want,
                                double *ret)
{
    const double number = json_number_or(value, NAN);
    if (!(number >= min && number <= max))
        return refuse(reader, field, value, want);
    *ret = number;
    return MODEL_OK;
}

/* ---- which processor */

static size_t suffix_bytes(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);
    return n > k && strcmp(name + n - k, suffix) == 0 ? k : 0;
}

/* The name without "ImageProcessor" and the like; 0 when it has no such end. */
static size_t stem_bytes(const char *name)
{
    static const char *const suffixes[] = {"ImageProcessor", "ImageProcessorFast",
                                           "FeatureExtractor"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (suffix_bytes(name, suffixes[i]) > 0)
            return strlen(name) - suffix_bytes(name, suffixes[i]);
    return 0;
}

static model_status find_processor(struct reader *reader)
{
    const json_node *type = json_member(reader->config, "image_processor_type");
    if (json_is_null(type))
        type = json_member(reader->config, "feature_extractor_type");
    const char *name = json_string_or(type, "");
    for (size_t i = 0; i < N_PROCESSORS; i++)
        if (stem_bytes(name) == strlen(processors[i].name) &&
            strncmp(name, processors[i].name, stem_bytes(name)) == 0)
            reader->processor = &processors[i];
    if (reader->processor != NULL)
        return MODEL_OK;
    struct buffer known = BUFFER_INIT(400);
    for (size_t i = 0; i < N_PROCESSORS; i++)
        (void)buffer_printf(&known, "%s%s", i > 0 ? ", " : "", processors[i].name);
    model_status status =
        error_set(reader->err, MODEL_UNSUPPORTED,
                  PREPROCESSOR_FILE ": image_processor_type '%.80s' is not known; there are the "
                                    "image processors of %s",
                  name, known.data != NULL ? known.data : "none");
    buffer_finish(&known);
    return status;
}

static bool is_known(const char *field)
{
    for (size_t i = 0; i < sizeof known_fields / sizeof known_fields[0]; i++)
        if (strcmp(field, known_fields[i]) == 0)
            return true;
    return false;
}

static bool is_off(const json_node *value)
{
    return json_is_null(value) || (json_is_bool(value) && !json_bool_or(value, true));
}

/* No field may be passed over that asks for something. */
static model_status check_fields(const struct reader *reader)
{
    const uint32_t flags = reader->processor->flags, crop = reader->processor->crop;
    for (const json_node *m = json_first(reader->config); m != NULL; m = json_next(m)) {
        const char *field = json_key(m);
        const bool is_foreign =
            (strcmp(field, "crop_pct") == 0 && (flags & CROP_PCT) == 0) ||
            (strcmp(field, "do_center_crop") == 0 && crop == 0) ||
            (strcmp(field, "do_normalize") == 0 && (flags & FLIP) != 0) ||
            (strcmp(field, "do_flip_channel_order") == 0 && (flags & FLIP) == 0) ||
            !is_known(field);
        if (is_foreign && !is_off(m))
            return error_set(reader->err, MODEL_UNSUPPORTED,
                             PREPROCESSOR_FILE
                             ": %s does not know the field '%.80s'; nothing is "
                             "left out silently, so remove it if it does not matter",
                             reader->processor->name, field);
    }
    const json_node *format = json_member(reader->config, "data_format");
    if (!json_is_null(format) && strcmp(json_string_or(format, ""), "channels_first") != 0)
        return refuse(reader, "data_format", format, "\"channels_first\"");
    return MODEL_OK;
}

/* ---- sizes */

/* {"height", "width"}, {"shortest_edge"} or a number. */
static model_status read_size(struct reader *reader)
{
    struct preprocessor *result = &reader->result;
    const json_node *size = json_member(reader->config, "size");
    bool is_square = (reader->processor->flags & SQUARE) != 0;
    model_status status = read_flag(reader, "default_to_square", is_square, &is_square);
    uint32_t side = reader->processor->size;
    if (status == MODEL_OK && json_is_object(size)) {
        for (const json_node *m = json_first(size); m != NULL && status == MODEL_OK;
             m = json_next(m)) {
            const char *key = json_key(m);
            if (strcmp(key, "height") == 0)
                status = read_side(reader, "size.height", m, &result->height);
            else if (strcmp(key, "width") == 0)
                status = read_side(reader, "size.width", m, &result->width);
            else if (strcmp(key, "shortest_edge") == 0)
                status = read_side(reader, "size.shortest_edge", m, &result->shortest_edge);
            else if (!is_off(m))
                status = refuse(reader, "size", size,
                                "\"height\" and \"width\", \"shortest_edge\", or a number");
        }
        const bool is_whole = result->height > 0 && result->width > 0;
        if (status == MODEL_OK && (is_whole == (result->shortest_edge > 0) ||
                                   (result->height > 0) != (result->width > 0)))
            status = refuse(reader, "size", size,
                            "\"height\" and \"width\", \"shortest_edge\", or a number");
        return status;
    }
    if (status == MODEL_OK && !json_is_null(size))
        status = read_side(reader, "size", size, &side);
    if (is_square)
        result->height = result->width = side;
    else
        result->shortest_edge = side;
    return status;
}

static model_status read_crop(struct reader *reader)
{
    struct preprocessor *result = &reader->result;
    const uint32_t crop = reader->processor->crop;
    const json_node *size = json_member(reader->config, "crop_size");
    model_status status = read_flag(reader, "do_center_crop", crop > 0, &result->do_center_crop);
    if (status != MODEL_OK || !result->do_center_crop)
        return status;
    result->crop_height = result->crop_width = crop;
    if (json_is_object(size)) {
        if (json_count(size) != 2)
            return refuse(reader, "crop_size", size, "\"height\" and \"width\", or a number");
        status = read_side(reader, "crop_size.height", json_member(size, "height"),
                           &result->crop_height);
        if (status == MODEL_OK)
            status = read_side(reader, "crop_size.width", json_member(size, "width"),
                               &result->crop_width);
    } else if (!json_is_null(size)) {
        status = read_side(reader, "crop_size", size, &result->crop_height);
        result->crop_width = result->crop_height;
    }
    return status;
}

/* ConvNext: below 384 the shortest edge becomes size / crop_pct and the middle is taken; from there on
 * the whole picture is squeezed into a square. */
static model_status apply_crop_pct(struct reader *reader)
{
    struct preprocessor *result = &reader->result;
    const json_node *value = json_member(reader->config, "crop_pct");
    double crop_pct = 224.0 / 256.0;
    model_status status = MODEL_OK;
    if (!json_is_null(value))
        status =
            read_number(reader, "crop_pct", value, 0.01, 1.0, "a number from 0.01 to 1", &crop_pct);
    const uint32_t side = result->shortest_edge;
    if (status == MODEL_OK && side == 0)
        return refuse(reader, "size", json_member(reader->config, "size"),
                      "\"shortest_edge\", or a number");
    if (side >= WARP_FROM) {
        result->height = result->width = side;
        result->shortest_edge = 0;
        return status;
    }
    result->shortest_edge = (uint32_t)((double)side / crop_pct);
    result->do_center_crop = result->do_resize; /* cropping is a part of resizing here */
    result->crop_height = result->crop_width = side;
    return status;
}

/* ---- values */

/* One number, or one for each channel. */
static model_status read_channels(struct reader *reader, const char *field, double min, double max,
                                  const char *want, double *ret)
{
    const json_node *values = json_member(reader->config, field);
    if (json_is_null(values))
        return MODEL_OK;
    const size_t n = json_is_array(values) ? json_count(values) : 1;
    if (n != 1 && n != 3)
        return refuse(reader, field, values, "3 numbers, or 1 for gray");
    const json_node *value = json_is_array(values) ? json_first(values) : values;
    model_status status = MODEL_OK;
    for (size_t i = 0; i < 3 && status == MODEL_OK; i++) {
        status = read_number(reader, field, value, min, max, want, &ret[i]);
        value = n == 3 ? json_next(value) : value;
    }
    return status;
}

static model_status read_values(struct reader *reader)
{
    static const double clip_mean[3] = {0.48145466, 0.4578275, 0.40821073};
    static const double clip_std[3] = {0.26862954, 0.26130258, 0.27577711};
    struct preprocessor *result = &reader->result;
    const bool has_flip = (reader->processor->flags & FLIP) != 0;
    for (size_t i = 0; i < 3; i++) {
        const bool is_clip = (reader->processor->flags & CLIP_MEAN) != 0;
        result->mean[i] = is_clip ? clip_mean[i] : 0.5;
        result->std[i] = is_clip ? clip_std[i] : 0.5;
    }
    result->rescale_factor = 1.0 / 255.0;
    const json_node *factor = json_member(reader->config, "rescale_factor");
    model_status status = read_flag(reader, "do_rescale", true, &result->do_rescale);
    if (status == MODEL_OK && !json_is_null(factor))
        status = read_number(reader, "rescale_factor", factor, 1e-6, 1e6,
                             "a number from 1e-6 to 1e6", &result->rescale_factor);
    if (status == MODEL_OK)
        status = read_flag(reader, "do_normalize", !has_flip, &result->do_normalize);
    if (status == MODEL_OK)
        status = read_flag(reader, "do_flip_channel_order", has_flip, &result->do_flip);
    if (status == MODEL_OK)
        status = read_channels(reader, "image_mean", -1e6, 1e6, "numbers from -1e6 to 1e6",
                               result->mean);
    if (status == MODEL_OK)
        status =
            read_channels(reader, "image_std", 1e-6, 1e6, "numbers from 1e-6 to 1e6", result->std);
    return status;
}

/* num_channels, or else as many as image_mean has values. */
static model_status read_num_channels(struct reader *reader)
{
    const json_node *value = json_member(reader->config, "num_channels");
    const json_node *mean = json_member(reader->config, "image_mean");
    reader->result.num_channels = json_is_array(mean) && json_count(mean) == 1 ? 1 : 3;
    if (json_is_null(value))
        return MODEL_OK;
    int64_t n = 0;
    if (!json_integer(value, 1, 3, &n) || n == 2)
        return refuse(reader, "num_channels", value, "3 (RGB) or 1 (gray)");
    return preprocessor_set_channels(&reader->result, n, reader->err);
}

static model_status read_filter(struct reader *reader)
{
    const json_node *value = json_member(reader->config, "resample");
    int64_t filter = reader->processor->filter;
    if (!json_is_null(value) && !json_integer(value, 0, IMAGE_N_FILTERS - 1, &filter))
        return refuse(
            reader, "resample", value,
            "0 (nearest), 1 (lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 (hamming)");
    reader->result.filter = (enum image_filter)filter;
    return MODEL_OK;
}

/* ---- */

model_status preprocessor_read(const json_node *config, struct preprocessor *ret,
                               struct model_error *err)
{
    static model_status (*const steps[])(struct reader * reader) = {
        read_size, read_crop, read_filter, read_values, read_num_channels};
    struct reader reader = {.config = config, .err = err};
    if (!json_is_object(config))
        return error_set(err, MODEL_CORRUPT, PREPROCESSOR_FILE ": not a JSON object");
    model_status status = json_check_unique_keys(config, PREPROCESSOR_FILE, err);
    if (status == MODEL_OK)
        status = find_processor(&reader);
    if (status == MODEL_OK)
        status = check_fields(&reader);
    if (status == MODEL_OK)
        status = read_flag(&reader, "do_resize", true, &reader.result.do_resize);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == MODEL_OK; i++)
        status = steps[i](&reader);
    if (status == MODEL_OK && (reader.processor->flags & CROP_PCT) != 0)
        status = apply_crop_pct(&reader);
    if (status == MODEL_OK)
        *ret = reader.result;
    return status;
}

model_status preprocessor_load(const struct archive *archive, const char *dir,
                               struct preprocessor *ret, struct model_error *err)
{
    char *path = path_join(dir, PREPROCESSOR_FILE);
    if (path == NULL)
        return error_no_memory(err, "a path");
    json_node *config = NULL;
    model_status status = package_file_json(archive, path, MAX_CONFIG_BYTES, &config, err);
    if (status == MODEL_NOT_FOUND)
        status = error_set(err, status,
                           "%s has no " PREPROCESSOR_FILE
                           ", which says how pictures become pixel_values; put the one of the "
                           "model's repository there, or give pixel_values as tensors (--inputs)",
                           dir);
    if (status == MODEL_OK)
        status = preprocessor_read(config, ret, err);
    json_free(config);
    free(path);
    return status;
}

model_status preprocessor_set_channels(struct preprocessor *preprocessor, int64_t num_channels,
                                       struct model_error *err)
{
    const double *mean = preprocessor->mean, *std = preprocessor->std;
    const bool is_uniform =
        mean[0] == mean[1] && mean[0] == mean[2] && std[0] == std[1] && std[0] == std[2];
    if (num_channels != 1 && num_channels != 3)
        return error_set(err, MODEL_UNSUPPORTED,
                         "the model takes pictures of %lld channels, want 3 (RGB) or 1 (gray)",
                         (long long)num_channels);
    if (num_channels == 1 && preprocessor->do_normalize && !is_uniform)
        return error_set(err, MODEL_UNSUPPORTED,
                         PREPROCESSOR_FILE ": num_channels is 1, but image_mean and image_std "
                                           "differ between channels; want 1 number each");
    preprocessor->num_channels = (uint32_t)num_channels;
    return MODEL_OK;
}
