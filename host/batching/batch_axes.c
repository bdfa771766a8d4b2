/* batch_axes.c - see batch_axes.h. */
#include "batch_axes.h"
#include "dtype.h"

#include <string.h>

int batch_axis(const struct model_tensor_spec *spec, const char *name)
{
    for (uint32_t i = 0; i < spec->rank; i++)
        if (spec->shape[i].name != NULL && strcmp(spec->shape[i].name, name) == 0)
            return (int)i;
    return -1;
}

uint32_t batch_axis_count(const struct model_tensor_spec *spec, const char *name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < spec->rank; i++)
        n += spec->shape[i].name != NULL && strcmp(spec->shape[i].name, name) == 0;
    return n;
}

/* The first axis from which on both tensors and the box have the same sizes: what is behind it is one
 * piece of memory, and so are neighbours along the axis before it. */
static uint32_t common_tail(const struct batch_box *box, const struct model_tensor *from,
                            const struct model_tensor *to)
{
    uint32_t tail = box->rank;
    while (tail > 0 && from->shape[tail - 1] == box->size[tail - 1] &&
           to->shape[tail - 1] == box->size[tail - 1])
        tail--;
    return tail;
}

/* The element of a tensor at `index` (rank), moved by `first` along the box's axis. */
static size_t element_at(const struct batch_box *box, const struct model_tensor *tensor,
                         const int64_t *index, int64_t first)
{
    size_t element = 0;
    for (uint32_t i = 0; i < box->rank; i++) {
        const int64_t at = index[i] + (i == box->axis ? first : 0);
        element = element * (size_t)tensor->shape[i] + (size_t)at;
    }
    return element;
}

/* Goes on to the next piece, along the axes [0, n_axes); false behind the last one. */
static bool advance(const struct batch_box *box, uint32_t n_axes, int64_t *index)
{
    for (uint32_t i = n_axes; i-- > 0;) {
        if (++index[i] < box->size[i])
            return true;
        index[i] = 0;
    }
    return false;
}

void batch_copy_box(const struct batch_box *box, const struct model_tensor *from,
                    const struct model_tensor *to)
{
    const uint32_t tail = common_tail(box, from, to);
    const uint32_t n_outer = tail > 0 ? tail - 1 : 0;
    const size_t element_bytes = dtype_size_bytes(from->dtype);
    size_t piece_bytes = element_bytes;
    for (uint32_t i = n_outer; i < box->rank; i++)
        piece_bytes *= (size_t)box->size[i];
    for (uint32_t i = 0; i < n_outer; i++)
        if (box->size[i] == 0)
            return;
    if (piece_bytes == 0)
        return;
    int64_t index[MODEL_MAX_RANK] = {0};
    do {
        const size_t source = element_at(box, from, index, box->from_first) * element_bytes;
        const size_t target = element_at(box, to, index, box->to_first) * element_bytes;
        memcpy((char *)to->data + target, (const char *)from->data + source, piece_bytes);
    } while (advance(box, n_outer, index));
}

/* Dense: behind the first axis that has more than one index, everything is whole. */
bool batch_box_is_dense(const struct batch_box *box, const struct model_tensor *from,
                        uint64_t *ret_offset_bytes)
{
    static const int64_t origin[MODEL_MAX_RANK] = {0};
    uint32_t i = 0;
    while (i < box->rank && box->size[i] == 1)
        i++;
    for (i++; i < box->rank; i++)
        if (box->size[i] != from->shape[i])
            return false;
    *ret_offset_bytes =
        element_at(box, from, origin, box->from_first) * dtype_size_bytes(from->dtype);
    return true;
}
