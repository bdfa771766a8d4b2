/* torch_storages.c - see torch_storages.h. */
#include "torch_storages.h"
#include "dtype.h"
#include "errors.h"
#include "pickle_globals.h"
#include "pickle_reader.h"
#include "printable_text.h"
#include "size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEY_BYTES   64
#define LEGACY_PROTOCOL 1001

struct torch_span {
    const uint8_t *data;
    uint64_t n_elements;
    int32_t dtype;
};

static model_status wrong(const char *what, const char *problem, struct model_error *err)
{
    return error_set(err, MODEL_CORRUPT, "%s: %s", what, problem);
}

/* ---- a zip archive */

static const struct zip_entry *find_entry(const struct torch_storages *storages, const char *folder,
                                          const char *name, size_t name_bytes)
{
    char path[ZIP_MAX_NAME_BYTES + MAX_KEY_BYTES + 16];
    int n = snprintf(path, sizeof path, "%.*s%s%.*s", (int)storages->prefix_bytes, storages->prefix,
                     folder, (int)name_bytes, name);
    return n > 0 && (size_t)n < sizeof path ? zip_find(&storages->zip, path) : NULL;
}

/* Which entry is data.pkl says the prefix of all others. */
static model_status find_pickle(struct torch_storages *storages, const struct zip_entry **ret,
                                struct model_error *err)
{
    static const char name[] = "data.pkl";
    const struct zip_entry *found = NULL;
    for (size_t i = 0; i < storages->zip.n_entries; i++) {
        const struct zip_entry *entry = &storages->zip.entries[i];
        size_t rest = entry->name_bytes - (sizeof name - 1);
        if (entry->name_bytes < sizeof name - 1 ||
            memcmp(entry->name + rest, name, sizeof name - 1) != 0 ||
            (rest > 0 && entry->name[rest - 1] != '/'))
            continue;
        if (found != NULL)
            return wrong(storages->what, "two files data.pkl are in the archive", err);
        found = entry;
        storages->prefix = entry->name;
        storages->prefix_bytes = rest;
    }
    if (found == NULL)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: a zip archive without data.pkl: not written by torch.save()",
                         storages->what);
    *ret = found;
    return MODEL_OK;
}

static model_status check_byte_order(const struct torch_storages *storages, struct model_error *err)
{
    static const char little[] = "little";
    const struct zip_entry *order = find_entry(storages, "", "byteorder", strlen("byteorder"));
    if (order == NULL || (order->size_bytes == sizeof little - 1 &&
                          memcmp(order->data, little, sizeof little - 1) == 0))
        return MODEL_OK;
    return error_set(err, MODEL_UNSUPPORTED,
                     "%s: written on a big-endian machine; save it again on a little-endian one",
                     storages->what);
}

static model_status open_zip(const uint8_t *file, uint64_t file_bytes,
                             struct torch_storages *storages, struct pickle *ret_pickle,
                             struct model_error *err)
{
    const struct zip_entry *pickle = NULL;
    char what[1024];
    size_t used = 0;
    model_status status = zip_open(file, file_bytes, storages->what, &storages->zip, err);
    if (status == MODEL_OK)
        status = find_pickle(storages, &pickle, err);
    if (status == MODEL_OK)
        status = zip_check(&storages->zip, pickle, NULL, err);
    if (status == MODEL_OK)
        status = check_byte_order(storages, err);
    if (status != MODEL_OK)
        return status;
    (void)snprintf(what, sizeof what, "%s: data.pkl", storages->what);
    status = pickle_read(pickle->data, (size_t)pickle->size_bytes, what, ret_pickle, &used, err);
    if (status == MODEL_OK && used != pickle->size_bytes) {
        pickle_finish(ret_pickle);
        status = wrong(what, "something follows the pickle", err);
    }
    return status;
}

/* ---- one behind the other */

/* The next pickle; *at moves behind it. */
static model_status next_pickle(const uint8_t *file, uint64_t file_bytes, uint64_t *at,
                                const char *what, struct pickle *ret, struct model_error *err)
{
    size_t used = 0;
    model_status status =
        pickle_read(file + *at, (size_t)(file_bytes - *at), what, ret, &used, err);
    *at += used;
    return status;
}

/* The first three say what follows: magic number, protocol, byte order. */
static model_status read_preface(const uint8_t *file, uint64_t file_bytes, uint64_t *at,
                                 const char *what, struct model_error *err)
{
    static const uint8_t magic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    bool is_magic = false, is_protocol = false, is_little = false;
    for (int i = 0; i < 3; i++) {
        struct pickle pickle = {0};
        model_status status = next_pickle(file, file_bytes, at, what, &pickle, err);
        if (status != MODEL_OK)
            return status;
        const struct pickle_value *root = pickle_at(&pickle, pickle.root), *little;
        if (i == 0)
            is_magic = root->kind == PICKLE_BIG_INTEGER && root->n == sizeof magic &&
                       memcmp(root->text, magic, sizeof magic) == 0;
        else if (i == 1)
            is_protocol = root->kind == PICKLE_INTEGER && root->integer == LEGACY_PROTOCOL;
        else if ((little = pickle_member(&pickle, root, "little_endian")) != NULL)
            is_little = little->kind == PICKLE_BOOL && little->boolean;
        pickle_finish(&pickle);
        if (i == 0 && !is_magic)
            break;
    }
    if (!is_magic)
        return error_set(
            err, MODEL_UNSUPPORTED,
            "%s: a pickle, but not one of torch.save(); tensors cannot be read from it", what);
    return is_protocol && is_little
               ? MODEL_OK
               : error_set(err, MODEL_UNSUPPORTED,
                           "%s: of another protocol than 1001, or of a big-endian machine; save "
                           "it again with a newer PyTorch",
                           what);
}

/* Every storage that the object names gets a span without data; all that name one agree. */
static model_status collect_keys(struct torch_storages *storages, const struct pickle *pickle,
                                 struct model_error *err)
{
    size_t n = 0;
    for (uint32_t i = 0; i < pickle->n_values; i++)
        n += pickle_at(pickle, i)->kind == PICKLE_STORAGE;
    storages->spans = calloc(n + 1, sizeof *storages->spans);
    if (storages->spans == NULL || string_map_init(&storages->keys, n) != MODEL_OK)
        return error_no_memory(err, storages->what);
    for (uint32_t i = 0; i < pickle->n_values; i++) {
        if (pickle_at(pickle, i)->kind != PICKLE_STORAGE)
            continue;
        const struct pickle_storage *storage = pickle_at(pickle, i)->storage;
        int64_t known = string_map_find(&storages->keys, storage->key, storage->key_bytes);
        if (known >= 0) {
            if (storages->spans[known].dtype != storage->dtype ||
                storages->spans[known].n_elements != storage->n_elements)
                return wrong(storages->what, "two descriptions of a storage differ", err);
            continue;
        }
        uint32_t slot = (uint32_t)storages->keys.size;
        storages->spans[slot] = (struct torch_span){NULL, storage->n_elements, storage->dtype};
        if (string_map_add(&storages->keys, storage->key, storage->key_bytes, slot) != MODEL_OK)
            return error_no_memory(err, storages->what);
    }
    return MODEL_OK;
}

/* The data of the key at *at, which moves behind it. */
static model_status place_span(struct torch_storages *storages, const struct pickle_value *key,
                               const uint8_t *file, uint64_t file_bytes, uint64_t *at,
                               struct model_error *err)
{
    uint64_t n = 0, bytes = 0;
    int64_t slot =
        key->kind == PICKLE_TEXT ? string_map_find(&storages->keys, key->text, key->n) : -1;
    if (slot < 0 || storages->spans[slot].data != NULL)
        return wrong(storages->what, "its list of storages has one that nothing uses, or one twice",
                     err);
    struct torch_span *span = &storages->spans[slot];
    if (file_bytes - *at < 8)
        return wrong(storages->what, "truncated: a storage is cut off", err);
    for (unsigned i = 8; i-- > 0;)
        n = n << 8 | file[*at + i];
    *at += 8;
    if (n != span->n_elements || span->dtype == 0 ||
        !size_multiply(n, dtype_size_bytes(span->dtype), &bytes) || bytes > file_bytes - *at)
        return wrong(storages->what, "truncated: a storage is cut off, or of another size", err);
    span->data = file + *at;
    *at += bytes;
    return MODEL_OK;
}

static model_status place_all(struct torch_storages *storages, const uint8_t *file,
                              uint64_t file_bytes, uint64_t *at, struct model_error *err)
{
    struct pickle pickle = {0};
    model_status status = next_pickle(file, file_bytes, at, storages->what, &pickle, err);
    if (status != MODEL_OK)
        return status;
    const struct pickle_value *keys = pickle_at(&pickle, pickle.root);
    if (keys->kind != PICKLE_LIST || keys->n != storages->keys.size)
        status = wrong(storages->what, "its list of storages is not what its tensors need", err);
    for (uint32_t i = 0; status == MODEL_OK && i < keys->n; i++)
        status = place_span(storages, pickle_item(&pickle, keys, i), file, file_bytes, at, err);
    if (status == MODEL_OK && *at != file_bytes)
        status = wrong(storages->what, "something follows the last storage", err);
    pickle_finish(&pickle);
    return status;
}

static model_status open_legacy(const uint8_t *file, uint64_t file_bytes,
                                struct torch_storages *storages, struct pickle *ret_pickle,
                                struct model_error *err)
{
    uint64_t at = 0;
    struct pickle object = {0};
    model_status status = read_preface(file, file_bytes, &at, storages->what, err);
    if (status == MODEL_OK)
        status = next_pickle(file, file_bytes, &at, storages->what, &object, err);
    if (status == MODEL_OK)
        status = collect_keys(storages, &object, err);
    if (status == MODEL_OK)
        status = place_all(storages, file, file_bytes, &at, err);
    if (status == MODEL_OK)
        *ret_pickle = object;
    else
        pickle_finish(&object);
    return status;
}

/* ---- both */

model_status torch_storages_open(const uint8_t *file, uint64_t file_bytes, const char *what,
                                 struct torch_storages *ret, struct pickle *ret_pickle,
                                 struct model_error *err)
{
    static const uint8_t zip_magic[] = {'P', 'K', 3, 4};
    struct torch_storages storages = {.what = what};
    model_status status;
    if (file_bytes >= sizeof zip_magic && memcmp(file, zip_magic, sizeof zip_magic) == 0)
        status = open_zip(file, file_bytes, &storages, ret_pickle, err);
    else if (file_bytes > 0 && file[0] == 0x80)
        status = open_legacy(file, file_bytes, &storages, ret_pickle, err);
    else
        status = error_set(
            err, MODEL_UNSUPPORTED,
            "%s: neither a zip archive nor a pickle of protocol 2 or later, so not written by torch.save(), "
            "and not read: save the weights with torch.save(model.state_dict(), ...), or as safetensors",
            what);
    if (status == MODEL_OK)
        *ret = storages;
    else
        torch_storages_close(&storages);
    return status;
}

void torch_storages_close(struct torch_storages *storages)
{
    zip_close(&storages->zip);
    string_map_finish(&storages->keys);
    free(storages->spans);
    *storages = (struct torch_storages){0};
}

model_status torch_storages_find(const struct torch_storages *storages,
                                 const struct pickle_storage *storage, const uint8_t **ret,
                                 struct model_error *err)
{
    char key[PRINTABLE_TEXT_BYTES];
    uint64_t want = storage->n_elements;
    size_t element = storage->dtype != 0 ? dtype_size_bytes(storage->dtype) : 1;
    const struct zip_entry *entry = NULL;
    const struct torch_span *span = NULL;
    if (storages->spans != NULL) {
        int64_t slot = string_map_find(&storages->keys, storage->key, storage->key_bytes);
        span = slot >= 0 ? &storages->spans[slot] : NULL;
    } else if (storage->key_bytes <= MAX_KEY_BYTES) {
        entry = find_entry(storages, "data/", storage->key, storage->key_bytes);
    }
    (void)printable_text(storage->key, storage->key_bytes, key);
    if (entry == NULL && (span == NULL || span->data == NULL))
        return error_set(err, MODEL_CORRUPT, "%s: the data of storage '%s' is missing",
                         storages->what, key);
    if (entry != NULL && (!size_multiply(want, element, &want) || want != entry->size_bytes))
        return error_set(err, MODEL_CORRUPT,
                         "%s: storage '%s' has %llu bytes, want %llu elements of %zu",
                         storages->what, key, (unsigned long long)entry->size_bytes,
                         (unsigned long long)storage->n_elements, element);
    *ret = entry != NULL ? entry->data : span->data;
    return MODEL_OK;
}

model_status torch_storages_check(const struct torch_storages *storages,
                                  const struct zip_progress *progress, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < storages->zip.n_entries && status == MODEL_OK; i++)
        status = zip_check(&storages->zip, &storages->zip.entries[i], progress, err);
    return status;
}
