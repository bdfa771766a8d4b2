/* api_class.c - what a classifier says where tensors were asked for; see modelhost.h. Reads what is immutable. */
#include "labels.h"
#include "loaded_model.h"
#include "result.h"

#include <string.h>

/* The place of the largest number, the first of equals; -1: none is a number. */
static int64_t find_largest(const float *numbers, uint64_t n)
{
    int64_t largest = -1;
    for (uint64_t i = 0; i < n; i++)
        if (numbers[i] == numbers[i] && (largest < 0 || numbers[i] > numbers[largest]))
            largest = (int64_t)i;
    return largest;
}

/* The first output with a number for each label. */
static const struct model_tensor *find_scores(const struct modelhost_result *result,
                                              uint64_t n_labels)
{
    for (uint32_t i = 0; i < modelhost_result_count(result); i++) {
        const struct model_tensor *tensor = modelhost_result_at(result, i);
        if (tensor->dtype == MODEL_F32 && tensor->rank > 0 &&
            tensor->size_bytes == n_labels * sizeof(float))
            return tensor;
    }
    return NULL;
}

model_status modelhost_result_class(const struct modelhost_model *model,
                                    const struct modelhost_result *result,
                                    struct modelhost_class *ret)
{
    const uint64_t n_labels = json_count(json_member(model->config, "id2label"));
    const struct model_tensor *scores = n_labels > 0 ? find_scores(result, n_labels) : NULL;
    const int64_t index = scores != NULL ? find_largest(scores->data, n_labels) : -1;
    const char *label = index >= 0 ? labels_find(model->config, index) : NULL;
    if (label == NULL)
        return MODEL_NOT_FOUND;
    ret->label = label;
    ret->output = scores->name;
    ret->index = index;
    return MODEL_OK;
}
