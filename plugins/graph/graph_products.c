/* graph_products.c - products of computed values: matmul with vectors, einsum, attention; see graph_compose.h. */
#include "graph_compose.h"

#include <math.h>
#include <string.h>

/* A vector as a matrix of one row, or column. */
static uint32_t as_matrix(struct graph_builder *b, uint32_t x, bool row)
{
    return graph_shape_of(b, x).rank == 1 ? graph_expand(b, x, row ? 1u : 2u) : x;
}

uint32_t graph_matmul(struct graph_builder *b, uint32_t x, uint32_t y, bool turn_x, bool turn_y)
{
    const bool vector_x = graph_shape_of(b, x).rank == 1, vector_y = graph_shape_of(b, y).rank == 1;
    x = as_matrix(b, x, true);
    y = as_matrix(b, y, false);
    const uint32_t inputs[] = {turn_x && !vector_x ? graph_swap(b, x) : x,
                               turn_y && !vector_y ? graph_swap(b, y) : y};
    const uint32_t made =
        graph_add(b, GRAPH_MATMUL, 2, inputs, &(struct graph_attributes){.order = {0}});
    const uint32_t rank = graph_shape_of(b, made).rank;
    if (b->status != MODEL_OK)
        return GRAPH_NONE;
    return graph_drop(b, made,
                      (vector_x ? 1u << (rank - 2) : 0) | (vector_y ? 1u << (rank - 1) : 0));
}

/* ---- einsum: both sides as [shared, own, summed], one product, and the letters put in order */

#define MAX_TERM MODEL_MAX_RANK

struct term {
    char letters[MAX_TERM + 1];
    uint32_t n;
};

struct equation {
    struct term x, y, to;
};

static const char *find(const struct term *term, char letter)
{
    return memchr(term->letters, letter, term->n);
}

/* Letters up to one of `ends`; NULL: something else, too many, or one twice. */
static const char *read_term(const char *text, const char *ends, struct term *ret)
{
    for (; *text != '\0' && strchr(ends, *text) == NULL; text++) {
        const bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
        if (*text == ' ')
            continue;
        if (!letter || ret->n == MAX_TERM || find(ret, *text) != NULL)
            return NULL;
        ret->letters[ret->n++] = *text;
    }
    return text;
}

static bool read_equation(const char *text, struct equation *ret)
{
    *ret = (struct equation){.x = {.n = 0}};
    if ((text = read_term(text, ",", &ret->x)) == NULL || *text++ != ',' ||
        (text = read_term(text, "-", &ret->y)) == NULL || strncmp(text, "->", 2) != 0 ||
        (text = read_term(text + 2, "", &ret->to)) == NULL)
        return false;
    for (uint32_t i = 0; i < ret->to.n; i++)
        if (find(&ret->x, ret->to.letters[i]) == NULL && find(&ret->y, ret->to.letters[i]) == NULL)
            return false;
    return true;
}

/* Letters of `term` that `other` has and has not, that the result has and has not. */
static void pick(struct term *ret, const struct term *term, const struct term *other, bool in_other,
                 const struct term *to, bool in_to)
{
    ret->n = 0;
    for (uint32_t i = 0; i < term->n; i++)
        if ((find(other, term->letters[i]) != NULL) == in_other &&
            (find(to, term->letters[i]) != NULL) == in_to)
            ret->letters[ret->n++] = term->letters[i];
}

/* x summed over what neither the other side nor the result has. */
static uint32_t sum_alone(struct graph_builder *b, uint32_t x, struct term *term,
                          const struct term *other, const struct term *to)
{
    struct term rest = {.n = 0};
    uint32_t axes = 0;
    for (uint32_t i = 0; i < term->n; i++)
        if (find(other, term->letters[i]) == NULL && find(to, term->letters[i]) == NULL)
            axes |= 1u << i;
        else
            rest.letters[rest.n++] = term->letters[i];
    *term = rest;
    return axes == 0 ? x : graph_drop(b, graph_reduce(b, x, REDUCE_SUM, axes), axes);
}

/* Dimensions in the order of three groups of letters, each group one dimension of the result; `ret` gets their sizes. */
static uint32_t group(struct graph_builder *b, uint32_t x, const struct term *term,
                      const struct term *const groups[3], int64_t sizes[3])
{
    const struct graph_shape shape = graph_shape_of(b, x);
    uint32_t order[MODEL_MAX_RANK] = {0}, n = 0;
    for (uint32_t g = 0; g < 3; g++) {
        sizes[g] = 1;
        for (uint32_t i = 0; i < groups[g]->n; i++) {
            order[n] = (uint32_t)(find(term, groups[g]->letters[i]) - term->letters);
            sizes[g] *= shape.size[order[n++]];
        }
    }
    return graph_reshape(b, graph_transpose(b, x, order), 3, sizes);
}

static int64_t size_of(const struct graph_builder *b, uint32_t x, const struct term *term,
                       char letter)
{
    const char *at = find(term, letter);
    const struct graph_shape shape = graph_shape_of(b, x);
    return at == NULL ? 0 : shape.size[at - term->letters];
}

/* [shared, rows, columns] with their letters apart and in the order of the result. */
static uint32_t ungroup(struct graph_builder *b, uint32_t made, const struct term *const groups[3],
                        const struct graph_shape *apart, const struct term *to)
{
    uint32_t order[MODEL_MAX_RANK] = {0};
    struct term all = {.n = 0};
    for (uint32_t g = 0; g < 3; g++)
        for (uint32_t i = 0; i < groups[g]->n; i++)
            all.letters[all.n++] = groups[g]->letters[i];
    for (uint32_t i = 0; i < to->n; i++)
        order[i] = (uint32_t)(find(&all, to->letters[i]) - all.letters);
    return graph_transpose(b, graph_shape_to(b, made, apart), order);
}

uint32_t graph_einsum(struct graph_builder *b, const char *equation, uint32_t x, uint32_t y)
{
    struct equation e;
    struct term shared, rows, columns, summed;
    int64_t x_sizes[3], y_sizes[3];
    struct graph_shape apart = {.rank = 0};
    if (b->status != MODEL_OK)
        return GRAPH_NONE;
    if (!read_equation(equation, &e) || e.x.n != graph_shape_of(b, x).rank ||
        e.y.n != graph_shape_of(b, y).rank) {
        graph_fail(b, MODEL_UNSUPPORTED,
                   "einsum '%.60s': want two values with a letter for each dimension, none twice",
                   equation);
        return GRAPH_NONE;
    }
    for (uint32_t i = 0; i < e.x.n; i++) {
        const int64_t size = size_of(b, y, &e.y, e.x.letters[i]);
        if (size != 0 && size != size_of(b, x, &e.x, e.x.letters[i]))
            graph_fail(b, MODEL_CORRUPT, "einsum '%.60s': '%c' has two sizes", equation,
                       e.x.letters[i]);
    }
    x = sum_alone(b, x, &e.x, &e.y, &e.to);
    y = sum_alone(b, y, &e.y, &e.x, &e.to);
    if (b->status != MODEL_OK)
        return GRAPH_NONE;
    pick(&shared, &e.x, &e.y, true, &e.to, true);
    pick(&summed, &e.x, &e.y, true, &e.to, false);
    pick(&rows, &e.x, &e.y, false, &e.to, true);
    pick(&columns, &e.y, &e.x, false, &e.to, true);
    const struct term *const groups[] = {&shared, &rows, &columns};
    for (uint32_t g = 0; g < 3; g++)
        for (uint32_t i = 0; i < groups[g]->n; i++)
            apart.size[apart.rank++] = g < 2 ? size_of(b, x, &e.x, groups[g]->letters[i])
                                             : size_of(b, y, &e.y, groups[g]->letters[i]);
    x = group(b, x, &e.x, (const struct term *const[]){&shared, &rows, &summed}, x_sizes);
    y = group(b, y, &e.y, (const struct term *const[]){&shared, &summed, &columns}, y_sizes);
    return ungroup(b, graph_matmul(b, x, y, false, false), groups, &apart, &e.to);
}

/* ---- attention */

uint32_t graph_attention(struct graph_builder *b, const struct graph_attention *attention)
{
    const struct graph_shape query = graph_shape_of(b, attention->query);
    if (b->status != MODEL_OK || query.rank < 2) {
        graph_fail(b, MODEL_CORRUPT, "attention of a query of %u dimensions", query.rank);
        return GRAPH_NONE;
    }
    const float factor = 1 / sqrtf((float)query.size[query.rank - 1]);
    const uint32_t scaled = graph_scaled(b, attention->query, factor, 0);
    uint32_t scores = graph_matmul(b, scaled, attention->key, false, true);
    if (attention->mask != GRAPH_NONE && attention->truths)
        scores = graph_select(b, attention->mask, scores, graph_add_scalar(b, -INFINITY));
    else if (attention->mask != GRAPH_NONE)
        scores = graph_binary(b, BINARY_ADD, scores, attention->mask);
    const uint32_t rank = graph_shape_of(b, scores).rank;
    return graph_matmul(b, graph_softmax(b, scores, rank - 1), attention->value, false, false);
}
