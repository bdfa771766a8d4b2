/* coreml_blobs.h - weight.bin: the file of an ML Program's weights (MIL blob storage, version 2).
 *
 * A value of the program says the place of 64 bytes of metadata; those say dtype, size and place of the data. */
#ifndef COREML_BLOBS_H
#define COREML_BLOBS_H

#include "model_extensions.h"

#include <stdbool.h>

#define COREML_MAX_BLOB_FILES 16

struct coreml_blob_file {
    const char *name; /* as the model calls it; owned by the model */
    char *path;       /* as `source` calls it */
    const uint8_t *data;
    uint64_t size_bytes;
    bool is_there;
};

struct coreml_blobs {
    const struct model_backend_files *source; /* has the files; they live as long as it says */
    const char
        *folder; /* "@model_path/": what stands before a file's name, with '/'; the caller's */
    struct coreml_blob_file files[COREML_MAX_BLOB_FILES];
    size_t n_files;
};

/* The file of that name, opened once; is_there says whether it exists. `name` outlives the blobs. MODEL_CORRUPT:
 * a name that leads out of the folder, another version than 2, more than COREML_MAX_BLOB_FILES. */
model_status coreml_blobs_find(struct coreml_blobs *blobs, const char *name,
                               const struct coreml_blob_file **ret, struct model_error *err);
/* Whether the bytes are in one of the files that were opened. */
bool coreml_blobs_have(const struct coreml_blobs *blobs, const void *data, uint64_t size_bytes);
/* Gives the pages of these bytes of a file back, with what the system may have mapped around them; does nothing for other
 * memory. */
void coreml_blobs_discard(const struct coreml_blobs *blobs, const void *data, uint64_t size_bytes);
/* The pages of all files. */
void coreml_blobs_rest(const struct coreml_blobs *blobs);
void coreml_blobs_finish(struct coreml_blobs *blobs);

/* ---- bytes of such a file; pure. `what` names it. [any-thread] */

model_status coreml_blob_check_file(const uint8_t *file, uint64_t file_bytes, const char *what,
                                    struct model_error *err);
/* The data of n_elements of dtype (enum coreml_dtype) whose metadata is at offset. Its place is a multiple of 64.
 * MODEL_CORRUPT: no metadata there, another dtype or size, outside the file. */
model_status coreml_blob_view(const uint8_t *file, uint64_t file_bytes, uint64_t offset,
                              int32_t dtype, uint64_t n_elements, const char *what,
                              const uint8_t **ret_data, uint64_t *ret_bytes,
                              struct model_error *err);

#endif
