/* coreml_writer.h - writes the protobuf encoding by hand, from the format's field numbers: what tests of store/coreml/
 * read was not made by the library that reads it. Included once by a test program; one thread.
 *
 *   struct proto model = {0}; proto_number(&model, 1, 4); proto_child(&model, 2, &description); */
#ifndef COREML_WRITER_H
#define COREML_WRITER_H

#include "coreml_model.h"
#include "errors.h"
#include "testing.h"

struct proto {
    uint8_t data[1 << 13];
    size_t n;
};

static inline void proto_raw(struct proto *proto, const void *data, size_t n)
{
    assert_true(proto->n + n <= sizeof proto->data);
    if (n > 0)
        memcpy(proto->data + proto->n, data, n);
    proto->n += n;
}

static inline void proto_varint(struct proto *proto, uint64_t value)
{
    do {
        const uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        proto_raw(proto, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

static inline void proto_number(struct proto *proto, uint32_t field, uint64_t value)
{
    proto_varint(proto, (uint64_t)field << 3);
    proto_varint(proto, value);
}

static inline void proto_bytes(struct proto *proto, uint32_t field, const void *data, size_t n)
{
    proto_varint(proto, (uint64_t)field << 3 | 2);
    proto_varint(proto, n);
    proto_raw(proto, data, n);
}

static inline void proto_text(struct proto *proto, uint32_t field, const char *text)
{
    proto_bytes(proto, field, text, strlen(text));
}

static inline void proto_child(struct proto *proto, uint32_t field, const struct proto *child)
{
    proto_bytes(proto, field, child->data, child->n);
}

/* An empty message. */
static inline void proto_empty(struct proto *proto, uint32_t field)
{
    proto_bytes(proto, field, "", 0);
}

static inline void proto_float(struct proto *proto, uint32_t field, float value)
{
    proto_varint(proto, (uint64_t)field << 3 | 5);
    proto_raw(proto, &value, sizeof value);
}

/* A message with one child. */
static inline struct proto proto_in(uint32_t field, struct proto child)
{
    struct proto proto = {.n = 0};
    proto_child(&proto, field, &child);
    return proto;
}

static inline struct proto proto_of_text(uint32_t field, const char *text)
{
    struct proto proto = {.n = 0};
    proto_text(&proto, field, text);
    return proto;
}

/* ---- what models are made of */

/* A FeatureDescription: a float32 array of these sizes. */
static inline struct proto array_feature(const char *name, const uint64_t *shape, size_t rank)
{
    struct proto array = {.n = 0}, feature = proto_of_text(1, name);
    for (size_t i = 0; i < rank; i++)
        proto_number(&array, 1, shape[i]);
    proto_number(&array, 2, 65568);
    const struct proto type = proto_in(5, array);
    proto_child(&feature, 3, &type);
    return feature;
}

/* A ModelDescription: x and y are arrays of two. */
static inline struct proto two_features(void)
{
    const struct proto x = array_feature("x", (const uint64_t[]){2}, 1);
    const struct proto y = array_feature("y", (const uint64_t[]){2}, 1);
    struct proto description = {.n = 0};
    proto_child(&description, 1, &x);
    proto_child(&description, 10, &y);
    return description;
}

/* A Model of that version, with a body. */
static inline struct proto model_of(uint64_t version, uint32_t kind, struct proto body)
{
    struct proto model = {.n = 0};
    const struct proto description = two_features();
    proto_number(&model, 1, version);
    proto_child(&model, 2, &description);
    proto_child(&model, kind, &body);
    return model;
}

/* A NeuralNetworkLayer from one blob to another. */
static inline struct proto layer_of(const char *input, const char *output, uint32_t kind,
                                    struct proto params)
{
    struct proto layer = proto_of_text(1, output);
    proto_text(&layer, 2, input);
    proto_text(&layer, 3, output);
    proto_child(&layer, kind, &params);
    return layer;
}

/* A ValueType: a tensor. */
static inline struct proto tensor_type(uint64_t dtype, const uint64_t *shape, size_t rank)
{
    struct proto type = {.n = 0};
    proto_number(&type, 1, dtype);
    proto_number(&type, 2, rank);
    for (size_t i = 0; i < rank; i++) {
        struct proto size = {.n = 0};
        proto_number(&size, 1, shape[i]);
        const struct proto dimension = proto_in(1, size);
        proto_child(&type, 3, &dimension);
    }
    return proto_in(1, type);
}

/* A Value: member is the number of the TensorValue's list, elements the list itself. */
static inline struct proto value_of(struct proto type, uint32_t member, struct proto elements)
{
    struct proto value = {.n = 0};
    const struct proto immediate = proto_in(1, proto_in(member, elements));
    proto_child(&value, 2, &type);
    proto_child(&value, 3, &immediate);
    return value;
}

static inline struct proto blob_value_of(struct proto type, const char *file, uint64_t offset)
{
    struct proto value = {.n = 0}, blob = proto_of_text(1, file);
    proto_number(&blob, 2, offset);
    proto_child(&value, 2, &type);
    proto_child(&value, 5, &blob);
    return value;
}

/* A map's entry. */
static inline struct proto entry_of(const char *key, struct proto value)
{
    struct proto entry = proto_of_text(1, key);
    proto_child(&entry, 2, &value);
    return entry;
}

/* A NamedValueType: two floats. */
static inline struct proto named_pair(const char *name)
{
    struct proto named = proto_of_text(1, name);
    const struct proto type = tensor_type(COREML_F32, (const uint64_t[]){2}, 1);
    proto_child(&named, 2, &type);
    return named;
}

/* An Operation without inputs and with one output. */
static inline struct proto operation_of(const char *type, const char *output)
{
    struct proto operation = proto_of_text(1, type);
    const struct proto out = named_pair(output);
    proto_child(&operation, 3, &out);
    return operation;
}

static inline void add_input(struct proto *operation, const char *parameter, const char *name)
{
    const struct proto entry = entry_of(parameter, proto_in(1, proto_of_text(1, name)));
    proto_child(operation, 2, &entry);
}

static inline void add_attribute(struct proto *operation, const char *name, struct proto value)
{
    const struct proto entry = entry_of(name, value);
    proto_child(operation, 5, &entry);
}

/* A const Operation: its output is declared as the value is, whose type stands first and in the same field. */
static inline struct proto const_of(const char *output, struct proto value)
{
    struct proto operation = proto_of_text(1, "const"), named = proto_of_text(1, output);
    assert_true(value.data[1] < 0x80);
    proto_raw(&named, value.data, 2 + (size_t)value.data[1]);
    proto_child(&operation, 3, &named);
    add_attribute(&operation, "val", value);
    return operation;
}

/* An array x whose dimensions (rank) are from least to most. */
static inline struct proto ranged_feature(size_t rank, const uint64_t *usual, const uint64_t *least,
                                          const uint64_t *most)
{
    struct proto ranges = {.n = 0}, array = {.n = 0}, feature = proto_of_text(1, "x");
    for (size_t i = 0; i < rank; i++) {
        struct proto range = {.n = 0};
        proto_number(&array, 1, usual[i]);
        proto_number(&range, 1, least[i]);
        proto_number(&range, 2, most[i]);
        proto_child(&ranges, 1, &range);
    }
    proto_number(&array, 2, 65568);
    proto_child(&array, 31, &ranges);
    const struct proto type = proto_in(5, array);
    proto_child(&feature, 3, &type);
    return feature;
}

/* A Program: main takes x and gives `output`; the block's operations are given as its bytes. */
static inline struct proto program_of(struct proto block, const char *output)
{
    struct proto function = {.n = 0}, program = {.n = 0};
    const struct proto input = named_pair("x");
    proto_text(&block, 2, output);
    const struct proto blocks = entry_of("CoreML5", block);
    proto_child(&function, 1, &input);
    proto_text(&function, 2, "CoreML5");
    proto_child(&function, 3, &blocks);
    const struct proto functions = entry_of("main", function);
    proto_number(&program, 1, 1);
    proto_child(&program, 2, &functions);
    return program;
}

/* ---- reading it */

static inline struct coreml_model *read_model(const struct proto *model)
{
    struct coreml_model *read = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (coreml_model_parse(model->data, model->n, "m", &read, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return read;
}

static inline void expect_refusal(const struct proto *model, model_status status, const char *part)
{
    struct coreml_model *read = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(coreml_model_parse(model->data, model->n, "m", &read, &err), status);
    if (strstr(err.message, part) == NULL)
        fail_msg("'%s' is not in: %s", part, err.message);
}

#endif
