/* image_input.c - see image_input.h. */
#include "image_input.h"
#include "errors.h"
#include "schema.h"

#include <stdio.h>

/* "3", or "any" for a dimension that is free. */
static const char *dimension_text(const struct model_dimension *dimension, char text[24])
{
    (void)snprintf(text, 24, "%lld", (long long)dimension->min);
    return dimension->min == dimension->max ? text : "any";
}

/* What to do for a model without preprocessor_config.json, whose pictures it tells. */
static model_status advise(const char *dir, const struct model_tensor_spec *pixels,
                           struct model_error *err)
{
    const bool takes_bytes = (pixels->flags & MODEL_SPEC_BYTES) != 0;
    char channels[24], height[24], width[24];
    return error_set(err, MODEL_NOT_FOUND,
                     "%s has no " PREPROCESSOR_FILE
                     ", which says how pictures become the model's %.100s (num_channels %s, "
                     "height %s, width %s); %s, or give %.100s as tensors (--inputs)",
                     dir, pixels->name, dimension_text(&pixels->shape[1], channels),
                     dimension_text(&pixels->shape[2], height),
                     dimension_text(&pixels->shape[3], width),
                     takes_bytes ? "'pkgmgr import' of the model makes one"
                                 : "put the one of the model's repository there",
                     pixels->name);
}

/* pixel_values, or else the one input that says of itself that it is a picture. */
model_status image_input_find(const struct model_description *description,
                              const struct model_tensor_spec **ret, struct model_error *err)
{
    const struct model_tensor_spec *pixels =
        schema_find(description->inputs, description->n_inputs, "pixel_values");
    for (uint32_t i = 0; i < description->n_inputs && pixels == NULL; i++)
        if ((description->inputs[i]->flags & MODEL_SPEC_BYTES) != 0)
            pixels = description->inputs[i];
    if (pixels == NULL || pixels->rank != 4 || pixels->dtype != MODEL_F32)
        return error_set(err, MODEL_UNSUPPORTED,
                         "this model takes no pictures: it has no input 'pixel_values' of F32 and "
                         "rank 4");
    for (uint32_t i = 0; i < description->n_inputs; i++)
        if (description->inputs[i] != pixels &&
            (description->inputs[i]->flags & MODEL_SPEC_OPTIONAL) == 0)
            return error_set(err, MODEL_UNSUPPORTED,
                             "this model takes more than a picture: '%.100s' and '%.100s'; give "
                             "them as tensors (--inputs)",
                             pixels->name, description->inputs[i]->name);
    *ret = pixels;
    return MODEL_OK;
}

/* The backend's own goes before the package's, which is for pixel_values alone: a model that takes pictures as they are
 * scales them itself. */
model_status image_input_load(const struct package *package, const struct model_tensor_spec *pixels,
                              struct preprocessor *ret, struct model_error *err)
{
    const bool takes_bytes = (pixels->flags & MODEL_SPEC_BYTES) != 0;
    model_status status = preprocessor_load(package->archive, package->backend_dir, ret, err);
    if (status == MODEL_NOT_FOUND && !takes_bytes)
        status = preprocessor_load(package->archive, package->dir, ret, err);
    if (status == MODEL_NOT_FOUND)
        status = advise(takes_bytes ? package->backend_dir : package->dir, pixels, err);
    if (status == MODEL_OK && pixels->shape[1].min == pixels->shape[1].max)
        status = preprocessor_set_channels(ret, pixels->shape[1].min, err);
    return status;
}
