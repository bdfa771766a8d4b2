/* torch_storages.h - the two forms of a file of torch.save(): which pickle describes it, and where each
 * storage's bytes lie.
 *
 * Since 1.6 a zip archive: <prefix>/data.pkl, <prefix>/data/<key>, perhaps <prefix>/byteorder. Before, one
 * pickle behind the other (magic number, protocol 1001, the machine's sizes, the object, the list of keys),
 * then for each key a 64-bit count of elements and the elements.
 *
 * Borrows the file's bytes; immutable once opened. [any-thread] */
#ifndef TORCH_STORAGES_H
#define TORCH_STORAGES_H

#include "pickle_values.h"
#include "zip_reader.h"

struct torch_storages {
    const char *what; /* for errors */
    /* a zip archive */
    struct zip_archive zip;
    const char *prefix; /* (prefix_bytes) with its '/', in the archive */
    size_t prefix_bytes;
    /* or one behind the other */
    struct string_map keys;
    struct torch_span *spans; /* (keys.size) */
};

/* Opens either form and reads its pickle. MODEL_UNSUPPORTED when the file is neither. Storages are not
 * read. */
model_status torch_storages_open(const uint8_t *file, uint64_t file_bytes, const char *what,
                                 struct torch_storages *ret, struct pickle *ret_pickle,
                                 struct model_error *err);
void torch_storages_close(struct torch_storages *storages);

/* Where the bytes of a storage lie; MODEL_CORRUPT when there are none, or more or less than it says. */
model_status torch_storages_find(const struct torch_storages *storages,
                                 const struct pickle_storage *storage, const uint8_t **ret,
                                 struct model_error *err);
/* Reads all storages that have a checksum, and compares it. */
model_status torch_storages_check(const struct torch_storages *storages,
                                  const struct zip_progress *progress, struct model_error *err);

#endif
