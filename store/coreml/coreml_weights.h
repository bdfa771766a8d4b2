/* coreml_weights.h - the weights of a NeuralNetwork's layers ("WeightParams"): as they are, or as float32. Views of the
 * model's memory: they live as long as the struct coreml_model. [any-thread] */
#ifndef COREML_WEIGHTS_H
#define COREML_WEIGHTS_H

#include "coreml_message.h"
#include "modelhost.h"

enum coreml_weights_form {
    COREML_WEIGHTS_NONE = 0, /* the message is not there, or empty */
    COREML_WEIGHTS_F32,
    COREML_WEIGHTS_F16,
    COREML_WEIGHTS_INT8, /* signed, for dynamic quantisation; linear when there are scales */
    COREML_WEIGHTS_LINEAR, /* unsigned, n_bits wide, packed from the highest bit on: q * scale + bias */
    COREML_WEIGHTS_LUT     /* the same bits choose from the table */
};

struct coreml_weights {
    enum coreml_weights_form form;
    const void *data; /* of F16 perhaps not aligned */
    size_t size_bytes;
    unsigned n_bits;           /* of an element */
    const float *scale, *bias; /* (n_scale), (n_bias): 1 or the output channels; no bias is 0 */
    size_t n_scale, n_bias;
    const float *table; /* (1 << n_bits) */
};

/* message: a "WeightParams", or NULL. MODEL_CORRUPT: two forms at once, 0 or over 8 bits, tables of another length;
 * `what` names the layer. */
model_status coreml_weights_read(const coreml_message *message, const char *what,
                                 struct coreml_weights *ret, struct model_error *err);
/* MODEL_CORRUPT unless they are n_elements in that form, in n_channels equal parts where scales or biases differ. */
model_status coreml_weights_check(const struct coreml_weights *weights, uint64_t n_elements,
                                  uint64_t n_channels, const char *what, struct model_error *err);
/* Elements that the bytes hold; of fewer than 8 bits at most so many. */
uint64_t coreml_weights_elements(const struct coreml_weights *weights);
/* Checks, and decodes to ret (n_elements); channels are the outermost dimension. */
model_status coreml_weights_to_float32(const struct coreml_weights *weights, uint64_t n_elements,
                                       uint64_t n_channels, const char *what, float *ret,
                                       struct model_error *err);

#endif
