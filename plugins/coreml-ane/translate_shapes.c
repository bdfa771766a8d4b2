/* translate_shapes.c - layers of specification 4 and later that give values other shapes; see translate.h. */
#include "translate.h"

#include <string.h>

/* The repeated numbers of `field` as a shape; rank 0 and an error: none, or too many. */
static struct graph_shape read_shape(struct translation *t, const char *field)
{
    const coreml_message *params = t->layer->params;
    const size_t n = coreml_count(params, field);
    struct graph_shape shape = {.rank = 0};
    if (n == 0 || n > MODEL_MAX_RANK) {
        graph_fail(&t->builder, MODEL_CORRUPT, "%zu numbers as %s, want 1 to %d", n, field,
                   MODEL_MAX_RANK);
        return shape;
    }
    for (size_t i = 0; i < n; i++)
        shape.size[shape.rank++] = coreml_int_at(params, field, i);
    return shape;
}

static uint32_t axis_of(struct translation *t, uint32_t more)
{
    return value_axis(t, coreml_int(t->layer->params, "axis"),
                      value_shape(t, t->inputs[0]).rank + more);
}

void exact_tile(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const struct graph_shape reps = read_shape(t, "reps");
    uint32_t x = t->inputs[0];
    if (reps.rank != value_shape(t, x).rank)
        graph_fail(&t->builder, MODEL_CORRUPT, "%u reps for %u dimensions", reps.rank,
                   value_shape(t, x).rank);
    for (uint32_t i = 0; i < reps.rank; i++)
        x = graph_repeat(&t->builder, x, i, reps.size[i]);
    t->outputs[0] = x;
}

void exact_sequence_repeat(struct translation *t)
{
    if (expects(t, 1, 1, 1))
        t->outputs[0] = graph_repeat(&t->builder, t->inputs[0],
                                     value_axis(t, -5, value_shape(t, t->inputs[0]).rank),
                                     coreml_int(t->layer->params, "nRepetitions"));
}

void exact_concat(struct translation *t)
{
    const uint32_t n = (uint32_t)t->layer->n_inputs;
    if (!expects(t, 1, GRAPH_MAX_INPUTS, 1))
        return;
    const uint32_t axis = axis_of(t, 0);
    if (!coreml_bool(t->layer->params, "interleave")) {
        t->outputs[0] = graph_concat(&t->builder, n, t->inputs, axis);
        return;
    }
    uint32_t values[GRAPH_MAX_INPUTS];
    struct graph_shape shape = value_shape(t, t->inputs[0]);
    for (uint32_t i = 0; i < n; i++)
        values[i] = graph_expand(&t->builder, t->inputs[i], 1u << (axis + 1));
    shape.size[axis] *= n;
    t->outputs[0] =
        graph_shape_to(&t->builder, graph_concat(&t->builder, n, values, axis + 1), &shape);
}

void exact_stack(struct translation *t)
{
    uint32_t values[GRAPH_MAX_INPUTS];
    if (!expects(t, 1, GRAPH_MAX_INPUTS, 1))
        return;
    const uint32_t n = (uint32_t)t->layer->n_inputs, axis = axis_of(t, 1);
    for (uint32_t i = 0; i < n; i++)
        values[i] = graph_expand(&t->builder, t->inputs[i], 1u << axis);
    t->outputs[0] = graph_concat(&t->builder, n, values, axis);
}

void exact_split(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const size_t n = t->layer->n_outputs, n_sizes = coreml_count(params, "splitSizes");
    int64_t at = 0;
    if (!expects(t, 1, 1, n))
        return;
    const uint32_t axis = axis_of(t, 0);
    const int64_t all = value_shape(t, t->inputs[0]).size[axis];
    if (t->builder.status == MODEL_OK &&
        (n == 0 || (n_sizes != 0 ? n_sizes != n : all % (int64_t)n != 0)))
        graph_fail(&t->builder, MODEL_CORRUPT, "%lld numbers do not split into %zu outputs",
                   (long long)all, n);
    for (size_t i = 0; i < n && t->builder.status == MODEL_OK; i++) {
        const int64_t size =
            n_sizes != 0 ? coreml_int_at(params, "splitSizes", i) : all / (int64_t)n;
        if (size < 1 || size > all - at)
            graph_fail(&t->builder, MODEL_CORRUPT, "a part of %lld numbers of %lld",
                       (long long)size, (long long)(all - at));
        else
            t->outputs[i] = graph_slice(&t->builder, t->inputs[0], axis, at, at + size);
        at += size;
    }
}

void exact_transpose(struct translation *t)
{
    uint32_t order[MODEL_MAX_RANK];
    if (!expects(t, 1, 1, 1))
        return;
    const struct graph_shape axes = read_shape(t, "axes");
    const uint32_t rank = value_shape(t, t->inputs[0]).rank;
    if (axes.rank != rank)
        graph_fail(&t->builder, MODEL_CORRUPT, "%u axes for %u dimensions", axes.rank, rank);
    for (uint32_t i = 0; i < axes.rank; i++)
        order[i] = value_axis(t, axes.size[i], rank);
    if (t->builder.status == MODEL_OK)
        t->outputs[0] = graph_transpose(&t->builder, t->inputs[0], order);
}

/* ---- slices */

static bool flag(const coreml_message *params, const char *field, size_t i)
{
    return i < coreml_count(params, field) && coreml_bool_at(params, field, i);
}

/* As numpy reads begin:end:stride. */
void exact_slice(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    struct graph_part parts[MODEL_MAX_RANK] = {{0}};
    if (!expects(t, 1, 1, 1))
        return;
    const struct graph_shape begins = read_shape(t, "beginIds"), ends = read_shape(t, "endIds");
    const uint32_t rank = value_shape(t, t->inputs[0]).rank;
    if (begins.rank != rank || ends.rank != rank)
        graph_fail(&t->builder, MODEL_CORRUPT, "a slice of %u dimensions by %u begins and %u ends",
                   rank, begins.rank, ends.rank);
    for (uint32_t i = 0; i < rank; i++)
        parts[i] = (struct graph_part){.begin = begins.size[i],
                                       .end = ends.size[i],
                                       .stride = int_or(params, "strides", i, 1),
                                       .is_open_first = flag(params, "beginMasks", i),
                                       .is_open_last = flag(params, "endMasks", i),
                                       .single = flag(params, "squeezeMasks", i)};
    t->outputs[0] = graph_index(&t->builder, t->inputs[0], parts);
}

/* The second input is where it begins, which must be known before the run. */
void exact_slice_by_size(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    if (!expects(t, 2, 2, 1))
        return;
    const float *begin = graph_known(&t->builder, t->inputs[1]);
    const uint32_t axis = axis_of(t, 0);
    const int64_t size = coreml_int(params, "size");
    if (begin == NULL || !(begin[0] >= 0 && begin[0] < 1e9f) || size < 1 || size > MAP_MAX_SIZE) {
        graph_fail(&t->builder, MODEL_UNSUPPORTED,
                   "a slice of %lld numbers from a place that depends on the run, or is none",
                   (long long)size);
        return;
    }
    t->outputs[0] =
        graph_slice(&t->builder, t->inputs[0], axis, (int64_t)begin[0], (int64_t)begin[0] + size);
}

/* ---- shapes */

void exact_squeeze(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const struct graph_shape shape = value_shape(t, t->inputs[0]);
    const coreml_message *params = t->layer->params;
    uint32_t axes = value_axes(t, "axes", shape.rank);
    for (uint32_t i = 0; i < shape.rank && coreml_bool(params, "squeezeAll"); i++)
        axes |= shape.size[i] == 1 ? 1u << i : 0;
    t->outputs[0] = graph_drop(&t->builder, t->inputs[0], axes);
}

void exact_expand(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const uint32_t rank = value_shape(t, t->inputs[0]).rank + read_shape(t, "axes").rank;
    t->outputs[0] = graph_expand(&t->builder, t->inputs[0], value_axes(t, "axes", rank));
}

void exact_flatten(struct translation *t)
{
    struct graph_shape to = {2, {1, 1}};
    if (!expects(t, 1, 1, 1))
        return;
    const struct graph_shape shape = value_shape(t, t->inputs[0]);
    const int64_t given = coreml_int(t->layer->params, "axis");
    const int64_t axis = given < 0 ? given + shape.rank : given;
    if (axis < 0 || axis > (int64_t)shape.rank)
        graph_fail(&t->builder, MODEL_CORRUPT, "dimension %lld of %u", (long long)given,
                   shape.rank);
    for (uint32_t i = 0; i < shape.rank; i++)
        to.size[i < axis ? 0 : 1] *= shape.size[i];
    t->outputs[0] = graph_shape_to(&t->builder, t->inputs[0], &to);
}

/* 0 is the size that stands there, and -1 what is left. */
static void reshape(struct translation *t, struct graph_shape to)
{
    t->outputs[0] = graph_reshape_to(&t->builder, t->inputs[0], &to, false);
}

void exact_reshape(struct translation *t)
{
    if (expects(t, 1, 1, 1))
        reshape(t, read_shape(t, "targetShape"));
}

void exact_rank_preserving_reshape(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const struct graph_shape to = read_shape(t, "targetShape");
    if (to.rank != value_shape(t, t->inputs[0]).rank)
        graph_fail(&t->builder, MODEL_CORRUPT, "%u dimensions instead of %u", to.rank,
                   value_shape(t, t->inputs[0]).rank);
    else
        reshape(t, to);
}

/* The shape of the second input. */
void exact_reshape_like(struct translation *t)
{
    if (expects(t, 2, 2, 1))
        reshape(t, value_shape(t, t->inputs[1]));
}

/* The numbers of the second input, which must be known before the run. */
void exact_reshape_to_input(struct translation *t)
{
    struct graph_shape to = {.rank = 0};
    if (!expects(t, 2, 2, 1))
        return;
    const struct graph_shape given = value_shape(t, t->inputs[1]);
    const float *sizes = graph_known(&t->builder, t->inputs[1]);
    const size_t n = graph_shape_size(&given);
    if (sizes == NULL || n > MODEL_MAX_RANK) {
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "a shape that depends on the run");
        return;
    }
    for (size_t i = 0; i < n; i++)
        to.size[to.rank++] =
            sizes[i] >= -1 && sizes[i] <= (float)MAP_MAX_SIZE ? (int64_t)sizes[i] : -2;
    reshape(t, to);
}

static void fill(struct translation *t, const struct graph_shape *shape)
{
    const uint32_t value = graph_add_scalar(&t->builder, coreml_float(t->layer->params, "value"));
    t->outputs[0] = graph_broadcast(&t->builder, value, shape);
}

void exact_fill_like(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const struct graph_shape shape = value_shape(t, t->inputs[0]);
    fill(t, &shape);
}

void exact_fill(struct translation *t)
{
    if (!expects(t, 0, 0, 1))
        return;
    const struct graph_shape shape = read_shape(t, "targetShape");
    fill(t, &shape);
}

void exact_broadcast(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const struct graph_shape shape = read_shape(t, "targetShape");
    t->outputs[0] = graph_broadcast(&t->builder, t->inputs[0], &shape);
}

void exact_broadcast_like(struct translation *t)
{
    if (!expects(t, 2, 2, 1))
        return;
    const struct graph_shape shape = value_shape(t, t->inputs[1]);
    t->outputs[0] = graph_broadcast(&t->builder, t->inputs[0], &shape);
}

/* Two numbers for each dimension, the first of them first. */
void exact_pad(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const size_t n = coreml_count(params, "padAmounts");
    if (!expects(t, 1, 1, 1))
        return;
    uint32_t x = t->inputs[0];
    const uint32_t rank = value_shape(t, x).rank;
    if (n != 2 * (size_t)rank || coreml_bool(params, "padToGivenOutputSizeMode")) {
        graph_fail(&t->builder, MODEL_UNSUPPORTED,
                   "%zu numbers to pad %u dimensions by, or padding to a given size", n, rank);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct graph_shape edge = value_shape(t, x);
        const int64_t amount = coreml_int_at(params, "padAmounts", i);
        if (amount == 0 || t->builder.status != MODEL_OK)
            continue;
        edge.size[i / 2] = amount;
        fill(t, &edge);
        const uint32_t both[] = {i % 2 == 0 ? t->outputs[0] : x, i % 2 == 0 ? x : t->outputs[0]};
        x = graph_concat(&t->builder, 2, both, (uint32_t)(i / 2));
    }
    t->outputs[0] = x;
}
