/* program_places.c - operations that take, put and order numbers by their places: gathers, scatters, topk, one_hot,
 * cumsum, band_part, reverse, windows, blocks; see program.h. */
#include "program.h"

#include <string.h>

/* "axis" of a value, negative ones from its end. */
static uint32_t axis_of(struct program *p, uint32_t x, int64_t fallback)
{
    return program_axis(p, "axis", fallback, shape_of(p, x).rank);
}

/* Leading dimensions that values and places share. */
static uint32_t read_batch(struct program *p)
{
    const int64_t batch = program_int(p, "batch_dims", 0);
    if (batch >= 0 && batch <= MODEL_MAX_RANK)
        return (uint32_t)batch;
    program_contradicts(p, "with batch_dims that its values do not have");
    return 0;
}

/* ---- gathers: places outside are the nearest inside, whatever validate_indices asks */

static void translate_gather(struct program *p)
{
    const uint32_t x = program_input(p, "x"), axis = axis_of(p, x, 0);
    const uint32_t places = program_input(p, "indices");
    p->outputs[0] = graph_gather(&p->builder, x, places, PLACES_AXIS, axis, read_batch(p));
}

static void translate_gather_along_axis(struct program *p)
{
    const uint32_t x = program_input(p, "x"), axis = axis_of(p, x, 0);
    p->outputs[0] = graph_take_along(&p->builder, x, program_input(p, "indices"), axis);
}

static void translate_gather_nd(struct program *p)
{
    const uint32_t x = program_input(p, "x"), places = program_input(p, "indices");
    p->outputs[0] = graph_gather(&p->builder, x, places, PLACES_POINT, 0, read_batch(p));
}

/* ---- scatters */

static enum graph_scatter read_mode(struct program *p)
{
    static const char *const modes[N_GRAPH_SCATTERS + 1] = {"update", "add", "sub", "mul",
                                                            "div",    "max", "min", NULL};
    return (enum graph_scatter)program_choice(p, "mode", modes, SCATTER_ADD);
}

static void scatter(struct program *p, enum graph_places form)
{
    const uint32_t data = program_input(p, "data");
    const struct graph_attributes a = {
        .places = {.form = form,
                   .axis = form == PLACES_POINT ? 0 : axis_of(p, data, 0),
                   .mode = read_mode(p)}};
    const uint32_t inputs[] = {data, program_input(p, "indices"), program_input(p, "updates")};
    p->outputs[0] = graph_add(&p->builder, GRAPH_SCATTER, 3, inputs, &a);
}

static void translate_scatter(struct program *p)
{
    scatter(p, PLACES_AXIS);
}

static void translate_scatter_along_axis(struct program *p)
{
    scatter(p, PLACES_ALONG);
}

static void translate_scatter_nd(struct program *p)
{
    scatter(p, PLACES_POINT);
}

/* ---- orders */

static void translate_topk(struct program *p)
{
    const uint32_t x = program_input(p, "x"), axis = axis_of(p, x, -1);
    const bool ascending = program_bool(p, "ascending", false);
    const uint32_t places = graph_sort(&p->builder, x, axis, program_int(p, "k", 1), ascending);
    p->outputs[0] = graph_take_along(&p->builder, x, places, axis);
    p->outputs[1] = places;
}

static void translate_argsort(struct program *p)
{
    const uint32_t x = program_input(p, "x"), axis = axis_of(p, x, -1);
    if (p->builder.status == MODEL_OK)
        p->outputs[0] = graph_sort(&p->builder, x, axis, shape_of(p, x).size[axis],
                                   program_bool(p, "ascending", false));
}

static void translate_cumsum(struct program *p)
{
    const uint32_t x = program_input(p, "x"), axis = axis_of(p, x, 0);
    const bool exclusive = program_bool(p, "exclusive", false);
    p->outputs[0] =
        graph_cumsum(&p->builder, x, axis, exclusive, program_bool(p, "reverse", false));
}

static void translate_one_hot(struct program *p)
{
    const uint32_t places = program_input(p, "indices");
    const uint32_t axis = program_axis(p, "axis", -1, shape_of(p, places).rank + 1);
    const int64_t n = program_int(p, "one_hot_vector_size", 0);
    const float on = program_float(p, "on_value", 1);
    p->outputs[0] =
        graph_one_hot(&p->builder, places, axis, n, on, program_float(p, "off_value", 0));
}

static void translate_band_part(struct program *p)
{
    const uint32_t x = program_input(p, "x");
    const int64_t lower = program_int(p, "lower", -1);
    p->outputs[0] = graph_band(&p->builder, x, lower, program_int(p, "upper", -1));
}

static void translate_reverse(struct program *p)
{
    const uint32_t x = program_input(p, "x");
    p->outputs[0] = graph_reverse(&p->builder, x, program_axes(p, shape_of(p, x).rank));
}

static void translate_reverse_sequence(struct program *p)
{
    const uint32_t x = program_input(p, "x"), rank = shape_of(p, x).rank;
    const uint32_t seq_axis = program_axis(p, "seq_axis", 0, rank);
    p->outputs[0] = graph_reverse_sequence(&p->builder, x, program_input(p, "lengths"), seq_axis,
                                           program_axis(p, "batch_axis", 0, rank));
}

static void translate_sliding_windows(struct program *p)
{
    const uint32_t x = program_input(p, "x"), axis = axis_of(p, x, 0);
    const int64_t size = program_int(p, "size", 0);
    p->outputs[0] = graph_windows(&p->builder, x, axis, size, program_int(p, "stride", 1));
}

/* ---- blocks */

static void blocks(struct program *p, enum graph_blocks form, const char *size)
{
    const uint32_t x = program_input(p, "x");
    p->outputs[0] = graph_blocks(&p->builder, x, form, program_int(p, size, 0));
}

static void translate_space_to_depth(struct program *p)
{
    blocks(p, SPACE_TO_DEPTH, "block_size");
}

static void translate_depth_to_space(struct program *p)
{
    blocks(p, DEPTH_TO_SPACE, "block_size");
}

static void translate_pixel_shuffle(struct program *p)
{
    blocks(p, PIXEL_SHUFFLE, "upscale_factor");
}

static void translate_pixel_unshuffle(struct program *p)
{
    blocks(p, PIXEL_UNSHUFFLE, "downscale_factor");
}

/* ---- how much there is of its result depends on the run */

static void refuse_open_shape(struct program *p)
{
    program_fail(p, "has a result whose shape depends on the run, which is not computed");
}

static void refuse_random(struct program *p)
{
    program_fail(p, "draws random numbers, which no two machines do alike; it is not computed");
}

bool translate_program_places(struct program *p)
{
    static const struct program_row rows[] = {{"gather", translate_gather},
                                              {"gather_along_axis", translate_gather_along_axis},
                                              {"gather_nd", translate_gather_nd},
                                              {"scatter", translate_scatter},
                                              {"scatter_along_axis", translate_scatter_along_axis},
                                              {"scatter_nd", translate_scatter_nd},
                                              {"topk", translate_topk},
                                              {"argsort", translate_argsort},
                                              {"cumsum", translate_cumsum},
                                              {"one_hot", translate_one_hot},
                                              {"band_part", translate_band_part},
                                              {"reverse", translate_reverse},
                                              {"reverse_sequence", translate_reverse_sequence},
                                              {"sliding_windows", translate_sliding_windows},
                                              {"space_to_depth", translate_space_to_depth},
                                              {"depth_to_space", translate_depth_to_space},
                                              {"pixel_shuffle", translate_pixel_shuffle},
                                              {"pixel_unshuffle", translate_pixel_unshuffle},
                                              {"non_zero", refuse_open_shape},
                                              {"non_maximum_suppression", refuse_open_shape},
                                              {"random_normal", refuse_random},
                                              {"random_uniform", refuse_random},
                                              {"random_bernoulli", refuse_random},
                                              {"random_categorical", refuse_random}};
    return program_find(p, rows, sizeof rows / sizeof *rows);
}
