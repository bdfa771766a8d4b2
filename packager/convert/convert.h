/* convert.h - weights of any form become one safetensors file; a package becomes a package. Memory is
 * bounded by a few blocks, whatever the size; nothing appears until all of it is right. One conversion is
 * one thread's. */
#ifndef CONVERT_H
#define CONVERT_H

#include "tensor_table.h"

struct convert_options {
    int32_t dtype; /* F32, F16 or BF16: what floating-point tensors become; 0: as they are */
    bool dry_run;  /* fill in the report, write nothing */
    bool (*cancelled)(void *context); /* asked once per block; NULL: never */
    void *context;
};

struct convert_report {
    size_t n_tensors, n_converted, n_aliases;
    uint64_t from_bytes, to_bytes; /* of the tensors' data */
    uint64_t n_infinite;           /* finite elements that the new type cannot hold */
    size_t n_infinite_tensors;
    char infinite_tensor[256]; /* printable name of the first of these */
};

/* Writes the table's tensors to path. Names that share a tensor are written once; the others stand in the
 * metadata, {"<alias>": "<name>"}, beside {"format": "pt"}. Checksums of the source are compared first.
 * The report is added to. MODEL_CANCELLED; MODEL_CORRUPT when the source is damaged; MODEL_NOT_FOUND when it has no
 * tensor. */
model_status convert_weights(const struct tensor_table *table, const char *path,
                             const struct convert_options *options, struct convert_report *report,
                             struct model_error *err);

/* Makes the folder `to`, which must not be there, a copy of the package in the folder `from` (with its
 * metadata.json), in which each backend's weights are one model.safetensors, and no pickle is left. */
model_status convert_package(const char *from, const char *to,
                             const struct convert_options *options, struct convert_report *report,
                             struct model_error *err);

#endif
