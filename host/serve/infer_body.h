/* infer_body.h - the body of an infer request of the Open Inference Protocol (v2), in JSON:
 *
 *   {"id": "1", "parameters": {"timeout": 500000}, "inputs": [{"name": "x", "shape": [1, 2],
 *    "datatype": "FP32", "data": [1, 2]}], "outputs": [{"name": "y"}]}
 *
 * data is flat or nested like the shape; the timeout is in microseconds, 0 stands for the model's own, and a longer one than the
 * server's longest is refused. FP16 and BF16 have no JSON form. Hostile until
 * checked. [any-thread] */
#ifndef INFER_BODY_H
#define INFER_BODY_H

#include "modelhost.h"

#define INFER_MAX_BODY_BYTES (16u << 20)
#define INFER_MAX_VALUES     ((size_t)1 << 21) /* numbers of one body */

struct infer_body {
    char *id;                           /* NULL: none */
    struct model_tensor *tensors;       /* (n_inputs), their data owned */
    const struct model_tensor **inputs; /* (n_inputs), to tensors */
    uint32_t n_inputs;
    char **output_names; /* (n_output_names), NULL: the usual ones */
    uint32_t n_output_names;
    int64_t timeout_ms; /* 0: the model's */
};

/* Whether names, types and shapes fit a model is left to modelhost_run(). MODEL_INVALID_ARGUMENT;
 * MODEL_UNSUPPORTED: it has more numbers than are taken (INFER_MAX_VALUES). */
model_status infer_body_parse(const char *text, size_t size_bytes, int64_t max_timeout_ms,
                              struct infer_body *ret, struct model_error *err);
void infer_body_finish(struct infer_body *body);

#endif
