/* graph_compose.h - what readers say in one word and a graph computes by several nodes: moves of numbers, orders,
 * norms, products. Readers of other formats share these.
 *
 * Functions add nodes through the builder (graph_build.h): after its first error they do nothing and give GRAPH_NONE,
 * and what does not fit is its error, with the layer's name. Axes are below the rank of x unless it is said
 * otherwise. [create-thread] */
#ifndef GRAPH_COMPOSE_H
#define GRAPH_COMPOSE_H

#include "graph_build.h"

/* ---- single nodes, left out where they change nothing */

uint32_t graph_slice(struct graph_builder *b, uint32_t x, uint32_t axis, int64_t begin,
                     int64_t end);
/* What numpy reads with a number or with begin:end:stride; of one number (`single`, at begin) the dimension goes. */
struct graph_part {
    int64_t begin, end, stride;
    bool is_open_first, is_open_last; /* begin and end are not there */
    bool single;
};
/* x[part, part, ..]: one for each dimension. */
uint32_t graph_index(struct graph_builder *b, uint32_t x, const struct graph_part *parts);
uint32_t graph_concat(struct graph_builder *b, uint32_t n, const uint32_t *values, uint32_t axis);
uint32_t graph_broadcast(struct graph_builder *b, uint32_t x, const struct graph_shape *shape);
uint32_t graph_shape_to(struct graph_builder *b, uint32_t x, const struct graph_shape *shape);
/* To a shape in which 0 is the size that stands in x at that place (counted from the end, if `from_end`), and one -1 what
 * is left. */
uint32_t graph_reshape_to(struct graph_builder *b, uint32_t x, const struct graph_shape *wanted,
                          bool from_end);
/* x so many times over, along the axis. */
uint32_t graph_repeat(struct graph_builder *b, uint32_t x, uint32_t axis, int64_t times);
/* Reduced dimensions stay, with size 1; axes are bits. */
uint32_t graph_reduce(struct graph_builder *b, uint32_t x, enum graph_reduce mode, uint32_t axes);
uint32_t graph_softmax(struct graph_builder *b, uint32_t x, uint32_t axis);
uint32_t graph_gather(struct graph_builder *b, uint32_t x, uint32_t places, enum graph_places form,
                      uint32_t axis, uint32_t batch);
uint32_t graph_cumsum(struct graph_builder *b, uint32_t x, uint32_t axis, bool exclusive,
                      bool reverse);
uint32_t graph_band(struct graph_builder *b, uint32_t x, int64_t lower, int64_t upper);
uint32_t graph_scaled(struct graph_builder *b, uint32_t x, float factor, float shift);

/* ---- dimensions (graph_compose.c) */

/* x without the dimensions of size 1 whose bits are set; with dimensions of size 1 where the result has bits. */
uint32_t graph_drop(struct graph_builder *b, uint32_t x, uint32_t axes);
uint32_t graph_expand(struct graph_builder *b, uint32_t x, uint32_t axes);
/* The axis to the place of another one, the order of the rest kept. */
uint32_t graph_move(struct graph_builder *b, uint32_t x, uint32_t from, uint32_t to);
/* The last two dimensions, each in the other's place. */
uint32_t graph_swap(struct graph_builder *b, uint32_t x);
/* Where condition x, else y, broadcast against each other. */
uint32_t graph_select(struct graph_builder *b, uint32_t condition, uint32_t x, uint32_t y);
/* [n]: 0, 1, 2 and so on; n is 1 to 2^24. */
uint32_t graph_range(struct graph_builder *b, int64_t n);

/* ---- places (graph_places.c) */

uint32_t graph_reverse(struct graph_builder *b, uint32_t x, uint32_t axes); /* bits */
/* The first lengths[i] numbers along seq_axis the other way round, for index i of batch_axis. */
uint32_t graph_reverse_sequence(struct graph_builder *b, uint32_t x, uint32_t lengths,
                                uint32_t seq_axis, uint32_t batch_axis);
/* Positions of the k largest (or smallest) along the axis, in order, and with them the numbers. */
uint32_t graph_sort(struct graph_builder *b, uint32_t x, uint32_t axis, int64_t k, bool ascending);
uint32_t graph_take_along(struct graph_builder *b, uint32_t x, uint32_t places, uint32_t axis);
/* `on` where the new dimension's index is the number, else `off`; axis is one of the result. */
uint32_t graph_one_hot(struct graph_builder *b, uint32_t places, uint32_t axis, int64_t n, float on,
                       float off);
/* Windows of `size` along the axis, `step` apart: [.., windows, size, ..]. */
uint32_t graph_windows(struct graph_builder *b, uint32_t x, uint32_t axis, int64_t size,
                       int64_t step);
/* Numbers beside an axis, mirrored without the last one (reflect), or the last one again. */
uint32_t graph_pad_axis(struct graph_builder *b, uint32_t x, uint32_t axis, int64_t begin,
                        int64_t end, bool reflect);

/* Blocks of planes [n, c, h, w] and their channels. The channel of place (r, q) in a block is (r block + q) c + i
 * by depth, i block^2 + r block + q by pixel. */
enum graph_blocks { SPACE_TO_DEPTH, DEPTH_TO_SPACE, PIXEL_SHUFFLE, PIXEL_UNSHUFFLE };
uint32_t graph_blocks(struct graph_builder *b, uint32_t x, enum graph_blocks form, int64_t block);

/* ---- places in pictures (graph_boxes.c) */

/* A map [n, h, w, c] at points [m, p, q, 2], (row, column), of the pictures [m]. */
uint32_t graph_sample(struct graph_builder *b, uint32_t map, uint32_t points, uint32_t images,
                      const struct graph_sampling *sampling);
/* Such points of pairs (x, y). `corners`: the ends of the range are the middle of the first and last number, else their
 * outer edge. */
enum graph_coordinates {
    COORDINATES_NUMBERS,
    COORDINATES_MINUS_ONE_TO_ONE,
    COORDINATES_ZERO_TO_ONE
};
uint32_t graph_points(struct graph_builder *b, uint32_t map, uint32_t xy,
                      enum graph_coordinates form, bool corners);
/* Points of a grid in each of the boxes [m, 4]; one whose end is before its beginning is looked at backwards. */
enum graph_box_form {
    BOX_CORNERS_HEIGHT, /* top, left, bottom, right */
    BOX_CORNERS_WIDTH,  /* left, top, right, bottom */
    BOX_CENTER_HEIGHT,  /* row and column of the middle, height, width */
    BOX_CENTER_WIDTH    /* column and row, width, height */
};
struct graph_boxes {
    enum graph_box_form form;
    enum graph_resize mode; /* how the grid lies in a box as in a picture of its own */
    bool normalized;        /* 1 is the last number */
    float scale;
    int64_t size[2]; /* of the grid */
};
uint32_t graph_box_points(struct graph_builder *b, uint32_t map, uint32_t boxes,
                          const struct graph_boxes *how);

/* The grids of boxes [m, 1, 4, 1, 1] in each of n pictures: [m, n, c, p, q]; of [m, 1, 5, 1, 1], whose first number is a
 * picture's, in that one: [m, 1, c, p, q]. */
uint32_t graph_crop_boxes(struct graph_builder *b, uint32_t map, uint32_t boxes,
                          const struct graph_boxes *how, const struct graph_sampling *sampling);

/* ---- norms (graph_norms.c) */

uint32_t graph_log_sum_exp(struct graph_builder *b, uint32_t x, uint32_t axes);
/* (x - mean) over the axes, divided by sqrt(variance + eps) if `variance`. */
uint32_t graph_standardize(struct graph_builder *b, uint32_t x, uint32_t axes, bool variance,
                           float eps);
/* Of planes [n, c, ..]: over all behind c; gamma and beta [c], or GRAPH_NONE. */
uint32_t graph_instance_norm(struct graph_builder *b, uint32_t x, uint32_t gamma, uint32_t beta,
                             float eps);
/* x / sqrt(sum of squares over the axes + eps) */
uint32_t graph_l2_norm(struct graph_builder *b, uint32_t x, uint32_t axes, float eps);
/* Of maps [.., c]: x / (k + alpha / size * sum of squares of `size` channels around)^beta. */
struct graph_local_norm {
    int64_t size; /* odd, or one more channel behind */
    float alpha, beta, k;
};
uint32_t graph_local_norm(struct graph_builder *b, uint32_t x, const struct graph_local_norm *norm);

/* ---- products (graph_products.c) */

/* As numpy's matmul does, vectors too. */
uint32_t graph_matmul(struct graph_builder *b, uint32_t x, uint32_t y, bool turn_x, bool turn_y);
/* "ij,jk->ik": two values, each letter once in each; letters that only one has and the result has not are summed. */
uint32_t graph_einsum(struct graph_builder *b, const char *equation, uint32_t x, uint32_t y);
/* softmax(query key^T / sqrt(width) + mask) value; a mask of truths hides where it is 0. */
struct graph_attention {
    uint32_t query, key, value,
        mask;    /* [.., l, e], [.., s, e], [.., s, v], [.., l, s] or GRAPH_NONE */
    bool truths; /* the mask */
};
uint32_t graph_attention(struct graph_builder *b, const struct graph_attention *attention);

#endif
