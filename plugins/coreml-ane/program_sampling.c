/* program_sampling.c - operations that look at a picture in other places than its own: resample, affine, crop_resize; see
 * program.h. */
#include "program.h"

/* "sampling_mode", "padding_mode" and "padding_value". */
static struct graph_sampling read_sampling(struct program *p, bool any)
{
    static const char *const modes[] = {"bilinear", "nearest", NULL}, *const one[] = {"bilinear",
                                                                                      NULL};
    static const char *const outsides[] = {"constant", "border", "reflection", "symmetric", NULL};
    static const char *const constant[] = {"constant", NULL};
    static const enum graph_outside kinds[] = {OUTSIDE_VALUE, OUTSIDE_BORDER, OUTSIDE_REFLECT,
                                               OUTSIDE_SYMMETRIC};
    return (struct graph_sampling){
        .nearest = program_choice(p, "sampling_mode", any ? modes : one, PROGRAM_REQUIRED) == 1,
        .outside =
            kinds[program_choice(p, "padding_mode", any ? outsides : constant, PROGRAM_REQUIRED)],
        .value = program_float(p, "padding_value", 0)};
}

static enum graph_coordinates read_coordinates(struct program *p)
{
    static const char *const names[] = {"unnormalized", "normalized_minus_one_to_one",
                                        "normalized_zero_to_one", NULL};
    return (enum graph_coordinates)program_choice(p, "coordinates_mode", names, PROGRAM_REQUIRED);
}

static void translate_resample(struct program *p)
{
    const uint32_t map = to_map(p, program_input(p, "x"));
    const uint32_t xy = program_input(p, "coordinates");
    const struct graph_sampling sampling = read_sampling(p, true);
    const enum graph_coordinates form = read_coordinates(p);
    const bool corners = program_bool(p, "align_corners", false);
    if (p->builder.status == MODEL_OK &&
        (shape_of(p, xy).rank != 4 || shape_of(p, xy).size[0] != shape_of(p, map).size[0]))
        program_contradicts(p, "whose coordinates are not [pictures, height, width, 2]");
    if (p->builder.status != MODEL_OK)
        return;
    const uint32_t points = graph_points(&p->builder, map, xy, form, corners);
    p->outputs[0] =
        from_map(p, graph_sample(&p->builder, map, points,
                                 graph_range(&p->builder, shape_of(p, map).size[0]), &sampling));
}

/* [height width, 3] of (x, y, 1), from -1 to 1 in either direction. */
static uint32_t unit_grid(struct program *p, int64_t height, int64_t width, bool corners)
{
    struct graph_builder *b = &p->builder;
    const struct graph_shape all = {3, {height, width, 1}};
    const int64_t n[] = {height, width};
    uint32_t parts[3];
    for (uint32_t i = 0; i < 2 && b->status == MODEL_OK; i++) {
        const float size = (float)n[i];
        const uint32_t numbers = graph_range(b, n[i]);
        const uint32_t unit = corners ? graph_scaled(b, numbers, n[i] > 1 ? 2 / (size - 1) : 1, -1)
                                      : graph_scaled(b, numbers, 2 / size, 1 / size - 1);
        parts[1 - i] = graph_broadcast(b, graph_expand(b, unit, i == 0 ? 6u : 5u), &all);
    }
    if (b->status != MODEL_OK)
        return GRAPH_NONE;
    parts[2] = graph_broadcast(b, graph_add_scalar(b, 1), &all);
    return graph_reshape(b, graph_concat(b, 3, parts, 2), 2, (int64_t[]){height * width, 3});
}

/* x' = a0 x + a1 y + a2, y' = b0 x + b1 y + b2, by a matrix for each picture or one for all. */
static void translate_affine(struct program *p)
{
    const uint32_t map = to_map(p, program_input(p, "x"));
    const uint32_t matrix = program_input(p, "transform_matrix");
    const int64_t height = program_int(p, "output_height", 1);
    const int64_t width = program_int(p, "output_width", 1);
    const struct graph_sampling sampling = read_sampling(p, false);
    static const char *const names[] = {"normalized_minus_one_to_one", NULL};
    (void)program_choice(p, "coordinates_mode", names, PROGRAM_REQUIRED);
    const bool corners = program_bool(p, "align_corners", true);
    const struct graph_shape matrices = shape_of(p, matrix), pictures = shape_of(p, map);
    struct graph_builder *b = &p->builder;
    if (b->status != MODEL_OK)
        return;
    const int64_t n = pictures.size[0];
    if (matrices.rank != 2 || matrices.size[1] != 6 ||
        (matrices.size[0] != 1 && matrices.size[0] != n) || height < 1 || width < 1 ||
        height > MAP_MAX_SIZE / width) {
        program_fail(p, "without six numbers for all pictures, or for each, or to no size");
        return;
    }
    const uint32_t rows = graph_reshape(b, matrix, 3, (int64_t[]){matrices.size[0], 2, 3});
    const uint32_t xy =
        graph_matmul(b, unit_grid(p, height, width, corners), rows, false, true); /* [.., hw, 2] */
    const uint32_t all = graph_broadcast(b, xy, &(struct graph_shape){3, {n, height * width, 2}});
    const uint32_t points =
        graph_points(b, map, graph_reshape(b, all, 4, (int64_t[]){n, height, width, 2}),
                     COORDINATES_MINUS_ONE_TO_ONE, corners);
    p->outputs[0] = from_map(p, graph_sample(b, map, points, graph_range(b, n), &sampling));
}

/* ---- crop_resize */

static struct graph_boxes read_boxes(struct program *p)
{
    static const char *const forms[] = {"CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST",
                                        "CENTER_SIZE_HEIGHT_FIRST", "CENTER_SIZE_WIDTH_FIRST",
                                        NULL};
    return (struct graph_boxes){
        .form = (enum graph_box_form)program_choice(p, "box_coordinate_mode", forms, 0),
        .mode = program_sampling_mode(p),
        .normalized = program_bool(p, "normalized_coordinates", false),
        .scale = program_float(p, "spatial_scale", 1),
        .size = {program_int(p, "target_height", 1), program_int(p, "target_width", 1)}};
}

/* boxes [n, 4] of the pictures box_indices [n]: [n, c, h, w]. Of "roi" [n, 1, 4, 1, 1] all pictures have all boxes,
 * [n, b, c, h, w]; [n, 1, 5, 1, 1] have the picture before their numbers, [n, 1, c, h, w]. */
static void translate_crop_resize(struct program *p)
{
    struct graph_builder *b = &p->builder;
    const uint32_t map = to_map(p, program_input(p, "x"));
    const struct graph_boxes how = read_boxes(p);
    const struct graph_sampling sampling = {.outside = OUTSIDE_POINT,
                                            .value = program_float(p, "pad_value", 0)};
    if (program_has(p, "roi")) {
        p->outputs[0] = graph_crop_boxes(b, map, program_input(p, "roi"), &how, &sampling);
        return;
    }
    const uint32_t boxes = program_input(p, "boxes"), given = program_optional(p, "box_indices");
    const struct graph_shape shape = shape_of(p, boxes);
    if (given == GRAPH_NONE && b->status == MODEL_OK && shape.rank == 2 &&
        shape.size[0] > shape_of(p, map).size[0])
        program_contradicts(p, "of more boxes than pictures, without 'box_indices'");
    const uint32_t images = given != GRAPH_NONE ? given : graph_range(b, shape.size[0]);
    const uint32_t points = graph_box_points(b, map, boxes, &how);
    p->outputs[0] = from_map(p, graph_sample(b, map, points, images, &sampling));
}

bool translate_program_sampling(struct program *p)
{
    static const struct program_row rows[] = {{"resample", translate_resample},
                                              {"affine", translate_affine},
                                              {"crop_resize", translate_crop_resize}};
    return program_find(p, rows, sizeof rows / sizeof *rows);
}
