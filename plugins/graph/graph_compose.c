/* graph_compose.c - single nodes and changes of dimensions; see graph_compose.h. */
#include "graph_compose.h"

#include <string.h>

uint32_t graph_slice(struct graph_builder *b, uint32_t x, uint32_t axis, int64_t begin, int64_t end)
{
    const struct graph_shape shape = graph_shape_of(b, x);
    struct graph_attributes a = {.slice = {.begin = {0}}};
    for (uint32_t i = 0; i < shape.rank; i++) {
        a.slice.begin[i] = i == axis ? begin : 0;
        a.slice.end[i] = i == axis ? end : shape.size[i];
        a.slice.stride[i] = 1;
    }
    return graph_add(b, GRAPH_SLICE, 1, &x, &a);
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* One dimension of `size` numbers. */
static void resolve_part(struct graph_builder *b, const struct graph_part *part, int64_t size,
                         int64_t *ret_begin, int64_t *ret_end)
{
    /* The places where a slice may begin and end. */
    const bool back = part->stride < 0;
    const int64_t low = back ? -1 : 0, high = back ? size - 1 : size;
    const int64_t begin = part->begin < 0 ? part->begin + size : part->begin;
    const int64_t end = part->end < 0 ? part->end + size : part->end;
    *ret_begin = part->is_open_first ? (back ? high : low) : clamp(begin, low, high);
    *ret_end = part->is_open_last ? (back ? low : high) : clamp(end, low, high);
    if (!part->single)
        return;
    *ret_begin = part->is_open_first ? 0 : begin;
    *ret_end = *ret_begin + 1;
    if (*ret_begin < 0 || *ret_begin >= size)
        graph_fail(b, MODEL_CORRUPT, "takes number %lld of %lld, want %lld to %lld",
                   (long long)part->begin, (long long)size, (long long)-size, (long long)size - 1);
}

uint32_t graph_index(struct graph_builder *b, uint32_t x, const struct graph_part *parts)
{
    const struct graph_shape shape = graph_shape_of(b, x);
    struct graph_attributes a = {.slice = {.begin = {0}}};
    uint32_t singles = 0;
    for (uint32_t i = 0; i < shape.rank; i++) {
        resolve_part(b, &parts[i], shape.size[i], &a.slice.begin[i], &a.slice.end[i]);
        a.slice.stride[i] = parts[i].single ? 1 : parts[i].stride;
        singles |= parts[i].single ? 1u << i : 0;
        if (a.slice.stride[i] == 0)
            graph_fail(b, MODEL_CORRUPT, "a slice with a stride of 0");
    }
    return graph_drop(b, graph_add(b, GRAPH_SLICE, 1, &x, &a), singles);
}

uint32_t graph_concat(struct graph_builder *b, uint32_t n, const uint32_t *values, uint32_t axis)
{
    const struct graph_attributes a = {.along = {.axis = axis}};
    return n == 1 ? values[0] : graph_add(b, GRAPH_CONCAT, n, values, &a);
}

uint32_t graph_broadcast(struct graph_builder *b, uint32_t x, const struct graph_shape *shape)
{
    const struct graph_shape have = graph_shape_of(b, x);
    const struct graph_attributes a = {.reshape = *shape};
    return graph_shape_equal(&have, shape) ? x : graph_add(b, GRAPH_BROADCAST, 1, &x, &a);
}

uint32_t graph_shape_to(struct graph_builder *b, uint32_t x, const struct graph_shape *shape)
{
    const struct graph_shape have = graph_shape_of(b, x);
    return graph_shape_equal(&have, shape) ? x : graph_reshape(b, x, shape->rank, shape->size);
}

uint32_t graph_reshape_to(struct graph_builder *b, uint32_t x, const struct graph_shape *wanted,
                          bool from_end)
{
    const struct graph_shape from = graph_shape_of(b, x);
    struct graph_shape to = *wanted;
    int64_t left = (int64_t)graph_shape_size(&from);
    uint32_t open = 0, n_open = 0;
    bool fits = true;
    for (uint32_t i = 0; i < to.rank; i++) {
        const int64_t same = from_end ? (int64_t)i + from.rank - to.rank : (int64_t)i;
        if (to.size[i] == 0 && same >= 0 && same < (int64_t)from.rank)
            to.size[i] = from.size[same];
        if (to.size[i] == -1) {
            open = i;
            n_open++;
            continue;
        }
        fits = fits && to.size[i] > 0 && left % to.size[i] == 0;
        left = fits ? left / to.size[i] : 0;
    }
    if (n_open == 1)
        to.size[open] = left;
    if (!fits || n_open > 1 || (n_open == 0 && left != 1)) {
        char have[GRAPH_SHAPE_BYTES], want[GRAPH_SHAPE_BYTES];
        graph_fail(b, MODEL_CORRUPT, "reshaping a value of shape %s to %s: %s",
                   graph_shape_text(&from, have), graph_shape_text(wanted, want),
                   n_open > 1 ? "-1 may stand there once" : "the numbers of both differ");
        return GRAPH_NONE;
    }
    return graph_shape_to(b, x, &to);
}

/* [.., d, ..] becomes [before, 1, d and the rest], [before, times, ..], [.., times d, ..]. */
uint32_t graph_repeat(struct graph_builder *b, uint32_t x, uint32_t axis, int64_t times)
{
    struct graph_shape shape = graph_shape_of(b, x), apart = {3, {1, 1, 1}};
    const int64_t most = MAP_MAX_SIZE / (int64_t)graph_shape_size(&shape);
    if (times < 1 || times > most) {
        char text[GRAPH_SHAPE_BYTES];
        graph_fail(b, MODEL_CORRUPT,
                   "a value of shape %s %lld times over along dimension %u, want 1 to %lld",
                   graph_shape_text(&shape, text), (long long)times, axis, (long long)most);
    }
    if (times == 1 || b->status != MODEL_OK)
        return x;
    for (uint32_t i = 0; i < shape.rank; i++)
        apart.size[i < axis ? 0 : 2] *= shape.size[i];
    const uint32_t one = graph_shape_to(b, x, &apart);
    apart.size[1] = times;
    shape.size[axis] *= times;
    return graph_shape_to(b, graph_broadcast(b, one, &apart), &shape);
}

uint32_t graph_reduce(struct graph_builder *b, uint32_t x, enum graph_reduce mode, uint32_t axes)
{
    const struct graph_attributes a = {.reduce = {.mode = mode, .axes = axes}};
    return graph_add(b, GRAPH_REDUCE, 1, &x, &a);
}

uint32_t graph_softmax(struct graph_builder *b, uint32_t x, uint32_t axis)
{
    return graph_add(b, GRAPH_SOFTMAX, 1, &x, &(struct graph_attributes){.along = {axis}});
}

uint32_t graph_gather(struct graph_builder *b, uint32_t x, uint32_t places, enum graph_places form,
                      uint32_t axis, uint32_t batch)
{
    const struct graph_attributes a = {.places = {.form = form, .axis = axis, .batch = batch}};
    return graph_add(b, GRAPH_GATHER, 2, (uint32_t[]){x, places}, &a);
}

uint32_t graph_cumsum(struct graph_builder *b, uint32_t x, uint32_t axis, bool exclusive,
                      bool reverse)
{
    const struct graph_attributes a = {.cumsum = {axis, exclusive, reverse}};
    return graph_add(b, GRAPH_CUMSUM, 1, &x, &a);
}

uint32_t graph_band(struct graph_builder *b, uint32_t x, int64_t lower, int64_t upper)
{
    return graph_add(b, GRAPH_BAND, 1, &x, &(struct graph_attributes){.band = {lower, upper}});
}

uint32_t graph_scaled(struct graph_builder *b, uint32_t x, float factor, float shift)
{
    return factor == 1 && shift == 0 ? x : graph_map(b, x, MAP_LINEAR, factor, shift);
}

/* ---- dimensions */

uint32_t graph_drop(struct graph_builder *b, uint32_t x, uint32_t axes)
{
    const struct graph_shape shape = graph_shape_of(b, x);
    struct graph_shape rest = {.rank = 0};
    for (uint32_t i = 0; i < shape.rank; i++)
        if ((axes >> i & 1) == 0)
            rest.size[rest.rank++] = shape.size[i];
    return graph_shape_to(b, x, &rest);
}

uint32_t graph_expand(struct graph_builder *b, uint32_t x, uint32_t axes)
{
    const struct graph_shape from = graph_shape_of(b, x);
    struct graph_shape to = {.rank = 0};
    uint32_t k = 0;
    for (uint32_t i = 0; to.rank < MODEL_MAX_RANK && (k < from.rank || axes >> i != 0); i++)
        to.size[to.rank++] = (axes >> i & 1) != 0 || k >= from.rank ? 1 : from.size[k++];
    if (k < from.rank || axes >> to.rank != 0)
        graph_fail(b, MODEL_UNSUPPORTED, "more than %d dimensions", MODEL_MAX_RANK);
    return graph_shape_to(b, x, &to);
}

uint32_t graph_move(struct graph_builder *b, uint32_t x, uint32_t from, uint32_t to)
{
    const uint32_t rank = graph_shape_of(b, x).rank;
    uint32_t order[MODEL_MAX_RANK] = {0};
    for (uint32_t i = 0, k = 0; i < rank; i++) {
        k += k == from;
        order[i] = i == to ? from : k++;
    }
    return from == to ? x : graph_transpose(b, x, order);
}

uint32_t graph_swap(struct graph_builder *b, uint32_t x)
{
    const uint32_t rank = graph_shape_of(b, x).rank;
    return rank < 2 ? x : graph_move(b, x, rank - 1, rank - 2);
}

uint32_t graph_select(struct graph_builder *b, uint32_t condition, uint32_t x, uint32_t y)
{
    const uint32_t inputs[] = {condition, x, y};
    return graph_add(b, GRAPH_SELECT, 3, inputs, &(struct graph_attributes){.order = {0}});
}

uint32_t graph_range(struct graph_builder *b, int64_t n)
{
    if (n < 1 || n > (int64_t)1 << 24) {
        graph_fail(b, MODEL_UNSUPPORTED, "counts to %lld, want 1 to 2^24", (long long)n);
        return GRAPH_NONE;
    }
    const uint32_t ones = graph_broadcast(b, graph_add_scalar(b, 1), &(struct graph_shape){1, {n}});
    return graph_cumsum(b, ones, 0, true, false);
}
