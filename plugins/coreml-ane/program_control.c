/* program_control.c - loops, conditions and lists, whose turns, choices and places are known before a run; see
 * program.h. */
#include "program.h"

#include <string.h>

/* ---- lists */

static uint32_t *take_values(struct program *p, uint64_t n)
{
    uint32_t *values = NULL;
    if (program_work(p, 1 + n / 8))
        values = kernels_allocate(p->builder.graph->kernels, (size_t)(n + 1) * sizeof *values);
    if (values == NULL)
        graph_fail(&p->builder, MODEL_OUT_OF_MEMORY, "no memory for a list");
    return values;
}

static uint32_t add_list(struct program *p, uint32_t n, uint32_t *values,
                         const struct program_list *like)
{
    struct program_list *list = NULL;
    if (p->builder.status == MODEL_OK && values != NULL)
        list = kernels_allocate(p->builder.graph->kernels, sizeof *list);
    if (list == NULL) {
        graph_fail(&p->builder, MODEL_OUT_OF_MEMORY, "no memory for a list");
        return GRAPH_NONE;
    }
    *list = *like;
    list->n = n;
    list->values = values;
    return program_add_list(p, list);
}

/* A copy with room for at least n. */
static uint32_t *copy_list(struct program *p, const struct program_list *list, uint64_t n)
{
    uint32_t *values = take_values(p, n > list->n ? n : list->n);
    for (uint64_t i = 0; values != NULL && (i < n || i < list->n); i++)
        values[i] = i < list->n ? list->values[i] : GRAPH_NONE;
    return values;
}

static void translate_make_list(struct program *p)
{
    struct program_list like = {.element_known = true};
    const int64_t n = program_int(p, "init_length", 1);
    const size_t rank = program_count(p, "elem_shape");
    if (n < 0 || n > INT32_MAX || rank > MODEL_MAX_RANK) {
        program_fail(p, "of no length, or too long");
        return;
    }
    const struct coreml_argument *shape = coreml_operation_input(p->operation, "elem_shape");
    for (size_t i = 0; i < rank; i++) {
        const struct coreml_value *value = shape->bindings[i].value;
        if (value == NULL || coreml_value_text(value) != NULL) {
            like.element_known = false; /* a symbol */
            break;
        }
        const float *size = graph_known(&p->builder, program_input_at(p, "elem_shape", i));
        like.element.size[like.element.rank++] =
            size != NULL && size[0] >= 1 && size[0] <= (float)MAP_MAX_SIZE ? (int64_t)size[0] : 0;
    }
    uint32_t *values = take_values(p, (uint64_t)n);
    for (int64_t i = 0; i < n && values != NULL; i++)
        values[i] = GRAPH_NONE;
    p->outputs[0] = add_list(p, (uint32_t)n, values, &like);
}

static uint32_t read_element(struct program *p, const struct program_list *list, int64_t index)
{
    if (index >= 0 && index < (int64_t)list->n && list->values[index] != GRAPH_NONE)
        return list->values[index];
    if (index < 0 || index >= (int64_t)list->n || !list->element_known) {
        program_contradicts(p, "of a place that nothing was written to");
        return GRAPH_NONE;
    }
    return program_broadcast(p, graph_add_scalar(&p->builder, 0), &list->element);
}

static void translate_list_read(struct program *p)
{
    const struct program_list *list = program_list(p, "ls");
    const int64_t index = program_int(p, "index", 0);
    if (list != NULL)
        p->outputs[0] = read_element(p, list, index);
}

static void translate_list_write(struct program *p)
{
    const struct program_list *list = program_list(p, "ls");
    const int64_t index = program_int(p, "index", 0);
    const uint32_t value = program_input(p, "value");
    if (list == NULL || index < 0 || index >= INT32_MAX) {
        program_contradicts(p, "before its start");
        return;
    }
    uint32_t *values = copy_list(p, list, (uint64_t)index + 1);
    if (values == NULL)
        return;
    values[index] = value;
    p->outputs[0] = add_list(p, index >= list->n ? (uint32_t)index + 1 : list->n, values, list);
}

/* The numbers of "indices"; NULL and an error: they depend on the run. */
static const float *read_indices(struct program *p, uint32_t *ret_n)
{
    const uint32_t indices = program_input(p, "indices");
    const float *numbers = graph_known(&p->builder, indices);
    const struct graph_shape shape = shape_of(p, indices);
    const size_t n = graph_shape_size(&shape);
    if (numbers == NULL || n > INT32_MAX || !program_work(p, n)) {
        program_fail(p, "at places that depend on the run");
        return NULL;
    }
    *ret_n = (uint32_t)n;
    return numbers;
}

static void translate_list_scatter(struct program *p)
{
    const struct program_list *list = program_list(p, "ls");
    const uint32_t value = program_input(p, "value");
    struct graph_shape element = shape_of(p, value);
    uint32_t n = 0, length = 0;
    const float *indices = read_indices(p, &n);
    if (list == NULL || indices == NULL || element.rank == 0 || element.size[0] != (int64_t)n) {
        program_contradicts(p, "of other than one element for each place");
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!(indices[i] >= 0 && indices[i] < 1e6f))
            program_contradicts(p, "outside the list");
        else if ((uint32_t)indices[i] >= length)
            length = (uint32_t)indices[i] + 1;
    }
    uint32_t *values = p->builder.status == MODEL_OK ? copy_list(p, list, length) : NULL;
    memmove(element.size, element.size + 1, --element.rank * sizeof element.size[0]);
    for (uint32_t i = 0; i < n && values != NULL; i++)
        values[(uint32_t)indices[i]] =
            program_reshape(p, program_slice(p, value, 0, i, (int64_t)i + 1), &element);
    p->outputs[0] = add_list(p, length > list->n ? length : list->n, values, list);
}

/* [1, ...] of each, joined; a node takes so many at a time. */
static uint32_t join(struct program *p, uint32_t *values, uint32_t n)
{
    while (n > 1) {
        uint32_t made = 0;
        for (uint32_t i = 0; i < n; i += GRAPH_MAX_INPUTS)
            values[made++] = program_concat(p, n - i < GRAPH_MAX_INPUTS ? n - i : GRAPH_MAX_INPUTS,
                                            values + i, 0);
        n = made;
    }
    return values[0];
}

static void translate_list_gather(struct program *p)
{
    const struct program_list *list = program_list(p, "ls");
    uint32_t n = 0;
    const float *indices = read_indices(p, &n);
    uint32_t *values = indices != NULL ? take_values(p, n) : NULL;
    if (list == NULL || values == NULL || n == 0)
        return;
    for (uint32_t i = 0; i < n; i++) {
        const int64_t index = indices[i] >= 0 && indices[i] < 1e9f ? (int64_t)indices[i] : -1;
        const uint32_t element = read_element(p, list, index);
        struct graph_shape shape = shape_of(p, element);
        if (shape.rank == MODEL_MAX_RANK)
            program_fail(p, "of elements of too many dimensions");
        else
            memmove(shape.size + 1, shape.size, shape.rank++ * sizeof shape.size[0]);
        shape.size[0] = 1;
        values[i] = program_reshape(p, element, &shape);
    }
    p->outputs[0] = join(p, values, n);
}

static void translate_list_length(struct program *p)
{
    const struct program_list *list = program_list(p, "ls");
    if (list != NULL)
        p->outputs[0] = graph_add_scalar(&p->builder, (float)list->n);
}

/* ---- blocks */

static void name_inputs(struct program *p, const struct coreml_block *block, const uint32_t *values)
{
    for (size_t i = 0; i < block->n_inputs; i++)
        program_name(p, &block->inputs[i], values[i]);
}

static void read_outputs(struct program *p, const struct coreml_block *block, size_t n,
                         uint32_t *values)
{
    for (size_t i = 0; i < n; i++)
        if ((values[i] = program_meaning(p, block->outputs[i])) == GRAPH_NONE)
            graph_fail(&p->builder, MODEL_UNSUPPORTED, "a block's output '%.60s' is no tensor",
                       block->outputs[i]);
}

/* Whether the loop goes on; an error when that depends on the run. */
static bool goes_on(struct program *p, const struct coreml_block *block, const uint32_t *values)
{
    uint32_t result;
    name_inputs(p, block, values);
    program_walk(p, block);
    read_outputs(p, block, 1, &result);
    const float *number =
        graph_known(&p->builder, (result & PROGRAM_LIST) != 0 ? GRAPH_NONE : result);
    if (p->builder.status == MODEL_OK && number == NULL)
        graph_fail(&p->builder, MODEL_UNSUPPORTED,
                   "a while_loop whose end depends on the run is not computed");
    return p->builder.status == MODEL_OK && number[0] != 0;
}

static void translate_while_loop(struct program *p)
{
    const struct coreml_operation *loop = p->operation;
    const struct coreml_argument *vars = coreml_operation_input(loop, "loop_vars");
    const size_t n = vars != NULL ? vars->n_bindings : 0;
    uint32_t values[GRAPH_MAX_INPUTS];
    if (n == 0 || n > GRAPH_MAX_INPUTS || loop->n_blocks != 2 || loop->n_outputs != n ||
        loop->blocks[0].n_inputs != n || loop->blocks[0].n_outputs != 1 ||
        loop->blocks[1].n_inputs != n || loop->blocks[1].n_outputs != n) {
        program_contradicts(p, "whose blocks do not fit its variables");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        values[i] = vars->bindings[i].name != NULL ? program_meaning(p, vars->bindings[i].name)
                                                   : GRAPH_NONE;
        if (values[i] == GRAPH_NONE)
            values[i] = program_input_at(p, "loop_vars", i);
    }
    p->depth++;
    while (program_work(p, 1) && goes_on(p, &loop->blocks[0], values)) {
        name_inputs(p, &loop->blocks[1], values);
        program_walk(p, &loop->blocks[1]);
        read_outputs(p, &loop->blocks[1], n, values);
    }
    p->depth--;
    p->operation = loop;
    memcpy(p->outputs, values, n * sizeof *values);
}

/* Both are computed when the choice depends on the run: operations change nothing beside their results. */
static void translate_cond(struct program *p)
{
    const struct coreml_operation *cond = p->operation;
    const uint32_t pred = program_input(p, "pred");
    const float *known = graph_known(&p->builder, pred);
    const size_t n = cond->n_outputs;
    uint32_t values[2][GRAPH_MAX_INPUTS];
    if (cond->n_blocks != 2 || cond->blocks[0].n_outputs != n || cond->blocks[1].n_outputs != n ||
        n > GRAPH_MAX_INPUTS || p->builder.status != MODEL_OK) {
        program_contradicts(p, "whose blocks do not fit its outputs");
        return;
    }
    for (size_t b = 0; b < 2; b++)
        if (known == NULL || (known[0] != 0) == (b == 0)) {
            program_walk(p, &cond->blocks[b]);
            read_outputs(p, &cond->blocks[b], n, values[b]);
        }
    p->operation = cond;
    for (size_t i = 0; i < n && p->builder.status == MODEL_OK; i++) {
        if (known != NULL)
            p->outputs[i] = values[known[0] != 0 ? 0 : 1][i];
        else if (((values[0][i] | values[1][i]) & PROGRAM_LIST) != 0)
            program_fail(p, "that chooses a list as it runs");
        else
            p->outputs[i] = program_select(p, pred, values[0][i], values[1][i]);
    }
}

/* Labels are the host's; the second output is the probabilities, in the order of the classes. */
static void translate_classify(struct program *p)
{
    const uint32_t x = program_input(p, "probabilities");
    const struct graph_shape shape = shape_of(p, x);
    if (p->builder.status == MODEL_OK && graph_shape_size(&shape) != p->file->n_labels)
        graph_fail(&p->builder, MODEL_CORRUPT, "%zu probabilities for %zu class labels",
                   graph_shape_size(&shape), p->file->n_labels);
    p->outputs[0] = GRAPH_NONE;
    p->outputs[1] =
        program_reshape(p, x, &(struct graph_shape){1, {(int64_t)graph_shape_size(&shape)}});
}

bool translate_control(struct program *p)
{
    static const struct program_row rows[] = {
        {"while_loop", translate_while_loop},   {"cond", translate_cond},
        {"make_list", translate_make_list},     {"list_read", translate_list_read},
        {"list_write", translate_list_write},   {"list_scatter", translate_list_scatter},
        {"list_gather", translate_list_gather}, {"list_length", translate_list_length},
        {"classify", translate_classify}};
    return program_find(p, rows, sizeof rows / sizeof *rows);
}
