/* torch_file.h - a file that torch.save() wrote, as a list of named tensors. Read without executing
 * anything; see pickle_reader.h.
 *
 * The tensors are those of the dict that the file is, or, when it has none, of its member "state_dict",
 * "model_state_dict", "model" or "module". Immutable once open; reading a file that shrinks meanwhile
 * raises SIGBUS. [any-thread] */
#ifndef TORCH_FILE_H
#define TORCH_FILE_H

#include "file_map.h"
#include "torch_storages.h"

/* A second name of a tensor: the same elements of the same storage (tied weights). */
struct torch_alias {
    const char *name;
    size_t tensor; /* among the tensors */
};

struct torch_file {
    struct model_tensor
        *tensors; /* (n_tensors) in the file's order, with strides; data may lie askew */
    size_t n_tensors;
    struct torch_alias *aliases; /* (n_aliases) */
    size_t n_aliases;
    char **left_out; /* (n_left_out): "epoch (an integer)", printable */
    size_t n_left_out;
    char **names; /* (n_names), of tensors and aliases */
    size_t n_names;
    char *path;
    struct file_map map;
    struct torch_storages storages;
    struct pickle pickle;
};

/* Opens it; the tensors' data is not read. MODEL_CORRUPT: broken, or asks for more than tensors.
 * MODEL_UNSUPPORTED: no file of torch.save(), or one of a kind that is not read. */
model_status torch_file_open(const char *path, struct torch_file *ret, struct model_error *err);
/* Compares the checksums of all data. */
model_status torch_file_check(const struct torch_file *file, struct model_error *err);
void torch_file_close(struct torch_file *file);

/* The list of an open pickle, for torch_file.c and for fuzzing: fills tensors, aliases, left_out and
 * names, which torch_file_close() frees. */
model_status torch_file_collect(struct torch_file *file, const char *what, uint64_t file_bytes,
                                struct model_error *err);

#endif
