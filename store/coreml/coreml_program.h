/* coreml_program.h - the functions, blocks, operations and values of a Core ML Program (MIL). Part of a struct
 * coreml_model, which says how long everything lives.
 *
 * Checked: each operation reads names that were defined before it, in its block or around it; names are unique in a
 * function; values have as many elements as their type says; weights lie within their file. Operators are told by name:
 * what they mean, which inputs they want, is not known here. */
#ifndef COREML_PROGRAM_H
#define COREML_PROGRAM_H

#include "modelhost.h"

#include <stdbool.h>

/* MIL's own numbers. */
enum coreml_dtype {
    COREML_BOOL = 1,
    COREML_STRING = 2,
    COREML_F16 = 10,
    COREML_F32 = 11,
    COREML_F64 = 12,
    COREML_BF16 = 13,
    COREML_I8 = 21,
    COREML_I16 = 22,
    COREML_I32 = 23,
    COREML_I64 = 24,
    COREML_I4 = 25,
    COREML_U8 = 31,
    COREML_U16 = 32,
    COREML_U32 = 33,
    COREML_U64 = 34,
    COREML_U4 = 35,
    COREML_U2 = 36,
    COREML_U1 = 37,
    COREML_U6 = 38,
    COREML_U3 = 39,
    COREML_F8_E4M3 = 40,
    COREML_F8_E5M2 = 41
};

enum coreml_type_kind {
    COREML_TYPE_TENSOR = 1,
    COREML_TYPE_LIST,
    COREML_TYPE_TUPLE,
    COREML_TYPE_DICTIONARY,
    COREML_TYPE_STATE
};

struct coreml_type {
    enum coreml_type_kind kind;
    int32_t dtype; /* of a tensor: enum coreml_dtype */
    uint32_t rank;
    int64_t shape[MODEL_MAX_RANK];     /* -1: not known before it runs */
    const struct coreml_type *element; /* of a list and a state; of others NULL */
    int64_t length;                    /* of a list; -1: not known */
};

/* A constant. A tensor's elements lie densely, row-major, little endian, in the dtype of its type: a bool is a byte of 0
 * or 1, what is narrower than a byte is packed from the lowest bit on. */
struct coreml_value {
    struct coreml_type type;
    uint64_t n_elements; /* of a tensor */
    const void *data;    /* NULL: no elements, strings, a list, or weights that are not there */
    uint64_t size_bytes; /* of data */
    const char *const *strings; /* (n_elements) of a tensor of strings */
    const struct coreml_value
        *items; /* (n_items) of a list or tuple; of a dictionary key, value, key, value */
    size_t n_items;
    const char *file; /* the weight file's name in the model; NULL: the value stands in the model */
    uint64_t offset;  /* where in that */
};

/* An input of an operation: a name, and its value when that is known (it stands there, or the name is a
 * const operation's). */
struct coreml_binding {
    const char *name; /* NULL: the value stands there */
    const struct coreml_value *value;
};

struct coreml_argument {
    const char *name; /* of the parameter: "strides" */
    const struct coreml_binding *bindings;
    size_t n_bindings; /* 1, or those of a list */
};

struct coreml_attribute {
    const char *name;
    const struct coreml_value *value;
};

struct coreml_named_type {
    const char *name;
    struct coreml_type type;
};

struct coreml_block;

struct coreml_operation {
    const char *type; /* "conv", "const" */
    const struct coreml_argument *inputs;
    const struct coreml_named_type *outputs;
    const struct coreml_attribute *attributes;
    const struct coreml_block *blocks; /* while_loop: condition, body; cond: true, false */
    size_t n_inputs, n_outputs, n_attributes, n_blocks;
};

struct coreml_block {
    const struct coreml_named_type *inputs;
    const char *const *outputs; /* names */
    const struct coreml_operation *operations;
    size_t n_inputs, n_outputs, n_operations;
};

struct coreml_function {
    const char *name, *opset;               /* "main", "CoreML6" */
    const struct coreml_named_type *inputs; /* the names that its block reads */
    size_t n_inputs;
    struct coreml_block
        block; /* of that opset; its own inputs are empty when they are the function's */
};

struct coreml_program {
    const struct coreml_function *functions;
    size_t n_functions;
    const struct coreml_function *main; /* the model's default function, or "main" */
};

/* NULL: the operation has none of that name. */
const struct coreml_argument *coreml_operation_input(const struct coreml_operation *operation,
                                                     const char *name);
/* The value of an input of one binding that is known; else NULL. */
const struct coreml_value *coreml_operation_constant(const struct coreml_operation *operation,
                                                     const char *name);
const struct coreml_value *coreml_operation_attribute(const struct coreml_operation *operation,
                                                      const char *name);

/* "fp16", "int32", "?": MIL's words. */
const char *coreml_dtype_name(int32_t dtype);
/* The dtype of such a word; 0: there is none. */
int32_t coreml_dtype_named(const char *name, size_t name_bytes);
/* MODEL_F16 and so on; 0: the host has none like it (strings, less than a byte, 8-bit floats). */
int32_t coreml_dtype_model(int32_t dtype);
/* Bits of an element in memory; 0 for strings and what is not known. */
unsigned coreml_dtype_bits(int32_t dtype);

/* MODEL_OK when the value's elements are there; MODEL_NOT_FOUND, naming the weight file, when they are not. */
model_status coreml_value_check(const struct coreml_value *value, struct model_error *err);
/* All elements as numbers (n_elements). MODEL_UNSUPPORTED: it is no tensor of numbers. */
model_status coreml_value_to_float32(const struct coreml_value *value, float *ret,
                                     struct model_error *err);
model_status coreml_value_to_int64(const struct coreml_value *value, int64_t *ret,
                                   struct model_error *err);
/* The text of a single string; NULL: it is none. */
const char *coreml_value_text(const struct coreml_value *value);

#endif
