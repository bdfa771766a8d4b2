/* translate_program.c - an ML Program's main function as a graph, and its inputs and outputs as callers see them;
 * see program.h. */
#include "program.h"

#include "blob_names.h"
#include "coreml_constexpr.h"

#include <string.h>

#define MAX_NAME 63 /* bytes of an operation's name that sentences have */
#define SMALL_NUMBERS                                                                              \
    64 /* constants of so many are made where they stand, larger ones where they are read */

/* A copy of the file's text, which is closed before the graph is. */
static const char *keep(struct program *p, const char *text, size_t max)
{
    size_t length = strnlen(text, max + 1);
    char *copy = NULL;
    for (; length > max || (length < max + 1 && ((uint8_t)text[length] & 0xC0) == 0x80);)
        length--; /* not within a letter */
    if (p->builder.status == MODEL_OK)
        copy = kernels_allocate(p->builder.graph->kernels, length + 1);
    if (copy == NULL) {
        graph_fail(&p->builder, MODEL_OUT_OF_MEMORY, "no memory for its name");
        return "";
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

static void translate_constexpr(struct program *p)
{
    const struct coreml_type *type = &p->operation->outputs[0].type;
    struct graph_shape shape = {.rank = type->rank};
    uint64_t n = 1;
    float *data = NULL;
    for (uint32_t i = 0; i < type->rank; i++) {
        shape.size[i] = type->shape[i];
        n = type->shape[i] < 1 || (uint64_t)type->shape[i] > (uint64_t)MAP_MAX_SIZE / n
                ? 0
                : n * (uint64_t)type->shape[i];
        if (n == 0)
            break;
    }
    if (n == 0)
        program_fail(p, "of no known size");
    if (p->builder.status == MODEL_OK && program_work(p, p->depth > 0 ? n >> 8 : 0))
        data = kernels_allocate(p->builder.graph->kernels, (size_t)n * sizeof *data);
    if (data == NULL) {
        graph_fail(&p->builder, MODEL_OUT_OF_MEMORY, "no memory for a constant");
        return;
    }
    p->builder.status = coreml_constexpr_to_float32(p->operation, n, data, p->builder.err);
    p->outputs[0] = graph_give_constant(&p->builder, MODEL_F32, &shape, data);
}

static void translate_const(struct program *p)
{
    const struct coreml_value *value = coreml_operation_attribute(p->operation, "val");
    const char *name = p->operation->outputs[0].name;
    if (value != NULL && value->n_elements <= SMALL_NUMBERS &&
        program_meaning(p, name) == GRAPH_NONE)
        p->outputs[0] = program_constant(p, value);
}

static void translate(struct program *p)
{
    const struct coreml_operation *operation = p->operation;
    if (!program_check_parameters(p))
        return;
    if (strcmp(operation->type, "const") == 0)
        translate_const(p);
    else if (coreml_is_constexpr(operation) && operation->n_outputs == 1)
        translate_constexpr(p);
    else if (!translate_elements(p) && !translate_program_layout(p) && !translate_products(p) &&
             !translate_program_windows(p) && !translate_program_places(p) &&
             !translate_program_resize(p) && !translate_program_sampling(p) &&
             !translate_program_norms(p) && !translate_program_recurrent(p) &&
             !translate_control(p))
        program_fail(p, "is not computed");
}

void program_walk(struct program *p, const struct coreml_block *block)
{
    for (size_t i = 0; i < block->n_operations && program_work(p, 1); i++) {
        const struct coreml_operation *operation = &block->operations[i];
        p->operation = operation;
        if (operation->n_outputs == 0 || operation->n_outputs > GRAPH_MAX_INPUTS) {
            program_fail(p, "without outputs, or with too many");
            return;
        }
        p->builder.layer = keep(p, operation->outputs[0].name, MAX_NAME);
        for (size_t k = 0; k < operation->n_outputs; k++)
            p->outputs[k] = GRAPH_NONE;
        p->builder.adds_whole = program_is_whole(&operation->outputs[0].type);
        translate(p);
        p->builder.adds_whole = false;
        for (size_t k = 0; k < operation->n_outputs; k++)
            if (p->outputs[k] != GRAPH_NONE)
                program_name(p, &operation->outputs[k], p->outputs[k]);
    }
}

static size_t count_names(const struct coreml_block *block)
{
    size_t n = block->n_inputs;
    for (size_t i = 0; i < block->n_operations; i++) {
        const struct coreml_operation *operation = &block->operations[i];
        n += operation->n_outputs;
        for (size_t k = 0; k < operation->n_blocks; k++)
            n += count_names(&operation->blocks[k]);
    }
    return n;
}

/* ---- inputs and outputs */

/* The default size of an input; a dimension that the file leaves open is 1, and noted. */
static void size_input(const struct coreml_feature *feature, const struct coreml_type *type,
                       struct ane_feature *ret)
{
    ret->shape = input_default_shape(feature);
    if (ret->shape.rank > 0)
        return;
    ret->shape.rank = type->rank;
    for (uint32_t i = 0; i < type->rank; i++) {
        ret->shape.size[i] = type->shape[i] == -1 ? 1 : type->shape[i];
        ret->open |= type->shape[i] == -1 ? 1u << i : 0;
    }
}

static void add_input(struct program *p, struct ane_variant *variant,
                      const struct coreml_named_type *named)
{
    const struct coreml_feature *feature = coreml_features_find(&p->file->inputs, named->name);
    p->builder.layer = keep(p, named->name, SIZE_MAX - 1);
    if (feature == NULL ||
        (feature->kind != COREML_FEATURE_ARRAY && feature->kind != COREML_FEATURE_IMAGE)) {
        graph_fail(&p->builder, MODEL_UNSUPPORTED,
                   "an input that is not described as a picture or an array");
        return;
    }
    struct ane_feature input = {.name = p->builder.layer,
                                .dtype = ane_dtype_of(&p->builder, feature),
                                .flags =
                                    feature->kind == COREML_FEATURE_IMAGE ? MODEL_SPEC_BYTES : 0};
    size_input(feature, &named->type, &input);
    if (variant->sizes != NULL)
        input.shape = variant->sizes[variant->n_inputs];
    p->builder.adds_whole = input.dtype == MODEL_I32;
    const uint32_t x = ane_add_input(variant, &p->builder, &input);
    p->builder.adds_whole = false;
    program_name(p, named, x);
}

/* Whether what outputs are declared as holds: not where inputs may have other sizes. */
static bool has_fixed_sizes(const struct program *p)
{
    for (size_t i = 0; i < p->file->inputs.n; i++)
        if (p->file->inputs.items[i].is_flexible || p->file->inputs.items[i].rank == 0)
            return false;
    return true;
}

/* An array as it is declared, which must have as many numbers; others as they were made. */
static struct graph_shape output_shape_of(struct program *p, const struct coreml_feature *feature,
                                          const struct graph_shape *made)
{
    struct graph_shape declared = {.rank = feature->rank};
    char wanted[GRAPH_SHAPE_BYTES], found[GRAPH_SHAPE_BYTES];
    if (feature->kind != COREML_FEATURE_ARRAY || feature->rank == 0 || feature->is_flexible ||
        !has_fixed_sizes(p))
        return *made;
    int64_t left = (int64_t)graph_shape_size(made);
    memcpy(declared.size, feature->shape, feature->rank * sizeof feature->shape[0]);
    for (uint32_t i = 0; i < declared.rank; i++)
        left = declared.size[i] < 1 || left % declared.size[i] != 0 ? 0 : left / declared.size[i];
    if (left != 1)
        graph_fail(&p->builder, MODEL_CORRUPT, "an output of shape %s that is declared as %s",
                   graph_shape_text(made, found), graph_shape_text(&declared, wanted));
    return declared;
}

/* An array of whole numbers that the program makes as floats would be cut off, without a word. */
static void check_output_dtype(struct program *p, const struct coreml_feature *feature)
{
    const int32_t made = program_dtype_of(p, feature->name);
    const int32_t declared = feature->dtype == MODEL_I32 ? COREML_I32 : COREML_F32;
    if (feature->kind == COREML_FEATURE_ARRAY && made != 0 && !program_are_alike(made, declared))
        graph_fail(&p->builder, MODEL_CORRUPT, "an output of %s that is declared as %s",
                   coreml_dtype_name(made), coreml_dtype_name(declared));
}

static void add_output(struct program *p, struct ane_variant *variant,
                       const struct coreml_feature *feature)
{
    const uint32_t value = program_meaning(p, feature->name);
    if (feature->kind == COREML_FEATURE_STRING || feature->kind == COREML_FEATURE_INT64)
        return; /* the predicted label */
    p->builder.layer = keep(p, feature->name, SIZE_MAX - 1);
    if (value == GRAPH_NONE || (value & PROGRAM_LIST) != 0) {
        graph_fail(&p->builder, MODEL_UNSUPPORTED, "an output that is no tensor");
        return;
    }
    check_output_dtype(p, feature);
    const struct graph_shape made = shape_of(p, value);
    const struct ane_feature output = {.name = p->builder.layer,
                                       .dtype = ane_dtype_of(&p->builder, feature),
                                       .shape = output_shape_of(p, feature, &made)};
    ane_add_output(variant, &p->builder, &output, program_reshape(p, value, &output.shape));
}

static void add_features(struct program *p, struct ane_variant *variant,
                         const struct coreml_function *function)
{
    const bool own = function->block.n_inputs > 0;
    const struct coreml_named_type *inputs = own ? function->block.inputs : function->inputs;
    const size_t n = own ? function->block.n_inputs : function->n_inputs;
    if (p->file->states.n > 0)
        graph_fail(&p->builder, MODEL_UNSUPPORTED, "programs with states are not computed");
    for (size_t i = 0; i < n && p->builder.status == MODEL_OK; i++)
        add_input(p, variant, &inputs[i]);
    if (p->builder.status == MODEL_OK)
        program_walk(p, &function->block);
    for (size_t i = 0; i < p->file->outputs.n && p->builder.status == MODEL_OK; i++)
        add_output(p, variant, &p->file->outputs.items[i]);
}

model_status translate_program(struct ane_variant *variant, const struct coreml_model *file,
                               struct model_error *err)
{
    const struct coreml_function *function = file->program->main;
    struct program p = {.builder = {.graph = variant->graph, .layer = "", .err = err},
                        .file = file};
    const size_t n_names = count_names(&function->block) + function->n_inputs;
    p.names = blob_names_create(variant->graph->kernels, n_names);
    p.dtypes = blob_names_create(variant->graph->kernels, n_names);
    if (p.names == NULL || p.dtypes == NULL)
        return kernels_no_memory(err, "the names of a program");
    add_features(&p, variant, function);
    return p.builder.status;
}
