/* graph_boxes.c - places in a picture: those of a file's coordinates, and a grid in each of several boxes; see
 * graph_compose.h. */
#include "graph_compose.h"

#include <math.h>

uint32_t graph_sample(struct graph_builder *b, uint32_t map, uint32_t points, uint32_t images,
                      const struct graph_sampling *sampling)
{
    const struct graph_attributes a = {.sample = *sampling};
    return graph_add(b, GRAPH_SAMPLE, 3, (uint32_t[]){map, points, images}, &a);
}

/* Two values [.., 1], the one behind the other. */
static uint32_t pair_up(struct graph_builder *b, uint32_t rows, uint32_t columns)
{
    return graph_concat(b, 2, (uint32_t[]){rows, columns}, graph_shape_of(b, rows).rank - 1);
}

/* One coordinate of the last dimension. */
static uint32_t coordinate(struct graph_builder *b, uint32_t points, int64_t i)
{
    return graph_slice(b, points, graph_shape_of(b, points).rank - 1, i, i + 1);
}

/* Of `size` numbers: from what a coordinate is to which number is there. */
static uint32_t as_number(struct graph_builder *b, uint32_t x, enum graph_coordinates form,
                          bool corners, int64_t size)
{
    const float n = (float)size, half = corners ? (n - 1) / 2 : n / 2;
    if (form == COORDINATES_NUMBERS)
        return x;
    if (form == COORDINATES_ZERO_TO_ONE)
        return graph_scaled(b, x, corners ? n - 1 : n, corners ? 0 : -0.5f);
    return graph_scaled(b, x, half, corners ? half : half - 0.5f);
}

uint32_t graph_points(struct graph_builder *b, uint32_t map, uint32_t xy,
                      enum graph_coordinates form, bool corners)
{
    const struct graph_shape shape = graph_shape_of(b, map), points = graph_shape_of(b, xy);
    if (b->status != MODEL_OK || shape.rank != 4 || points.rank == 0 ||
        points.size[points.rank - 1] != 2) {
        graph_fail(b, MODEL_CORRUPT, "coordinates that are no pairs, or not of a picture");
        return GRAPH_NONE;
    }
    return pair_up(b, as_number(b, coordinate(b, xy, 1), form, corners, shape.size[1]),
                   as_number(b, coordinate(b, xy, 0), form, corners, shape.size[2]));
}

/* ---- boxes */

/* [n, count]: places from `first` on, [n, 1], to `last`. What lies between is `share` of a length, behind a shift. */
static uint32_t along_box(struct graph_builder *b, uint32_t first, uint32_t last,
                          enum graph_resize mode, int64_t count)
{
    const float n = (float)count;
    const uint32_t signed_length = graph_binary(b, BINARY_SUBTRACT, last, first);
    const uint32_t length = graph_map(b, signed_length, MAP_ABS, 0, 0);
    const uint32_t step =
        graph_reshape(b, graph_range(b, count), 2, (int64_t[]){1, count > 0 ? count : 1});
    uint32_t share, whole = length;
    if (mode == RESIZE_ALIGN_CORNERS || mode == RESIZE_ALIGN_MIDDLE)
        share = graph_scaled(b, step, count > 1 ? 1 / (n - 1) : 1,
                             count == 1 && mode == RESIZE_ALIGN_MIDDLE ? 0.5f : 0);
    else
        share = graph_scaled(b, step, 1 / n, mode == RESIZE_UPSAMPLE ? 0 : 0.5f / n);
    if (mode == RESIZE_UPSAMPLE || mode == RESIZE_HALF_PIXEL)
        whole = graph_scaled(b, length, 1, 1);
    else if (mode == RESIZE_OFFSET)
        whole = graph_map(b, length, MAP_CLIP, 1, INFINITY);
    uint32_t at = graph_scaled(b, graph_binary(b, BINARY_MULTIPLY, share, whole), 1,
                               mode == RESIZE_HALF_PIXEL ? -0.5f : 0);
    at = graph_binary(b, BINARY_MIN, graph_map(b, at, MAP_CLIP, 0, INFINITY), length);
    at = graph_binary(b, BINARY_MULTIPLY, at, graph_map(b, signed_length, MAP_SIGN, 0, 0));
    return graph_binary(b, BINARY_ADD, at, first);
}

/* [n, count] of one axis: `at` is where its first number stands in boxes, `to` its second. */
static uint32_t axis_of_boxes(struct graph_builder *b, uint32_t boxes,
                              const struct graph_boxes *how, bool height, int64_t size,
                              int64_t count)
{
    const bool height_first = how->form == BOX_CORNERS_HEIGHT || how->form == BOX_CENTER_HEIGHT;
    const bool is_center = how->form == BOX_CENTER_HEIGHT || how->form == BOX_CENTER_WIDTH;
    const int64_t place = height == height_first ? 0 : 1;
    const float scale = how->scale * (how->normalized ? (float)(size - 1) : 1);
    uint32_t first = graph_scaled(b, coordinate(b, boxes, place), scale, 0);
    uint32_t last = graph_scaled(b, coordinate(b, boxes, place + 2), scale, 0);
    if (is_center) {
        const uint32_t center = first, half = graph_scaled(b, last, 0.5f, 0);
        first = graph_binary(b, BINARY_SUBTRACT, center, half);
        last = graph_binary(b, BINARY_ADD, center, half);
    }
    return along_box(b, first, last, how->mode, count);
}

uint32_t graph_box_points(struct graph_builder *b, uint32_t map, uint32_t boxes,
                          const struct graph_boxes *how)
{
    const struct graph_shape picture = graph_shape_of(b, map), shape = graph_shape_of(b, boxes);
    if (b->status != MODEL_OK || picture.rank != 4 || shape.rank != 2 || shape.size[1] != 4) {
        char text[GRAPH_SHAPE_BYTES];
        graph_fail(b, MODEL_CORRUPT, "boxes of shape %s, want four numbers each, of a picture",
                   graph_shape_text(&shape, text));
        return GRAPH_NONE;
    }
    const int64_t n = shape.size[0], height = how->size[0], width = how->size[1];
    const struct graph_shape grid = {4, {n, height, width, 1}};
    const uint32_t rows = axis_of_boxes(b, boxes, how, true, picture.size[1], height);
    const uint32_t columns = axis_of_boxes(b, boxes, how, false, picture.size[2], width);
    return pair_up(b, graph_broadcast(b, graph_expand(b, rows, 12u), &grid),
                   graph_broadcast(b, graph_expand(b, columns, 10u), &grid));
}

uint32_t graph_crop_boxes(struct graph_builder *b, uint32_t map, uint32_t boxes,
                          const struct graph_boxes *how, const struct graph_sampling *sampling)
{
    const struct graph_shape shape = graph_shape_of(b, boxes), pictures = graph_shape_of(b, map);
    const int64_t m = shape.size[0], numbers = shape.size[2];
    if (b->status != MODEL_OK || shape.rank != 5 || pictures.rank != 4 ||
        (numbers != 4 && numbers != 5) || (int64_t)graph_shape_size(&shape) != m * numbers) {
        char text[GRAPH_SHAPE_BYTES];
        graph_fail(b, MODEL_CORRUPT, "boxes of shape %s, want [n, 1, 4, 1, 1] or [n, 1, 5, 1, 1]",
                   graph_shape_text(&shape, text));
        return GRAPH_NONE;
    }
    const int64_t height = how->size[0], width = how->size[1], c = pictures.size[3];
    const int64_t each = numbers == 4 ? pictures.size[0] : 1;
    const uint32_t rows = graph_reshape(b, boxes, 2, (int64_t[]){m, numbers});
    const uint32_t grid =
        graph_box_points(b, map, graph_slice(b, rows, 1, numbers - 4, numbers), how);
    const uint32_t points = graph_broadcast(b, graph_expand(b, grid, 2u),
                                            &(struct graph_shape){5, {m, each, height, width, 2}});
    const uint32_t images =
        numbers == 4 ? graph_broadcast(b, graph_range(b, each), &(struct graph_shape){2, {m, each}})
                     : coordinate(b, rows, 0);
    const uint32_t y =
        graph_sample(b, map, graph_reshape(b, points, 4, (int64_t[]){m * each, height, width, 2}),
                     graph_reshape(b, images, 1, (int64_t[]){m * each}), sampling);
    return graph_reshape(b, graph_transpose(b, y, (uint32_t[]){0, 3, 1, 2}), 5,
                         (int64_t[]){m, each, c, height, width});
}
