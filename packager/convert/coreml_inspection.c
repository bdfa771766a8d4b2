/* coreml_inspection.c - see coreml_inspection.h. */
#include "coreml_inspection.h"
#include "coreml_summary.h"
#include "dtype.h"
#include "errors.h"

static const char *const kind_names[] = {[COREML_FEATURE_NONE] = "?",
                                         [COREML_FEATURE_INT64] = "int64",
                                         [COREML_FEATURE_DOUBLE] = "double",
                                         [COREML_FEATURE_STRING] = "string",
                                         [COREML_FEATURE_IMAGE] = "image",
                                         [COREML_FEATURE_ARRAY] = "array",
                                         [COREML_FEATURE_DICTIONARY] = "dictionary",
                                         [COREML_FEATURE_SEQUENCE] = "sequence",
                                         [COREML_FEATURE_STATE] = "state"};

static const char *color_name(enum coreml_color color)
{
    switch (color) {
    case COREML_GRAY:
        return "gray";
    case COREML_RGB:
        return "rgb";
    case COREML_BGR:
        return "bgr";
    case COREML_GRAY_F16:
        return "gray16f";
    default:
        return "none";
    }
}

static void add_numbers(json_node *object, const char *key, const int64_t *numbers, uint32_t n)
{
    json_node *list = json_add_array(object, key);
    for (uint32_t i = 0; i < n; i++)
        (void)json_add_number(list, NULL, (double)numbers[i]);
}

/* The only shapes that there may be. */
static void add_permitted(json_node *object, const struct coreml_feature *feature)
{
    json_node *list = feature->n_permitted > 0 ? json_add_array(object, "shapes") : NULL;
    for (size_t i = 0; i < feature->n_permitted; i++)
        add_numbers(list, NULL, feature->permitted + i * feature->rank, feature->rank);
}

static void add_features(json_node *object, const char *key, const struct coreml_features *features)
{
    json_node *list = json_add_array(object, key);
    for (size_t i = 0; i < features->n; i++) {
        const struct coreml_feature *feature = &features->items[i];
        json_node *item = json_add_object(list, NULL);
        (void)json_add_string(item, "name", feature->name);
        (void)json_add_string(item, "type", kind_names[feature->kind]);
        if (feature->color != COREML_COLOR_NONE)
            (void)json_add_string(item, "colors", color_name(feature->color));
        if (feature->dtype != 0)
            (void)json_add_string(item, "dtype", dtype_name(feature->dtype));
        if (feature->dtype != 0 || feature->color != COREML_COLOR_NONE)
            add_numbers(item, "shape", feature->shape, feature->rank);
        if (feature->is_flexible) {
            add_numbers(item, "min", feature->min, feature->rank);
            add_numbers(item, "max", feature->max, feature->rank);
            add_permitted(item, feature);
        }
        if (feature->is_optional)
            (void)json_add_bool(item, "optional", true);
    }
}

static void add_tallies(json_node *object, const char *key, const struct coreml_tally *tallies,
                        size_t n)
{
    json_node *node = json_add_object(object, key);
    for (size_t i = 0; i < n; i++)
        (void)json_add_number(node, tallies[i].name, (double)tallies[i].n);
}

static void add_metadata(json_node *object, const struct coreml_model *model)
{
    json_node *node = json_add_object(object, "metadata");
    (void)json_add_string(node, "author", model->author);
    (void)json_add_string(node, "license", model->license);
    (void)json_add_string(node, "description", model->description);
    (void)json_add_string(node, "version", model->model_version);
    json_node *user = json_add_object(node, "user");
    for (size_t i = 0; i < coreml_count(model->metadata, "userDefined"); i++) {
        const coreml_message *item = coreml_child_at(model->metadata, "userDefined", i);
        (void)json_add_string(user, coreml_text(item, "key"), coreml_text(item, "value"));
    }
}

static void add_functions(json_node *object, const struct coreml_program *program)
{
    (void)json_add_string(object, "opset", program->main->opset);
    json_node *list = json_add_array(object, "functions");
    for (size_t i = 0; i < program->n_functions; i++)
        (void)json_add_string(list, NULL, program->functions[i].name);
}

static void add_names(json_node *object, const char *key, const struct coreml_features *features)
{
    json_node *list = json_add_array(object, key);
    for (size_t i = 0; i < features->n; i++)
        (void)json_add_string(list, NULL, features->items[i].name);
}

static void add_parts(json_node *object, const struct coreml_model *model)
{
    json_node *list = model->n_parts > 0 ? json_add_array(object, "parts") : NULL;
    for (size_t i = 0; i < model->n_parts; i++) {
        json_node *item = json_add_object(list, NULL);
        (void)json_add_string(item, "name", model->parts[i].part_name);
        (void)json_add_string(item, "kind", model->parts[i].kind);
        add_names(item, "inputs", &model->parts[i].inputs);
        add_names(item, "outputs", &model->parts[i].outputs);
        add_parts(item, &model->parts[i]);
    }
}

model_status coreml_inspection_add(json_node *object, const struct coreml_model *model,
                                   struct model_error *err)
{
    struct coreml_summary summary = {.operators = NULL};
    model_status status = coreml_summarise(model, &summary, err);
    if (status != MODEL_OK)
        return status;
    (void)json_add_string(object, "form", "coreml");
    (void)json_add_string(object, "kind", model->kind);
    (void)json_add_number(object, "specification_version", model->version);
    if (model->program != NULL)
        add_functions(object, model->program);
    add_parts(object, model);
    add_features(object, "inputs", &model->inputs);
    add_features(object, "outputs", &model->outputs);
    add_features(object, "states", &model->states);
    (void)json_add_number(object, "labels", (double)model->n_labels);
    (void)json_add_number(object, "operations", (double)summary.n_operations);
    add_tallies(object, "operators", summary.operators, summary.n_operators);
    json_node *weights = json_add_object(object, "weights");
    (void)json_add_number(weights, "count", (double)summary.n_weights);
    (void)json_add_number(weights, "bytes", (double)summary.weights_bytes);
    add_tallies(weights, "dtypes", summary.dtypes, summary.n_dtypes);
    (void)json_add_null(object,
                        "planned_coverage"); /* what only Core ML plans, and only when it loads */
    add_metadata(object, model);
    coreml_summary_finish(&summary);
    return json_member(object, "metadata") != NULL ? MODEL_OK : error_no_memory(err, "the result");
}

/* Not where there are any. */
static void add_more_features(json_node *object, const char *key,
                              const struct coreml_features *features)
{
    if (features->n > 0 && json_member(object, key) == NULL)
        add_features(object, key, features);
}

void coreml_inspection_add_interface(json_node *object, const struct coreml_interface *interface)
{
    add_more_features(object, "inputs", &interface->inputs);
    add_more_features(object, "outputs", &interface->outputs);
    add_more_features(object, "states", &interface->states);
}

model_status coreml_inspection_add_listing(json_node *object, const struct coreml_listing *listing,
                                           struct model_error *err)
{
    (void)json_add_string(object, "form", "coreml");
    (void)json_add_string(object, "kind", "mlProgram text");
    (void)json_add_string(object, "opset", listing->opset);
    coreml_inspection_add_interface(object, &listing->interface);
    json_node *functions = json_add_array(object, "functions");
    for (size_t i = 0; i < listing->n_functions; i++)
        (void)json_add_string(functions, NULL, listing->functions[i].name);
    (void)json_add_number(object, "operations", (double)listing->n_operations);
    json_node *operators = json_add_object(object, "operators");
    for (size_t i = 0; i < listing->n_operators; i++)
        (void)json_add_number(operators, listing->operators[i].name,
                              (double)listing->operators[i].n);
    return operators != NULL ? MODEL_OK : error_no_memory(err, "the result");
}
