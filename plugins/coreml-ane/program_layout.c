/* program_layout.c - operations that move numbers: reshape, transpose, slices, concat and their like; see
 * program.h. */
#include "program.h"

#include <string.h>

#define MAX_RANGE ((double)(1 << 24)) /* numbers of range_1d */

static void translate_reshape(struct program *p)
{
    int64_t sizes[PROGRAM_MAX_INTS];
    size_t rank;
    const uint32_t x = program_input(p, "x");
    struct graph_shape to = {.rank = 0};
    if (!program_ints(p, "shape", sizes, &rank) || rank > MODEL_MAX_RANK) {
        program_contradicts(p, "without a shape");
        return;
    }
    to.rank = (uint32_t)rank;
    memcpy(to.size, sizes, rank * sizeof *sizes);
    p->outputs[0] = graph_reshape_to(&p->builder, x, &to, true);
}

static void translate_transpose(struct program *p)
{
    int64_t perm[PROGRAM_MAX_INTS];
    size_t n;
    uint32_t order[MODEL_MAX_RANK];
    const uint32_t x = program_input(p, "x");
    const struct graph_shape shape = shape_of(p, x);
    if (!program_ints(p, "perm", perm, &n) || n != shape.rank) {
        program_contradicts(p, "whose perm does not name each dimension");
        return;
    }
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)(perm[i] < 0 ? perm[i] + shape.rank : perm[i]);
    if (n == 4 && map_of(p, x) != GRAPH_NONE &&
        memcmp(order, (uint32_t[]){0, 2, 3, 1}, sizeof order[0] * 4) == 0)
        p->outputs[0] = map_of(p, x);
    else if (n == 4 && memcmp(order, (uint32_t[]){0, 3, 1, 2}, sizeof order[0] * 4) == 0)
        p->outputs[0] = from_map(p, x);
    else
        p->outputs[0] = graph_transpose(&p->builder, x, order);
}

static void translate_expand_dims(struct program *p)
{
    int64_t axes[PROGRAM_MAX_INTS];
    size_t n;
    const uint32_t x = program_input(p, "x");
    const size_t more = program_ints(p, "axes", axes, &n) ? n : MODEL_MAX_RANK;
    const uint32_t rank = shape_of(p, x).rank + (uint32_t)more;
    if (rank > MODEL_MAX_RANK)
        program_contradicts(p, "to too many dimensions, or without axes");
    else
        p->outputs[0] = graph_expand(&p->builder, x, more > 0 ? program_axes(p, rank) : 0);
}

static void translate_squeeze(struct program *p)
{
    const uint32_t x = program_input(p, "x");
    const struct graph_shape from = shape_of(p, x);
    const uint32_t axes = program_axes(p, from.rank);
    struct graph_shape to = {.rank = 0};
    for (uint32_t i = 0; i < from.rank; i++)
        if ((axes >> i & 1) == 0 || from.size[i] != 1)
            to.size[to.rank++] = from.size[i];
    p->outputs[0] = program_reshape(p, x, &to);
}

/* One number of each in turn: a new dimension behind the axis, which then joins it. */
static void interleave(struct program *p, uint32_t n, uint32_t *values, uint32_t axis)
{
    struct graph_shape shape = shape_of(p, values[0]);
    for (uint32_t i = 0; i < n; i++)
        values[i] = graph_expand(&p->builder, values[i], 1u << (axis + 1));
    shape.size[axis] *= n;
    p->outputs[0] = program_reshape(p, program_concat(p, n, values, axis + 1), &shape);
}

static void translate_concat(struct program *p)
{
    uint32_t values[GRAPH_MAX_INPUTS];
    const size_t n = program_count(p, "values");
    const bool in_turn = program_bool(p, "interleave", false);
    if (n == 0 || n > GRAPH_MAX_INPUTS) {
        graph_fail(&p->builder, MODEL_UNSUPPORTED, "'%.60s' of %zu values, want 1 to %d",
                   p->operation->type, n, GRAPH_MAX_INPUTS);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        values[i] = program_input_at(p, "values", i);
        if (shape_of(p, values[i]).rank == 0) /* one size of a shape that is put together */
            values[i] = graph_expand(&p->builder, values[i], 1);
    }
    const uint32_t axis = program_axis(p, "axis", 0, shape_of(p, values[0]).rank);
    if (in_turn && p->builder.status == MODEL_OK)
        interleave(p, (uint32_t)n, values, axis);
    else
        p->outputs[0] = program_concat(p, (uint32_t)n, values, axis);
}

static void translate_stack(struct program *p)
{
    uint32_t values[GRAPH_MAX_INPUTS];
    const size_t n = program_count(p, "values");
    if (n == 0 || n > GRAPH_MAX_INPUTS) {
        graph_fail(&p->builder, MODEL_UNSUPPORTED, "'%.60s' of %zu values, want 1 to %d",
                   p->operation->type, n, GRAPH_MAX_INPUTS);
        return;
    }
    const uint32_t rank = shape_of(p, program_input_at(p, "values", 0)).rank + 1;
    const uint32_t axis = program_axis(p, "axis", 0, rank);
    for (size_t i = 0; i < n; i++)
        values[i] = graph_expand(&p->builder, program_input_at(p, "values", i), 1u << axis);
    p->outputs[0] = program_concat(p, (uint32_t)n, values, axis);
}

static void translate_split(struct program *p)
{
    int64_t sizes[PROGRAM_MAX_INTS], at = 0;
    size_t n_sizes;
    const uint32_t x = program_input(p, "x");
    const uint32_t axis = program_axis(p, "axis", 0, shape_of(p, x).rank);
    const bool given = program_ints(p, "split_sizes", sizes, &n_sizes);
    const size_t n = p->operation->n_outputs;
    if (p->builder.status != MODEL_OK || n == 0 || (given && n_sizes != n) ||
        program_int(p, "num_splits", (int64_t)n) != (int64_t)n) {
        program_contradicts(p, "into other than its outputs");
        return;
    }
    const int64_t whole = shape_of(p, x).size[axis];
    for (size_t i = 0; i < n; i++) {
        const int64_t size = given ? sizes[i] : whole / (int64_t)n;
        if (size < 1 || size > whole - at)
            break;
        p->outputs[i] = program_slice(p, x, axis, at, at + size);
        at += size;
    }
    if (at != whole)
        program_contradicts(p, "into parts that are not all of it");
}

/* ---- slices */

struct bounds {
    int64_t begin[PROGRAM_MAX_INTS], end[PROGRAM_MAX_INTS], stride[PROGRAM_MAX_INTS];
    int64_t begin_mask[PROGRAM_MAX_INTS], end_mask[PROGRAM_MAX_INTS], squeeze[PROGRAM_MAX_INTS];
};

/* A vector of as many numbers as x has dimensions, or n times `fallback`. */
static void read_vector(struct program *p, const char *name, int64_t fallback, uint32_t rank,
                        int64_t ret[PROGRAM_MAX_INTS])
{
    size_t n;
    const bool given = program_ints(p, name, ret, &n);
    if (given && n != rank)
        program_contradicts(p, "with bounds for another number of dimensions");
    for (uint32_t i = 0; i < rank && !given; i++)
        ret[i] = fallback;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* What "begin", "end" and the others say of a value of this rank. */
static void read_parts(struct program *p, uint32_t rank, struct graph_part parts[MODEL_MAX_RANK])
{
    struct bounds b;
    read_vector(p, "begin", 0, rank, b.begin);
    read_vector(p, "end", 0, rank, b.end);
    read_vector(p, "stride", 1, rank, b.stride);
    read_vector(p, "begin_mask", 0, rank, b.begin_mask);
    read_vector(p, "end_mask", 0, rank, b.end_mask);
    read_vector(p, "squeeze_mask", 0, rank, b.squeeze);
    for (uint32_t i = 0; i < rank && p->builder.status == MODEL_OK; i++)
        parts[i] = (struct graph_part){.begin = b.begin[i],
                                       .end = b.end[i],
                                       .stride = b.stride[i],
                                       .is_open_first = b.begin_mask[i] != 0,
                                       .is_open_last = b.end_mask[i] != 0,
                                       .single = b.squeeze[i] != 0};
}

static void translate_slice_by_index(struct program *p)
{
    struct graph_part parts[MODEL_MAX_RANK] = {{0}};
    const uint32_t x = program_input(p, "x");
    read_parts(p, shape_of(p, x).rank, parts);
    p->outputs[0] = graph_index(&p->builder, x, parts);
}

/* x with the update in place of its slice: the slice of the numbers' places says where they go. */
static void translate_slice_update(struct program *p)
{
    struct graph_part parts[MODEL_MAX_RANK] = {{0}};
    const uint32_t x = program_input(p, "x"), update = program_input(p, "update");
    const struct graph_shape shape = shape_of(p, x), given = shape_of(p, update);
    const struct graph_shape flat = {1, {(int64_t)graph_shape_size(&shape)}};
    const struct graph_shape line = {1, {(int64_t)graph_shape_size(&given)}};
    read_parts(p, shape.rank, parts);
    const uint32_t all = program_reshape(p, graph_range(&p->builder, flat.size[0]), &shape);
    const uint32_t places = graph_index(&p->builder, all, parts);
    const struct graph_shape slice = shape_of(p, places);
    char want[GRAPH_SHAPE_BYTES], found[GRAPH_SHAPE_BYTES];
    if (!graph_shape_equal(&slice, &given))
        graph_fail(&p->builder, MODEL_CORRUPT, "'%.60s' of a slice of shape %s by one of %s",
                   p->operation->type, graph_shape_text(&slice, want),
                   graph_shape_text(&given, found));
    const uint32_t inputs[] = {program_reshape(p, x, &flat), program_reshape(p, places, &line),
                               program_reshape(p, update, &line)};
    const struct graph_attributes a = {.places = {.form = PLACES_AXIS, .mode = SCATTER_SET}};
    p->outputs[0] =
        program_reshape(p, graph_add(&p->builder, GRAPH_SCATTER, 3, inputs, &a), &shape);
}

static void translate_slice_by_size(struct program *p)
{
    struct bounds b;
    struct graph_attributes a = {.slice = {.begin = {0}}};
    const uint32_t x = program_input(p, "x");
    const struct graph_shape shape = shape_of(p, x);
    read_vector(p, "begin", 0, shape.rank, b.begin);
    read_vector(p, "size", -1, shape.rank, b.end);
    if (p->builder.status != MODEL_OK)
        return;
    for (uint32_t i = 0; i < shape.rank; i++) {
        a.slice.begin[i] = clamp(b.begin[i], 0, shape.size[i]);
        a.slice.end[i] =
            b.end[i] == -1 ? shape.size[i] : a.slice.begin[i] + clamp(b.end[i], 0, shape.size[i]);
        a.slice.stride[i] = 1;
    }
    p->outputs[0] = graph_add(&p->builder, GRAPH_SLICE, 1, &x, &a);
}

/* ---- others */

static void translate_shape(struct program *p)
{
    const struct graph_shape shape = shape_of(p, program_input(p, "x"));
    float *sizes = NULL;
    if (shape.rank == 0)
        program_fail(p, "of a single number");
    if (p->builder.status == MODEL_OK)
        sizes = kernels_allocate(p->builder.graph->kernels, shape.rank * sizeof *sizes);
    if (sizes == NULL) {
        graph_fail(&p->builder, MODEL_OUT_OF_MEMORY, "no memory for a shape");
        return;
    }
    for (uint32_t i = 0; i < shape.rank; i++)
        sizes[i] = (float)shape.size[i];
    p->outputs[0] = graph_add_constant(&p->builder, MODEL_F32,
                                       &(struct graph_shape){1, {(int64_t)shape.rank}}, sizes);
}

static void translate_tile(struct program *p)
{
    int64_t reps[PROGRAM_MAX_INTS];
    size_t n;
    uint32_t x = program_input(p, "x");
    if (!program_ints(p, "reps", reps, &n) || n != shape_of(p, x).rank) {
        program_contradicts(p, "without reps for each dimension");
        return;
    }
    for (uint32_t i = 0; i < (uint32_t)n; i++)
        x = graph_repeat(&p->builder, x, i, reps[i]);
    p->outputs[0] = x;
}

static void translate_fill(struct program *p)
{
    int64_t sizes[PROGRAM_MAX_INTS];
    size_t n;
    struct graph_shape shape = {.rank = 0};
    if (!program_ints(p, "shape", sizes, &n) || n > MODEL_MAX_RANK) {
        program_contradicts(p, "without a shape");
        return;
    }
    for (size_t i = 0; i < n; i++)
        shape.size[shape.rank++] = sizes[i];
    p->outputs[0] =
        program_broadcast(p, graph_add_scalar(&p->builder, program_float(p, "value", 0)), &shape);
}

static void translate_fill_like(struct program *p)
{
    const struct graph_shape shape = shape_of(p, program_input(p, "ref_tensor"));
    p->outputs[0] =
        program_broadcast(p, graph_add_scalar(&p->builder, program_float(p, "value", 0)), &shape);
}

/* [before the axis, the rest] */
static void translate_flatten2d(struct program *p)
{
    const uint32_t x = program_input(p, "x");
    const struct graph_shape shape = shape_of(p, x);
    const int64_t given = program_int(p, "axis", 1), axis = given < 0 ? given + shape.rank : given;
    struct graph_shape to = {2, {1, 1}};
    if (axis < 0 || axis > (int64_t)shape.rank)
        program_contradicts(p, "at a dimension that is not there");
    for (uint32_t i = 0; i < shape.rank; i++)
        to.size[i < axis ? 0 : 1] *= shape.size[i];
    p->outputs[0] = program_reshape(p, x, &to);
}

/* Dimensions [begin, end) of each of several values, one behind the other. */
static void translate_reshape_like(struct program *p)
{
    const uint32_t x = program_input(p, "x");
    const size_t n = program_count(p, "ref_tensors");
    struct graph_shape to = {.rank = 0};
    for (size_t i = 0; i < n; i++) {
        const struct graph_shape like = shape_of(p, program_input_at(p, "ref_tensors", i));
        const float *begin = graph_known(&p->builder, program_input_at(p, "begins", i));
        const float *end = graph_known(&p->builder, program_input_at(p, "ends", i));
        const float *open = graph_known(&p->builder, program_input_at(p, "end_masks", i));
        if (begin == NULL || end == NULL || open == NULL) {
            program_fail(p, "with bounds that depend on the run");
            return;
        }
        const double rank = like.rank;
        double at = (double)*begin < 0 ? (double)*begin + rank : (double)*begin;
        const double stop = *open != 0 ? rank : *end < 0 ? (double)*end + rank : (double)*end;
        for (; at >= 0 && at < stop && at < rank && to.rank < MODEL_MAX_RANK; at++)
            to.size[to.rank++] = like.size[(uint32_t)at];
    }
    p->outputs[0] = program_reshape(p, x, &to);
}

static void translate_range_1d(struct program *p)
{
    const double start = (double)program_float(p, "start", 0);
    const double step = (double)program_float(p, "step", 1);
    const double n = ((double)program_float(p, "end", 0) - start) / step;
    if (!(n > 0 && n <= MAX_RANGE)) {
        program_fail(p, "of no numbers, of more than 2^24, or by steps of 0");
        return;
    }
    const size_t size = (size_t)n + ((double)(size_t)n < n);
    float *numbers = NULL;
    if (program_work(p, size))
        numbers = kernels_allocate(p->builder.graph->kernels, size * sizeof *numbers);
    if (numbers == NULL) {
        graph_fail(&p->builder, MODEL_OUT_OF_MEMORY, "no memory for its %zu numbers", size);
        return;
    }
    for (size_t i = 0; i < size; i++)
        numbers[i] = (float)(start + (double)i * step);
    p->outputs[0] = graph_add_constant(&p->builder, MODEL_F32,
                                       &(struct graph_shape){1, {(int64_t)size}}, numbers);
}

bool translate_program_layout(struct program *p)
{
    static const struct program_row rows[] = {{"reshape", translate_reshape},
                                              {"transpose", translate_transpose},
                                              {"expand_dims", translate_expand_dims},
                                              {"squeeze", translate_squeeze},
                                              {"concat", translate_concat},
                                              {"stack", translate_stack},
                                              {"split", translate_split},
                                              {"slice_by_index", translate_slice_by_index},
                                              {"slice_by_size", translate_slice_by_size},
                                              {"slice_update", translate_slice_update},
                                              {"flatten2d", translate_flatten2d},
                                              {"reshape_like", translate_reshape_like},
                                              {"shape", translate_shape},
                                              {"tile", translate_tile},
                                              {"fill", translate_fill},
                                              {"fill_like", translate_fill_like},
                                              {"range_1d", translate_range_1d}};
    return program_find(p, rows, sizeof rows / sizeof *rows);
}
