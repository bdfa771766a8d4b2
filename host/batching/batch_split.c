/* batch_split.c - see batch_split.h. */
#include "batch_split.h"
#include "batch_axes.h"
#include "errors.h"

#include <string.h>

/* Below it a copy costs less than it would to keep the memory of all. */
#define MIN_BORROWED_BYTES (64u << 10)

/* What the member would have got alone. */
static void own_shape(const struct model_tensor_spec *spec, const struct model_tensor *joint,
                      const struct batch_member *member, int64_t *ret)
{
    for (uint32_t i = 0; i < spec->rank; i++) {
        const char *name = spec->shape[i].name;
        ret[i] = joint->shape[i];
        if (name != NULL && strcmp(name, BATCH_DIMENSION) == 0)
            ret[i] = member->n_items;
        else if (name != NULL && strcmp(name, SEQUENCE_DIMENSION) == 0)
            ret[i] = member->length;
    }
}

static model_status split_tensor(struct modelhost_result *joint_result,
                                 const struct batch_member *member, uint32_t index,
                                 struct modelhost_result *result, struct model_error *err)
{
    const struct model_tensor *joint = &joint_result->tensors[index];
    const struct model_tensor_spec *spec = result->specs[index];
    const int axis = batch_axis(spec, BATCH_DIMENSION);
    int64_t shape[MODEL_MAX_RANK] = {0};
    own_shape(spec, joint, member, shape);
    bool holds = axis >= 0 && joint->shape[axis] - member->n_items >= member->first_item;
    for (uint32_t i = 0; i < spec->rank; i++)
        holds = holds && shape[i] >= 0 && shape[i] <= joint->shape[i];
    if (!holds)
        return error_set(err, MODEL_INTERNAL,
                         "the joint output '%s' does not hold the items of each request",
                         spec->name);
    const struct batch_box box = {.rank = spec->rank,
                                  .size = shape,
                                  .axis = (uint32_t)axis,
                                  .from_first = member->first_item};
    uint64_t offset_bytes = 0;
    if (joint->size_bytes / (uint64_t)joint->shape[axis] >= MIN_BORROWED_BYTES &&
        batch_box_is_dense(&box, joint, &offset_bytes))
        return result_borrow(result, index, shape, joint_result, offset_bytes, err);
    model_status status = result_allocate(result, index, joint->dtype, spec->rank, shape, err);
    if (status == MODEL_OK)
        batch_copy_box(&box, joint, &result->tensors[index]);
    return status;
}

model_status batch_split(struct modelhost_result *joint, const struct batch_member *member,
                         struct modelhost_result *result, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < result->n_tensors && status == MODEL_OK; i++)
        status = split_tensor(joint, member, i, result, err);
    result->timing = joint->timing;
    return status;
}
