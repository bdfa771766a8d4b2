/* coreml_disk.h - a Core ML model's files on disk, as a host's MODEL_BACKEND_FILES gives those of a package; names are
 * paths. Nothing guards them against somebody who cuts one. One owner. */
#ifndef COREML_DISK_H
#define COREML_DISK_H

#include "coreml_blobs.h"
#include "file_map.h"

#define COREML_DISK_MAX_FILES                                                                      \
    (COREML_MAX_BLOB_FILES + 3) /* model, manifest, a name of a compiled one */

struct coreml_disk {
    struct model_backend_files files; /* its context is this struct, which must not move */
    struct file_map maps[COREML_DISK_MAX_FILES];
    size_t n_maps;
};

void coreml_disk_init(struct coreml_disk *disk);
/* One that is all zero does nothing. */
void coreml_disk_finish(struct coreml_disk *disk);

#endif
