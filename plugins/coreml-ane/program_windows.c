/* program_windows.c - what slides over maps: conv, conv_transpose, pools, pad; and batch_norm, which is by channel; see
 * program.h. Maps of one dimension are maps of height 1. */
#include "program.h"

#include <string.h>

/* A number for each axis of the map. */
static void read_axes(struct program *p, const char *name, uint32_t n_axes, int64_t ret[2])
{
    int64_t numbers[PROGRAM_MAX_INTS];
    size_t n;
    ret[0] = ret[1] = 1;
    if (!program_ints(p, name, numbers, &n))
        return;
    if (n != n_axes)
        graph_fail(&p->builder, MODEL_CORRUPT, "'%.60s' whose '%s' has %zu numbers, want %u",
                   p->operation->type, name, n, n_axes);
    for (uint32_t i = 0; i < n_axes && i < n; i++)
        ret[2 - n_axes + i] = numbers[i];
}

static void same_padding(struct graph_window *window, const struct graph_shape *map, uint32_t axis,
                         bool lower)
{
    const int64_t in = map->size[1 + axis],
                  stride = window->stride[axis] < 1 ? 1 : window->stride[axis];
    const int64_t limit = MAP_MAX_SIZE;
    if (window->kernel[axis] < 1 || window->kernel[axis] > limit || window->dilation[axis] < 1 ||
        window->dilation[axis] > limit || stride > limit)
        return; /* refused when it is added */
    const int64_t span = (window->kernel[axis] - 1) * window->dilation[axis] + 1;
    const int64_t total = ((in + stride - 1) / stride - 1) * stride + span - in;
    const int64_t few = total > 0 ? total / 2 : 0, many = total > 0 ? total - few : 0;
    window->begin[axis] = lower ? many : few;
    window->end[axis] = lower ? few : many;
}

/* "pad_type". */
enum pad_type { VALID, CUSTOM, SAME, SAME_LOWER };

static enum pad_type read_pad_type(struct program *p)
{
    static const char *const names[] = {"valid", "custom", "same", "same_lower", NULL};
    return (enum pad_type)program_choice(p, "pad_type", names, VALID);
}

/* Strides, dilations and padding over a map. */
static void read_window(struct program *p, uint32_t n_axes, const struct graph_shape *map,
                        struct graph_window *window)
{
    const enum pad_type type = read_pad_type(p);
    int64_t pad[PROGRAM_MAX_INTS];
    size_t n;
    read_axes(p, "strides", n_axes, window->stride);
    read_axes(p, "dilations", n_axes, window->dilation);
    if (type == SAME || type == SAME_LOWER) {
        for (uint32_t axis = 2 - n_axes; axis < 2; axis++)
            same_padding(window, map, axis, type == SAME_LOWER);
    } else if (type == CUSTOM && program_ints(p, "pad", pad, &n)) {
        if (n != 2 * (size_t)n_axes)
            graph_fail(&p->builder, MODEL_CORRUPT, "'%.60s' whose 'pad' has %zu numbers, want %u",
                       p->operation->type, n, 2 * n_axes);
        for (uint32_t i = 0; i < n_axes && 2 * i + 1 < n; i++) {
            window->begin[2 - n_axes + i] = pad[2 * i];
            window->end[2 - n_axes + i] = pad[2 * i + 1];
        }
    }
}

/* The map of x, whose dimensions besides two are those that windows move along: 1 or 2 of them. */
static uint32_t read_map(struct program *p, uint32_t *ret_axes)
{
    const uint32_t x = program_input(p, "x"), rank = shape_of(p, x).rank;
    *ret_axes = rank == 3 ? 1 : 2;
    if (rank != 3 && rank != 4)
        program_fail(p, "of a value of other than three or four dimensions");
    return p->builder.status == MODEL_OK ? to_map(p, program_widen(p, x)) : GRAPH_NONE;
}

static uint32_t read_weight(struct program *p, struct graph_window *window)
{
    const uint32_t weight = program_widen(p, program_input(p, "weight"));
    const struct graph_shape shape = shape_of(p, weight);
    if (shape.rank != 4)
        program_fail(p, "whose weights are of other than three or four dimensions");
    else if (!program_is_constant(p, weight))
        program_fail(p, "whose weights are computed in each run, want constants");
    if (p->builder.status != MODEL_OK || !program_may_prepare(p, weight))
        return GRAPH_NONE;
    window->kernel[0] = shape.size[2];
    window->kernel[1] = shape.size[3];
    return weight;
}

static void translate_conv(struct program *p)
{
    uint32_t n_axes;
    struct graph_attributes a = {.conv = {.groups = program_int(p, "groups", 1)}};
    const uint32_t map = read_map(p, &n_axes), weight = read_weight(p, &a.conv.window);
    const struct graph_shape shape = shape_of(p, map);
    read_window(p, n_axes, &shape, &a.conv.window);
    const uint32_t inputs[] = {map, weight, program_optional(p, "bias")};
    p->outputs[0] = program_narrow(
        p, from_map(p, graph_add(&p->builder, GRAPH_CONV, 3, inputs, &a)), n_axes + 2);
}

/* Of a transposed one the padding is what is cut off its result. */
static void cut_transposed(struct program *p, uint32_t n_axes, const struct graph_shape *map,
                           struct graph_window *w)
{
    int64_t wanted[PROGRAM_MAX_INTS];
    size_t n;
    const enum pad_type type = read_pad_type(p);
    const bool same = type == SAME;
    const bool given = program_ints(p, "output_shape", wanted, &n) && n == (size_t)n_axes + 2;
    if (type == SAME_LOWER)
        program_fail(p, "whose 'pad_type' is 'same_lower', want valid, custom or same");
    for (uint32_t axis = 2 - n_axes; axis < 2 && (same || given); axis++) {
        const int64_t in = map->size[1 + axis], stride = w->stride[axis];
        if (stride < 1 || stride > MAP_MAX_SIZE / in || w->kernel[axis] > MAP_MAX_SIZE)
            return; /* refused when it is added */
        const int64_t full = (in - 1) * stride + w->kernel[axis];
        const int64_t cut = full - (given ? wanted[axis + n_axes] : in * stride);
        w->begin[axis] = cut / 2;
        w->end[axis] = cut - cut / 2;
    }
}

static void translate_conv_transpose(struct program *p)
{
    uint32_t n_axes;
    struct graph_attributes a = {
        .conv = {.groups = program_int(p, "groups", 1), .transposed = true}};
    const uint32_t map = read_map(p, &n_axes), weight = read_weight(p, &a.conv.window);
    const struct graph_shape shape = shape_of(p, map);
    read_window(p, n_axes, &shape, &a.conv.window);
    if (p->builder.status == MODEL_OK)
        cut_transposed(p, n_axes, &shape, &a.conv.window);
    const uint32_t inputs[] = {map, weight, program_optional(p, "bias")};
    p->outputs[0] = program_narrow(
        p, from_map(p, graph_add(&p->builder, GRAPH_CONV, 3, inputs, &a)), n_axes + 2);
}

/* ceil_mode: the last window may reach over the padding, which counts to there, if it begins before that. */
static void hang_over(struct program *p, uint32_t n_axes, const struct graph_shape *map,
                      struct graph_attributes *a)
{
    struct graph_window *w = &a->pool.window;
    const int64_t limit = MAP_MAX_SIZE;
    for (uint32_t axis = 2 - n_axes; axis < 2 && p->builder.status == MODEL_OK; axis++) {
        const int64_t stride = w->stride[axis], kernel = w->kernel[axis], end = w->end[axis];
        if (stride < 1 || stride > limit || kernel < 1 || kernel > limit || end < 0 ||
            end > limit || w->begin[axis] < 0 || w->begin[axis] > limit)
            return; /* refused when it is added */
        const int64_t reach = map->size[1 + axis] + w->begin[axis];
        const int64_t rest = reach + end - kernel;
        const int64_t next = rest < 0 ? 0 : (rest / stride + 1) * stride;
        if (rest < 0 || rest % stride == 0 || next >= reach)
            continue;
        a->pool.beyond[axis] = next + kernel - reach - end;
        w->end[axis] += a->pool.beyond[axis];
    }
}

static void pool(struct program *p, enum graph_pool mode)
{
    uint32_t n_axes;
    struct graph_attributes a = {.pool = {.mode = mode}};
    const uint32_t map = read_map(p, &n_axes);
    const struct graph_shape shape = shape_of(p, map);
    struct graph_window *w = &a.pool.window;
    read_axes(p, "kernel_sizes", n_axes, w->kernel);
    read_window(p, n_axes, &shape, w);
    if (program_bool(p, "ceil_mode", false))
        hang_over(p, n_axes, &shape, &a);
    a.pool.inside_only =
        mode == POOL_AVERAGE && program_bool(p, "exclude_padding_from_average", false);
    p->outputs[0] =
        program_narrow(p, from_map(p, graph_add(&p->builder, GRAPH_POOL, 1, &map, &a)), n_axes + 2);
}

static void translate_max_pool(struct program *p)
{
    pool(p, POOL_MAX);
}

static void translate_avg_pool(struct program *p)
{
    pool(p, POOL_AVERAGE);
}

static void translate_l2_pool(struct program *p)
{
    pool(p, POOL_L2);
}

/* A constant at once: what program_vector() makes is one when constants are computed. */
static uint32_t filled(struct program *p, size_t n, float number)
{
    float *data = kernels_allocate(p->builder.graph->kernels, n * sizeof *data);
    if (data == NULL) {
        graph_fail(&p->builder, MODEL_OUT_OF_MEMORY, "no memory for its weights");
        return GRAPH_NONE;
    }
    for (size_t i = 0; i < n; i++)
        data[i] = number;
    return graph_give_constant(&p->builder, MODEL_F32, &(struct graph_shape){1, {(int64_t)n}},
                               data);
}

static void translate_batch_norm(struct program *p)
{
    uint32_t n_axes;
    const uint32_t map = read_map(p, &n_axes);
    const struct graph_shape shape = shape_of(p, map);
    const uint32_t gamma = program_optional(p, "gamma"), beta = program_optional(p, "beta");
    const struct graph_attributes a = {.norm = {.eps = (double)program_float(p, "epsilon", 1e-5f)}};
    if (p->builder.status != MODEL_OK)
        return;
    const size_t n = (size_t)shape.size[3];
    const uint32_t inputs[] = {map, gamma != GRAPH_NONE ? gamma : filled(p, n, 1),
                               beta != GRAPH_NONE ? beta : filled(p, n, 0),
                               program_input(p, "mean"), program_input(p, "variance")};
    p->outputs[0] = program_narrow(
        p, from_map(p, graph_add(&p->builder, GRAPH_NORM, 5, inputs, &a)), n_axes + 2);
}

/* ---- pad: of the last dimensions, the first of them first */

/* n times `value` before or behind x along `axis`. */
static uint32_t add_edge(struct program *p, uint32_t x, uint32_t axis, int64_t n, float value,
                         bool before)
{
    struct graph_shape shape = shape_of(p, x);
    if (n == 0 || p->builder.status != MODEL_OK)
        return x;
    shape.size[axis] = n;
    const uint32_t edge = program_broadcast(p, graph_add_scalar(&p->builder, value), &shape);
    return program_concat(p, 2, before ? (uint32_t[]){edge, x} : (uint32_t[]){x, edge}, axis);
}

static bool pads_map(const int64_t *pad, size_t n)
{
    for (size_t i = 0; i + 4 < n; i++)
        if (pad[i] != 0)
            return false;
    return n >= 4;
}

static void translate_pad(struct program *p)
{
    int64_t pad[PROGRAM_MAX_INTS];
    size_t n;
    uint32_t x = program_input(p, "x");
    const uint32_t rank = shape_of(p, x).rank;
    static const char *const modes[] = {"constant", "reflect", "replicate", NULL};
    const enum graph_pad mode = (enum graph_pad)program_choice(p, "mode", modes, PAD_CONSTANT);
    const float value = program_float(p, "constant_val", 0);
    if (!program_ints(p, "pad", pad, &n) || n % 2 != 0 || n / 2 > rank) {
        program_contradicts(p, "with a pad that its value does not have");
        return;
    }
    if (rank == 4 && pads_map(pad, n)) {
        struct graph_attributes a = {.pad = {.begin = {pad[n - 4], pad[n - 2]},
                                             .end = {pad[n - 3], pad[n - 1]},
                                             .mode = mode,
                                             .value = value}};
        const uint32_t map = to_map(p, x);
        p->outputs[0] = from_map(p, graph_add(&p->builder, GRAPH_PAD, 1, &map, &a));
        return;
    }
    for (uint32_t i = 0; i < n / 2; i++) {
        const uint32_t axis = rank - (uint32_t)(n / 2) + i;
        if (mode != PAD_CONSTANT) {
            if (pad[2 * i] != 0 || pad[2 * i + 1] != 0)
                x = graph_pad_axis(&p->builder, x, axis, pad[2 * i], pad[2 * i + 1],
                                   mode == PAD_REFLECT);
            continue;
        }
        x = add_edge(p, x, axis, pad[2 * i], value, true);
        x = add_edge(p, x, axis, pad[2 * i + 1], value, false);
    }
    p->outputs[0] = x;
}

bool translate_program_windows(struct program *p)
{
    static const struct program_row rows[] = {{"conv", translate_conv},
                                              {"conv_transpose", translate_conv_transpose},
                                              {"max_pool", translate_max_pool},
                                              {"avg_pool", translate_avg_pool},
                                              {"l2_pool", translate_l2_pool},
                                              {"batch_norm", translate_batch_norm},
                                              {"pad", translate_pad}};
    return program_find(p, rows, sizeof rows / sizeof *rows);
}
