/* program_layout.c - operations that move numbers: reshape, transpose, slices, concat, gather and their like; see
 * program.h. */
#include "program.h"

#include <string.h>

static void translate_reshape(struct program *p)
{
    int64_t sizes[PROGRAM_MAX_INTS], n = 1;
    size_t rank;
    const uint32_t x = program_input(p, "x");
    const struct graph_shape from = shape_of(p, x);
    struct graph_shape to = {.rank = 0};
    if (!program_ints(p, "shape", sizes, &rank) || rank > MODEL_MAX_RANK) {
        program_fail(p, "without a shape");
        return;
    }
    to.rank = (uint32_t)rank;
    for (uint32_t i = 0; i < to.rank; i++) {
        /* 0 is the size that stands there in x, counted from the end. */
        const uint32_t same = i + from.rank - to.rank;
        to.size[i] = sizes[i] == 0 && i + from.rank >= to.rank ? from.size[same] : sizes[i];
        if (to.size[i] > 0)
            n = to.size[i] > MAP_MAX_SIZE / n ? MAP_MAX_SIZE : n * to.size[i];
    }
    for (uint32_t i = 0; i < to.rank; i++)
        if (to.size[i] == -1)
            to.size[i] = (int64_t)graph_shape_size(&from) / n;
    p->outputs[0] = program_reshape(p, x, &to);
}

static void translate_transpose(struct program *p)
{
    int64_t perm[PROGRAM_MAX_INTS];
    size_t n;
    uint32_t order[MODEL_MAX_RANK];
    const uint32_t x = program_input(p, "x");
    const struct graph_shape shape = shape_of(p, x);
    if (!program_ints(p, "perm", perm, &n) || n != shape.rank) {
        program_fail(p, "whose perm does not name each dimension");
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

/* x with dimensions of size 1 where `axes` of the result has bits. */
static uint32_t expand(struct program *p, uint32_t x, uint32_t axes)
{
    const struct graph_shape from = shape_of(p, x);
    struct graph_shape to = {.rank = 0};
    for (uint32_t i = 0, k = 0; to.rank < MODEL_MAX_RANK && (k < from.rank || axes >> i != 0); i++)
        to.size[to.rank++] = (axes >> i & 1) != 0 || k >= from.rank ? 1 : from.size[k++];
    return program_reshape(p, x, &to);
}

static void translate_expand_dims(struct program *p)
{
    int64_t axes[PROGRAM_MAX_INTS];
    size_t n;
    uint32_t bits = 0;
    const uint32_t x = program_input(p, "x");
    if (!program_ints(p, "axes", axes, &n))
        program_fail(p, "without axes");
    const int64_t rank = (int64_t)shape_of(p, x).rank + (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank || axis >= MODEL_MAX_RANK)
            program_fail(p, "along a dimension that is not there");
        else
            bits |= 1u << axis;
    }
    p->outputs[0] = expand(p, x, bits);
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

static void translate_concat(struct program *p)
{
    uint32_t values[GRAPH_MAX_INPUTS];
    const size_t n = program_count(p, "values");
    if (n == 0 || n > GRAPH_MAX_INPUTS || program_bool(p, "interleave", false)) {
        program_fail(p, "interleaved, or of too many values");
        return;
    }
    for (size_t i = 0; i < n; i++)
        values[i] = program_input_at(p, "values", i);
    const uint32_t axis = program_axis(p, "axis", 0, shape_of(p, values[0]).rank);
    p->outputs[0] = program_concat(p, (uint32_t)n, values, axis);
}

static void translate_stack(struct program *p)
{
    uint32_t values[GRAPH_MAX_INPUTS];
    const size_t n = program_count(p, "values");
    if (n == 0 || n > GRAPH_MAX_INPUTS) {
        program_fail(p, "of no values, or too many");
        return;
    }
    const uint32_t rank = shape_of(p, program_input_at(p, "values", 0)).rank + 1;
    const uint32_t axis = program_axis(p, "axis", 0, rank);
    for (size_t i = 0; i < n; i++)
        values[i] = expand(p, program_input_at(p, "values", i), 1u << axis);
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
    if (p->builder.status != MODEL_OK || (given && n_sizes != n)) {
        program_fail(p, "into other than its outputs");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const int64_t size = given ? sizes[i] : shape_of(p, x).size[axis] / (int64_t)n;
        p->outputs[i] = size < 0
                            ? GRAPH_NONE
                            : program_slice(p, x, axis, at, at > MAP_MAX_SIZE ? at : at + size);
        at += size > MAP_MAX_SIZE ? MAP_MAX_SIZE : size;
    }
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
        program_fail(p, "with bounds for another number of dimensions");
    for (uint32_t i = 0; i < rank && !given; i++)
        ret[i] = fallback;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Numpy's reading of one dimension; strides under 1 are not computed. */
static void slice_dimension(struct program *p, const struct bounds *b, uint32_t i, int64_t size,
                            struct graph_attributes *a)
{
    const bool single = b->squeeze[i] != 0;
    int64_t begin = b->begin_mask[i] != 0 && !single ? 0 : b->begin[i];
    int64_t end = b->end_mask[i] != 0 ? size : b->end[i];
    if (b->stride[i] < 1 && !single)
        program_fail(p, "with a stride under 1");
    begin = clamp(begin < 0 ? begin + size : begin, 0, size);
    end = clamp(end < 0 ? end + size : end, 0, size);
    a->slice.begin[i] = begin;
    a->slice.end[i] = single ? begin + 1 : end;
    a->slice.stride[i] = single || b->stride[i] < 1 ? 1 : b->stride[i];
}

static void translate_slice_by_index(struct program *p)
{
    struct bounds b;
    struct graph_attributes a = {.slice = {.begin = {0}}};
    const uint32_t x = program_input(p, "x");
    const struct graph_shape shape = shape_of(p, x);
    struct graph_shape rest = {.rank = 0};
    read_vector(p, "begin", 0, shape.rank, b.begin);
    read_vector(p, "end", 0, shape.rank, b.end);
    read_vector(p, "stride", 1, shape.rank, b.stride);
    read_vector(p, "begin_mask", 0, shape.rank, b.begin_mask);
    read_vector(p, "end_mask", 0, shape.rank, b.end_mask);
    read_vector(p, "squeeze_mask", 0, shape.rank, b.squeeze);
    if (p->builder.status != MODEL_OK)
        return;
    for (uint32_t i = 0; i < shape.rank; i++)
        slice_dimension(p, &b, i, shape.size[i], &a);
    const uint32_t y = graph_add(&p->builder, GRAPH_SLICE, 1, &x, &a);
    const struct graph_shape sliced = shape_of(p, y);
    for (uint32_t i = 0; i < sliced.rank; i++)
        if (b.squeeze[i] == 0)
            rest.size[rest.rank++] = sliced.size[i];
    p->outputs[0] = program_reshape(p, y, &rest);
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

static void translate_gather(struct program *p)
{
    const uint32_t x = program_input(p, "x");
    const struct graph_attributes a = {
        .along = {.axis = program_axis(p, "axis", 0, shape_of(p, x).rank)}};
    if (program_int(p, "batch_dims", 0) != 0)
        program_fail(p, "with batch_dims");
    p->outputs[0] =
        graph_add(&p->builder, GRAPH_GATHER, 2, (uint32_t[]){x, program_input(p, "indices")}, &a);
}

static void translate_shape(struct program *p)
{
    const struct graph_shape shape = shape_of(p, program_input(p, "x"));
    float *sizes = NULL;
    if (p->builder.status == MODEL_OK && shape.rank > 0)
        sizes = kernels_allocate(p->builder.graph->kernels, shape.rank * sizeof *sizes);
    if (sizes == NULL) {
        program_fail(p, "of a single number");
        return;
    }
    for (uint32_t i = 0; i < shape.rank; i++)
        sizes[i] = (float)shape.size[i];
    p->outputs[0] = graph_add_constant(&p->builder, MODEL_F32,
                                       &(struct graph_shape){1, {(int64_t)shape.rank}}, sizes);
}

/* Each dimension d, r times: [1, d] becomes [r, d]; one dimension after the other, as far as ranks go. */
static void translate_tile(struct program *p)
{
    int64_t reps[PROGRAM_MAX_INTS];
    size_t n;
    uint32_t x = program_input(p, "x");
    struct graph_shape shape = shape_of(p, x);
    if (!program_ints(p, "reps", reps, &n) || n != shape.rank) {
        program_fail(p, "without reps for each dimension");
        return;
    }
    for (uint32_t i = 0; i < shape.rank; i++) {
        struct graph_shape apart = {3, {1, 1, shape.size[i]}};
        for (uint32_t k = 0; k < shape.rank; k++)
            apart.size[k < i ? 0 : 2] *= k == i ? 1 : shape.size[k];
        if (reps[i] == 1)
            continue;
        x = program_reshape(p, x, &apart);
        apart.size[1] = reps[i];
        x = program_broadcast(p, x, &apart);
        shape.size[i] = reps[i] > MAP_MAX_SIZE ? 0 : shape.size[i] * reps[i];
        x = program_reshape(p, x, &shape);
    }
    p->outputs[0] = x;
}

static void translate_fill(struct program *p)
{
    int64_t sizes[PROGRAM_MAX_INTS];
    size_t n;
    struct graph_shape shape = {.rank = 0};
    if (!program_ints(p, "shape", sizes, &n) || n > MODEL_MAX_RANK) {
        program_fail(p, "without a shape");
        return;
    }
    for (size_t i = 0; i < n; i++)
        shape.size[shape.rank++] = sizes[i];
    p->outputs[0] =
        program_broadcast(p, graph_add_scalar(&p->builder, program_float(p, "value", 0)), &shape);
}

static void translate_range_1d(struct program *p)
{
    const double start = (double)program_float(p, "start", 0);
    const double step = (double)program_float(p, "step", 1);
    const double n = ((double)program_float(p, "end", 0) - start) / (step != 0 ? step : 1);
    float *numbers = NULL;
    const size_t size = n > 0 && n <= (double)(1 << 20) ? (size_t)n + ((double)(size_t)n < n) : 0;
    if (size > 0 && program_work(p, size))
        numbers = kernels_allocate(p->builder.graph->kernels, size * sizeof *numbers);
    if (numbers == NULL) {
        program_fail(p, "of no numbers, or too many");
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
                                              {"gather", translate_gather},
                                              {"shape", translate_shape},
                                              {"tile", translate_tile},
                                              {"fill", translate_fill},
                                              {"range_1d", translate_range_1d}};
    return program_find(p, rows, sizeof rows / sizeof *rows);
}
