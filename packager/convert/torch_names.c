/* torch_names.c - which tensors a file of torch.save() has, and by which names; see torch_file.h.
 *
 * Of several names for the same elements the first is the tensor and the others are aliases: a model's
 * embedding comes before the head that is tied to it. Views that overlap otherwise are tensors of their
 * own. */
#include "dtype.h"
#include "errors.h"
#include "files.h"
#include "pickle_globals.h"
#include "printable_text.h"
#include "safetensors.h"
#include "size.h"
#include "torch_file.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NAME_BYTES 4096
/* Views may make a file's data longer, when they are written out, but not without end. */
#define MAX_GROWTH 16
#define FREE_BYTES ((uint64_t)64 << 20)

struct collecting {
    struct torch_file *file;
    const char *what;
    uint64_t left_bytes; /* that tensors may still take */
    struct string_map names;
    struct string_map places; /* where a tensor's elements lie -> the tensor */
    struct place *place;      /* (n_tensors) keys of places */
    struct model_error *err;
};

/* Two tensors with equal places have the same elements. No padding between the fields. */
struct place {
    const uint8_t *data;
    int64_t shape[MODEL_MAX_RANK], strides[MODEL_MAX_RANK];
    int32_t dtype;
    uint32_t rank;
};

/* ---- which dict */

static bool has_tensor(const struct pickle *pickle, const struct pickle_value *dict)
{
    for (uint32_t i = 1; dict->kind == PICKLE_DICT && i < dict->n; i += 2)
        if (pickle_item(pickle, dict, i)->kind == PICKLE_TENSOR)
            return true;
    return false;
}

/* NULL when there is none. */
static const struct pickle_value *find_dict(const struct pickle *pickle)
{
    static const char *const usual[] = {"state_dict", "model_state_dict", "model", "module"};
    const struct pickle_value *root = pickle_at(pickle, pickle->root);
    if (has_tensor(pickle, root))
        return root;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        const struct pickle_value *member = pickle_member(pickle, root, usual[i]);
        if (member != NULL && has_tensor(pickle, member))
            return member;
    }
    bool is_empty_dict = root->kind == PICKLE_DICT && root->n == 0;
    return is_empty_dict ? root : NULL;
}

/* ---- one tensor */

static model_status refuse(const struct collecting *collecting, const char *name,
                           const char *problem)
{
    char shown[PRINTABLE_TEXT_BYTES];
    return error_set(collecting->err, MODEL_CORRUPT, "%s: tensor '%s' %s", collecting->what,
                     printable(name, shown), problem);
}

/* The key as a string that lives as long as the file. */
static model_status take_name(struct collecting *collecting, const struct pickle_value *key,
                              const char **ret)
{
    if (key->n > MAX_NAME_BYTES || memchr(key->text, '\0', key->n) != NULL ||
        utf8_valid_prefix(key->text, key->n) != key->n)
        return error_set(collecting->err, MODEL_CORRUPT,
                         "%s: a tensor's name is longer than %d bytes, or no UTF-8 text",
                         collecting->what, MAX_NAME_BYTES);
    char *name = text_format("%.*s", (int)key->n, key->text);
    if (name == NULL)
        return error_no_memory(collecting->err, collecting->what);
    collecting->file->names[collecting->file->n_names++] = name;
    model_status status = string_map_add(&collecting->names, name, key->n, 0);
    if (status == MODEL_INVALID_ARGUMENT)
        return refuse(collecting, name, "stands twice");
    if (status != MODEL_OK)
        return error_no_memory(collecting->err, collecting->what);
    *ret = name;
    return MODEL_OK;
}

/* The tensor with the file's strides; data NULL when it has no elements. */
static model_status make_view(const struct collecting *collecting, const char *name,
                              const struct pickle_tensor *tensor, struct model_tensor *ret)
{
    const struct torch_file *file = collecting->file;
    const uint8_t *data = NULL;
    model_status status =
        torch_storages_find(&file->storages, pickle_at(&file->pickle, tensor->storage)->storage,
                            &data, collecting->err);
    if (status != MODEL_OK)
        return status;
    tensor_init(ret, name, tensor->dtype, tensor->rank, tensor->shape, NULL);
    for (uint32_t d = 0; d < tensor->rank; d++)
        ret->strides[d] = tensor->strides[d];
    if (tensor_elements(ret) == 0)
        ret->size_bytes = 0;
    else
        ret->data = (void *)(uintptr_t)(data + tensor->offset * dtype_size_bytes(tensor->dtype));
    ret->flags = MODEL_TENSOR_READ_ONLY;
    return MODEL_OK;
}

/* The tensor with the same elements, or -1 and room for a new one. */
static model_status find_place(struct collecting *collecting, const struct model_tensor *view,
                               int64_t *ret)
{
    size_t n = collecting->file->n_tensors;
    struct place *place = &collecting->place[n];
    *ret = -1;
    if (view->size_bytes == 0)
        return MODEL_OK;
    memset(place, 0, sizeof *place);
    place->data = view->data;
    place->dtype = view->dtype;
    place->rank = view->rank;
    memcpy(place->shape, view->shape, view->rank * sizeof view->shape[0]);
    memcpy(place->strides, view->strides, view->rank * sizeof view->strides[0]);
    *ret = string_map_find(&collecting->places, (const char *)place, sizeof *place);
    if (*ret >= 0)
        return MODEL_OK;
    return string_map_add(&collecting->places, (const char *)place, sizeof *place, (uint32_t)n) ==
                   MODEL_OK
               ? MODEL_OK
               : error_no_memory(collecting->err, collecting->what);
}

static model_status add_tensor(struct collecting *collecting, const struct pickle_value *key,
                               const struct pickle_tensor *tensor)
{
    struct torch_file *file = collecting->file;
    const char *name = NULL;
    struct model_tensor view;
    int64_t same = -1;
    model_status status = take_name(collecting, key, &name);
    if (status == MODEL_OK)
        status = make_view(collecting, name, tensor, &view);
    if (status == MODEL_OK)
        status = find_place(collecting, &view, &same);
    if (status != MODEL_OK)
        return status;
    if (same >= 0) {
        file->aliases[file->n_aliases++] = (struct torch_alias){name, (size_t)same};
        return MODEL_OK;
    }
    if (view.size_bytes > collecting->left_bytes)
        return refuse(collecting, name,
                      "makes the weights more than 16 times as large as the file: it repeats "
                      "elements, or many share theirs");
    collecting->left_bytes -= view.size_bytes;
    file->tensors[file->n_tensors++] = view;
    return MODEL_OK;
}

/* ---- all of them */

static model_status leave_out(struct collecting *collecting, const struct pickle_value *key,
                              const struct pickle_value *value)
{
    char shown[PRINTABLE_TEXT_BYTES];
    struct torch_file *file = collecting->file;
    bool is_text = key->kind == PICKLE_TEXT;
    char *text = text_format(
        "%s (%s)", is_text ? printable_text(key->text, key->n, shown) : pickle_kind_text(key->kind),
        pickle_kind_text(value->kind));
    if (text == NULL)
        return error_no_memory(collecting->err, collecting->what);
    file->left_out[file->n_left_out++] = text;
    return MODEL_OK;
}

static model_status collect(struct collecting *collecting, const struct pickle_value *dict)
{
    const struct pickle *pickle = &collecting->file->pickle;
    const struct pickle_value *root = pickle_at(pickle, pickle->root);
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i + 1 < dict->n && status == MODEL_OK; i += 2) {
        const struct pickle_value *key = pickle_item(pickle, dict, i);
        const struct pickle_value *value = pickle_item(pickle, dict, i + 1);
        status = value->kind == PICKLE_TENSOR && key->kind == PICKLE_TEXT
                     ? add_tensor(collecting, key, value->tensor)
                     : leave_out(collecting, key, value);
    }
    for (uint32_t i = 0; dict != root && i + 1 < root->n && status == MODEL_OK; i += 2)
        if (pickle_item(pickle, root, i + 1) != dict)
            status = leave_out(collecting, pickle_item(pickle, root, i),
                               pickle_item(pickle, root, i + 1));
    return status;
}

static bool allocate(struct collecting *collecting, size_t n_members)
{
    struct torch_file *file = collecting->file;
    file->tensors = calloc(n_members + 1, sizeof *file->tensors);
    file->aliases = calloc(n_members + 1, sizeof *file->aliases);
    file->left_out = calloc(n_members + 1, sizeof *file->left_out);
    file->names = calloc(n_members + 1, sizeof *file->names);
    collecting->place = calloc(n_members + 1, sizeof *collecting->place);
    return file->tensors != NULL && file->aliases != NULL && file->left_out != NULL &&
           file->names != NULL && collecting->place != NULL &&
           string_map_init(&collecting->names, 0) == MODEL_OK &&
           string_map_init(&collecting->places, 0) == MODEL_OK;
}

model_status torch_file_collect(struct torch_file *file, const char *what, uint64_t file_bytes,
                                struct model_error *err)
{
    const struct pickle_value *root = pickle_at(&file->pickle, file->pickle.root);
    const struct pickle_value *dict = find_dict(&file->pickle);
    if (dict == NULL)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: %s without tensors in it, nor in its 'state_dict'; save the model's "
                         "state_dict()",
                         what, pickle_kind_text(root->kind));
    size_t n_members = (size_t)dict->n / 2 + (dict != root ? (size_t)root->n / 2 : 0);
    if (n_members > SAFETENSORS_MAX_TENSORS)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: more than %u names in one file, the limit; save the model's "
                         "state_dict() in several",
                         what, SAFETENSORS_MAX_TENSORS);
    struct collecting collecting = {.file = file, .what = what, .err = err};
    collecting.left_bytes = file_bytes < UINT64_MAX / MAX_GROWTH - FREE_BYTES
                                ? file_bytes * MAX_GROWTH + FREE_BYTES
                                : UINT64_MAX;
    model_status status =
        allocate(&collecting, n_members) ? collect(&collecting, dict) : error_no_memory(err, what);
    string_map_finish(&collecting.names);
    string_map_finish(&collecting.places);
    free(collecting.place);
    return status;
}
