/* coreml_message.c - see coreml_message.h. A message is protobuf-c's, and its descriptor says where what lies. */
#include "coreml_message.h"

#include <protobuf-c/protobuf-c.h>

#include <assert.h>
#include <string.h>

static const ProtobufCMessage *base(const coreml_message *message)
{
    return (const ProtobufCMessage *)(const void *)message;
}

static const ProtobufCFieldDescriptor *find(const coreml_message *message, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(base(message)->descriptor, name);
    assert(field != NULL && "the message has no field of this name");
    return field;
}

static const void *place(const coreml_message *message, size_t offset)
{
    return (const unsigned char *)(const void *)message + offset;
}

static bool is_chosen(const coreml_message *message, const ProtobufCFieldDescriptor *field)
{
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
        return true;
    int chosen;
    memcpy(&chosen, place(message, field->quantifier_offset), sizeof chosen);
    return (uint32_t)chosen == field->id;
}

static size_t repeated(const coreml_message *message, const ProtobufCFieldDescriptor *field)
{
    size_t n;
    assert(field->label == PROTOBUF_C_LABEL_REPEATED);
    memcpy(&n, place(message, field->quantifier_offset), sizeof n);
    return n;
}

/* The elements of a repeated field. */
static const void *elements(const coreml_message *message, const ProtobufCFieldDescriptor *field)
{
    const void *data;
    memcpy(&data, place(message, field->offset), sizeof data);
    return data;
}

static int64_t integer(ProtobufCType type, const void *data, size_t i)
{
    const uint64_t *wide = data;
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
        return ((const int32_t *)data)[i];
    case PROTOBUF_C_TYPE_UINT32:
        return ((const uint32_t *)data)[i];
    case PROTOBUF_C_TYPE_INT64:
        return ((const int64_t *)data)[i];
    case PROTOBUF_C_TYPE_UINT64:
        return wide[i] > INT64_MAX ? INT64_MAX : (int64_t)wide[i];
    default:
        assert(false && "the field is no whole number");
        return 0;
    }
}

/* The place of a single field that is there; NULL: it is not. */
static const void *single(const coreml_message *message, const char *name,
                          const ProtobufCFieldDescriptor **ret)
{
    if (message == NULL)
        return NULL;
    *ret = find(message, name);
    assert((*ret)->label != PROTOBUF_C_LABEL_REPEATED);
    return is_chosen(message, *ret) ? place(message, (*ret)->offset) : NULL;
}

static const void *element(const coreml_message *message, const char *name, size_t i,
                           ProtobufCType *ret_type)
{
    const ProtobufCFieldDescriptor *field = find(message, name);
    assert(i < repeated(message, field));
    (void)i;
    *ret_type = field->type;
    return elements(message, field);
}

const char *coreml_message_name(const coreml_message *message)
{
    return message != NULL ? base(message)->descriptor->short_name : "";
}

int64_t coreml_int(const coreml_message *message, const char *field)
{
    const ProtobufCFieldDescriptor *found;
    const void *data = single(message, field, &found);
    return data != NULL ? integer(found->type, data, 0) : 0;
}

bool coreml_bool(const coreml_message *message, const char *field)
{
    const ProtobufCFieldDescriptor *found;
    const protobuf_c_boolean *data = single(message, field, &found);
    assert(data == NULL || found->type == PROTOBUF_C_TYPE_BOOL);
    return data != NULL && *data != 0;
}

float coreml_float(const coreml_message *message, const char *field)
{
    const ProtobufCFieldDescriptor *found;
    const float *data = single(message, field, &found);
    assert(data == NULL || found->type == PROTOBUF_C_TYPE_FLOAT);
    return data != NULL ? *data : 0;
}

double coreml_double(const coreml_message *message, const char *field)
{
    const ProtobufCFieldDescriptor *found;
    const double *data = single(message, field, &found);
    assert(data == NULL || found->type == PROTOBUF_C_TYPE_DOUBLE);
    return data != NULL ? *data : 0;
}

const char *coreml_text(const coreml_message *message, const char *field)
{
    const ProtobufCFieldDescriptor *found;
    const char *const *data = single(message, field, &found);
    assert(data == NULL || found->type == PROTOBUF_C_TYPE_STRING);
    return data != NULL && *data != NULL ? *data : "";
}

const uint8_t *coreml_bytes(const coreml_message *message, const char *field, size_t *ret_bytes)
{
    const ProtobufCFieldDescriptor *found;
    const ProtobufCBinaryData *data = single(message, field, &found);
    assert(data == NULL || found->type == PROTOBUF_C_TYPE_BYTES);
    *ret_bytes = data != NULL ? data->len : 0;
    return data != NULL ? data->data : NULL;
}

size_t coreml_count(const coreml_message *message, const char *field)
{
    if (message == NULL)
        return 0;
    const ProtobufCFieldDescriptor *found = find(message, field);
    if (found->label == PROTOBUF_C_LABEL_REPEATED)
        return repeated(message, found);
    if (!is_chosen(message, found))
        return 0;
    return found->type != PROTOBUF_C_TYPE_MESSAGE || coreml_child(message, field) != NULL;
}

int64_t coreml_int_at(const coreml_message *message, const char *field, size_t i)
{
    ProtobufCType type;
    const void *data = element(message, field, i, &type);
    return integer(type, data, i);
}

bool coreml_bool_at(const coreml_message *message, const char *field, size_t i)
{
    ProtobufCType type;
    const protobuf_c_boolean *data = element(message, field, i, &type);
    assert(type == PROTOBUF_C_TYPE_BOOL);
    return data[i] != 0;
}

float coreml_float_at(const coreml_message *message, const char *field, size_t i)
{
    ProtobufCType type;
    const float *data = element(message, field, i, &type);
    assert(type == PROTOBUF_C_TYPE_FLOAT);
    return data[i];
}

const char *coreml_text_at(const coreml_message *message, const char *field, size_t i)
{
    ProtobufCType type;
    const char *const *data = element(message, field, i, &type);
    assert(type == PROTOBUF_C_TYPE_STRING);
    return data[i];
}

const float *coreml_floats(const coreml_message *message, const char *field, size_t *ret_n)
{
    *ret_n = coreml_count(message, field);
    return *ret_n > 0 ? elements(message, find(message, field)) : NULL;
}

const void *coreml_elements(const coreml_message *message, const char *field)
{
    return coreml_count(message, field) > 0 ? elements(message, find(message, field)) : NULL;
}

const coreml_message *coreml_child(const coreml_message *message, const char *field)
{
    const ProtobufCFieldDescriptor *found;
    const coreml_message *const *data = single(message, field, &found);
    assert(data == NULL || found->type == PROTOBUF_C_TYPE_MESSAGE);
    return data != NULL ? *data : NULL;
}

const coreml_message *coreml_child_at(const coreml_message *message, const char *field, size_t i)
{
    ProtobufCType type;
    const coreml_message *const *data = element(message, field, i, &type);
    assert(type == PROTOBUF_C_TYPE_MESSAGE);
    return data[i];
}

static const ProtobufCFieldDescriptor *choice(const coreml_message *message)
{
    if (message == NULL)
        return NULL;
    const ProtobufCMessageDescriptor *descriptor = base(message)->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++)
        if ((descriptor->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
            int chosen;
            memcpy(&chosen, place(message, descriptor->fields[i].quantifier_offset), sizeof chosen);
            return chosen > 0
                       ? protobuf_c_message_descriptor_get_field(descriptor, (unsigned)chosen)
                       : NULL;
        }
    return NULL;
}

const char *coreml_choice(const coreml_message *message)
{
    const ProtobufCFieldDescriptor *field = choice(message);
    return field != NULL ? field->name : NULL;
}

int32_t coreml_choice_number(const coreml_message *message)
{
    const ProtobufCFieldDescriptor *field = choice(message);
    return field != NULL ? (int32_t)field->id : 0;
}

const coreml_message *coreml_chosen(const coreml_message *message)
{
    const ProtobufCFieldDescriptor *field = choice(message);
    return field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE
               ? coreml_child(message, field->name)
               : NULL;
}

int32_t coreml_unknown_number(const coreml_message *message)
{
    for (unsigned i = 0; message != NULL && i < base(message)->n_unknown_fields; i++)
        if (base(message)->unknown_fields[i].wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            return (int32_t)base(message)->unknown_fields[i].tag;
    return 0;
}

void coreml_walk(const coreml_message *message, coreml_walk_fn *visit, void *context)
{
    if (message == NULL)
        return;
    visit(context, message);
    const ProtobufCMessageDescriptor *descriptor = base(message)->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            coreml_walk(coreml_child(message, field->name), visit, context);
            continue;
        }
        for (size_t j = 0; j < repeated(message, field); j++)
            coreml_walk(coreml_child_at(message, field->name, j), visit, context);
    }
}
