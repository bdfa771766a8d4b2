/* coreml_message.h - the fields of a message of a model, by the names of Core ML's own schema
 * ("kernelSize"): how the parameters of layers are read. The names are those of store/coreml/coreml_network.proto;
 * a name that the message does not have is a bug of the caller (an assertion).
 *
 * What a file leaves out is 0, false, "", or NULL. All functions take NULL for a message that is not there, which has
 * nothing. Messages live as long as their struct coreml_model. [any-thread] */
#ifndef COREML_MESSAGE_H
#define COREML_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct coreml_message coreml_message; /* opaque */

/* "ConvolutionLayerParams". */
const char *coreml_message_name(const coreml_message *message);

/* Numbers beyond int64 become INT64_MAX. */
int64_t coreml_int(const coreml_message *message, const char *field);
bool coreml_bool(const coreml_message *message, const char *field);
float coreml_float(const coreml_message *message, const char *field);
double coreml_double(const coreml_message *message, const char *field);
const char *coreml_text(const coreml_message *message, const char *field);
const uint8_t *coreml_bytes(const coreml_message *message, const char *field, size_t *ret_bytes);

/* How often a repeated field stands there; of a single message or member of a choice 1 or 0. */
size_t coreml_count(const coreml_message *message, const char *field);
/* Elements of repeated fields, i < coreml_count(). */
int64_t coreml_int_at(const coreml_message *message, const char *field, size_t i);
bool coreml_bool_at(const coreml_message *message, const char *field, size_t i);
float coreml_float_at(const coreml_message *message, const char *field, size_t i);
const char *coreml_text_at(const coreml_message *message, const char *field, size_t i);
/* All of them in one piece, as they lie; NULL when there are none. */
const void *coreml_elements(const coreml_message *message, const char *field);
const float *coreml_floats(const coreml_message *message, const char *field, size_t *ret_n);

/* A message in the message; NULL: not there. A member of a choice that was not chosen is not there. */
const coreml_message *coreml_child(const coreml_message *message, const char *field);
const coreml_message *coreml_child_at(const coreml_message *message, const char *field, size_t i);

/* What was chosen among alternatives (each message has one choice at most): the member's name and number, and its
 * message when it is one. NULL and 0: nothing. */
const char *coreml_choice(const coreml_message *message);
int32_t coreml_choice_number(const coreml_message *message);
const coreml_message *coreml_chosen(const coreml_message *message);
/* The number of the first field that the schema does not have and that a message could be; 0: none. A choice that came
 * into the format later is one. */
int32_t coreml_unknown_number(const coreml_message *message);

/* Calls back for the message and all in it, from the outside in. */
typedef void coreml_walk_fn(void *context, const coreml_message *message);
void coreml_walk(const coreml_message *message, coreml_walk_fn *visit, void *context);

#endif
