/* coreml_metadata.c - see coreml_metadata.h. A list of one object, in which numbers and lists of numbers are strings:
 * "224", "[1, 3]". */
#include "coreml_metadata.h"
#include "errors.h"
#include "json_view.h"

#include <string.h>

#define MAX_VALUES ((size_t)1 << 20)
#define MAX_SIZE   ((int64_t)1 << 53)

static const struct {
    const char *word;
    enum coreml_feature_kind kind;
} kinds[] = {{"MultiArray", COREML_FEATURE_ARRAY},      {"Image", COREML_FEATURE_IMAGE},
             {"Dictionary", COREML_FEATURE_DICTIONARY}, {"Double", COREML_FEATURE_DOUBLE},
             {"Int64", COREML_FEATURE_INT64},           {"String", COREML_FEATURE_STRING},
             {"Sequence", COREML_FEATURE_SEQUENCE},     {"State", COREML_FEATURE_STATE}};

static const struct {
    const char *word;
    int32_t dtype;
} dtypes[] = {{"Float16", MODEL_F16},
              {"Float32", MODEL_F32},
              {"Double", MODEL_F64},
              {"Int32", MODEL_I32},
              {"Int8", MODEL_I8}};

static const struct {
    const char *word;
    enum coreml_color color;
} colors[] = {{"Grayscale", COREML_GRAY},
              {"Grayscale16Half", COREML_GRAY_F16},
              {"RGB", COREML_RGB},
              {"BGR", COREML_BGR}};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

struct reading {
    const char *what;
    struct coreml_interface interface;
    struct model_error *err;
};

static model_status refuse(const struct reading *reading, const char *name, const char *key)
{
    return error_set(reading->err, MODEL_CORRUPT, "%s: '%.200s' has no sizes in its \"%s\"",
                     reading->what, name, key);
}

/* The JSON that a member is as text; NULL in *ret: there is no such member. */
static model_status member_json(const struct reading *reading, const json_node *item,
                                const char *name, const char *key, json_node **ret)
{
    const char *text = json_string_or(json_member(item, key), NULL);
    *ret = NULL;
    if (text == NULL)
        return MODEL_OK;
    const model_status status =
        json_parse_limited(text, strlen(text), MAX_VALUES, reading->what, ret, NULL);
    return status == MODEL_CORRUPT || status == MODEL_INVALID_ARGUMENT ? refuse(reading, name, key)
           : status != MODEL_OK ? error_no_memory(reading->err, reading->what)
                                : MODEL_OK;
}

/* "[1, 3]", into (n); false: something else. */
static bool read_numbers(const json_node *list, uint32_t n, int64_t *ret)
{
    uint32_t i = 0;
    if (!json_is_array(list) || json_count(list) != n)
        return false;
    for (const json_node *item = json_first(list); item != NULL; item = json_next(item))
        if (!json_integer(item, -1, MAX_SIZE, &ret[i++]))
            return false;
    return true;
}

static void swap(int64_t *a, int64_t *b)
{
    const int64_t kept = *a;
    *a = *b;
    *b = kept;
}

static model_status read_shape(const struct reading *reading, const json_node *item,
                               struct coreml_feature *feature)
{
    json_node *list = NULL;
    model_status status = member_json(reading, item, feature->name, "shape", &list);
    if (list == NULL)
        return status;
    feature->rank = json_count(list) <= MODEL_MAX_RANK ? (uint32_t)json_count(list) : 0;
    if (!read_numbers(list, feature->rank, feature->shape))
        status = refuse(reading, feature->name, "shape");
    json_free(list);
    return status;
}

static model_status read_side(const struct reading *reading, const json_node *item,
                              struct coreml_feature *feature, const char *key, int64_t *ret)
{
    json_node *size = NULL;
    model_status status = member_json(reading, item, feature->name, key, &size);
    if (size != NULL && !json_integer(size, 0, MAX_SIZE, ret))
        status = refuse(reading, feature->name, key);
    json_free(size);
    return status;
}

/* "[[1, 128], [3, 3]]": from what to what, for each dimension. */
static model_status read_ranges(const struct reading *reading, const json_node *item,
                                const char *key, struct coreml_feature *feature)
{
    json_node *list = NULL;
    model_status status = member_json(reading, item, feature->name, key, &list);
    if (list == NULL)
        return status;
    uint32_t i = 0;
    bool is_good = json_is_array(list) && json_count(list) == feature->rank;
    for (const json_node *pair = json_first(list); pair != NULL && is_good;
         pair = json_next(pair), i++) {
        int64_t range[2] = {0};
        is_good = read_numbers(pair, 2, range);
        feature->min[i] = range[0];
        feature->max[i] = range[1];
    }
    feature->is_flexible = is_good;
    json_free(list);
    return is_good ? MODEL_OK : refuse(reading, feature->name, key);
}

/* "[[1, 64], [1, 128]]" into (n, rank). */
static bool read_shapes(const json_node *list, uint32_t rank, int64_t *ret)
{
    bool is_good = json_is_array(list);
    for (const json_node *shape = json_first(list); shape != NULL && is_good;
         shape = json_next(shape), ret += rank)
        is_good = read_numbers(shape, rank, ret);
    return is_good;
}

/* The only shapes that there are, and their hull. */
static model_status read_permitted(struct reading *reading, const json_node *item, const char *key,
                                   struct coreml_feature *feature)
{
    json_node *list = NULL;
    model_status status = member_json(reading, item, feature->name, key, &list);
    if (list == NULL)
        return status;
    const uint32_t rank = feature->rank;
    const size_t n = json_count(list);
    int64_t *sizes = coreml_arena_take(&reading->interface.arena, n * rank, sizeof *sizes);
    if (sizes == NULL)
        status = error_no_memory(reading->err, reading->what);
    else if (!read_shapes(list, rank, sizes))
        status = refuse(reading, feature->name, key);
    json_free(list);
    if (status != MODEL_OK || n == 0)
        return status;
    memcpy(feature->min, sizes, rank * sizeof *sizes);
    memcpy(feature->max, sizes, rank * sizeof *sizes);
    for (size_t i = 0; i < n * rank; i++) {
        const size_t k = i % rank;
        feature->min[k] = sizes[i] < feature->min[k] ? sizes[i] : feature->min[k];
        feature->max[k] = sizes[i] > feature->max[k] ? sizes[i] : feature->max[k];
    }
    feature->is_flexible = true;
    feature->permitted = sizes;
    feature->n_permitted = n;
    return MODEL_OK;
}

static model_status read_array(struct reading *reading, const json_node *item,
                               struct coreml_feature *feature)
{
    const char *dtype = json_string_or(json_member(item, "dataType"), "");
    for (size_t i = 0; i < COUNT(dtypes); i++)
        if (strcmp(dtypes[i].word, dtype) == 0)
            feature->dtype = dtypes[i].dtype;
    model_status status = read_shape(reading, item, feature);
    if (status == MODEL_OK)
        status = read_ranges(reading, item, "shapeRange", feature);
    return status == MODEL_OK ? read_permitted(reading, item, "enumeratedShapes", feature) : status;
}

/* Its sizes are width before height. */
static model_status read_image(struct reading *reading, const json_node *item,
                               struct coreml_feature *feature)
{
    const char *color = json_string_or(json_member(item, "colorspace"), "");
    feature->rank = 2;
    for (size_t i = 0; i < COUNT(colors); i++)
        if (strcmp(colors[i].word, color) == 0)
            feature->color = colors[i].color;
    model_status status = read_side(reading, item, feature, "height", &feature->shape[0]);
    if (status == MODEL_OK)
        status = read_side(reading, item, feature, "width", &feature->shape[1]);
    if (status == MODEL_OK)
        status = read_ranges(reading, item, "sizeRange", feature);
    if (status == MODEL_OK)
        status = read_permitted(reading, item, "enumeratedSizes", feature);
    swap(&feature->min[0], &feature->min[1]);
    swap(&feature->max[0], &feature->max[1]);
    for (size_t i = 0; i < feature->n_permitted; i++)
        swap((int64_t *)feature->permitted + 2 * i, (int64_t *)feature->permitted + 2 * i + 1);
    return status;
}

static model_status read_feature(struct reading *reading, const json_node *item,
                                 struct coreml_features *list)
{
    const char *name = json_string_or(json_member(item, "name"), ""),
               *type = json_string_or(json_member(item, "type"), "");
    if (name[0] == '\0')
        return error_set(reading->err, MODEL_CORRUPT, "%s: an input or output has no \"name\"",
                         reading->what);
    if (list->n == COREML_MAX_FEATURES)
        return error_set(reading->err, MODEL_CORRUPT, "%s: more than %u inputs or outputs",
                         reading->what, COREML_MAX_FEATURES);
    struct coreml_feature *feature =
        coreml_interface_add(&reading->interface, list, name, strlen(name));
    if (feature == NULL)
        return error_no_memory(reading->err, reading->what);
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strcmp(kinds[i].word, type) == 0)
            feature->kind = kinds[i].kind;
    feature->is_optional = strcmp(json_string_or(json_member(item, "isOptional"), "0"), "1") == 0;
    return feature->kind == COREML_FEATURE_ARRAY   ? read_array(reading, item, feature)
           : feature->kind == COREML_FEATURE_IMAGE ? read_image(reading, item, feature)
                                                   : MODEL_OK;
}

static model_status read_features(struct reading *reading, const json_node *schema,
                                  struct coreml_features *list)
{
    model_status status = MODEL_OK;
    for (const json_node *item = json_is_array(schema) ? json_first(schema) : NULL;
         item != NULL && status == MODEL_OK; item = json_next(item))
        status = read_feature(reading, item, list);
    return status;
}

model_status coreml_metadata_parse(const char *text, size_t size_bytes, const char *what,
                                   struct coreml_interface *ret, struct model_error *err)
{
    struct reading reading = {.what = what, .err = err};
    json_node *root = NULL;
    model_status status = json_parse_limited(text, size_bytes, MAX_VALUES, what, &root, err);
    const json_node *model = json_first(root);
    if (status == MODEL_OK)
        status =
            read_features(&reading, json_member(model, "inputSchema"), &reading.interface.inputs);
    if (status == MODEL_OK)
        status =
            read_features(&reading, json_member(model, "outputSchema"), &reading.interface.outputs);
    json_free(root);
    if (status == MODEL_OK)
        *ret = reading.interface;
    else
        coreml_interface_finish(&reading.interface);
    return status;
}
