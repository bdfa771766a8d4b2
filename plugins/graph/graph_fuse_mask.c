/* graph_fuse_mask.c - what hides keys from the queries of attention, as converters write it; see graph_passes.h.
 *
 * A constant is added to the scores, or a constant chooses between them and a low number. Where it shows each query the
 * keys up to its own place, the kernels need no mask: they leave out the products, too. A number of HIDDEN or less hides
 * a key: beside any other score, exp() of it is 0. */
#include "graph_passes.h"

#include <math.h>

#define HIDDEN (-1e4f)

enum { WHERE, X, Y };

enum sight { SHOWN, HIDES, WEIGHED };

/* What number i of the mask's constant does to a key. */
static enum sight sight_of(const struct graph_mask *mask, const float *numbers, size_t i)
{
    if (mask->scores_at != 0)
        return (numbers[i] != 0) == (mask->scores_at == X) ? SHOWN : HIDES;
    return numbers[i] == 0 ? SHOWN : numbers[i] <= HIDDEN ? HIDES : WEIGHED;
}

bool graph_mask_of_choice(struct graph *graph, const struct graph_node *node,
                          struct graph_mask *ret)
{
    if (node->kind != GRAPH_SELECT || graph->values[node->inputs[WHERE]].constant == NULL)
        return false;
    for (uint32_t at = X; at <= Y; at++) {
        const struct graph_value *low = &graph->values[node->inputs[X + Y - at]];
        if (low->constant == NULL || graph_shape_size(&low->shape) != 1)
            continue;
        const float *number = graph_numbers(graph, node->inputs[X + Y - at]);
        *ret = (struct graph_mask){node->inputs[WHERE], at};
        return number != NULL && *number <= HIDDEN;
    }
    return false;
}

bool graph_mask_is_causal(struct graph *graph, const struct graph_mask *mask, int64_t n_queries,
                          int64_t n_keys)
{
    const struct graph_value *value = &graph->values[mask->value];
    const struct graph_shape *shape = &value->shape;
    if (value->constant == NULL || n_keys < n_queries || shape->rank < 2 ||
        shape->size[shape->rank - 2] != n_queries || shape->size[shape->rank - 1] != n_keys)
        return false;
    const float *numbers = graph_numbers(graph, mask->value);
    const size_t size = graph_shape_size(shape);
    for (size_t i = 0; i < size && numbers != NULL; i++) {
        const int64_t key = (int64_t)i % n_keys, query = (int64_t)i / n_keys % n_queries;
        if (sight_of(mask, numbers, i) != (key <= query + n_keys - n_queries ? SHOWN : HIDES))
            return false;
    }
    return numbers != NULL;
}

uint32_t graph_add_mask(struct graph *graph, const struct graph_mask *mask)
{
    struct model_error err;
    struct graph_builder builder = {.graph = graph, .layer = "a mask", .err = &err};
    const struct graph_shape shape = graph->values[mask->value].shape;
    const size_t size = graph_shape_size(&shape), n_keys = (size_t)shape.size[shape.rank - 1];
    const float *numbers = graph_numbers(graph, mask->value);
    float *added = kernels_allocate(graph->kernels, size * sizeof *added);
    bool shows = true;
    if (numbers == NULL || added == NULL)
        return GRAPH_NONE;
    for (size_t i = 0; i < size; i += n_keys) {
        bool any = false;
        for (size_t k = i; k < i + n_keys; k++) {
            added[k] = sight_of(mask, numbers, k) == SHOWN ? 0 : -INFINITY;
            any = any || added[k] == 0;
        }
        shows = shows && any;
    }
    if (shows)
        return graph_give_constant(&builder, MODEL_F32, &shape, added);
    kernels_release(graph->kernels, added);
    return GRAPH_NONE;
}
