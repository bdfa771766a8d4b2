/* program_inputs.c - the inputs of an operation by their names, and the values they are; see program.h. */
#include "program.h"

#include "blob_names.h"

#include <stdio.h>
#include <string.h>

#define MAX_WORDS_BYTES 256
#define MAX_STEPS       ((uint64_t)1 << 18)

void program_fail(struct program *p, const char *what)
{
    graph_fail(&p->builder, MODEL_UNSUPPORTED, "'%.60s' %s", p->operation->type, what);
}

void program_contradicts(struct program *p, const char *what)
{
    graph_fail(&p->builder, MODEL_CORRUPT, "'%.60s' %s", p->operation->type, what);
}

bool program_work(struct program *p, uint64_t n)
{
    if (p->builder.status == MODEL_OK && n <= MAX_STEPS - p->n_steps) {
        p->n_steps += n;
        return true;
    }
    graph_fail(&p->builder, MODEL_UNSUPPORTED,
               "its loops and lists take more than %llu steps to lay out",
               (unsigned long long)MAX_STEPS);
    return false;
}

bool program_find(struct program *p, const struct program_row *rows, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++)
        if (strcmp(rows[i].type, p->operation->type) == 0) {
            rows[i].translate(p);
            return true;
        }
    return false;
}

bool program_has(const struct program *p, const char *name)
{
    return program_count(p, name) > 0;
}

size_t program_count(const struct program *p, const char *name)
{
    const struct coreml_argument *input = coreml_operation_input(p->operation, name);
    return input == NULL ? 0 : input->n_bindings;
}

/* ---- constants */

/* Numbers that are floats where they stand in the file, which is open until the graph is finished. */
static bool is_view(const struct coreml_value *value)
{
    const int32_t dtype = value->type.dtype;
    return (dtype == COREML_F32 || dtype == COREML_F16) &&
           (uintptr_t)value->data % sizeof(float) == 0;
}

static uint32_t copy_numbers(struct program *p, const struct coreml_value *value,
                             const struct graph_shape *shape)
{
    float *data =
        kernels_allocate(p->builder.graph->kernels, (size_t)value->n_elements * sizeof *data);
    if (data == NULL) {
        graph_fail(&p->builder, MODEL_OUT_OF_MEMORY, "no memory for a constant");
        return GRAPH_NONE;
    }
    p->builder.status = coreml_value_to_float32(value, data, p->builder.err);
    return graph_give_constant(&p->builder, MODEL_F32, shape, data);
}

static bool is_whole(int32_t dtype)
{
    return dtype >= COREML_I8 && dtype <= COREML_U3;
}

bool program_is_whole(const struct coreml_type *type)
{
    return type->kind == COREML_TYPE_TENSOR &&
           (type->dtype == COREML_BOOL || is_whole(type->dtype));
}

bool program_are_alike(int32_t dtype, int32_t other)
{
    return is_whole(dtype) == is_whole(other) && (dtype == COREML_BOOL) == (other == COREML_BOOL);
}

uint32_t program_constant(struct program *p, const struct coreml_value *value)
{
    const bool was_whole = p->builder.adds_whole;
    const struct coreml_type *type = &value->type;
    struct graph_shape shape = {.rank = type->rank};
    if (p->builder.status != MODEL_OK)
        return GRAPH_NONE;
    if (type->kind != COREML_TYPE_TENSOR || type->dtype == COREML_STRING || value->n_elements == 0)
        return GRAPH_NONE; /* read where it is wanted, or an error there */
    memcpy(shape.size, type->shape, type->rank * sizeof shape.size[0]);
    model_status status = coreml_value_check(value, p->builder.err);
    if (status == MODEL_OK && value->n_elements > (uint64_t)MAP_MAX_SIZE)
        status = kernels_fail(p->builder.err, MODEL_UNSUPPORTED, "a constant is too large");
    /* Weights that are not there are a broken model, not a missing one. */
    p->builder.status = status == MODEL_NOT_FOUND ? MODEL_CORRUPT : status;
    if (p->builder.status != MODEL_OK)
        return GRAPH_NONE;
    p->builder.adds_whole = program_is_whole(type);
    const uint32_t constant =
        is_view(value)
            ? graph_add_constant(&p->builder, coreml_dtype_model(type->dtype), &shape, value->data)
            : copy_numbers(p, value, &shape);
    p->builder.adds_whole = was_whole;
    return constant;
}

void program_name(struct program *p, const struct coreml_named_type *named, uint32_t meaning)
{
    if (p->builder.status != MODEL_OK)
        return;
    blob_names_set(p->names, named->name, meaning);
    if (named->type.kind == COREML_TYPE_TENSOR)
        blob_names_set(p->dtypes, named->name, (uint32_t)named->type.dtype);
}

int32_t program_dtype_of(const struct program *p, const char *tensor)
{
    const uint32_t dtype = blob_names_find(p->dtypes, tensor);
    return dtype != GRAPH_NONE ? (int32_t)dtype : 0;
}

int32_t program_input_dtype(const struct program *p, const char *name)
{
    const struct coreml_argument *input = coreml_operation_input(p->operation, name);
    if (input == NULL || input->n_bindings == 0)
        return 0;
    const struct coreml_binding *binding = &input->bindings[0];
    return binding->value != NULL ? binding->value->type.dtype : program_dtype_of(p, binding->name);
}

uint32_t program_meaning(struct program *p, const char *name)
{
    return blob_names_find(p->names, name);
}

static uint32_t meaning_of(struct program *p, const struct coreml_binding *binding)
{
    uint32_t meaning = binding->name != NULL ? program_meaning(p, binding->name) : GRAPH_NONE;
    if (meaning == GRAPH_NONE && binding->value != NULL) {
        meaning = program_constant(p, binding->value);
        if (binding->name != NULL && meaning != GRAPH_NONE)
            blob_names_set(p->names, binding->name, meaning);
    }
    return meaning;
}

uint32_t program_input_at(struct program *p, const char *name, size_t i)
{
    const struct coreml_argument *input = coreml_operation_input(p->operation, name);
    const uint32_t meaning =
        input != NULL && i < input->n_bindings ? meaning_of(p, &input->bindings[i]) : GRAPH_NONE;
    if (meaning != GRAPH_NONE && (meaning & PROGRAM_LIST) == 0)
        return meaning;
    graph_fail(&p->builder, MODEL_UNSUPPORTED, "'%.60s' without a tensor of numbers as '%s'",
               p->operation->type, name);
    return GRAPH_NONE;
}

uint32_t program_input(struct program *p, const char *name)
{
    return program_input_at(p, name, 0);
}

uint32_t program_optional(struct program *p, const char *name)
{
    return program_has(p, name) ? program_input(p, name) : GRAPH_NONE;
}

const struct program_list *program_list(struct program *p, const char *name)
{
    const struct coreml_argument *input = coreml_operation_input(p->operation, name);
    const uint32_t meaning =
        input != NULL && input->n_bindings == 1 ? meaning_of(p, &input->bindings[0]) : GRAPH_NONE;
    if (p->builder.status == MODEL_OK && meaning != GRAPH_NONE && (meaning & PROGRAM_LIST) != 0)
        return p->lists[meaning & ~PROGRAM_LIST];
    graph_fail(&p->builder, MODEL_UNSUPPORTED, "'%.60s' without a list as '%s'", p->operation->type,
               name);
    return NULL;
}

uint32_t program_add_list(struct program *p, const struct program_list *list)
{
    if (p->n_lists == p->list_capacity) {
        const uint32_t capacity = p->list_capacity == 0 ? 16 : 2 * p->list_capacity;
        const struct program_list **lists =
            kernels_allocate(p->builder.graph->kernels, capacity * sizeof *lists);
        if (lists == NULL) {
            graph_fail(&p->builder, MODEL_OUT_OF_MEMORY, "no memory for its lists");
            return GRAPH_NONE;
        }
        if (p->n_lists > 0)
            memcpy(lists, p->lists, p->n_lists * sizeof(*lists));
        p->lists = lists;
        p->list_capacity = capacity;
    }
    p->lists[p->n_lists] = list;
    return PROGRAM_LIST | p->n_lists++;
}

/* ---- what must be known */

/* The numbers of an input; NULL and an error: it depends on the run. */
static const float *known(struct program *p, const char *name, size_t *ret_n)
{
    const uint32_t value = program_input(p, name);
    const float *numbers = graph_known(&p->builder, value);
    const struct graph_shape shape = shape_of(p, value);
    if (p->builder.status != MODEL_OK || numbers == NULL) {
        graph_fail(&p->builder, MODEL_UNSUPPORTED, "'%.60s' whose '%s' depends on the run",
                   p->operation->type, name);
        return NULL;
    }
    *ret_n = graph_shape_size(&shape);
    return numbers;
}

float program_float(struct program *p, const char *name, float fallback)
{
    size_t n;
    const float *numbers = program_has(p, name) ? known(p, name, &n) : NULL;
    return numbers != NULL ? numbers[0] : fallback;
}

static int64_t whole(float number)
{
    return number >= 9e15f    ? (int64_t)9e15
           : number <= -9e15f ? -(int64_t)9e15
           : number == number ? (int64_t)number
                              : 0;
}

int64_t program_int(struct program *p, const char *name, int64_t fallback)
{
    return program_has(p, name) ? whole(program_float(p, name, 0)) : fallback;
}

bool program_bool(struct program *p, const char *name, bool fallback)
{
    return program_has(p, name) ? program_float(p, name, 0) != 0 : fallback;
}

const char *program_text(struct program *p, const char *name, const char *fallback)
{
    const struct coreml_value *value = coreml_operation_constant(p->operation, name);
    const char *text = value != NULL ? coreml_value_text(value) : NULL;
    if (text == NULL && program_has(p, name))
        graph_fail(&p->builder, MODEL_CORRUPT, "'%.60s' whose '%s' is no text", p->operation->type,
                   name);
    return text != NULL ? text : fallback;
}

/* "a, b or c" of words. */
static const char *list_words(const char *const *words, char *text, size_t size_bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; words[i] != NULL && used < size_bytes; i++) {
        const int n = snprintf(text + used, size_bytes - used, "%s%s",
                               i == 0                 ? ""
                               : words[i + 1] != NULL ? ", "
                                                      : " or ",
                               words[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    return text;
}

uint32_t program_choice(struct program *p, const char *name, const char *const *words,
                        uint32_t fallback)
{
    char wanted[MAX_WORDS_BYTES];
    const char *text = program_text(p, name, NULL);
    if (text == NULL && fallback != PROGRAM_REQUIRED)
        return fallback;
    for (uint32_t i = 0; text != NULL && words[i] != NULL; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    graph_fail(&p->builder, MODEL_UNSUPPORTED, "'%.60s' whose '%s' is '%.60s', want %s",
               p->operation->type, name, text != NULL ? text : "",
               list_words(words, wanted, sizeof wanted));
    return 0;
}

bool program_ints(struct program *p, const char *name, int64_t ret[PROGRAM_MAX_INTS], size_t *ret_n)
{
    const struct coreml_value *value = coreml_operation_constant(p->operation, name);
    *ret_n = 0;
    if (!program_has(p, name))
        return false;
    if (value != NULL && value->type.kind == COREML_TYPE_TENSOR && value->n_elements == 0)
        return true;
    const float *numbers = known(p, name, ret_n);
    if (numbers == NULL || *ret_n > PROGRAM_MAX_INTS) {
        graph_fail(&p->builder, MODEL_UNSUPPORTED, "'%.60s' with %zu numbers as '%s'",
                   p->operation->type, *ret_n, name);
        *ret_n = 0;
        return false;
    }
    for (size_t i = 0; i < *ret_n; i++)
        ret[i] = whole(numbers[i]);
    return true;
}

static uint32_t axis_in(struct program *p, int64_t axis, uint32_t rank)
{
    const int64_t from_start = axis < 0 ? axis + rank : axis;
    if (from_start >= 0 && from_start < (int64_t)rank)
        return (uint32_t)from_start;
    graph_fail(&p->builder, MODEL_CORRUPT, "'%.60s' along dimension %lld of %u", p->operation->type,
               (long long)axis, rank);
    return 0;
}

uint32_t program_axis(struct program *p, const char *name, int64_t fallback, uint32_t rank)
{
    return axis_in(p, program_int(p, name, fallback), rank);
}

uint32_t program_axes(struct program *p, uint32_t rank)
{
    int64_t axes[PROGRAM_MAX_INTS];
    size_t n;
    uint32_t bits = 0;
    if (!program_ints(p, "axes", axes, &n))
        return (1u << rank) - 1;
    for (size_t i = 0; i < n; i++) {
        const uint32_t bit = 1u << axis_in(p, axes[i], rank);
        if ((bits & bit) != 0)
            graph_fail(&p->builder, MODEL_CORRUPT, "'%.60s' along dimension %lld of %u twice",
                       p->operation->type, (long long)axes[i], rank);
        bits |= bit;
    }
    return rank == 0 ? 0 : bits;
}
