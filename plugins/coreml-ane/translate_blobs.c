/* translate_blobs.c - the two forms of a blob: exact, and as a map; see translate.h. */
#include "translate.h"

#include <string.h>

struct graph_shape value_shape(const struct translation *t, uint32_t value)
{
    return graph_shape_of(&t->builder, value);
}

uint32_t value_axis(struct translation *t, int64_t axis, uint32_t rank)
{
    const int64_t from_start = axis < 0 ? axis + rank : axis;
    if (from_start >= 0 && from_start < (int64_t)rank)
        return (uint32_t)from_start;
    graph_fail(&t->builder, MODEL_CORRUPT, "dimension %lld of %u", (long long)axis, rank);
    return 0;
}

uint32_t value_axes(struct translation *t, const char *field, uint32_t rank)
{
    const coreml_message *params = t->layer->params;
    uint32_t bits = 0;
    for (size_t i = 0; i < coreml_count(params, field); i++) {
        const int64_t axis = coreml_int_at(params, field, i);
        const uint32_t bit = 1u << value_axis(t, axis, rank);
        if ((bits & bit) != 0)
            graph_fail(&t->builder, MODEL_CORRUPT, "dimension %lld of %u stands twice in %s",
                       (long long)axis, rank, field);
        bits |= bit;
    }
    return bits;
}

bool blob_is_map(const struct translation *t, uint32_t value)
{
    return value < t->n_blobs && t->blobs[value].exact.rank > 0;
}

/* Its entry; NULL and an error: no memory. */
static struct blob *entry(struct translation *t, uint32_t value)
{
    if (t->builder.status != MODEL_OK || value == GRAPH_NONE)
        return NULL;
    if (value >= t->n_blobs) {
        const uint32_t n = 2 * value + 64;
        struct blob *blobs = kernels_allocate(t->builder.graph->kernels, n * sizeof *blobs);
        if (blobs == NULL) {
            graph_fail(&t->builder, MODEL_OUT_OF_MEMORY, "no memory for its blobs");
            return NULL;
        }
        for (uint32_t i = 0; i < n; i++)
            blobs[i] = i < t->n_blobs ? t->blobs[i] : (struct blob){.twin = GRAPH_NONE};
        t->blobs = blobs;
        t->n_blobs = n;
    }
    return &t->blobs[value];
}

void blob_set_map(struct translation *t, uint32_t value, const struct graph_shape *exact)
{
    struct blob *blob = entry(t, value);
    if (blob == NULL)
        return;
    if (exact->rank > MODEL_MAX_RANK)
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "more than %d dimensions", MODEL_MAX_RANK);
    else if (blob->exact.rank == 0)
        *blob = (struct blob){*exact, GRAPH_NONE};
}

struct graph_shape blob_shape(const struct translation *t, uint32_t value)
{
    return blob_is_map(t, value) ? t->blobs[value].exact : value_shape(t, value);
}

/* Both are the same blob. */
static void join(struct translation *t, uint32_t map, uint32_t exact)
{
    struct blob *first = entry(t, map);
    if (first != NULL)
        first->twin = exact;
    struct blob *second = entry(t, exact);
    if (second != NULL)
        second->twin = map;
}

uint32_t blob_map(struct translation *t, uint32_t value)
{
    const struct graph_shape shape = value_shape(t, value);
    if (blob_is_map(t, value) || t->builder.status != MODEL_OK)
        return value;
    if (value < t->n_blobs && t->blobs[value].twin != GRAPH_NONE)
        return t->blobs[value].twin;
    if (shape.rank < 3) {
        char text[GRAPH_SHAPE_BYTES];
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "%s of a blob of shape %s, want [.., C, H, W]",
                   t->layer != NULL ? t->layer->kind_name : "a picture",
                   graph_shape_text(&shape, text));
        return GRAPH_NONE;
    }
    const int64_t *size = shape.size + shape.rank - 3; /* C, H, W */
    const int64_t n = (int64_t)graph_shape_size(&shape) / (size[0] * size[1] * size[2]);
    const struct graph_shape planes = {4, {n, size[0], size[1], size[2]}};
    const uint32_t map = map_from_planes(t, graph_shape_to(&t->builder, value, &planes));
    blob_set_map(t, map, &shape);
    join(t, map, value);
    return map;
}

uint32_t blob_exact(struct translation *t, uint32_t value)
{
    if (!blob_is_map(t, value) || t->builder.status != MODEL_OK)
        return value;
    if (t->blobs[value].twin != GRAPH_NONE)
        return t->blobs[value].twin;
    const struct graph_shape shape = t->blobs[value].exact;
    const uint32_t exact = graph_shape_to(&t->builder, map_to_planes(t, value), &shape);
    join(t, value, exact);
    return exact;
}
