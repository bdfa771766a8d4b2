/* program.h - what translations of an ML Program's operations share.
 *
 * Shapes are fixed while a program is walked: a dimension that the model leaves open has the size that the variant is made
 * for (variants.h), first of all its default. So what depends on constants alone is known while operations are walked (graph_known()): shapes, bounds, the counters of loops. A
 * while_loop whose condition is known is walked once for each turn, and a list is an array of values at that time:
 * it needs no memory in a run, and writing to one makes another. All numbers are float32, whole ones up to
 * 2^24 exactly.
 *
 * Values have the file's order of dimensions. One that an operation on maps made also has its map
 * [n, height, width, channels] (map_of()): what follows goes on from there, and the transpose between is removed
 * when nobody reads it. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "coreml_ane.h"

#include "graph_compose.h"

struct blob_names;

struct program_list {
    uint32_t *values; /* (n), GRAPH_NONE: not written yet */
    uint32_t n;
    struct graph_shape element; /* rank 0 with unknown: not known */
    bool element_known;
};

struct program {
    struct graph_builder builder;
    const struct coreml_model *file;
    struct blob_names *names; /* a value, or PROGRAM_LIST and the number of a list */
    struct blob_names
        *dtypes; /* of tensors that operations and inputs name, as they declare them */
    const struct coreml_operation *operation; /* being translated */
    uint32_t outputs[GRAPH_MAX_INPUTS];       /* of it, to be set */
    uint32_t *maps;                           /* (n_maps) map of each value, or GRAPH_NONE */
    uint32_t n_maps;
    const struct program_list **lists; /* (n_lists) */
    uint32_t n_lists, list_capacity;
    uint32_t depth;   /* of loops */
    uint64_t n_steps; /* work so far: loops and lists are bounded by it */
};

#define PROGRAM_LIST 0x80000000u

typedef void program_operation(struct program *p);

/* ---- by subject; each answers whether the operation is one of its own */
bool translate_elements(struct program *p);
bool translate_program_layout(struct program *p);
bool translate_products(struct program *p);
bool translate_program_windows(struct program *p);
bool translate_program_places(struct program *p);
bool translate_program_resize(struct program *p);
bool translate_program_sampling(struct program *p);
bool translate_program_norms(struct program *p);
bool translate_program_recurrent(struct program *p);
bool translate_control(struct program *p);

struct program_row {
    const char *type;
    program_operation *translate;
};
bool program_find(struct program *p, const struct program_row *rows, size_t n_rows);

/* Whether the operation has the parameters that it is given; or an error (program_parameters.c). */
bool program_check_parameters(struct program *p);

/* ---- inputs of the operation (program_inputs.c) */

/* With the operation's type before it: MODEL_UNSUPPORTED, what is not computed here; MODEL_CORRUPT, what nobody can
 * compute. */
void program_fail(struct program *p, const char *what);
void program_contradicts(struct program *p, const char *what);
/* Adds work; an error when there was too much. */
bool program_work(struct program *p, uint64_t n);
bool program_has(const struct program *p, const char *name);
size_t program_count(const struct program *p, const char *name); /* of a list argument */
/* The value, as a constant when it is one; an error when there is none. */
uint32_t program_input_at(struct program *p, const char *name, size_t i);
uint32_t program_input(struct program *p, const char *name);
uint32_t program_optional(struct program *p, const char *name); /* or GRAPH_NONE */
const struct program_list *program_list(struct program *p, const char *name);
/* What must be known: */
float program_float(struct program *p, const char *name, float fallback);
int64_t program_int(struct program *p, const char *name, int64_t fallback);
bool program_bool(struct program *p, const char *name, bool fallback);
const char *program_text(struct program *p, const char *name, const char *fallback);
/* Which of these words, NULL behind the last, a text is; `fallback` when it is left out. Another one, or none where
 * there is no fallback (PROGRAM_REQUIRED), is an error, and 0. */
uint32_t program_choice(struct program *p, const char *name, const char *const *words,
                        uint32_t fallback);
#define PROGRAM_REQUIRED UINT32_MAX
#define PROGRAM_MAX_INTS 64
/* Numbers of a vector, or of one number; false: the input is not there. */
bool program_ints(struct program *p, const char *name, int64_t ret[PROGRAM_MAX_INTS],
                  size_t *ret_n);
/* A dimension of x, negative ones from the end; 0 after an error. */
uint32_t program_axis(struct program *p, const char *name, int64_t fallback, uint32_t rank);
/* Bits of "axes"; all when they are not there. */
uint32_t program_axes(struct program *p, uint32_t rank);
/* What a name means from now on, and what it means: a value, a list, or GRAPH_NONE. */
uint32_t program_constant(struct program *p, const struct coreml_value *value);
/* Numbers of these go for each other: floats, whole numbers, truth values. */
bool program_are_alike(int32_t dtype, int32_t other);
/* Whole numbers and truth values, which float16 does not concern. */
bool program_is_whole(const struct coreml_type *type);
uint32_t program_add_list(struct program *p, const struct program_list *list);

/* "sampling_mode" of what resizes. */
enum graph_resize program_sampling_mode(struct program *p);

/* ---- maps */

uint32_t map_of(const struct program *p, uint32_t value); /* or GRAPH_NONE */
uint32_t to_map(struct program *p, uint32_t value);       /* made if need be; of rank 4 */
uint32_t from_map(struct program *p, uint32_t map);       /* the value that has it */

/* ---- shorter */

struct graph_shape shape_of(const struct program *p, uint32_t value);
uint32_t program_vector(struct program *p, size_t n, float number); /* n times */
uint32_t program_broadcast(struct program *p, uint32_t x, const struct graph_shape *shape);
uint32_t program_slice(struct program *p, uint32_t x, uint32_t axis, int64_t begin, int64_t end);
uint32_t program_concat(struct program *p, uint32_t n, const uint32_t *values, uint32_t axis);
uint32_t program_reshape(struct program *p, uint32_t x, const struct graph_shape *shape);
/* [n, c, w] as [n, c, 1, w], [n, c, h, w] as it is; and back to `rank`. */
uint32_t program_widen(struct program *p, uint32_t x);
uint32_t program_narrow(struct program *p, uint32_t x, uint32_t rank);
bool program_is_constant(struct program *p, uint32_t value); /* graph_is_constant() */
/* A product with weights [out, in], or transposed [in, out], prepared once. */
uint32_t program_linear(struct program *p, uint32_t x, uint32_t weight, uint32_t bias,
                        bool transposed);
/* W of x W as the kernels want it, [out, in], now: products are prepared before constants are computed. */
uint32_t program_turned(struct program *p, uint32_t weight);
/* Weights that a loop prepares in each turn count as work. */
bool program_may_prepare(struct program *p, uint32_t weight);
/* Arithmetic, on maps where both sides allow it. */
uint32_t program_binary(struct program *p, enum graph_binary function, uint32_t x, uint32_t y);
/* Where condition x, else y, broadcast. */
uint32_t program_select(struct program *p, uint32_t condition, uint32_t x, uint32_t y);

/* Walks the operations of a block. */
void program_walk(struct program *p, const struct coreml_block *block);
void program_name(struct program *p, const struct coreml_named_type *named, uint32_t meaning);
/* What a tensor is declared as: COREML_BOOL, COREML_F32; 0: nothing says it. */
int32_t program_dtype_of(const struct program *p, const char *tensor);
int32_t program_input_dtype(const struct program *p, const char *name);
uint32_t program_meaning(struct program *p, const char *name);

#endif
