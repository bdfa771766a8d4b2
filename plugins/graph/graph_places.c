/* graph_places.c - moves of numbers by their places and orders; see graph_compose.h. */
#include "graph_compose.h"

#include <string.h>

uint32_t graph_reverse(struct graph_builder *b, uint32_t x, uint32_t axes)
{
    const struct graph_shape shape = graph_shape_of(b, x);
    struct graph_attributes a = {.slice = {.begin = {0}}};
    for (uint32_t i = 0; i < shape.rank; i++) {
        const bool back = (axes >> i & 1) != 0;
        a.slice.begin[i] = back ? shape.size[i] - 1 : 0;
        a.slice.end[i] = back ? -1 : shape.size[i];
        a.slice.stride[i] = back ? -1 : 1;
    }
    return axes == 0 ? x : graph_add(b, GRAPH_SLICE, 1, &x, &a);
}

/* A vector as what stands along one dimension of `rank`. */
static uint32_t along(struct graph_builder *b, uint32_t vector, uint32_t axis, uint32_t rank)
{
    return graph_expand(b, vector, ((1u << rank) - 1) & ~(1u << axis));
}

uint32_t graph_reverse_sequence(struct graph_builder *b, uint32_t x, uint32_t lengths,
                                uint32_t seq_axis, uint32_t batch_axis)
{
    const struct graph_shape shape = graph_shape_of(b, x), given = graph_shape_of(b, lengths);
    if (b->status != MODEL_OK)
        return GRAPH_NONE;
    if (seq_axis >= shape.rank || batch_axis >= shape.rank || seq_axis == batch_axis ||
        given.rank != 1 || given.size[0] != shape.size[batch_axis]) {
        char text[GRAPH_SHAPE_BYTES];
        graph_fail(
            b, MODEL_CORRUPT,
            "turns sequences along dimension %u for each index of %u, by lengths of shape %s",
            seq_axis, batch_axis, graph_shape_text(&given, text));
        return GRAPH_NONE;
    }
    const uint32_t at = along(b, graph_range(b, shape.size[seq_axis]), seq_axis, shape.rank);
    const uint32_t length = along(b, lengths, batch_axis, shape.rank);
    const uint32_t turned = graph_binary(b, BINARY_SUBTRACT, graph_scaled(b, length, 1, -1), at);
    const uint32_t places = graph_select(b, graph_binary(b, BINARY_LESS, at, length), turned, at);
    return graph_take_along(b, x, graph_broadcast(b, places, &shape), seq_axis);
}

uint32_t graph_sort(struct graph_builder *b, uint32_t x, uint32_t axis, int64_t k, bool ascending)
{
    const uint32_t rank = graph_shape_of(b, x).rank;
    if (b->status != MODEL_OK || axis >= rank) {
        graph_fail(b, MODEL_CORRUPT, "sorts along dimension %u of %u", axis, rank);
        return GRAPH_NONE;
    }
    const uint32_t lines = graph_move(b, x, axis, rank - 1);
    const struct graph_attributes a = {.sort = {k, ascending}};
    return graph_move(b, graph_add(b, GRAPH_SORT, 1, &lines, &a), rank - 1, axis);
}

uint32_t graph_take_along(struct graph_builder *b, uint32_t x, uint32_t places, uint32_t axis)
{
    return graph_gather(b, x, places, PLACES_ALONG, axis, 0);
}

uint32_t graph_one_hot(struct graph_builder *b, uint32_t places, uint32_t axis, int64_t n, float on,
                       float off)
{
    const uint32_t rank = graph_shape_of(b, places).rank + 1;
    if (b->status != MODEL_OK || axis >= rank || rank > MODEL_MAX_RANK) {
        graph_fail(b, MODEL_UNSUPPORTED, "one-hot along dimension %u of %u", axis, rank);
        return GRAPH_NONE;
    }
    const uint32_t at = along(b, graph_range(b, n), axis, rank);
    const uint32_t same = graph_binary(b, BINARY_EQUAL, graph_expand(b, places, 1u << axis), at);
    return graph_scaled(b, same, on - off, off);
}

uint32_t graph_windows(struct graph_builder *b, uint32_t x, uint32_t axis, int64_t size,
                       int64_t step)
{
    const struct graph_shape shape = graph_shape_of(b, x);
    if (b->status != MODEL_OK || axis >= shape.rank || size < 1 || step < 1 ||
        size > shape.size[axis]) {
        graph_fail(b, MODEL_CORRUPT, "windows of %lld, %lld apart, along dimension %u of %u",
                   (long long)size, (long long)step, axis, shape.rank);
        return GRAPH_NONE;
    }
    const int64_t n = (shape.size[axis] - size) / step + 1;
    const uint32_t starts =
        graph_reshape(b, graph_scaled(b, graph_range(b, n), (float)step, 0), 2, (int64_t[]){n, 1});
    return graph_gather(b, x, graph_binary(b, BINARY_ADD, starts, graph_range(b, size)),
                        PLACES_AXIS, axis, 0);
}

uint32_t graph_pad_axis(struct graph_builder *b, uint32_t x, uint32_t axis, int64_t begin,
                        int64_t end, bool reflect)
{
    const struct graph_shape shape = graph_shape_of(b, x);
    if (b->status != MODEL_OK || axis >= shape.rank)
        return GRAPH_NONE;
    const int64_t size = shape.size[axis], most = reflect ? size - 1 : MAP_MAX_SIZE;
    if (begin < 0 || end < 0 || begin > most || end > most) {
        graph_fail(b, MODEL_CORRUPT, "pads %lld numbers by %lld and %lld of them", (long long)size,
                   (long long)begin, (long long)end);
        return GRAPH_NONE;
    }
    const float last = (float)(size - 1);
    uint32_t at = graph_scaled(b, graph_range(b, begin + size + end), 1, (float)-begin);
    if (reflect) {
        const uint32_t from_end = graph_scaled(b, graph_map(b, at, MAP_ABS, 0, 0), -1, last);
        at = graph_scaled(b, graph_map(b, from_end, MAP_ABS, 0, 0), -1, last);
    } else {
        at = graph_map(b, at, MAP_CLIP, 0, last);
    }
    return graph_gather(b, x, at, PLACES_AXIS, axis, 0);
}

/* [n, a, b, c, d, e] with its dimensions in another order, as four. */
static uint32_t regroup(struct graph_builder *b, uint32_t x, const int64_t size[6],
                        const uint32_t order[6], const int64_t to[4])
{
    return graph_reshape(b, graph_transpose(b, graph_reshape(b, x, 6, size), order), 4, to);
}

uint32_t graph_blocks(struct graph_builder *b, uint32_t x, enum graph_blocks form, int64_t block)
{
    const struct graph_shape shape = graph_shape_of(b, x);
    const bool gathers = form == SPACE_TO_DEPTH || form == PIXEL_UNSHUFFLE;
    if (b->status != MODEL_OK)
        return GRAPH_NONE;
    if (shape.rank != 4 || block < 1 || block > 65536 ||
        (gathers ? shape.size[2] % block != 0 || shape.size[3] % block != 0
                 : shape.size[1] % (block * block) != 0)) {
        char text[GRAPH_SHAPE_BYTES];
        graph_fail(b, MODEL_CORRUPT, "a value of shape %s in blocks of %lld",
                   graph_shape_text(&shape, text), (long long)block);
        return GRAPH_NONE;
    }
    const int64_t n = shape.size[0], c = shape.size[1], h = shape.size[2], w = shape.size[3];
    if (gathers) {
        const uint32_t depth[] = {0, 3, 5, 1, 2, 4}, pixel[] = {0, 1, 3, 5, 2, 4};
        return regroup(b, x, (int64_t[]){n, c, h / block, block, w / block, block},
                       form == SPACE_TO_DEPTH ? depth : pixel,
                       (int64_t[]){n, c * block * block, h / block, w / block});
    }
    const int64_t each = c / (block * block);
    const int64_t to[] = {n, each, h * block, w * block};
    if (form == DEPTH_TO_SPACE)
        return regroup(b, x, (int64_t[]){n, block, block, each, h, w},
                       (uint32_t[]){0, 3, 4, 1, 5, 2}, to);
    return regroup(b, x, (int64_t[]){n, each, block, block, h, w}, (uint32_t[]){0, 1, 4, 2, 5, 3},
                   to);
}
