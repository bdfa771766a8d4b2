/* program_values.c - frequent nodes of a program's graph, and the maps of values; see program.h. */
#include "program.h"

#include <string.h>

struct graph_shape shape_of(const struct program *p, uint32_t value)
{
    return graph_shape_of(&p->builder, value);
}

uint32_t program_vector(struct program *p, size_t n, float number)
{
    return program_broadcast(p, graph_add_scalar(&p->builder, number),
                             &(struct graph_shape){1, {(int64_t)n}});
}

uint32_t program_broadcast(struct program *p, uint32_t x, const struct graph_shape *shape)
{
    return graph_broadcast(&p->builder, x, shape);
}

uint32_t program_slice(struct program *p, uint32_t x, uint32_t axis, int64_t begin, int64_t end)
{
    return graph_slice(&p->builder, x, axis, begin, end);
}

uint32_t program_concat(struct program *p, uint32_t n, const uint32_t *values, uint32_t axis)
{
    return graph_concat(&p->builder, n, values, axis);
}

uint32_t program_reshape(struct program *p, uint32_t x, const struct graph_shape *shape)
{
    return graph_shape_to(&p->builder, x, shape);
}

uint32_t program_widen(struct program *p, uint32_t x)
{
    const struct graph_shape shape = shape_of(p, x);
    if (shape.rank != 3)
        return x;
    return program_reshape(
        p, x, &(struct graph_shape){4, {shape.size[0], shape.size[1], 1, shape.size[2]}});
}

uint32_t program_narrow(struct program *p, uint32_t x, uint32_t rank)
{
    const struct graph_shape shape = shape_of(p, x);
    if (rank != 3)
        return x;
    return program_reshape(p, x,
                           &(struct graph_shape){3, {shape.size[0], shape.size[1], shape.size[3]}});
}

/* ---- maps */

uint32_t map_of(const struct program *p, uint32_t value)
{
    return value < p->n_maps ? p->maps[value] : GRAPH_NONE;
}

static void set_map(struct program *p, uint32_t value, uint32_t map)
{
    if (p->builder.status != MODEL_OK)
        return;
    if (value >= p->n_maps) {
        const uint32_t n = 2 * value + 64;
        uint32_t *maps = kernels_allocate(p->builder.graph->kernels, n * sizeof *maps);
        if (maps == NULL) {
            graph_fail(&p->builder, MODEL_OUT_OF_MEMORY, "no memory for its maps");
            return;
        }
        for (uint32_t i = 0; i < n; i++)
            maps[i] = map_of(p, i);
        p->maps = maps;
        p->n_maps = n;
    }
    p->maps[value] = map;
}

uint32_t to_map(struct program *p, uint32_t value)
{
    uint32_t map = map_of(p, value);
    if (map == GRAPH_NONE && shape_of(p, value).rank == 4) {
        map = graph_transpose(&p->builder, value, (uint32_t[]){0, 2, 3, 1});
        set_map(p, value, map);
    }
    if (map == GRAPH_NONE)
        program_contradicts(p, "of a value that has not four dimensions");
    return map;
}

uint32_t from_map(struct program *p, uint32_t map)
{
    const uint32_t value = graph_transpose(&p->builder, map, (uint32_t[]){0, 3, 1, 2});
    set_map(p, value, map);
    return value;
}

/* y as it goes with the map of an x of this shape; GRAPH_NONE: not at all. */
static uint32_t beside_map(struct program *p, uint32_t y, const struct graph_shape *x)
{
    const struct graph_shape shape = shape_of(p, y);
    const size_t size = graph_shape_size(&shape);
    if (graph_shape_equal(&shape, x))
        return map_of(p, y);
    if (size == 1 && shape.rank <= 4)
        return program_reshape(p, y, &(struct graph_shape){1, {1}});
    if ((shape.rank == 3 || shape.rank == 4) && shape.size[shape.rank - 3] == (int64_t)size &&
        (int64_t)size == x->size[1])
        return program_reshape(p, y, &(struct graph_shape){1, {(int64_t)size}});
    return GRAPH_NONE;
}

uint32_t program_binary(struct program *p, enum graph_binary function, uint32_t x, uint32_t y)
{
    const struct graph_shape first = shape_of(p, x), second = shape_of(p, y);
    if (map_of(p, x) != GRAPH_NONE) {
        const uint32_t beside = beside_map(p, y, &first);
        if (beside != GRAPH_NONE)
            return from_map(p, graph_binary(&p->builder, function, map_of(p, x), beside));
    } else if (map_of(p, y) != GRAPH_NONE) {
        const uint32_t beside = beside_map(p, x, &second);
        if (beside != GRAPH_NONE)
            return from_map(p, graph_binary(&p->builder, function, beside, map_of(p, y)));
    }
    return graph_binary(&p->builder, function, x, y);
}

uint32_t program_select(struct program *p, uint32_t condition, uint32_t x, uint32_t y)
{
    return graph_select(&p->builder, condition, x, y);
}
