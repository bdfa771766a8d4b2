/* pickle_globals.c - see pickle_globals.h. The arguments follow torch/_utils.py and
 * torch/serialization.py of PyTorch 1.x and 2.x. */
#include "pickle_globals.h"
#include "dtype.h"
#include "errors.h"
#include "size.h"

#include <stdlib.h>
#include <string.h>

static const struct pickle_global globals[] = {
    {"collections.OrderedDict", PICKLE_ORDERED_DICT, 0},
    {"torch._utils._rebuild_tensor", PICKLE_REBUILD_TENSOR, 0},
    {"torch._utils._rebuild_tensor_v2", PICKLE_REBUILD_TENSOR, 0},
    {"torch._utils._rebuild_tensor_v3", PICKLE_REBUILD_TENSOR, 0},
    {"torch._utils._rebuild_parameter", PICKLE_REBUILD_PARAMETER, 0},
    {"torch.Size", PICKLE_SIZE, 0},
    {"torch.device", PICKLE_DEVICE, 0},
    {"torch.DoubleStorage", PICKLE_STORAGE_CLASS, MODEL_F64},
    {"torch.FloatStorage", PICKLE_STORAGE_CLASS, MODEL_F32},
    {"torch.HalfStorage", PICKLE_STORAGE_CLASS, MODEL_F16},
    {"torch.BFloat16Storage", PICKLE_STORAGE_CLASS, MODEL_BF16},
    {"torch.LongStorage", PICKLE_STORAGE_CLASS, MODEL_I64},
    {"torch.IntStorage", PICKLE_STORAGE_CLASS, MODEL_I32},
    {"torch.ShortStorage", PICKLE_STORAGE_CLASS, MODEL_I16},
    {"torch.CharStorage", PICKLE_STORAGE_CLASS, MODEL_I8},
    {"torch.ByteStorage", PICKLE_STORAGE_CLASS, MODEL_U8},
    {"torch.BoolStorage", PICKLE_STORAGE_CLASS, MODEL_BOOL},
    {"torch.storage.UntypedStorage", PICKLE_STORAGE_CLASS, 0},
    {"torch.float64", PICKLE_DTYPE, MODEL_F64},
    {"torch.float32", PICKLE_DTYPE, MODEL_F32},
    {"torch.float16", PICKLE_DTYPE, MODEL_F16},
    {"torch.bfloat16", PICKLE_DTYPE, MODEL_BF16},
    {"torch.float8_e4m3fn", PICKLE_DTYPE, MODEL_F8_E4M3},
    {"torch.float8_e5m2", PICKLE_DTYPE, MODEL_F8_E5M2},
    {"torch.int64", PICKLE_DTYPE, MODEL_I64},
    {"torch.int32", PICKLE_DTYPE, MODEL_I32},
    {"torch.int16", PICKLE_DTYPE, MODEL_I16},
    {"torch.int8", PICKLE_DTYPE, MODEL_I8},
    {"torch.uint64", PICKLE_DTYPE, MODEL_U64},
    {"torch.uint32", PICKLE_DTYPE, MODEL_U32},
    {"torch.uint16", PICKLE_DTYPE, MODEL_U16},
    {"torch.uint8", PICKLE_DTYPE, MODEL_U8},
    {"torch.bool", PICKLE_DTYPE, MODEL_BOOL},
};

const struct pickle_global *pickle_find_global(const char *module, size_t module_bytes,
                                               const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++) {
        const char *known = globals[i].name;
        if (strlen(known) == module_bytes + 1 + name_bytes &&
            memcmp(known, module, module_bytes) == 0 && known[module_bytes] == '.' &&
            memcmp(known + module_bytes + 1, name, name_bytes) == 0)
            return &globals[i];
    }
    return NULL;
}

const char *pickle_kind_text(enum pickle_kind kind)
{
    static const char *const texts[] = {"None",
                                        "a bool",
                                        "an integer",
                                        "a very large integer",
                                        "a number",
                                        "a text",
                                        "bytes",
                                        "a tuple",
                                        "a list",
                                        "a dict",
                                        "a class or function",
                                        "a storage",
                                        "a tensor",
                                        "an object"};
    return (size_t)kind < sizeof texts / sizeof texts[0] ? texts[kind] : "?";
}

/* ---- tensors */

struct calling {
    struct pickle *pickle;
    const struct pickle_global *global;
    const struct pickle_value *arguments; /* a tuple; adding a value may move it */
    const char *what;
    struct model_error *err;
};

static model_status refuse(const struct calling *calling, const char *problem)
{
    return error_set(calling->err, MODEL_CORRUPT, "%s: a call of '%s' %s", calling->what,
                     calling->global->name, problem);
}

static const struct pickle_value *argument(const struct calling *calling, uint32_t i)
{
    return pickle_item(calling->pickle, calling->arguments, i);
}

/* A tuple of numbers that are not negative. */
static bool read_numbers(const struct calling *calling, uint32_t i, uint32_t *ret_rank,
                         int64_t ret[MODEL_MAX_RANK])
{
    const struct pickle_value *tuple = argument(calling, i);
    if (tuple->kind != PICKLE_TUPLE || tuple->n > MODEL_MAX_RANK)
        return false;
    for (uint32_t d = 0; d < tuple->n; d++) {
        const struct pickle_value *item = pickle_item(calling->pickle, tuple, d);
        if (item->kind != PICKLE_INTEGER || item->integer < 0)
            return false;
        ret[d] = item->integer;
    }
    *ret_rank = tuple->n;
    return true;
}

/* Every element lies in the storage. Nothing does of a tensor without elements. */
static bool fits_storage(const struct pickle_tensor *tensor, const struct pickle_storage *storage)
{
    uint64_t last = tensor->offset, size = dtype_size_bytes(tensor->dtype), n = 1, step, end;
    for (uint32_t d = 0; d < tensor->rank; d++)
        if (!size_multiply(n, (uint64_t)tensor->shape[d], &n))
            return false;
    if (n == 0)
        return true;
    for (uint32_t d = 0; d < tensor->rank; d++)
        if (!size_multiply((uint64_t)tensor->shape[d] - 1, (uint64_t)tensor->strides[d], &step) ||
            !size_add(last, step, &last))
            return false;
    uint64_t storage_bytes = storage->n_elements;
    if (storage->dtype != 0 &&
        !size_multiply(storage_bytes, dtype_size_bytes(storage->dtype), &storage_bytes))
        return false;
    return size_add(last, 1, &end) && size_multiply(end, size, &end) && end <= storage_bytes &&
           size_multiply(n, size, &n) && n <= INT64_MAX;
}

static model_status add_tensor(const struct calling *calling, const struct pickle_tensor *tensor,
                               uint32_t *ret)
{
    struct pickle_tensor *copy = malloc(sizeof *copy);
    if (copy == NULL)
        return error_no_memory(calling->err, calling->what);
    *copy = *tensor;
    model_status status = pickle_add(
        calling->pickle, (struct pickle_value){.kind = PICKLE_TENSOR, .tensor = copy}, ret);
    if (status != MODEL_OK) {
        free(copy);
        return error_set(calling->err, status, "%s: too many values", calling->what);
    }
    return MODEL_OK;
}

/* (storage, offset, size, stride[, requires_grad, hooks[, dtype or metadata]]) */
static model_status rebuild_tensor(const struct calling *calling, uint32_t *ret)
{
    struct pickle_tensor tensor = {0};
    uint32_t n = calling->arguments->n, n_strides = 0;
    if (n < 4 || n > 8)
        return refuse(calling, "has the wrong number of arguments");
    const struct pickle_value *storage = argument(calling, 0), *offset = argument(calling, 1);
    if (storage->kind != PICKLE_STORAGE || offset->kind != PICKLE_INTEGER || offset->integer < 0)
        return refuse(calling, "does not begin with a storage and an offset");
    const struct pickle_value *dtype = n > 6 ? argument(calling, 6) : NULL;
    tensor.storage = calling->arguments->items[0];
    tensor.offset = (uint64_t)offset->integer;
    tensor.dtype = storage->storage->dtype;
    if (tensor.dtype == 0 && dtype != NULL && dtype->kind == PICKLE_GLOBAL &&
        dtype->global->role == PICKLE_DTYPE)
        tensor.dtype = dtype->global->dtype;
    if (tensor.dtype == 0)
        return refuse(calling, "says no element type");
    if (!read_numbers(calling, 2, &tensor.rank, tensor.shape) ||
        !read_numbers(calling, 3, &n_strides, tensor.strides) || n_strides != tensor.rank)
        return refuse(calling, "has no shape and strides of up to 8 dimensions");
    if (!fits_storage(&tensor, storage->storage))
        return refuse(calling, "makes a tensor that reaches beyond its storage");
    return add_tensor(calling, &tensor, ret);
}

/* (tensor, requires_grad, hooks): the tensor itself. */
static model_status rebuild_parameter(const struct calling *calling, uint32_t *ret)
{
    if (calling->arguments->n != 3 || argument(calling, 0)->kind != PICKLE_TENSOR)
        return refuse(calling, "does not begin with a tensor");
    *ret = calling->arguments->items[0];
    return MODEL_OK;
}

/* (), or a list of pairs, as Python 2 wrote it. */
static model_status ordered_dict(const struct calling *calling, uint32_t *ret)
{
    struct pickle *pickle = calling->pickle;
    uint32_t dict = 0, n = calling->arguments->n, list = n > 0 ? calling->arguments->items[0] : 0;
    if (n > 1 || (n == 1 && pickle_at(pickle, list)->kind != PICKLE_LIST))
        return refuse(calling, "has arguments that are not a list of pairs");
    model_status status = pickle_add_items(pickle, PICKLE_DICT, NULL, 0, &dict);
    for (uint32_t i = 0; n == 1 && i < pickle_at(pickle, list)->n && status == MODEL_OK; i++) {
        const struct pickle_value *pair = pickle_item(pickle, pickle_at(pickle, list), i);
        if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->n != 2)
            return refuse(calling, "has arguments that are not a list of pairs");
        status = pickle_extend(pickle, dict, pair->items, 2);
    }
    if (status != MODEL_OK)
        return error_set(calling->err, status, "%s: too many values", calling->what);
    *ret = dict;
    return MODEL_OK;
}

static model_status make_size(const struct calling *calling, uint32_t *ret)
{
    if (calling->arguments->n != 1 || argument(calling, 0)->kind != PICKLE_TUPLE)
        return refuse(calling, "has no tuple");
    *ret = calling->arguments->items[0];
    return MODEL_OK;
}

static model_status make_opaque(const struct calling *calling, uint32_t *ret)
{
    model_status status =
        pickle_add(calling->pickle, (struct pickle_value){.kind = PICKLE_OPAQUE}, ret);
    return status == MODEL_OK
               ? status
               : error_set(calling->err, status, "%s: too many values", calling->what);
}

model_status pickle_call(struct pickle *pickle, uint32_t callable, uint32_t arguments,
                         const char *what, uint32_t *ret, struct model_error *err)
{
    static model_status (*const calls[])(const struct calling *, uint32_t *) = {
        [PICKLE_ORDERED_DICT] = ordered_dict,
        [PICKLE_REBUILD_TENSOR] = rebuild_tensor,
        [PICKLE_REBUILD_PARAMETER] = rebuild_parameter,
        [PICKLE_STORAGE_CLASS] = NULL,
        [PICKLE_DTYPE] = NULL,
        [PICKLE_SIZE] = make_size,
        [PICKLE_DEVICE] = make_opaque,
    };
    const struct pickle_value *function = pickle_at(pickle, callable);
    if (function->kind != PICKLE_GLOBAL)
        return error_set(err, MODEL_CORRUPT, "%s: calls %s, want a function", what,
                         pickle_kind_text(function->kind));
    const struct calling calling = {pickle, function->global, pickle_at(pickle, arguments), what,
                                    err};
    if (calls[function->global->role] == NULL || calling.arguments->kind != PICKLE_TUPLE)
        return refuse(&calling, "is none that a tensor needs");
    return calls[function->global->role](&calling, ret);
}

/* ---- storages */

static model_status refuse_id(const char *what, const char *problem, struct model_error *err)
{
    return error_set(err, MODEL_CORRUPT, "%s: a persistent id %s", what, problem);
}

model_status pickle_persistent(struct pickle *pickle, uint32_t id, const char *what, uint32_t *ret,
                               struct model_error *err)
{
    const struct pickle_value *tuple = pickle_at(pickle, id);
    if (tuple->kind != PICKLE_TUPLE || tuple->n < 5 || tuple->n > 6 ||
        !pickle_is_text(pickle_item(pickle, tuple, 0), "storage"))
        return refuse_id(what, "is not that of a storage, and nothing else is needed", err);
    const struct pickle_value *class = pickle_item(pickle, tuple, 1);
    const struct pickle_value *key = pickle_item(pickle, tuple, 2);
    const struct pickle_value *n = pickle_item(pickle, tuple, 4);
    if (class->kind != PICKLE_GLOBAL || class->global->role != PICKLE_STORAGE_CLASS)
        return refuse_id(what, "names no class of storages", err);
    if (key->kind != PICKLE_TEXT || key->n == 0)
        return refuse_id(what, "has no key", err);
    if (n->kind != PICKLE_INTEGER || n->integer < 0)
        return refuse_id(what, "has no number of elements", err);
    if (tuple->n == 6 && pickle_item(pickle, tuple, 5)->kind != PICKLE_NONE)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: a storage that is a view of another, as PyTorch before 0.4 wrote "
                         "them; save the file again with a newer one",
                         what);
    struct pickle_storage *storage = malloc(sizeof *storage);
    if (storage == NULL)
        return error_no_memory(err, what);
    *storage =
        (struct pickle_storage){key->text, key->n, class->global->dtype, (uint64_t)n->integer};
    model_status status =
        pickle_add(pickle, (struct pickle_value){.kind = PICKLE_STORAGE, .storage = storage}, ret);
    if (status != MODEL_OK) {
        free(storage);
        return error_set(err, status, "%s: too many values", what);
    }
    return MODEL_OK;
}
