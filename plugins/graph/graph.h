/* graph.h - a model as a graph of operators, whatever file it was read from.
 *
 * A reader builds it (graph_build.h) out of values and nodes in the order of computing; each node's shape is
 * inferred and checked as it is added. graph_finish() then computes what depends on constants only, fuses what
 * the kernels compute together, prepares weights, and lays the values of a run out in one block of memory.
 * Runs read the graph and write into their own block: any number of them at the same time.
 *
 * Values are float32, dense and row-major. Pictures and feature maps are [batch, height, width, channels], as
 * the kernels want them; a reader whose format has planes adds transposes where its names are seen.
 * Everything is in the memory of a struct kernels and ends with it. */
#ifndef GRAPH_H
#define GRAPH_H

#include "kernels.h"

#define GRAPH_NONE       UINT32_MAX /* no value, no node */
#define GRAPH_MAX_INPUTS 64         /* of a node */
#define GRAPH_MAX_NODES  (1u << 20)
#define GRAPH_MAX_PARTS  3 /* products that become one */

struct graph_shape {
    uint32_t rank; /* at most MODEL_MAX_RANK */
    int64_t size[MODEL_MAX_RANK];
};

enum graph_kind {
    GRAPH_CONV,   /* x [n, h, w, in], weight [out, in / groups, kh, kw], bias [out] or none */
    GRAPH_POOL,   /* x [n, h, w, c] */
    GRAPH_NORM,   /* x [..., c], gamma, beta, mean, variance [c]: batch norm */
    GRAPH_LINEAR, /* x [..., in], weight [out, in] (transposed: [in, out]), bias [out] or none */
    GRAPH_MAP,    /* x: a function of each number; parametric ones also alpha, beta [c] */
    GRAPH_BINARY, /* x, y, broadcast against each other from the last dimension on */
    GRAPH_SOFTMAX,
    GRAPH_REDUCE,
    GRAPH_RESIZE, /* x [n, h, w, c] */
    GRAPH_CONCAT,
    GRAPH_RESHAPE,
    GRAPH_TRANSPOSE,
    GRAPH_SLICE,
    GRAPH_PAD,
    GRAPH_MATMUL,     /* x [..., m, k], y [..., k, n]: broadcast before the last two */
    GRAPH_GATHER,     /* x, places: what stands there; negative ones count from the end */
    GRAPH_SCATTER,    /* x, places, y: y into x, or with it, at these places */
    GRAPH_SELECT,     /* where, x, y, broadcast: x where it is not 0, else y */
    GRAPH_BROADCAST,  /* x to a shape, as numpy does */
    GRAPH_LAYER_NORM, /* x [..., c], gamma, beta [c] */
    GRAPH_SORT,       /* x [..., n]: positions of the first k by size; equals in their order */
    GRAPH_CUMSUM,     /* sums up to each number along one dimension */
    GRAPH_BAND,       /* x [..., m, n], 0 away from the diagonal */
    /* x [s, b, in]; of each of the gates i, f, g, o: weights [h, in], then those of the state [h, h], then biases [h];
     * h [b, h], c [b, h]: h of each step, then c */
    GRAPH_LSTM,
    GRAPH_RECURRENT, /* operator_recurrent.c: gates, h, c, weight, peepholes or bias */
    GRAPH_ATTENTION, /* query, key, value, what is added to the scores or none; made by fusing */
    GRAPH_SAMPLE, /* x [n, h, w, c], places (row, column) [m, p, q, 2], in which of the n [m]: [m, p, q, c] */
    N_GRAPH_KINDS
};

enum graph_function {             /* x' = scale x + shift, then */
                      MAP_LINEAR, /* alpha x' + beta */
                      MAP_RELU,
                      MAP_LEAKY_RELU,       /* alpha: the slope below 0 */
                      MAP_PRELU,            /* the slope is a second input */
                      MAP_CLIP,             /* from alpha to beta */
                      MAP_THRESHOLDED_RELU, /* x' where it is above alpha, else 0 */
                      MAP_SIGMOID,
                      MAP_HARD_SIGMOID, /* alpha x' + beta, from 0 to 1 */
                      MAP_TANH,
                      MAP_SCALED_TANH, /* alpha tanh(beta x') */
                      MAP_ELU,         /* alpha (exp(x') - 1) below 0 */
                      MAP_SOFTSIGN,
                      MAP_SOFTPLUS,
                      MAP_PARAMETRIC_SOFTPLUS, /* alpha log(1 + exp(beta x')), both inputs */
                      MAP_SQRT,
                      MAP_RSQRT,   /* 1 / sqrt(x' + epsilon) */
                      MAP_INVERSE, /* 1 / (x' + epsilon) */
                      MAP_POWER,   /* x' to the power of alpha */
                      MAP_EXP,
                      MAP_LOG, /* log(max(x', epsilon)) */
                      MAP_ABS,
                      MAP_GELU,
                      MAP_GELU_TANH,
                      MAP_GELU_SIGMOID, /* x' sigmoid(1.702 x') */
                      MAP_SILU,
                      MAP_ERF,
                      MAP_FLOOR,
                      MAP_CEIL,
                      MAP_ROUND, /* halves to even */
                      MAP_SIGN,
                      MAP_SIN,
                      MAP_COS,
                      MAP_TAN,
                      MAP_ASIN,
                      MAP_ACOS,
                      MAP_ATAN,
                      MAP_SINH,
                      MAP_COSH,
                      MAP_ASINH,
                      MAP_ACOSH,
                      MAP_ATANH,
                      MAP_IS_ZERO,      /* 1 or 0 */
                      MAP_FROM_INTEGER, /* of the bits of an int32 */
                      MAP_TO_INTEGER,   /* the low alpha bits of an int32, with a sign if beta */
                      MAP_TO_HALF,      /* the nearest float16 */
                      N_GRAPH_FUNCTIONS
};

enum graph_binary {
    BINARY_ADD,
    BINARY_MULTIPLY,
    BINARY_MAX,
    BINARY_MIN,
    BINARY_SUBTRACT,
    BINARY_DIVIDE,
    BINARY_FLOOR_DIVIDE,
    BINARY_MODULO, /* with the sign of y */
    BINARY_POWER,
    BINARY_EQUAL, /* this and the next: 1 or 0 */
    BINARY_LESS,
    BINARY_LESS_EQUAL,
    N_GRAPH_BINARIES
};
enum graph_pool { POOL_MAX, POOL_AVERAGE, POOL_L2, N_GRAPH_POOLS };
enum graph_pad { PAD_CONSTANT, PAD_REFLECT, PAD_REPLICATE, N_GRAPH_PADS };
enum graph_reduce {
    REDUCE_SUM,
    REDUCE_MEAN,
    REDUCE_PRODUCT,
    REDUCE_LOG_SUM,
    REDUCE_SUM_SQUARE,
    REDUCE_L1,
    REDUCE_L2,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_ARGMAX, /* along one axis; the first of equals */
    N_GRAPH_REDUCES
};
enum graph_resize {
    RESIZE_NEAREST,       /* i in / out, rounded down */
    RESIZE_UPSAMPLE,      /* bilinear at i in / out */
    RESIZE_ALIGN_CORNERS, /* bilinear at i (in - 1) / (out - 1) */
    RESIZE_HALF_PIXEL,    /* bilinear at (i + 1/2) in / out - 1/2 */
    RESIZE_ALIGN_MIDDLE,  /* as aligned corners; a single number is in the middle */
    RESIZE_OFFSET,        /* bilinear at (i + 1/2) max(1, in - 1) / out */
    N_GRAPH_RESIZES
};

/* What the places of gather and scatter are. */
enum graph_places {
    PLACES_AXIS,  /* indices of one dimension, for all that lies before and behind it */
    PLACES_ALONG, /* the same, an index for each number */
    PLACES_POINT, /* [..., k]: indices of k dimensions */
    N_GRAPH_PLACES
};
enum graph_scatter {
    SCATTER_SET,
    SCATTER_ADD,
    SCATTER_SUBTRACT,
    SCATTER_MULTIPLY,
    SCATTER_DIVIDE,
    SCATTER_MAX,
    SCATTER_MIN,
    N_GRAPH_SCATTERS
};
/* What stands beyond the edge of a picture 1 2 3. */
enum graph_outside {
    OUTSIDE_VALUE,     /* a number */
    OUTSIDE_POINT,     /* the same, also for a point between it and the picture */
    OUTSIDE_BORDER,    /* 1 1 | 1 2 3 | 3 3 */
    OUTSIDE_REFLECT,   /* 3 2 | 1 2 3 | 2 1 */
    OUTSIDE_SYMMETRIC, /* 2 1 | 1 2 3 | 3 2 */
};
struct graph_sampling {
    bool nearest; /* else bilinear */
    enum graph_outside outside;
    float value;
};
enum graph_cell { CELL_RNN, CELL_GRU, CELL_LSTM };

/* A function of one number, as a node GRAPH_MAP has it. */
struct graph_function_of {
    enum graph_function function;
    float alpha, beta;
};

/* What slides over a map: [0] is along the height, [1] along the width. */
struct graph_window {
    int64_t kernel[2], stride[2], dilation[2], begin[2], end[2]; /* begin, end: padding */
};

struct graph_attributes {
    union {
        struct {
            struct graph_window window; /* transposed: begin and end are cut off the result */
            int64_t groups;
            bool transposed;
            enum activation activation; /* this and the next: set by fusing */
            bool accumulate;            /* adds the last input before the activation */
            double norm_eps;
        } conv;
        struct {
            struct graph_window window;
            enum graph_pool mode;
            bool inside_only;  /* averages leave the padding out */
            int64_t beyond[2]; /* of the padding behind: what no average counts */
        } pool;
        struct {
            double eps; /* of both norms */
        } norm;
        struct {
            bool transposed;
            enum activation activation; /* this and the next ones: set by fusing */
            bool accumulate;            /* adds the last input; without activation */
            uint32_t n_parts; /* not 0: the weights of these nodes stand below each other */
            uint32_t parts[GRAPH_MAX_PARTS];
        } linear;
        struct {
            /* Rows of query [n_sequences, n_queries], of key and value [n_sequences, n_keys], each `stride` numbers
             * behind the last one; a row's heads [num_heads, head_size] begin at first[input]. */
            int64_t n_sequences, n_queries, n_keys, num_heads, head_size, stride, first[3];
            float scale; /* of the scores */
            bool causal; /* query i of n sees the keys up to the i-th of the last n */
        } attention;
        struct {
            enum graph_function function;
            float alpha, beta, scale, shift, epsilon;
        } map;
        struct {
            enum graph_binary function;
        } binary;
        struct {
            enum graph_places form;
            uint32_t axis;
            uint32_t batch; /* leading dimensions that x and places have in common */
            enum graph_scatter mode;
        } places;
        struct {
            int64_t k;
            bool ascending;
        } sort;
        struct {
            uint32_t axis;
            bool exclusive, reverse; /* without the number itself; from the end */
        } cumsum;
        struct {
            int64_t lower, upper; /* diagonals that stay; negative: all */
        } band;
        struct {
            enum graph_cell cell;
            bool reverse;
            bool reset_first; /* GRU: the state is reset before its product, not after */
            bool coupled;     /* LSTM: forgets 1 - i */
            float clip;       /* LSTM: |c| at most; 0: any */
            float limit;      /* of sums before their function, on either side; 0: none */
            struct graph_function_of gate, cell_gate, output;
        } recurrent;
        struct {
            bool reverse; /* from the last step to the first; results stand in the steps' places */
            /* Set by fusing: x is places [s, b] (item_first: [b, s]) in the rows of the last input. */
            bool by_places, item_first;
            float c_limit; /* |c| at most, 10 or more; 0: any */
        } lstm;
        struct {
            enum graph_reduce mode;
            uint32_t axes; /* bit i: dimension i; they stay, with size 1 */
            float epsilon; /* added before a logarithm */
        } reduce;
        struct {
            enum graph_resize mode;
            int64_t size[2];
            bool nearest; /* the number nearest to the place, of two the second */
        } resize;
        struct graph_sampling sample;
        struct {
            uint32_t axis; /* of softmax and concat */
        } along;
        struct graph_shape reshape;     /* and broadcast */
        uint32_t order[MODEL_MAX_RANK]; /* transpose: dimension i of the result is order[i] of x */
        struct {
            int64_t begin[MODEL_MAX_RANK], end[MODEL_MAX_RANK], stride[MODEL_MAX_RANK];
        } slice; /* 0 <= begin < end <= size; of a stride below 0: size > begin > end >= -1 */
        struct {
            int64_t begin[MODEL_MAX_RANK], end[MODEL_MAX_RANK];
            enum graph_pad mode;
            float value;
        } pad;
    };
};

struct graph_value {
    const char *name; /* as the file has it; "" for what a reader adds */
    struct graph_shape shape;
    const void *constant; /* of dtype, or NULL; as in graph_build.h */
    int32_t dtype;        /* of the constant */
    bool is_own;          /* the constant is in the memory of the graph's kernels */
    bool is_kept;         /* runs read the numbers, which stay */
    const float *numbers; /* the constant as f32, once something reads it */
    bool takes_bytes;     /* an input whose numbers may come as U8 */
    uint32_t producer;    /* node, or GRAPH_NONE: an input or a constant */
    uint32_t n_uses;      /* inputs of nodes, and outputs of the graph */
    bool is_whole;        /* whole numbers: they are not rounded to float16 */
};

struct graph_node {
    enum graph_kind kind;
    bool removed;     /* by fusing or folding */
    const char *name; /* of the layer, for sentences */
    uint32_t *inputs; /* (n_inputs) values; GRAPH_NONE: absent */
    uint32_t n_inputs, output;
    struct graph_attributes attributes;
    const void *prepared; /* of the operator: packed weights */
};

struct graph_plan; /* graph_plan.h */

struct graph {
    struct kernels *kernels;
    bool emulates_f16; /* set before the first value: inputs, constants and results are rounded */
    bool keeps_apart;  /* for tests, set before graph_finish(): nodes are not joined */
    struct graph_value *values;
    struct graph_node *nodes;
    uint32_t n_values, n_nodes, value_capacity, node_capacity;
    uint32_t *inputs, *outputs; /* values */
    uint32_t n_inputs, n_outputs;
    size_t n_known, n_folded; /* numbers of constants that were added, and that were computed */
    const struct graph_plan *plan; /* once finished */
    /* Set by a reader whose constants are views of a file, or NULL: these are not read any more, soon. */
    void (*discard)(void *reader, const void *data, size_t size_bytes);
    /* The same, or NULL: whether they stay as long as the graph does. Then runs read them where they are. */
    bool (*stays)(void *reader, const void *data, size_t size_bytes);
    void *reader;
    bool
        shares; /* large constants that runs read are wanted by other graphs, too (graph_shared.h) */
    /* Asked while it is built and finished, which then ends with that status; NULL: it is not built for a call. */
    const struct model_cancel *cancel;
};

/* Numbers of a shape. */
size_t graph_shape_size(const struct graph_shape *shape);
bool graph_shape_equal(const struct graph_shape *a, const struct graph_shape *b);
#define GRAPH_SHAPE_BYTES 128
/* "[1, 3, 224]" into text; returns it. */
const char *graph_shape_text(const struct graph_shape *shape, char text[GRAPH_SHAPE_BYTES]);

/* The constant as f32, until the graph is finished. NULL: no memory. [create-thread] */
const float *graph_numbers(struct graph *graph, uint32_t value);

/* After the last node: folds, fuses, prepares weights and plans. What runs read of constants is kept, the rest given
 * back. The services of graph->kernels must be those of graph_services.h. [create-thread], or a lane's where these share
 * the weights of another graph. */
model_status graph_finish(struct graph *graph, struct model_error *err);

/* An input of a run: F32, or U8 of one that was added for it. */
struct graph_input {
    const void *data;
    int32_t dtype;
};

/* A run: inputs (n_inputs) are read, outputs (n_outputs) written, NULL for one that nobody wants; sizes are
 * those of the values. The runner has begun (linear_runner_begin()); its token is asked at each node.
 * MODEL_OUT_OF_MEMORY, MODEL_CANCELLED, MODEL_DEADLINE. [lane-thread] */
model_status graph_run(const struct graph *graph, struct linear_runner *runner,
                       const struct model_cancel *cancel, const struct graph_input *inputs,
                       float *const *outputs, struct model_error *err);
/* Bytes of a run's block. */
uint64_t graph_run_bytes(const struct graph *graph);

#endif
