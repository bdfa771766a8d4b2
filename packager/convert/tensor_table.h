/* tensor_table.h - the tensors of a file or folder, whatever form they lie in: safetensors (one file, or an
 * index and shards) or what torch.save() wrote (likewise). Read by inspect, diff and convert.
 *
 * Immutable once open. Tensors live until it is closed; they may have any strides and lie askew
 * (tensor_blocks.h reads such). A file that shrinks meanwhile raises SIGBUS where it is read. [any-thread] */
#ifndef TENSOR_TABLE_H
#define TENSOR_TABLE_H

#include "torch_file.h"
#include "weights.h"

#define TORCH_SINGLE_NAME "pytorch_model.bin"
#define TORCH_INDEX_NAME  "pytorch_model.bin.index.json"

/* A second name of a tensor (tied weights). */
struct tensor_alias {
    const char *name;
    const char *of;
};

struct tensor_table {
    struct model_tensor *tensors; /* (n_tensors), by name */
    size_t n_tensors;
    struct tensor_alias *aliases; /* (n_aliases), by name */
    size_t n_aliases;
    const char *form; /* "safetensors" or "torch" */
    char *path;
    /* what it is made of */
    struct weights *weights;
    struct torch_file *files; /* (n_files) */
    size_t n_files;
};

/* A file (by its first bytes, and *.index.json), or a folder with model.safetensors, its index,
 * pytorch_model.bin or its index, the first that is there. MODEL_NOT_FOUND, MODEL_CORRUPT,
 * MODEL_UNSUPPORTED. */
model_status tensor_table_open(const char *path, struct tensor_table *ret, struct model_error *err);
/* A folder of an archive, which must live as long, as package_file.h names it: safetensors only. What is mapped
 * from the archive is not compared with its digest. archive NULL: as above. */
model_status tensor_table_open_from(const struct archive *archive, const char *path,
                                    struct tensor_table *ret, struct model_error *err);
/* Compares what checksums there are with all data. */
model_status tensor_table_check(const struct tensor_table *table, struct model_error *err);
/* Gives the pages of a tensor's data back to the system. */
void tensor_table_discard(const struct tensor_table *table, const struct model_tensor *tensor);
/* NULL when there is none of this name. */
const struct model_tensor *tensor_table_find(const struct tensor_table *table, const char *name);
/* Bytes of all tensors written out. */
uint64_t tensor_table_bytes(const struct tensor_table *table);
/* Whether the file begins like one of torch.save(), or like another pickle. */
bool tensor_file_is_torch(const char *path);
void tensor_table_close(struct tensor_table *table);

#endif
