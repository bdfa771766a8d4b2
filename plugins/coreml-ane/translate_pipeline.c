/* translate_pipeline.c - the parts of a pipeline, networks and programs in a row, as one graph: what a part takes is what a part
 * before made under this name, or an input of the pipeline. */
#include "coreml_ane.h"

#include <string.h>

static model_status check_inputs(const struct ane_pipeline *pipeline,
                                 const struct coreml_model *file, const struct coreml_model *part,
                                 struct model_error *err)
{
    for (size_t i = 0; i < part->inputs.n; i++) {
        const char *name = part->inputs.items[i].name;
        if (ane_find_passed(pipeline, name) == NULL &&
            coreml_features_find(&file->inputs, name) == NULL)
            return kernels_fail(err, MODEL_CORRUPT,
                                "part '%.60s' takes '%.100s', which no part before it makes and "
                                "the pipeline does not take; " MODEL_CONTRADICTS,
                                part->part_name, name);
    }
    return MODEL_OK;
}

static model_status translate_part(struct ane_variant *variant, const struct coreml_model *file,
                                   size_t i, struct model_error *err)
{
    const struct coreml_model *part = &file->parts[i];
    if (part->network == NULL && part->program == NULL)
        return kernels_fail(err, MODEL_UNSUPPORTED,
                            "part %zu of the pipeline, '%.60s', is of kind '%.60s', which is not "
                            "computed here, want a neural network or a program",
                            i + 1, part->part_name, part->kind);
    const model_status status = check_inputs(variant->pipeline, file, part, err);
    if (status != MODEL_OK)
        return status;
    return part->network != NULL ? translate_network(variant, part, err)
                                 : translate_program(variant, part, err);
}

/* What the pipeline gives of what its parts made; its predicted label is no tensor. */
static model_status add_outputs(struct ane_variant *variant, const struct ane_pipeline *pipeline,
                                const struct coreml_model *file, struct model_error *err)
{
    struct graph_builder builder = {.graph = variant->graph, .layer = "the pipeline", .err = err};
    for (size_t i = 0; i < file->outputs.n && builder.status == MODEL_OK; i++) {
        const struct coreml_feature *feature = &file->outputs.items[i];
        const struct ane_passed *passed = ane_find_passed(pipeline, feature->name);
        if (feature->kind == COREML_FEATURE_STRING || feature->kind == COREML_FEATURE_INT64)
            continue;
        if (passed == NULL || passed->is_input)
            graph_fail(&builder, MODEL_CORRUPT, "an output '%.100s' that no part makes",
                       feature->name);
        else
            ane_add_output(variant, &builder, &passed->feature, passed->value);
    }
    return builder.status;
}

model_status translate_pipeline(struct ane_variant *variant, const struct coreml_model *file,
                                struct model_error *err)
{
    struct ane_pipeline pipeline = {.n = 0};
    model_status status = MODEL_OK;
    variant->pipeline = &pipeline;
    for (size_t i = 0; i < file->n_parts && status == MODEL_OK; i++)
        status = translate_part(variant, file, i, err);
    variant->pipeline = NULL;
    return status == MODEL_OK ? add_outputs(variant, &pipeline, file, err) : status;
}
