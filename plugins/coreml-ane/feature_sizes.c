/* feature_sizes.c - see feature_sizes.h. */
#include "feature_sizes.h"

#include "coreml_ane.h"

#include <stdio.h>
#include <string.h>

#define LIST_BYTES 700 /* of permitted shapes in a sentence */

struct graph_shape input_default_shape(const struct coreml_feature *feature)
{
    struct graph_shape shape = {.rank = feature->rank};
    if (feature->kind == COREML_FEATURE_IMAGE && feature->rank == 2) {
        const bool gray = feature->color == COREML_GRAY || feature->color == COREML_GRAY_F16;
        shape = (struct graph_shape){4, {1, gray ? 1 : 3, feature->shape[0], feature->shape[1]}};
    } else {
        memcpy(shape.size, feature->shape, feature->rank * sizeof shape.size[0]);
    }
    for (uint32_t i = 0; i < shape.rank && feature->is_flexible; i++)
        if (shape.size[i] == 0)
            shape.size[i] = 1; /* a range from 0 on, and no default */
    return shape;
}

/* Dimension i between low and high, -1: no bound; the default is always there. */
static void widen(struct input_sizes *sizes, uint32_t i, int64_t low, int64_t high)
{
    low = low < 1 ? 1 : low;
    high = high < 0 || high > MAP_MAX_SIZE ? INT64_MAX : high; /* more than values may have */
    sizes->min.size[i] = low < sizes->min.size[i] ? low : sizes->min.size[i];
    sizes->max.size[i] = high > sizes->max.size[i] ? high : sizes->max.size[i];
}

struct input_sizes feature_sizes_of(const struct ane_feature *input,
                                    const struct coreml_feature *feature)
{
    struct input_sizes sizes = {.min = input->shape,
                                .max = input->shape,
                                .permitted = feature->permitted,
                                .n_permitted = feature->n_permitted,
                                .n_dimensions = feature->rank};
    const uint32_t first = input->shape.rank - feature->rank; /* a picture's height */
    for (uint32_t i = 0; i < feature->rank && feature->is_flexible; i++)
        widen(&sizes, first + i, feature->min[i], feature->max[i]);
    for (uint32_t i = 0; i < input->shape.rank; i++)
        if ((input->open >> i & 1) != 0)
            widen(&sizes, i, 1, -1);
    return sizes;
}

bool feature_sizes_are_fixed(const struct input_sizes *sizes)
{
    return graph_shape_equal(&sizes->min, &sizes->max);
}

/* The default shape with the permitted sizes i. */
static struct graph_shape permitted_shape(const struct input_sizes *sizes,
                                          const struct ane_feature *input, size_t i)
{
    struct graph_shape shape = input->shape;
    memcpy(shape.size + shape.rank - sizes->n_dimensions,
           sizes->permitted + i * sizes->n_dimensions, sizes->n_dimensions * sizeof *shape.size);
    return shape;
}

model_status feature_sizes_check(const struct input_sizes *sizes, const struct ane_feature *input,
                                 const struct graph_shape *shape, struct model_error *err)
{
    char list[LIST_BYTES] = "", have[GRAPH_SHAPE_BYTES], one[GRAPH_SHAPE_BYTES];
    size_t used = 0;
    if (sizes->n_permitted == 0 || graph_shape_equal(shape, &input->shape))
        return MODEL_OK;
    for (size_t i = 0; i < sizes->n_permitted; i++) {
        const struct graph_shape wanted = permitted_shape(sizes, input, i);
        if (graph_shape_equal(shape, &wanted))
            return MODEL_OK;
        if (graph_shape_equal(&wanted, &input->shape))
            continue;
        if (used + GRAPH_SHAPE_BYTES >= LIST_BYTES)
            continue;
        const int n =
            snprintf(list + used, LIST_BYTES - used, ", %s", graph_shape_text(&wanted, one));
        used += n > 0 ? (size_t)n : 0;
        if (used + GRAPH_SHAPE_BYTES >= LIST_BYTES && i + 1 < sizes->n_permitted)
            (void)snprintf(list + used, LIST_BYTES - used, " and %zu more",
                           sizes->n_permitted - i - 1);
    }
    return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                        "'%.100s' is %s, and the model takes %s%s only", input->name,
                        graph_shape_text(shape, have), graph_shape_text(&input->shape, one), list);
}

/* From the last dimension on, since blobs have more of size 1 in front. */
bool output_sizes_like(const struct graph_shape *usual_blob, const struct graph_shape *usual,
                       const struct graph_shape *blob, struct graph_shape *ret)
{
    uint32_t b = usual_blob->rank;
    if (blob->rank != usual_blob->rank)
        return false;
    *ret = (struct graph_shape){.rank = usual->rank};
    for (uint32_t i = usual->rank; i-- > 0;) {
        while (b > 0 && usual_blob->size[b - 1] == 1 && usual->size[i] != 1)
            if (blob->size[--b] != 1)
                return false;
        if (b > 0 && usual_blob->size[b - 1] == usual->size[i])
            ret->size[i] = blob->size[--b];
        else if (usual->size[i] == 1)
            ret->size[i] = 1;
        else
            return false;
    }
    return graph_shape_size(ret) == graph_shape_size(blob);
}
