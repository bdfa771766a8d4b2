/* batch_merge.c - see batch_merge.h. */
#include "batch_merge.h"
#include "batch_axes.h"
#include "dtype.h"
#include "errors.h"
#include "schema.h"
#include "size.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64
#define MASK      "attention_mask"

/* What zeros may stand behind, since the mask hides them (model_abi.h, "names"; the others are those of
 * transformers' models and of torch's recurrent ones). */
static const char *const padded_inputs[] = {
    "input_ids", MASK, "token_type_ids", "position_ids", "inputs_embeds", "input"};

const struct model_tensor *batch_find_input(const struct model_tensor *const *inputs,
                                            uint32_t n_inputs, const char *name)
{
    for (uint32_t i = 0; i < n_inputs; i++)
        if (strcmp(inputs[i]->name, name) == 0)
            return inputs[i];
    return NULL;
}

static const struct model_tensor *find_own(const struct batch_member *member,
                                           const struct model_tensor_spec *spec)
{
    return batch_find_input(member->inputs, member->n_inputs, spec->name);
}

static bool can_be_padded(const char *name)
{
    for (size_t i = 0; i < sizeof padded_inputs / sizeof *padded_inputs; i++)
        if (strcmp(padded_inputs[i], name) == 0)
            return true;
    return false;
}

const struct model_tensor_spec *batch_find_mask(const struct model_description *description)
{
    const struct model_tensor_spec *spec =
        schema_find(description->inputs, description->n_inputs, MASK);
    const bool can_be_made = spec != NULL && spec->dtype == MODEL_I64 && spec->rank == 2 &&
                             batch_axis(spec, BATCH_DIMENSION) >= 0 &&
                             batch_axis(spec, SEQUENCE_DIMENSION) >= 0;
    return can_be_made ? spec : NULL;
}

/* ---- what can be joined */

bool batch_inputs_join(const struct model_description *description)
{
    bool has_batch = false;
    for (uint32_t i = 0; i < description->n_inputs; i++) {
        const uint32_t n = batch_axis_count(description->inputs[i], BATCH_DIMENSION);
        if (n > 1)
            return false;
        has_batch = has_batch || n == 1;
    }
    return has_batch;
}

/* Whether an input that must be there has a dimension of that name. */
static bool inputs_have(const struct model_description *description, const char *name)
{
    for (uint32_t i = 0; i < description->n_inputs; i++)
        if ((description->inputs[i]->flags & MODEL_SPEC_OPTIONAL) == 0 &&
            batch_axis(description->inputs[i], name) >= 0)
            return true;
    return false;
}

static bool output_joins(const struct model_description *description,
                         const struct model_tensor_spec *spec)
{
    for (uint32_t i = 0; i < spec->rank; i++) {
        const struct model_dimension *dimension = &spec->shape[i];
        if (dimension->min != dimension->max &&
            (dimension->name == NULL || !inputs_have(description, dimension->name)))
            return false;
    }
    return batch_axis_count(spec, BATCH_DIMENSION) == 1;
}

bool batch_outputs_join(const struct model_description *description,
                        const char *const *output_names, uint32_t n_output_names)
{
    if (output_names == NULL) {
        for (uint32_t i = 0; i < description->n_outputs; i++)
            if ((description->outputs[i]->flags & MODEL_SPEC_ON_REQUEST) == 0 &&
                !output_joins(description, description->outputs[i]))
                return false;
        return true;
    }
    for (uint32_t i = 0; i < n_output_names; i++) {
        const struct model_tensor_spec *spec =
            schema_find(description->outputs, description->n_outputs, output_names[i]);
        if (spec == NULL || !output_joins(description, spec))
            return false;
    }
    return true;
}

/* Whether two tensors of one spec can be neighbours; `padded`: their lengths differ. */
static bool tensors_fit(const struct model_tensor_spec *spec, const struct model_tensor *a,
                        const struct model_tensor *b, bool padded)
{
    const int batch = batch_axis(spec, BATCH_DIMENSION);
    if (a->dtype != b->dtype)
        return false;
    for (uint32_t i = 0; i < spec->rank; i++) {
        if ((int)i == batch)
            continue;
        const char *name = spec->shape[i].name;
        const bool is_sequence = name != NULL && strcmp(name, SEQUENCE_DIMENSION) == 0;
        if (is_sequence && padded && (batch < 0 || !can_be_padded(spec->name)))
            return false;
        if (!is_sequence && a->shape[i] != b->shape[i])
            return false;
    }
    return batch >= 0 || a->size_bytes == 0 || a->data == b->data ||
           memcmp(a->data, b->data, (size_t)a->size_bytes) == 0;
}

bool batch_members_fit(const struct model_description *description, const struct batch_member *a,
                       const struct batch_member *b)
{
    const bool padded = a->length != b->length;
    const struct model_tensor_spec *mask = batch_find_mask(description);
    if (padded && (mask == NULL || a->length < 1 || b->length < 1))
        return false;
    for (uint32_t i = 0; i < description->n_inputs; i++) {
        const struct model_tensor_spec *spec = description->inputs[i];
        const struct model_tensor *of_a = find_own(a, spec);
        const struct model_tensor *of_b = find_own(b, spec);
        const bool one_only = (of_a == NULL) != (of_b == NULL);
        if (one_only && spec != mask)
            return false;
        if (of_a != NULL && of_b != NULL && !tensors_fit(spec, of_a, of_b, padded))
            return false;
    }
    return true;
}

/* ---- joining */

/* The shape of a joint input, and memory for it, cleared if there will be padding. */
static model_status allocate(struct batch_merge *merge, const struct model_tensor_spec *spec,
                             const struct model_tensor *first, bool padded, struct model_error *err)
{
    const uint32_t index = merge->n_inputs;
    int64_t shape[MODEL_MAX_RANK] = {0};
    const int32_t dtype = first != NULL ? first->dtype : spec->dtype;
    uint64_t size_bytes = dtype_size_bytes(dtype), room_bytes = 0;
    bool fits = true;
    for (uint32_t i = 0; i < spec->rank; i++) {
        const char *name = spec->shape[i].name;
        shape[i] = first != NULL ? first->shape[i] : 0;
        if (name != NULL && strcmp(name, BATCH_DIMENSION) == 0)
            shape[i] = merge->n_items;
        else if (name != NULL && strcmp(name, SEQUENCE_DIMENSION) == 0)
            shape[i] = merge->length;
        fits = fits && size_multiply(size_bytes, (uint64_t)shape[i], &size_bytes);
    }
    fits = fits && size_add(size_bytes, ALIGNMENT, &room_bytes) && room_bytes < SIZE_MAX;
    if (fits)
        merge->memory[index] =
            aligned_alloc(ALIGNMENT, (size_t)(room_bytes / ALIGNMENT * ALIGNMENT));
    if (merge->memory[index] == NULL)
        return error_set(err, MODEL_OUT_OF_MEMORY,
                         "out of memory for the joint input '%s' of %lld items", spec->name,
                         (long long)merge->n_items);
    if (padded)
        memset(merge->memory[index], 0, (size_t)size_bytes);
    tensor_init(&merge->tensors[index], spec->name, dtype, spec->rank, shape, merge->memory[index]);
    return MODEL_OK;
}

/* The mask of a member that brings none: all that it has is visible. */
static void show_all(const struct model_tensor_spec *spec, const struct batch_member *member,
                     const struct model_tensor *joint)
{
    int64_t *mask = joint->data;
    const int64_t item = joint->strides[batch_axis(spec, BATCH_DIMENSION)];
    const int64_t position = joint->strides[batch_axis(spec, SEQUENCE_DIMENSION)];
    for (int64_t i = 0; i < member->n_items; i++)
        for (int64_t t = 0; t < member->length; t++)
            mask[(member->first_item + i) * item + t * position] = 1;
}

/* Copies a member's items to their place. */
static void place(const struct model_tensor_spec *spec, const struct batch_member *member,
                  const struct model_tensor *joint)
{
    const struct model_tensor *own = find_own(member, spec);
    if (own == NULL) {
        show_all(spec, member, joint);
        return;
    }
    const struct batch_box box = {.rank = spec->rank,
                                  .size = own->shape,
                                  .axis = (uint32_t)batch_axis(spec, BATCH_DIMENSION),
                                  .to_first = member->first_item};
    batch_copy_box(&box, own, joint);
}

static model_status merge_input(struct batch_merge *merge, const struct model_tensor_spec *spec,
                                const struct batch_member *members, uint32_t n_members, bool padded,
                                struct model_error *err)
{
    const struct model_tensor *first = NULL;
    bool all_have = true;
    for (uint32_t i = 0; i < n_members; i++) {
        const struct model_tensor *own = find_own(&members[i], spec);
        first = first != NULL ? first : own;
        all_have = all_have && own != NULL;
    }
    if (first == NULL && !(padded && strcmp(spec->name, MASK) == 0))
        return MODEL_OK; /* optional, and nobody has it */
    if (batch_axis(spec, BATCH_DIMENSION) < 0) {
        merge->tensors[merge->n_inputs] = *first;
    } else {
        model_status status = allocate(merge, spec, first, padded || !all_have, err);
        if (status != MODEL_OK)
            return status;
        for (uint32_t i = 0; i < n_members; i++)
            place(spec, &members[i], &merge->tensors[merge->n_inputs]);
    }
    merge->inputs[merge->n_inputs] = &merge->tensors[merge->n_inputs];
    merge->n_inputs++;
    return MODEL_OK;
}

model_status batch_merge_create(const struct model_description *description,
                                struct batch_member *members, uint32_t n_members,
                                struct batch_merge **ret, struct model_error *err)
{
    struct batch_merge *merge = calloc(1, sizeof *merge);
    if (merge == NULL)
        return error_no_memory(err, "a batch");
    bool padded = false;
    merge->length = members[0].length;
    for (uint32_t i = 0; i < n_members; i++) {
        members[i].first_item = merge->n_items;
        merge->n_items += members[i].n_items;
        padded = padded || members[i].length != members[0].length;
        if (members[i].length > merge->length)
            merge->length = members[i].length;
    }
    merge->tensors = calloc(description->n_inputs, sizeof *merge->tensors);
    merge->inputs = calloc(description->n_inputs, sizeof *merge->inputs);
    merge->memory = calloc(description->n_inputs, sizeof *merge->memory);
    model_status status = merge->tensors != NULL && merge->inputs != NULL && merge->memory != NULL
                              ? MODEL_OK
                              : error_no_memory(err, "a batch");
    for (uint32_t i = 0; i < description->n_inputs && status == MODEL_OK; i++)
        status = merge_input(merge, description->inputs[i], members, n_members, padded, err);
    if (status != MODEL_OK)
        batch_merge_destroy(merge);
    else
        *ret = merge;
    return status;
}

void batch_merge_destroy(struct batch_merge *merge)
{
    if (merge == NULL)
        return;
    for (uint32_t i = 0; merge->memory != NULL && i < merge->n_inputs; i++)
        free(merge->memory[i]);
    free(merge->tensors);
    free(merge->inputs);
    free(merge->memory);
    free(merge);
}
