/* coreml_features.c - the inputs, outputs and states that a Core ML model declares (coreml_model.h). */
#include "buffer.h"
#include "coreml_build.h"
#include "errors.h"
#include "printable_text.h"

#include <inttypes.h>
#include <string.h>

#define MAX_FEATURES   4096 /* each is compared with those before it */
#define MAX_LINE_BYTES (1u << 20)

static const struct {
    const char *choice;
    enum coreml_feature_kind kind;
} kinds[] = {
    {"int64Type", COREML_FEATURE_INT64},       {"doubleType", COREML_FEATURE_DOUBLE},
    {"stringType", COREML_FEATURE_STRING},     {"imageType", COREML_FEATURE_IMAGE},
    {"multiArrayType", COREML_FEATURE_ARRAY},  {"dictionaryType", COREML_FEATURE_DICTIONARY},
    {"sequenceType", COREML_FEATURE_SEQUENCE}, {"stateType", COREML_FEATURE_STATE},
};

static const struct {
    int64_t number;
    int32_t dtype;
} array_dtypes[] = {
    {65568, MODEL_F32},  {65600, MODEL_F64}, {65552, MODEL_F16},
    {131104, MODEL_I32}, {131080, MODEL_I8}, {0, 0},
};

static model_status refuse_size(const struct coreml_build *build,
                                const struct coreml_feature *feature)
{
    return coreml_build_refuse(build, "the size of '%.200s' is not possible", feature->name);
}

/* "SizeRange" of one dimension. */
static model_status set_range(const struct coreml_build *build, const coreml_message *range,
                              struct coreml_feature *feature, uint32_t i)
{
    const int64_t low = coreml_int(range, "lowerBound"), high = coreml_int(range, "upperBound");
    if (low == INT64_MAX || high < -1 || (high >= 0 && high < low))
        return refuse_size(build, feature);
    const int64_t usual = feature->shape[i]; /* 0: the file gives none */
    if (usual != 0 && (usual < low || (high >= 0 && usual > high)))
        return coreml_build_refuse(
            build,
            "'%.200s' is %lld in dimension %u by default, outside of its range of %lld to %lld",
            feature->name, (long long)usual, i, (long long)low, (long long)high);
    feature->min[i] = low;
    feature->max[i] = high;
    feature->is_flexible = true;
    return MODEL_OK;
}

/* Room for n permitted shapes. */
static int64_t *take_shapes(const struct coreml_build *build, size_t n)
{
    return n == 0 ? NULL : coreml_arena_take(build->arena, n, MODEL_MAX_RANK * sizeof(int64_t));
}

/* Adds one permitted shape to `list`, and widens the range by it. */
static void add_shape(struct coreml_feature *feature, int64_t *list, const int64_t *shape)
{
    memcpy(list + feature->n_permitted++ * feature->rank, shape, feature->rank * sizeof *shape);
    feature->permitted = list;
    for (uint32_t d = 0; d < feature->rank; d++) {
        feature->min[d] = shape[d] < feature->min[d] ? shape[d] : feature->min[d];
        feature->max[d] = shape[d] > feature->max[d] ? shape[d] : feature->max[d];
    }
    feature->is_flexible = true;
}

static void set_fixed(struct coreml_feature *feature)
{
    memcpy(feature->min, feature->shape, sizeof feature->min);
    memcpy(feature->max, feature->shape, sizeof feature->max);
}

static model_status build_shape(const struct coreml_build *build, const coreml_message *message,
                                const struct coreml_feature *feature, uint32_t *ret_rank,
                                int64_t *ret)
{
    const size_t n = coreml_count(message, "shape");
    if (n > MODEL_MAX_RANK)
        return error_set(build->err, MODEL_UNSUPPORTED,
                         "%.250s: '%.200s' has %zu dimensions, at most %d are read", build->what,
                         feature->name, n, MODEL_MAX_RANK);
    for (size_t i = 0; i < n; i++) {
        ret[i] = coreml_int_at(message, "shape", i);
        if (ret[i] < 0)
            return refuse_size(build, feature);
    }
    *ret_rank = (uint32_t)n;
    return MODEL_OK;
}

static model_status build_ranges(const struct coreml_build *build, const coreml_message *array,
                                 struct coreml_feature *feature)
{
    const coreml_message *ranges = coreml_child(array, "shapeRange");
    const size_t n = coreml_count(ranges, "sizeRanges");
    model_status status = MODEL_OK;
    if (ranges == NULL)
        return MODEL_OK;
    if (n > MODEL_MAX_RANK || (feature->rank != 0 && feature->rank != n))
        return refuse_size(build, feature);
    for (uint32_t i = 0; i < n && status == MODEL_OK; i++) {
        status = set_range(build, coreml_child_at(ranges, "sizeRanges", i), feature, i);
        if (feature->rank == 0)
            feature->shape[i] = feature->min[i];
    }
    feature->rank = (uint32_t)n;
    return status;
}

static model_status build_array(const struct coreml_build *build, const coreml_message *array,
                                struct coreml_feature *feature)
{
    const int64_t number = coreml_int(array, "dataType");
    size_t known = 0;
    while (known < sizeof array_dtypes / sizeof array_dtypes[0] &&
           array_dtypes[known].number != number)
        known++;
    if (known == sizeof array_dtypes / sizeof array_dtypes[0])
        return coreml_build_refuse(build, "'%.200s' is of the unknown array type %lld",
                                   feature->name, (long long)number);
    feature->dtype = array_dtypes[known].dtype;
    model_status status = build_shape(build, array, feature, &feature->rank, feature->shape);
    set_fixed(feature);
    const coreml_message *several = coreml_child(array, "enumeratedShapes");
    const size_t n_shapes = coreml_count(several, "shapes");
    int64_t *list = take_shapes(build, n_shapes);
    if (status == MODEL_OK && n_shapes > 0 && list == NULL)
        return coreml_build_no_memory(build);
    for (size_t i = 0; i < n_shapes && status == MODEL_OK; i++) {
        int64_t shape[MODEL_MAX_RANK];
        uint32_t rank;
        status = build_shape(build, coreml_child_at(several, "shapes", i), feature, &rank, shape);
        if (status == MODEL_OK && rank != feature->rank)
            status = refuse_size(build, feature);
        if (status == MODEL_OK)
            add_shape(feature, list, shape);
    }
    return status == MODEL_OK ? build_ranges(build, array, feature) : status;
}

static model_status build_image(const struct coreml_build *build, const coreml_message *image,
                                struct coreml_feature *feature)
{
    const coreml_message *several = coreml_child(image, "enumeratedSizes");
    const coreml_message *range = coreml_child(image, "imageSizeRange");
    const int64_t color = coreml_int(image, "colorSpace");
    feature->rank = 2;
    feature->shape[0] = coreml_int(image, "height");
    feature->shape[1] = coreml_int(image, "width");
    if (feature->shape[0] < 0 || feature->shape[1] < 0)
        return refuse_size(build, feature);
    if (color != COREML_GRAY && color != COREML_RGB && color != COREML_BGR &&
        color != COREML_GRAY_F16)
        return coreml_build_refuse(build, "the image '%.200s' has the unknown colours %lld",
                                   feature->name, (long long)color);
    feature->color = (enum coreml_color)color;
    set_fixed(feature);
    const size_t n_sizes = coreml_count(several, "sizes");
    int64_t *list = take_shapes(build, n_sizes);
    if (n_sizes > 0 && list == NULL)
        return coreml_build_no_memory(build);
    for (size_t i = 0; i < n_sizes; i++) {
        const coreml_message *size = coreml_child_at(several, "sizes", i);
        add_shape(feature, list,
                  (const int64_t[]){coreml_int(size, "height"), coreml_int(size, "width")});
    }
    if (range == NULL)
        return MODEL_OK;
    model_status status = set_range(build, coreml_child(range, "heightRange"), feature, 0);
    return status == MODEL_OK ? set_range(build, coreml_child(range, "widthRange"), feature, 1)
                              : status;
}

static model_status build_feature(const struct coreml_build *build, const coreml_message *message,
                                  struct coreml_feature *ret)
{
    char shown[PRINTABLE_TEXT_BYTES];
    ret->type = coreml_child(message, "type");
    ret->name = coreml_text(message, "name");
    ret->description = coreml_text(message, "shortDescription");
    ret->is_optional = coreml_bool(ret->type, "isOptional");
    const char *choice = coreml_choice(ret->type);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && choice != NULL; i++)
        if (strcmp(kinds[i].choice, choice) == 0)
            ret->kind = kinds[i].kind;
    if (ret->name[0] == '\0')
        return coreml_build_refuse(build, "an input or output has no name");
    if (printable_line(ret->name, shown) != ret->name)
        return coreml_build_refuse(
            build,
            "an input or output is called '%.200s', want a name without control characters "
            "and marks of direction",
            shown);
    if (ret->kind == COREML_FEATURE_IMAGE)
        return build_image(build, coreml_child(ret->type, "imageType"), ret);
    if (ret->kind == COREML_FEATURE_ARRAY)
        return build_array(build, coreml_child(ret->type, "multiArrayType"), ret);
    const coreml_message *state = coreml_child(coreml_child(ret->type, "stateType"), "arrayType");
    return state != NULL ? build_array(build, state, ret) : MODEL_OK;
}

model_status coreml_build_features(const struct coreml_build *build, const coreml_message *message,
                                   const char *field, struct coreml_features *ret)
{
    const size_t n = coreml_count(message, field);
    if (n > MAX_FEATURES)
        return coreml_build_refuse(build, "%zu %ss, at most %d are read", n, field, MAX_FEATURES);
    struct coreml_feature *items = coreml_arena_take(build->arena, n, sizeof *items);
    model_status status = items != NULL ? MODEL_OK : coreml_build_no_memory(build);
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        status = build_feature(build, coreml_child_at(message, field, i), &items[i]);
        const struct coreml_features before = {items, i};
        if (status == MODEL_OK && coreml_features_find(&before, items[i].name) != NULL)
            status = coreml_build_refuse(build, "'%.200s' stands twice among the model's %ss",
                                         items[i].name, field);
    }
    if (status != MODEL_OK)
        return status;
    *ret = (struct coreml_features){items, n};
    return MODEL_OK;
}

const struct coreml_feature *coreml_features_find(const struct coreml_features *features,
                                                  const char *name)
{
    for (size_t i = 0; i < features->n; i++)
        if (strcmp(features->items[i].name, name) == 0)
            return &features->items[i];
    return NULL;
}

static model_status add_sizes(struct buffer *line, const struct coreml_feature *feature)
{
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < feature->rank && status == MODEL_OK; i++) {
        const char *before = i > 0 ? "," : "";
        status = feature->is_flexible
                     ? buffer_printf(line, "%s%" PRId64 "..%" PRId64, before, feature->min[i],
                                     feature->max[i])
                     : buffer_printf(line, "%s%" PRId64, before, feature->shape[i]);
    }
    return status;
}

char *coreml_features_line(const struct coreml_features *features)
{
    struct buffer line = BUFFER_INIT(MAX_LINE_BYTES);
    model_status status = MODEL_OK;
    for (size_t i = 0; i < features->n && status == MODEL_OK; i++) {
        status = buffer_printf(&line, "%s%s[", i > 0 ? " " : "", features->items[i].name);
        if (status == MODEL_OK)
            status = add_sizes(&line, &features->items[i]);
        if (status == MODEL_OK)
            status = buffer_append_text(&line, "]");
    }
    if (status == MODEL_OK)
        return buffer_take(&line);
    buffer_finish(&line);
    return NULL;
}
