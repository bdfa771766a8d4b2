/* program_resize.c - operations that give the last two dimensions of a value other sizes; see program.h. */
#include "program.h"

#include <string.h>

enum graph_resize program_sampling_mode(struct program *p)
{
    static const char *const names[] = {"DEFAULT",         "STRICT_ALIGN_CORNERS", "ALIGN_CORNERS",
                                        "UNALIGN_CORNERS", "OFFSET_CORNERS",       NULL};
    static const enum graph_resize modes[] = {RESIZE_UPSAMPLE, RESIZE_ALIGN_CORNERS,
                                              RESIZE_ALIGN_MIDDLE, RESIZE_HALF_PIXEL,
                                              RESIZE_OFFSET};
    return modes[program_choice(p, "sampling_mode", names, 0)];
}

/* [.., c, h, w] with h and w as given: four dimensions are a map, others become one. */
static uint32_t resize(struct program *p, uint32_t x, enum graph_resize mode, bool nearest,
                       int64_t height, int64_t width)
{
    const struct graph_attributes a = {.resize = {mode, {height, width}, nearest}};
    struct graph_shape to = shape_of(p, x);
    if (p->builder.status != MODEL_OK)
        return GRAPH_NONE;
    if (to.rank < 2) {
        program_contradicts(p, "of a value of less than two dimensions");
        return GRAPH_NONE;
    }
    struct graph_shape planes = {
        4, {1, (int64_t)graph_shape_size(&to), to.size[to.rank - 2], to.size[to.rank - 1]}};
    planes.size[1] /= planes.size[2] * planes.size[3];
    const uint32_t map = to_map(p, to.rank == 4 ? x : program_reshape(p, x, &planes));
    const uint32_t made = from_map(p, graph_add(&p->builder, GRAPH_RESIZE, 1, &map, &a));
    to.size[to.rank - 2] = height;
    to.size[to.rank - 1] = width;
    return program_reshape(p, made, &to);
}

/* A size times a factor, rounded down; 0: too large. */
static int64_t scaled(struct program *p, const char *name, int64_t size)
{
    const double to = (double)program_float(p, name, 1) * (double)size;
    return to >= 1 && to <= (double)MAP_MAX_SIZE ? (int64_t)to : 0;
}

static void upsample(struct program *p, enum graph_resize mode)
{
    const uint32_t x = program_input(p, "x");
    const struct graph_shape shape = shape_of(p, x);
    if (p->builder.status != MODEL_OK || shape.rank < 2) {
        program_contradicts(p, "of a value of less than two dimensions");
        return;
    }
    const int64_t height = scaled(p, "scale_factor_height", shape.size[shape.rank - 2]);
    const int64_t width = scaled(p, "scale_factor_width", shape.size[shape.rank - 1]);
    p->outputs[0] = resize(p, x, mode, false, height, width);
}

static void translate_upsample_nearest_neighbor(struct program *p)
{
    upsample(p, RESIZE_NEAREST);
}

static void translate_upsample_bilinear(struct program *p)
{
    const bool corners = program_bool(p, "align_corners", true);
    const bool half = program_bool(p, "half_pixel_centers", !corners);
    if (corners && half)
        program_contradicts(p, "with align_corners and half_pixel_centers at once");
    upsample(p, corners ? RESIZE_ALIGN_CORNERS : half ? RESIZE_HALF_PIXEL : RESIZE_UPSAMPLE);
}

static void to_target(struct program *p, enum graph_resize mode)
{
    const uint32_t x = program_input(p, "x");
    const int64_t height = program_int(p, "target_size_height", 1);
    p->outputs[0] = resize(p, x, mode, false, height, program_int(p, "target_size_width", 1));
}

static void translate_resize_nearest_neighbor(struct program *p)
{
    to_target(p, RESIZE_NEAREST);
}

static void translate_resize_bilinear(struct program *p)
{
    to_target(p, program_sampling_mode(p));
}

/* The last resized_dims numbers of "shape", 0 for what stays. */
static void translate_resize(struct program *p)
{
    int64_t sizes[PROGRAM_MAX_INTS];
    size_t n;
    const uint32_t x = program_input(p, "x");
    const struct graph_shape shape = shape_of(p, x);
    const int64_t dims = program_int(p, "resized_dims", 2);
    static const char *const interpolations[] = {"LINEAR", "NEAREST_NEIGHBOR", NULL};
    const bool nearest = program_choice(p, "interpolation_mode", interpolations, 0) == 1;
    const enum graph_resize mode = program_sampling_mode(p);
    if (!program_ints(p, "shape", sizes, &n) || dims < 1 || dims > 2 || n < (size_t)dims ||
        shape.rank < 2) {
        program_fail(p, "of other than the last one or two dimensions");
        return;
    }
    const int64_t width = sizes[n - 1], height = dims == 2 ? sizes[n - 2] : 0;
    p->outputs[0] = resize(p, x, nearest && mode == RESIZE_UPSAMPLE ? RESIZE_NEAREST : mode,
                           nearest && mode != RESIZE_UPSAMPLE,
                           height != 0 ? height : shape.size[shape.rank - 2],
                           width != 0 ? width : shape.size[shape.rank - 1]);
}

/* "crop_height" and "crop_width" off both ends. */
static void translate_crop(struct program *p)
{
    static const char *const names[] = {"crop_height", "crop_width"};
    uint32_t x = program_input(p, "x");
    const struct graph_shape shape = shape_of(p, x);
    for (uint32_t i = 0; i < 2; i++) {
        int64_t cut[PROGRAM_MAX_INTS];
        size_t n;
        if (!program_ints(p, names[i], cut, &n) || n != 2 || shape.rank < 2 || cut[0] < 0 ||
            cut[1] < 0 || cut[1] > MAP_MAX_SIZE) {
            program_contradicts(p, "by other than two sizes for the height and two for the width");
            return;
        }
        const uint32_t axis = shape.rank - 2 + i;
        x = program_slice(p, x, axis, cut[0], shape.size[axis] - cut[1]);
    }
    p->outputs[0] = x;
}

bool translate_program_resize(struct program *p)
{
    static const struct program_row rows[] = {
        {"upsample_nearest_neighbor", translate_upsample_nearest_neighbor},
        {"upsample_bilinear", translate_upsample_bilinear},
        {"resize_nearest_neighbor", translate_resize_nearest_neighbor},
        {"resize_bilinear", translate_resize_bilinear},
        {"resize", translate_resize},
        {"crop", translate_crop}};
    return program_find(p, rows, sizeof rows / sizeof *rows);
}
