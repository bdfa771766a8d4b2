/* safetensors.h - the safetensors format: reading what a file's header says, and writing files.
 *
 * Follows the format of the safetensors library: 8 bytes little-endian header length, a JSON object
 * from tensor name to {dtype, shape, data_offsets}, then the data. Every rule is checked: header at
 * most 100 MB and inside the file, starting with '{', trailing spaces only; names once; known dtypes;
 * shapes whose product does not overflow and fits data_offsets exactly; offsets inside the file, no
 * overlap, no hole, nothing behind the last tensor; "__metadata__" from strings to strings. */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H

#include "files.h"

#define SAFETENSORS_METADATA         "__metadata__" /* the one name that is no tensor */
#define SAFETENSORS_MAX_HEADER_BYTES 100000000u
/* The largest published mixtures of experts have 210,000 tensors in all their shards together. A tensor
 * costs 40 bytes, 8 for each dimension, and its part of the header. */
#define SAFETENSORS_MAX_TENSORS 262144u

struct safetensors_entry {
    const char *name;     /* owned by the struct safetensors */
    const int64_t *shape; /* (rank), likewise */
    int32_t dtype;
    uint32_t rank;
    uint64_t offset; /* from the start of the file */
    uint64_t size_bytes;
};

struct safetensors {
    struct safetensors_entry *entries; /* (n_entries), in the order of the data */
    size_t n_entries;
    uint64_t data_bytes;
    void *text;      /* owns the names */
    int64_t *shapes; /* owns the shapes */
};

/* Reads the header of a whole file in memory (usually mapped). `what` names it in errors. The data is
 * not touched. MODEL_CORRUPT for a broken file, MODEL_UNSUPPORTED for a rank over MODEL_MAX_RANK
 * and for more tensors than SAFETENSORS_MAX_TENSORS. */
model_status safetensors_parse(const uint8_t *file, uint64_t file_bytes, const char *what,
                               struct safetensors *ret, struct model_error *err);
/* The same in two steps, for a reader that does not want to touch a mapping: the header's length from
 * the first 8 bytes of a file, then the header's text. The text is written to and becomes part of the
 * result; on failure it stays the caller's. (malloc()ed) */
model_status safetensors_header_size(const uint8_t first[8], uint64_t file_bytes, const char *what,
                                     uint64_t *ret_header_bytes, struct model_error *err);
model_status safetensors_parse_header(char *header, size_t header_bytes, uint64_t file_bytes,
                                      const char *what, struct safetensors *ret,
                                      struct model_error *err);
void safetensors_finish(struct safetensors *file);

/* Writes tensors (dense, named) as one file, atomically. The data starts at a multiple of 8 and wide
 * elements come first, so that every tensor is aligned to its element's size.
 * MODEL_INVALID_ARGUMENT: a name twice, absent or "__metadata__", an unknown dtype, or a size that is
 * not that of the shape. MODEL_UNSUPPORTED: more than SAFETENSORS_MAX_TENSORS. */
model_status safetensors_write(const char *path, const struct model_tensor *const *tensors,
                               size_t n_tensors, struct model_error *err);

/* The same for data that is made while it is written: the tensors have no data, but a source that writes
 * theirs, exactly size_bytes, one tensor after the other. */
struct safetensors_source {
    model_status (*write)(void *context, const struct model_tensor *tensor, struct file_out *out,
                          struct model_error *err);
    void *context;
    const char *const (
        *metadata)[2]; /* (n_metadata) keys and values of __metadata__; no key twice */
    size_t n_metadata;
};

model_status safetensors_write_from(const char *path, const struct model_tensor *const *tensors,
                                    size_t n_tensors, const struct safetensors_source *source,
                                    struct model_error *err);

#endif
