/* vector_recurrent.h - the inner loops of recurrent.h, for one vector size; included by
 * vector_kernels_body.h alone. Formulas and gate order are those of torch.nn.LSTM and torch.nn.GRU. */
#ifndef VECTOR_RECURRENT_H
#define VECTOR_RECURRENT_H

#include "vector_kernels.h"
#include "vector_math.h"

/* n_vectors of the columns, a constant after inlining; the panel is read in order. */
ALWAYS void panel_row_part(const float *a, const float *panel, size_t columns, size_t depth,
                           float *out, const size_t n_vectors)
{
    vfloat sum[8] = {0};
    for (size_t k = 0; k < depth; k++, panel += columns)
        for (size_t c = 0; c < n_vectors; c++)
            sum[c] += a[k] * v_load(panel + c * LANES);
    for (size_t c = 0; c < n_vectors; c++)
        v_store(out + c * LANES, sum[c]);
}

/* As many columns at once as there are registers for. */
static void panel_row(const float *a, const float *panel, size_t columns, size_t depth, float *out)
{
    for (size_t left = columns / LANES, n; left > 0; left -= n) {
        n = left >= 8 ? 8 : left >= 6 ? 6 : left >= 4 ? 4 : left == 3 ? 3 : 1;
        if (n == 8)
            panel_row_part(a, panel, columns, depth, out, 8);
        else if (n == 6)
            panel_row_part(a, panel, columns, depth, out, 6);
        else if (n == 4)
            panel_row_part(a, panel, columns, depth, out, 4);
        else if (n == 3)
            panel_row_part(a, panel, columns, depth, out, 3);
        else
            panel_row_part(a, panel, columns, depth, out, 1);
        panel += n * LANES;
        out += n * LANES;
    }
}

ALWAYS vfloat load_some(const float *x, size_t n)
{
    return n >= LANES ? v_load(x) : v_load_part(x, n, 0.0f);
}

ALWAYS void store_some(float *x, size_t n, vfloat v)
{
    if (n >= LANES)
        v_store(x, v);
    else
        v_store_part(x, n, v);
}

static void lstm_gates(const float *x, const float *bias, size_t ld, const float *sums, size_t n,
                       float *c, float *h)
{
    for (size_t i = 0; i < n; i += LANES) {
        const size_t left = n - i;
        vfloat gate[4];
        for (size_t g = 0; g < 4; g++)
            gate[g] = load_some(x + g * ld + i, left) + load_some(bias + g * ld + i, left) +
                      v_load(sums + g * RECURRENT_UNITS + i);
        vfloat cell =
            v_sigmoid(gate[1]) * load_some(c + i, left) + v_sigmoid(gate[0]) * v_tanh(gate[2]);
        store_some(c + i, left, cell);
        store_some(h + i, left, v_sigmoid(gate[3]) * v_tanh(cell));
    }
}

static void gru_gates(const float *x, const float *bias, size_t ld, const float *sums, size_t n,
                      const float *before, float *h)
{
    for (size_t i = 0; i < n; i += LANES) {
        const size_t left = n - i;
        vfloat in[3], own[3];
        for (size_t g = 0; g < 3; g++) {
            in[g] = load_some(x + g * ld + i, left);
            own[g] = load_some(bias + g * ld + i, left) + v_load(sums + g * RECURRENT_UNITS + i);
        }
        vfloat reset = v_sigmoid(in[0] + own[0]), update = v_sigmoid(in[1] + own[1]);
        vfloat fresh = v_tanh(in[2] + reset * own[2]);
        store_some(h + i, left, fresh + update * (load_some(before + i, left) - fresh));
    }
}

#endif
