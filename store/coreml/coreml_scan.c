/* coreml_scan.c - see coreml_scan.h. Walks the wire format (protobuf encoding: tags, varints, lengths) by the
 * descriptors, allocates nothing. */
#include "coreml_scan.h"
#include "errors.h"
#include "utf8.h"

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>
#include <string.h>

#define MAX_FIELDS      256u /* of one message's descriptor; the longest has 170 */
#define FIELD_BYTES     40u  /* that unpacking takes for a field besides what it holds */
#define MAX_FIELD_ID    ((1u << 29) - 1)
#define VARINT_MAX_SIZE 10

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct scan {
    const uint8_t *start;
    const char *what;
    uint64_t tree_bytes;
    struct model_error *err;
};

struct span {
    const uint8_t *at, *end;
};

struct found {
    uint64_t seen[MAX_FIELDS / 64];
};

static model_status refuse(const struct scan *scan, const uint8_t *at, const char *message,
                           const char *why)
{
    return error_set(scan->err, MODEL_CORRUPT,
                     "%s: %s at byte %zu, in a '%s': no valid Core ML model", scan->what, why,
                     (size_t)(at - scan->start), message);
}

static bool read_varint(struct span *span, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_MAX_SIZE && span->at < span->end; i++) {
        const uint8_t byte = *span->at++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return false;
}

/* What a field's wire type covers: of WIRE_BYTES without the length. */
static bool read_payload(struct span *span, uint32_t wire, struct span *ret)
{
    uint64_t n_bytes = wire == WIRE_64 ? 8 : 4, value;
    *ret = (struct span){span->at, span->at};
    if (wire == WIRE_VARINT) {
        if (!read_varint(span, &value))
            return false;
        ret->end = span->at;
        return true;
    }
    if (wire == WIRE_BYTES && !read_varint(span, &n_bytes))
        return false;
    if ((wire != WIRE_BYTES && wire != WIRE_64 && wire != WIRE_32) ||
        n_bytes > (uint64_t)(span->end - span->at))
        return false;
    *ret = (struct span){span->at, span->at + n_bytes};
    span->at += n_bytes;
    return true;
}

static uint32_t wire_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_32;
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

/* Whether a packed list is whole numbers of elements. */
static bool is_packed(uint32_t wire, struct span list)
{
    uint64_t ignored;
    if (wire == WIRE_32 || wire == WIRE_64)
        return (list.end - list.at) % (wire == WIRE_32 ? 4 : 8) == 0;
    while (list.at < list.end)
        if (!read_varint(&list, &ignored))
            return false;
    return true;
}

static const char *check_text(struct span text)
{
    const size_t n_bytes = (size_t)(text.end - text.at);
    if (n_bytes > 0 && memchr(text.at, 0, n_bytes) != NULL)
        return "a string with a zero byte";
    return utf8_valid_prefix((const char *)text.at, n_bytes) == n_bytes
               ? NULL
               : "a string that is no UTF-8";
}

/* A single message, and the members of a choice together, once. */
static bool is_second(const ProtobufCMessageDescriptor *descriptor,
                      const ProtobufCFieldDescriptor *field, struct found *found)
{
    const bool is_choice = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    if (field->label == PROTOBUF_C_LABEL_REPEATED ||
        (field->type != PROTOBUF_C_TYPE_MESSAGE && !is_choice))
        return false;
    size_t i = (size_t)(field - descriptor->fields);
    if (is_choice) /* the first member stands for all: a message has one choice */
        for (i = 0; (descriptor->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0; i++)
            ;
    if (i >= MAX_FIELDS)
        return true;
    const uint64_t bit = (uint64_t)1 << (i % 64);
    const bool is_known = (found->seen[i / 64] & bit) != 0;
    found->seen[i / 64] |= bit;
    return is_known;
}

static model_status scan_message(struct scan *scan, const ProtobufCMessageDescriptor *descriptor,
                                 struct span span, unsigned depth);

static model_status scan_field(struct scan *scan, const ProtobufCFieldDescriptor *field,
                               const char *message, uint32_t wire, struct span payload,
                               unsigned depth)
{
    const uint32_t wanted = wire_of(field->type);
    const bool is_list = field->label == PROTOBUF_C_LABEL_REPEATED && wanted != WIRE_BYTES;
    if (is_list && wire == WIRE_BYTES)
        return is_packed(wanted, payload)
                   ? MODEL_OK
                   : refuse(scan, payload.at, message, "a list that ends within an element");
    if (wire != wanted)
        return refuse(scan, payload.at, message, "a field of another type than the format's");
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *why = check_text(payload);
        return why == NULL ? MODEL_OK : refuse(scan, payload.at, message, why);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return scan_message(scan, field->descriptor, payload, depth + 1);
    return MODEL_OK;
}

static model_status scan_message(struct scan *scan, const ProtobufCMessageDescriptor *descriptor,
                                 struct span span, unsigned depth)
{
    struct found found = {{0}};
    const char *name = descriptor->short_name;
    if (depth > COREML_MAX_DEPTH)
        return refuse(scan, span.at, name, "messages nested over 100 deep");
    scan->tree_bytes += descriptor->sizeof_message + FIELD_BYTES;
    while (span.at < span.end) {
        const uint8_t *at = span.at;
        uint64_t tag;
        struct span payload;
        if (!read_varint(&span, &tag) || tag >> 3 == 0 || tag >> 3 > MAX_FIELD_ID ||
            !read_payload(&span, tag & 7, &payload))
            return refuse(scan, at, name, "a broken or cut field");
        scan->tree_bytes += FIELD_BYTES;
        if (scan->tree_bytes > COREML_MAX_TREE_BYTES)
            return error_set(scan->err, MODEL_UNSUPPORTED,
                             "%s: its messages take more than %llu MiB, the most that is read",
                             scan->what, (unsigned long long)(COREML_MAX_TREE_BYTES >> 20));
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3));
        if (field == NULL)
            continue;
        if (is_second(descriptor, field, &found))
            return refuse(scan, at, name, "a field that stands twice");
        model_status status = scan_field(scan, field, name, tag & 7, payload, depth);
        if (status != MODEL_OK)
            return status;
    }
    return MODEL_OK;
}

model_status coreml_scan(const struct ProtobufCMessageDescriptor *descriptor, const uint8_t *data,
                         size_t size_bytes, const char *what, struct model_error *err)
{
    struct scan scan = {.start = data, .what = what, .err = err};
    if (size_bytes > COREML_MAX_FILE_BYTES)
        return error_set(err, MODEL_UNSUPPORTED, "%s: %zu bytes; a Core ML model has at most %llu",
                         what, size_bytes, (unsigned long long)COREML_MAX_FILE_BYTES);
    if (size_bytes == 0)
        return error_set(err, MODEL_CORRUPT, "%s: an empty file is no Core ML model", what);
    return scan_message(&scan, descriptor, (struct span){data, data + size_bytes}, 0);
}
