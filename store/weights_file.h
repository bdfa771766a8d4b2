/* weights_file.h - one safetensors file, mapped and checked: a part of struct weights. */
#ifndef WEIGHTS_FILE_H
#define WEIGHTS_FILE_H

#include "archive.h"
#include "safetensors.h"

struct weights_file {
    char *path;
    struct file_map map;
    uint64_t begin;                    /* where it begins in the file that map.fd is of */
    const struct archive_entry *entry; /* in an archive; NULL: a file of its own */
    _Atomic int is_checked;            /* what was mapped lazily was compared since */
    struct safetensors header;
    uint8_t *copies; /* of tensors that lie askew in the file; usually NULL */
};

/* The file on disk, or (archive not NULL) in an archive, as package_file.h names it; there is_lazy leaves
 * the comparison with its digest to the caller. Takes path over, also on failure, and NULL for "no memory". `file` is zeros before; close it in any
 * case. MODEL_NOT_FOUND, MODEL_CORRUPT. */
model_status weights_file_open(const struct archive *archive, bool is_lazy, char *path,
                               struct weights_file *file, struct model_error *err);
void weights_file_close(struct weights_file *file);

/* A tensor of a file: what its header says, and where its data lies. */
struct weights_ref {
    const struct safetensors_entry *entry;
    const void *data; /* NULL without elements */
};

/* Its tensors into ret (header.n_entries), which live until it is closed. */
void weights_file_refs(const struct weights_file *file, struct weights_ref *ret);

#endif
