/* operator_resize.c - maps of another height and width: the nearest number, or bilinear. Which places of the
 * old map a new one reads depends on the mode alone; see enum graph_resize. */
#include "operators.h"

#include <math.h>

static void infer(struct operator_shapes *shapes)
{
    if (!input_is_map(shapes))
        return;
    *shapes->ret = *input_shape(shapes->graph, shapes->node, 0);
    shapes->ret->size[1] = shapes->node->attributes.resize.size[0];
    shapes->ret->size[2] = shapes->node->attributes.resize.size[1];
}

/* Two neighbours along an axis, and how much the second counts. */
struct sample {
    int64_t first, second;
    float share;
};

static struct sample find_sample(enum graph_resize mode, bool nearest, int64_t i, int64_t from,
                                 int64_t to)
{
    double at = (double)i * (double)from / (double)to;
    struct sample sample = {0};
    if (mode == RESIZE_ALIGN_CORNERS)
        at = to > 1 ? (double)i * (double)(from - 1) / (double)(to - 1) : 0;
    else if (mode == RESIZE_ALIGN_MIDDLE)
        at = (double)(from - 1) * (to > 1 ? (double)i / (double)(to - 1) : 0.5);
    else if (mode == RESIZE_HALF_PIXEL)
        at = ((double)i + 0.5) * (double)from / (double)to - 0.5;
    else if (mode == RESIZE_OFFSET)
        at = ((double)i + 0.5) * (from > 1 ? (double)(from - 1) : 1) / (double)to;
    at = fmin(fmax(at, 0), (double)(from - 1));
    /* Exact where it should be a whole number: i from / to rounds to itself. */
    sample.first = mode == RESIZE_NEAREST || mode == RESIZE_UPSAMPLE ? i * from / to : (int64_t)at;
    if (nearest)
        sample.first = (int64_t)fmin(floor(at + 0.5), (double)(from - 1));
    sample.second = sample.first + 1 < from ? sample.first + 1 : sample.first;
    sample.share = nearest || mode == RESIZE_NEAREST ? 0 : (float)(at - (double)sample.first);
    return sample;
}

struct resizing {
    const struct operator_call *call;
    const float *x;
    struct map_shape from, to;
    enum graph_resize mode;
    bool nearest;
};

/* One row of the result. */
static void resize_row(void *argument, size_t index)
{
    const struct resizing *r = argument;
    const int64_t batch = (int64_t)index / r->to.height, row = (int64_t)index % r->to.height;
    const struct sample v = find_sample(r->mode, r->nearest, row, r->from.height, r->to.height);
    const size_t c = (size_t)r->from.channels, width = (size_t)r->from.width * c;
    const float *top = r->x + (size_t)(batch * r->from.height + v.first) * width;
    const float *bottom = r->x + (size_t)(batch * r->from.height + v.second) * width;
    float *y = r->call->y + index * (size_t)r->to.width * c;
    for (int64_t q = 0; q < r->to.width; q++, y += c) {
        const struct sample h = find_sample(r->mode, r->nearest, q, r->from.width, r->to.width);
        const size_t a = (size_t)h.first * c, b = (size_t)h.second * c;
        for (size_t i = 0; i < c; i++) {
            const float upper = top[a + i] + (top[b + i] - top[a + i]) * h.share;
            const float lower = bottom[a + i] + (bottom[b + i] - bottom[a + i]) * h.share;
            y[i] = upper + (lower - upper) * v.share;
        }
    }
}

static void run(const struct operator_call *call)
{
    const struct graph_node *node = call->node;
    struct resizing resizing = {.call = call,
                                .x = input_data(call, 0),
                                .from = shape_as_map(input_shape(call->graph, node, 0)),
                                .to = shape_as_map(&call->graph->values[node->output].shape),
                                .mode = node->attributes.resize.mode,
                                .nearest = node->attributes.resize.nearest};
    operator_parallel(call, (size_t)(resizing.to.batch * resizing.to.height), map_size(resizing.to),
                      resize_row, &resizing);
}

const struct operator_type operator_resize = {
    .name = "resizing", .min_inputs = 1, .max_inputs = 1, .infer = infer, .run = run};
