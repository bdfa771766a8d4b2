/* operators.c - the table of operators, and what they share; see operators.h. */
#include "operators.h"

#include <string.h>

#define MIN_PARALLEL_NUMBERS 65536

static const struct operator_type *const types[N_GRAPH_KINDS] = {
    [GRAPH_CONV] = &operator_conv,
    [GRAPH_POOL] = &operator_pool,
    [GRAPH_NORM] = &operator_norm,
    [GRAPH_LINEAR] = &operator_linear,
    [GRAPH_MAP] = &operator_map,
    [GRAPH_BINARY] = &operator_binary,
    [GRAPH_SOFTMAX] = &operator_softmax,
    [GRAPH_REDUCE] = &operator_reduce,
    [GRAPH_RESIZE] = &operator_resize,
    [GRAPH_CONCAT] = &operator_concat,
    [GRAPH_RESHAPE] = &operator_reshape,
    [GRAPH_TRANSPOSE] = &operator_transpose,
    [GRAPH_SLICE] = &operator_slice,
    [GRAPH_PAD] = &operator_pad,
    [GRAPH_MATMUL] = &operator_matmul,
    [GRAPH_GATHER] = &operator_gather,
    [GRAPH_SELECT] = &operator_select,
    [GRAPH_BROADCAST] = &operator_broadcast,
    [GRAPH_LAYER_NORM] = &operator_layer_norm,
    [GRAPH_LSTM] = &operator_lstm,
    [GRAPH_SCATTER] = &operator_scatter,
    [GRAPH_SORT] = &operator_sort,
    [GRAPH_CUMSUM] = &operator_cumsum,
    [GRAPH_BAND] = &operator_band,
    [GRAPH_RECURRENT] = &operator_recurrent,
    [GRAPH_ATTENTION] = &operator_attention,
    [GRAPH_SAMPLE] = &operator_sample};

const struct operator_type *operator_of(enum graph_kind kind)
{
    return types[kind];
}

bool input_is_map(struct operator_shapes *shapes)
{
    char text[GRAPH_SHAPE_BYTES];
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, 0);
    if (x->rank == 4)
        return true;
    graph_fail(shapes->builder, MODEL_CORRUPT, "%s of a value of shape %s, want four dimensions",
               operator_of(shapes->node->kind)->name, graph_shape_text(x, text));
    return false;
}

bool input_is_vector(struct operator_shapes *shapes, uint32_t i, int64_t n)
{
    char text[GRAPH_SHAPE_BYTES];
    if (!has_input(shapes->node, i))
        return true;
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, i);
    if (x->rank == 1 && x->size[0] == n)
        return true;
    graph_fail(shapes->builder, MODEL_CORRUPT, "%s with %s numbers as input %u, want [%lld]",
               operator_of(shapes->node->kind)->name, graph_shape_text(x, text), i, (long long)n);
    return false;
}

struct map_shape shape_as_map(const struct graph_shape *shape)
{
    return (struct map_shape){shape->size[0], shape->size[1], shape->size[2], shape->size[3]};
}

bool window_is_sound(struct operator_shapes *shapes, const struct graph_window *w)
{
    for (uint32_t axis = 0; axis < 2; axis++) {
        const struct {
            const char *name;
            int64_t found, least;
        } rows[] = {{"kernel", w->kernel[axis], 1},
                    {"stride", w->stride[axis], 1},
                    {"dilation", w->dilation[axis], 1},
                    {"padding before", w->begin[axis], 0},
                    {"padding behind", w->end[axis], 0}};
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if (rows[i].found < rows[i].least || rows[i].found > MAP_MAX_SIZE) {
                graph_fail(shapes->builder, MODEL_CORRUPT,
                           "%s along the %s: %s is %lld, want %lld to %lld",
                           operator_of(shapes->node->kind)->name, axis == 0 ? "height" : "width",
                           rows[i].name, (long long)rows[i].found, (long long)rows[i].least,
                           (long long)MAP_MAX_SIZE);
                return false;
            }
    }
    return true;
}

int64_t window_extent(const struct graph_window *window, uint32_t axis, int64_t size)
{
    const int64_t limit = MAP_MAX_SIZE, begin = window->begin[axis], end = window->end[axis];
    const int64_t kernel = window->kernel[axis], dilation = window->dilation[axis];
    if (kernel < 1 || kernel > limit || dilation < 1 || dilation > limit / kernel ||
        window->stride[axis] < 1 || begin < 0 || begin > limit || end < 0 || end > limit)
        return 0;
    const int64_t span = (kernel - 1) * dilation + 1, padded = size + begin + end;
    return padded < span ? 0 : (padded - span) / window->stride[axis] + 1;
}

void dense_strides(const struct graph_shape *shape, int64_t strides[MODEL_MAX_RANK])
{
    int64_t step = 1;
    for (uint32_t i = shape->rank; i-- > 0;) {
        strides[i] = step;
        step *= shape->size[i];
    }
}

/* Dimension i of `shape`, counted as if it had `rank` of them. */
static int64_t padded_size(const struct graph_shape *shape, uint32_t rank, uint32_t i)
{
    return i < rank - shape->rank ? 1 : shape->size[i - (rank - shape->rank)];
}

bool broadcast_shape(const struct graph_shape *x, const struct graph_shape *y,
                     struct graph_shape *ret)
{
    const uint32_t rank = x->rank > y->rank ? x->rank : y->rank;
    ret->rank = rank;
    for (uint32_t i = 0; i < rank; i++) {
        const int64_t a = padded_size(x, rank, i), b = padded_size(y, rank, i);
        if (a != b && a != 1 && b != 1)
            return false;
        ret->size[i] = a > b ? a : b;
    }
    return true;
}

void broadcast_strides(const struct graph_shape *x, uint32_t rank, int64_t strides[MODEL_MAX_RANK])
{
    int64_t own[MODEL_MAX_RANK];
    dense_strides(x, own);
    for (uint32_t i = 0; i < rank; i++)
        strides[i] = padded_size(x, rank, i) == 1 ? 0 : own[i - (rank - x->rank)];
}

struct copying {
    const struct graph_shape *shape;
    const int64_t *strides;
    const float *x;
    float *y;
    size_t inner; /* numbers of y for each index of the first dimension */
};

/* One index of the first dimension. */
static void copy_slab(void *argument, size_t index)
{
    const struct copying *copying = argument;
    const struct graph_shape *shape = copying->shape;
    const uint32_t last = shape->rank - 1;
    const int64_t width = last == 0 ? 1 : shape->size[last], step = copying->strides[last];
    int64_t at[MODEL_MAX_RANK] = {0};
    float *y = copying->y + index * copying->inner;
    const float *slab = copying->x + (int64_t)index * copying->strides[0];
    for (size_t done = 0; done < copying->inner; done += (size_t)width) {
        const float *x = slab;
        for (uint32_t i = 1; i < last; i++)
            x += at[i] * copying->strides[i];
        if (step == 1)
            memcpy(y + done, x, (size_t)width * sizeof *y);
        else
            for (int64_t i = 0; i < width; i++)
                y[done + (size_t)i] = x[i * step];
        for (uint32_t i = last; i-- > 1;) {
            if (++at[i] < shape->size[i])
                break;
            at[i] = 0;
        }
    }
}

void strided_copy(const struct operator_call *call, const struct graph_shape *shape, const float *x,
                  const int64_t strides[MODEL_MAX_RANK], float *y)
{
    /* The outermost dimension of size 1 would leave nothing to share out. */
    struct graph_shape rest = *shape;
    while (rest.rank > 1 && rest.size[0] == 1) {
        memmove(rest.size, rest.size + 1, --rest.rank * sizeof rest.size[0]);
        strides++;
    }
    if (rest.rank == 0) {
        *y = *x;
        return;
    }
    const size_t size = graph_shape_size(&rest);
    struct copying copying = {&rest, strides, x, y, size / (size_t)rest.size[0]};
    operator_parallel(call, (size_t)rest.size[0], size, copy_slab, &copying);
}

void pad_map(const float *x, struct map_shape from, int64_t top, int64_t left, struct map_shape to,
             float value, float *y)
{
    const size_t row = (size_t)(from.width * from.channels), size = map_size(to);
    for (size_t i = 0; i < size; i++)
        y[i] = value;
    for (int64_t b = 0; b < from.batch; b++)
        for (int64_t r = 0; r < from.height; r++)
            memcpy(y + ((b * to.height + r + top) * to.width + left) * to.channels,
                   x + (size_t)(b * from.height + r) * row, row * sizeof *y);
}

void operator_parallel(const struct operator_call *call, size_t n, size_t numbers,
                       void (*body)(void *argument, size_t index), void *argument)
{
    const struct model_services *services = kernels_services(call->graph->kernels);
    if (n > 1 && numbers >= MIN_PARALLEL_NUMBERS) {
        services->parallel_for(services->context, n, body, argument);
        return;
    }
    for (size_t i = 0; i < n; i++)
        body(argument, i);
}
