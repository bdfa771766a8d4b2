/* lstm_cell.h - one step of an LSTM at a time (Hochreiter and Schmidhuber 1997), as torch.nn.LSTMCell
 * computes it, for models that do something of their own between steps or between layers.
 *
 *   lstm_cell_read()   what all steps read of their input, in one product
 *   lstm_cell_step()   then step by step: what they read of themselves, and the gates */
#ifndef LSTM_CELL_H
#define LSTM_CELL_H

#include "plugin_loader.h"

/* Shared by all runs; lives with its kernels. */
struct lstm_cell {
    const struct linear *input, *hidden; /* (4 hidden_size, ...), gates i, f, g, o */
    size_t hidden_size;
};

/* <prefix>weight_ih<suffix> [4 hidden_size, input_size], weight_hh [4 hidden_size, hidden_size],
 * bias_ih and bias_hh [4 hidden_size]: ("lstm_cell.", "") or ("rnn.", "_l0"). [create-thread] */
struct lstm_cell load_lstm_cell(struct loader *loader, int64_t input_size, int64_t hidden_size,
                                const char *prefix, const char *suffix);

/* x(n_rows, input_size) -> gates(n_rows, 4 hidden_size). [lane-thread] */
void lstm_cell_read(struct linear_runner *runner, const struct lstm_cell *cell, const float *x,
                    size_t n_rows, float *gates);
/* gates(n, 4 hidden_size) of this step, which it overwrites; c and h (n, hidden_size) before and after
 * the step. Cancellation and errors as in linear_run(). [lane-thread] */
void lstm_cell_step(const struct kernels *kernels, struct linear_runner *runner,
                    const struct lstm_cell *cell, float *gates, size_t n, float *c, float *h);

#endif
