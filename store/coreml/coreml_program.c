/* coreml_program.c - see coreml_program.h. Operations stand in the order in which they run, so that one pass knows what
 * each name is. */
#include "coreml_build.h"
#include "coreml_scope.h"
#include "dtype.h"
#include "errors.h"

#include <stdio.h>
#include <string.h>

#define SHAPE_BYTES   (MODEL_MAX_RANK * 22)
#define TYPE_BYTES    (SHAPE_BYTES + 16)
#define MAX_ARGUMENTS 256 /* each is compared with those before it; a list is one */

struct program_reader {
    const struct coreml_build *build;
    struct coreml_scope
        scope; /* of the function that is read; values are those of const operations */
};

static model_status build_block(struct program_reader *reader, const coreml_message *message,
                                struct coreml_block *ret);

static model_status define(struct program_reader *reader, const char *name,
                           const struct coreml_value *value)
{
    if (name[0] == '\0')
        return coreml_build_refuse(reader->build, "a value has no name");
    switch (coreml_scope_define(&reader->scope, name, value)) {
    case COREML_SCOPE_DONE:
        return MODEL_OK;
    case COREML_SCOPE_TAKEN:
        return coreml_build_refuse(reader->build, "'%.200s' is defined twice", name);
    default:
        return coreml_build_no_memory(reader->build);
    }
}

/* Repeated "NamedValueType". */
static model_status build_named_types(const struct coreml_build *build,
                                      const coreml_message *message, const char *field,
                                      const struct coreml_named_type **ret, size_t *ret_n)
{
    const size_t n = coreml_count(message, field);
    struct coreml_named_type *items = coreml_arena_take(build->arena, n, sizeof *items);
    model_status status = items != NULL ? MODEL_OK : coreml_build_no_memory(build);
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        const coreml_message *item = coreml_child_at(message, field, i);
        items[i].name = coreml_text(item, "name");
        status =
            coreml_build_type(build, coreml_child(item, "type"), items[i].name, &items[i].type);
    }
    if (status != MODEL_OK)
        return status;
    *ret = items;
    *ret_n = n;
    return MODEL_OK;
}

/* "name" of its first output, as converters name an operation. */
static const char *name_of(const coreml_message *operation)
{
    return coreml_count(operation, "outputs") > 0
               ? coreml_text(coreml_child_at(operation, "outputs", 0), "name")
               : "";
}

static model_status build_binding(struct program_reader *reader, const coreml_message *operation,
                                  const coreml_message *message, const char *parameter,
                                  struct coreml_binding *ret)
{
    const coreml_message *value = coreml_child(message, "value");
    const void *known = NULL;
    if (value != NULL) {
        struct coreml_value *made = coreml_arena_take(reader->build->arena, 1, sizeof *made);
        if (made == NULL)
            return coreml_build_no_memory(reader->build);
        ret->value = made;
        return coreml_build_value(reader->build, value, parameter, made);
    }
    ret->name = coreml_text(message, "name");
    if (!coreml_scope_find(&reader->scope, ret->name, &known))
        return coreml_build_refuse(
            reader->build,
            "the %.60s '%.150s' reads '%.150s' as '%.60s', which is not defined before",
            coreml_text(operation, "type"), name_of(operation), ret->name, parameter);
    ret->value = known;
    return MODEL_OK;
}

static model_status build_argument(struct program_reader *reader, const coreml_message *operation,
                                   const coreml_message *message, struct coreml_argument *ret)
{
    const coreml_message *list = coreml_child(message, "value");
    const size_t n = coreml_count(list, "arguments");
    struct coreml_binding *bindings = coreml_arena_take(reader->build->arena, n, sizeof *bindings);
    model_status status = bindings != NULL ? MODEL_OK : coreml_build_no_memory(reader->build);
    ret->name = coreml_text(message, "key");
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = build_binding(reader, operation, coreml_child_at(list, "arguments", i), ret->name,
                               &bindings[i]);
    ret->bindings = bindings;
    ret->n_bindings = n;
    return status;
}

static model_status build_arguments(struct program_reader *reader, const coreml_message *message,
                                    struct coreml_operation *ret)
{
    const size_t n = coreml_count(message, "inputs");
    if (n > MAX_ARGUMENTS)
        return coreml_build_refuse(reader->build, "a '%.100s' has %zu inputs, at most %d are read",
                                   ret->type, n, MAX_ARGUMENTS);
    struct coreml_argument *inputs = coreml_arena_take(reader->build->arena, n, sizeof *inputs);
    model_status status = inputs != NULL ? MODEL_OK : coreml_build_no_memory(reader->build);
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        status = build_argument(reader, message, coreml_child_at(message, "inputs", i), &inputs[i]);
        for (size_t j = 0; j < i && status == MODEL_OK; j++)
            if (strcmp(inputs[j].name, inputs[i].name) == 0)
                status = coreml_build_refuse(reader->build,
                                             "the input '%.200s' of a '%.100s' stands twice",
                                             inputs[i].name, ret->type);
    }
    ret->inputs = inputs;
    ret->n_inputs = n;
    return status;
}

static model_status build_attributes(struct program_reader *reader, const coreml_message *message,
                                     struct coreml_operation *ret)
{
    const size_t n = coreml_count(message, "attributes");
    struct coreml_attribute *items = coreml_arena_take(reader->build->arena, n, sizeof *items);
    struct coreml_value *values = coreml_arena_take(reader->build->arena, n, sizeof *values);
    model_status status =
        items != NULL && values != NULL ? MODEL_OK : coreml_build_no_memory(reader->build);
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        const coreml_message *item = coreml_child_at(message, "attributes", i);
        items[i] = (struct coreml_attribute){coreml_text(item, "key"), &values[i]};
        status = coreml_build_value(reader->build, coreml_child(item, "value"), items[i].name,
                                    &values[i]);
    }
    ret->attributes = items;
    ret->n_attributes = n;
    return status;
}

static model_status build_blocks(struct program_reader *reader, const coreml_message *message,
                                 struct coreml_operation *ret)
{
    const size_t n = coreml_count(message, "blocks");
    struct coreml_block *blocks = coreml_arena_take(reader->build->arena, n, sizeof *blocks);
    model_status status = blocks != NULL ? MODEL_OK : coreml_build_no_memory(reader->build);
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = build_block(reader, coreml_child_at(message, "blocks", i), &blocks[i]);
    ret->blocks = blocks;
    ret->n_blocks = n;
    return status;
}

/* A size of the output that is not known is any. */
static bool is_of_type(const struct coreml_type *value, const struct coreml_type *output)
{
    bool same =
        value->kind == output->kind && value->dtype == output->dtype && value->rank == output->rank;
    for (uint32_t i = 0; i < output->rank && same; i++)
        same = output->shape[i] < 0 || output->shape[i] == value->shape[i];
    return same;
}

/* "fp32 [8, 32]" */
static const char *type_text(const struct coreml_type *type, char text[TYPE_BYTES])
{
    char shape[SHAPE_BYTES];
    if (type->kind != COREML_TYPE_TENSOR)
        return "no tensor";
    (void)snprintf(text, TYPE_BYTES, "%s %s", coreml_dtype_name(type->dtype),
                   shape_text(type->shape, type->rank, shape, sizeof shape));
    return text;
}

static model_status check_const(const struct coreml_build *build,
                                const struct coreml_operation *operation,
                                const struct coreml_value *value)
{
    char found[TYPE_BYTES], declared[TYPE_BYTES];
    if (value == NULL || operation->n_outputs != 1)
        return coreml_build_refuse(build, "a const operation has no 'val', or not one output");
    const struct coreml_named_type *output = &operation->outputs[0];
    return is_of_type(&value->type, &output->type)
               ? MODEL_OK
               : coreml_build_refuse(build,
                                     "the const '%.150s' has a value of %s and is declared as %s",
                                     output->name, type_text(&value->type, found),
                                     type_text(&output->type, declared));
}

static model_status define_outputs(struct program_reader *reader,
                                   const struct coreml_operation *operation)
{
    const bool is_const = strcmp(operation->type, "const") == 0;
    const struct coreml_value *value =
        is_const ? coreml_operation_attribute(operation, "val") : NULL;
    model_status status = is_const ? check_const(reader->build, operation, value) : MODEL_OK;
    for (size_t i = 0; i < operation->n_outputs && status == MODEL_OK; i++)
        status = define(reader, operation->outputs[i].name, value);
    return status;
}

static model_status build_operation(struct program_reader *reader, const coreml_message *message,
                                    struct coreml_operation *ret)
{
    ret->type = coreml_text(message, "type");
    if (ret->type[0] == '\0')
        return coreml_build_refuse(reader->build, "an operation has no type");
    model_status status = build_arguments(reader, message, ret);
    if (status == MODEL_OK)
        status = build_attributes(reader, message, ret);
    if (status == MODEL_OK)
        status = build_blocks(reader, message, ret);
    if (status == MODEL_OK)
        status =
            build_named_types(reader->build, message, "outputs", &ret->outputs, &ret->n_outputs);
    return status == MODEL_OK ? define_outputs(reader, ret) : status;
}

static model_status build_operations(struct program_reader *reader, const coreml_message *message,
                                     struct coreml_block *ret)
{
    const size_t n = coreml_count(message, "operations");
    struct coreml_operation *operations =
        coreml_arena_take(reader->build->arena, n, sizeof *operations);
    model_status status = operations != NULL ? MODEL_OK : coreml_build_no_memory(reader->build);
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = build_operation(reader, coreml_child_at(message, "operations", i), &operations[i]);
    ret->operations = operations;
    ret->n_operations = n;
    return status;
}

static model_status define_inputs(struct program_reader *reader,
                                  const struct coreml_named_type *inputs, size_t n)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = define(reader, inputs[i].name, NULL);
    return status;
}

/* What stands in a block: its inputs are defined. */
static model_status build_body(struct program_reader *reader, const coreml_message *message,
                               struct coreml_block *ret)
{
    const void *ignored;
    model_status status = build_operations(reader, message, ret);
    if (status == MODEL_OK)
        status =
            coreml_build_texts(reader->build, message, "outputs", &ret->outputs, &ret->n_outputs);
    for (size_t i = 0; i < ret->n_outputs && status == MODEL_OK; i++)
        if (!coreml_scope_find(&reader->scope, ret->outputs[i], &ignored))
            status = coreml_build_refuse(reader->build, "the output '%.200s' is not defined",
                                         ret->outputs[i]);
    return status;
}

static model_status build_block(struct program_reader *reader, const coreml_message *message,
                                struct coreml_block *ret)
{
    const size_t n_open = reader->scope.n_open;
    model_status status =
        build_named_types(reader->build, message, "inputs", &ret->inputs, &ret->n_inputs);
    if (status == MODEL_OK)
        status = define_inputs(reader, ret->inputs, ret->n_inputs);
    if (status == MODEL_OK)
        status = build_body(reader, message, ret);
    coreml_scope_close(&reader->scope, n_open);
    return status;
}

/* The block of the function's own operator set. */
static const coreml_message *find_block(const coreml_message *function, const char *opset)
{
    for (size_t i = 0; i < coreml_count(function, "block_specializations"); i++) {
        const coreml_message *item = coreml_child_at(function, "block_specializations", i);
        if (strcmp(coreml_text(item, "key"), opset) == 0)
            return coreml_child(item, "value");
    }
    return NULL;
}

static model_status read_function(struct program_reader *reader, const coreml_message *message,
                                  struct coreml_function *ret)
{
    const coreml_message *function = coreml_child(message, "value");
    ret->name = coreml_text(message, "key");
    ret->opset = coreml_text(function, "opset");
    const coreml_message *block = find_block(function, ret->opset);
    if (block == NULL)
        return coreml_build_refuse(reader->build,
                                   "the function '%.100s' has no block for its opset '%.100s'",
                                   ret->name, ret->opset);
    model_status status =
        build_named_types(reader->build, function, "inputs", &ret->inputs, &ret->n_inputs);
    if (status == MODEL_OK)
        status = build_named_types(reader->build, block, "inputs", &ret->block.inputs,
                                   &ret->block.n_inputs);
    if (status == MODEL_OK && ret->block.n_inputs == 0)
        status = define_inputs(reader, ret->inputs, ret->n_inputs);
    else if (status == MODEL_OK)
        status = define_inputs(reader, ret->block.inputs, ret->block.n_inputs);
    return status == MODEL_OK ? build_body(reader, block, &ret->block) : status;
}

static model_status build_function(const struct coreml_build *build, const coreml_message *message,
                                   struct coreml_function *ret)
{
    struct program_reader reader = {.build = build};
    model_status status = string_map_init(&reader.scope.names, 256) == MODEL_OK
                              ? read_function(&reader, message, ret)
                              : coreml_build_no_memory(build);
    coreml_scope_finish(&reader.scope);
    return status;
}

model_status coreml_build_program(const struct coreml_build *build, const coreml_message *message,
                                  const char *default_function, const struct coreml_program **ret)
{
    const size_t n = coreml_count(message, "functions");
    const char *main_name = default_function[0] != '\0' ? default_function : "main";
    struct coreml_program *program = coreml_arena_take(build->arena, 1, sizeof *program);
    struct coreml_function *functions = coreml_arena_take(build->arena, n, sizeof *functions);
    if (program == NULL || functions == NULL)
        return coreml_build_no_memory(build);
    for (size_t i = 0; i < n; i++) {
        model_status status =
            build_function(build, coreml_child_at(message, "functions", i), &functions[i]);
        if (status != MODEL_OK)
            return status;
        if (program->main == NULL && strcmp(functions[i].name, main_name) == 0)
            program->main = &functions[i];
    }
    if (program->main == NULL)
        return coreml_build_refuse(build, "the program has no function '%.100s'", main_name);
    program->functions = functions;
    program->n_functions = n;
    *ret = program;
    return MODEL_OK;
}

/* ---- looking up */

const struct coreml_argument *coreml_operation_input(const struct coreml_operation *operation,
                                                     const char *name)
{
    for (size_t i = 0; i < operation->n_inputs; i++)
        if (strcmp(operation->inputs[i].name, name) == 0)
            return &operation->inputs[i];
    return NULL;
}

const struct coreml_value *coreml_operation_constant(const struct coreml_operation *operation,
                                                     const char *name)
{
    const struct coreml_argument *input = coreml_operation_input(operation, name);
    return input != NULL && input->n_bindings == 1 ? input->bindings[0].value : NULL;
}

const struct coreml_value *coreml_operation_attribute(const struct coreml_operation *operation,
                                                      const char *name)
{
    for (size_t i = 0; i < operation->n_attributes; i++)
        if (strcmp(operation->attributes[i].name, name) == 0)
            return operation->attributes[i].value;
    return NULL;
}
