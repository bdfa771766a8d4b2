/* lstm.h - torch.nn.LSTM and torch.nn.GRU with what usually stands around them: an embedding or one-hot
 * ids before, an output layer behind. README.md defines config.json.
 *
 * lstm.c reads config.json, loads and describes the model; lstm_run.c runs it. */
#ifndef LSTM_H
#define LSTM_H

#include "kernels.h"

enum lstm_input { FEATURES, ONE_HOT, EMBEDDING };

struct lstm {
    struct recurrent_model base;
    struct recurrent_config config;
    enum lstm_input input;
    int64_t vocab_size;        /* of input_ids; 0: there are none */
    int64_t num_labels;        /* of the output layer */
    struct embedding embed;    /* (vocab_size, input_size) */
    const struct linear *head; /* (num_labels, output width), or NULL */
};

model_status lstm_run(struct model_instance *self, const struct model_call *call,
                      struct model_error *err);

#endif
