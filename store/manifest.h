/* manifest.h - metadata.json of a package: where it came from and every file with its size and digest.
 *
 *   {"format_version":1, "id":"google-bert/bert-base-uncased", "requested_id":"bert-base-uncased",
 *    "requested_revision":"main", "revision":"86b5e0...", "endpoint":"https://...",
 *    "created":"2026-11-21T09:00:00Z",
 *    "files":[{"path":"backends/cpu/model.safetensors","source":"model.safetensors",
 *              "size":440449768,"sha256":"..."}]}
 *
 * Read as hostile: versions, sizes, digests, and paths (path_is_safe(), none twice) are checked. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "digest.h"

#include <stdbool.h>

#define MANIFEST_FORMAT_VERSION 1
#define MANIFEST_MAX_FILES      100000
#define MANIFEST_MAX_BYTES      (64u << 20)

struct manifest_file {
    char *path;   /* in the package */
    char *source; /* in the repository, or NULL for what was made here (plugin, model_info.json) */
    uint64_t size_bytes;
    char sha256[SHA256_HEX_BYTES];
};

struct manifest {
    char *id;                    /* "ns/name" or "name": the hub's canonical id */
    char *requested_id;          /* as the user asked */
    char *requested_revision;    /* "main" */
    char *revision;              /* the resolved commit */
    char *endpoint;              /* where from; "" when made locally */
    char *created;               /* UTC, "YYYY-MM-DDTHH:MM:SSZ" */
    struct manifest_file *files; /* (n_files), ordered by path */
    size_t n_files;
};

model_status manifest_parse(const char *text, size_t size_bytes, const char *what,
                            struct manifest *ret, struct model_error *err);
/* Reads <package>/metadata.json. MODEL_NOT_FOUND when there is none, MODEL_CORRUPT when
 * it is no regular file. */
model_status manifest_read(const char *package_dir, struct manifest *ret, struct model_error *err);
/* Adds or replaces a file's entry, keeping the order. source may be NULL. */
model_status manifest_add(struct manifest *manifest, const char *path, const char *source,
                          uint64_t size_bytes, const char *sha256, struct model_error *err);
const struct manifest_file *manifest_find(const struct manifest *manifest, const char *path);
/* JSON text, to be freed; NULL without memory. */
char *manifest_print(const struct manifest *manifest);
/* SHA-256 over id, revision and the files' paths, sizes and digests: names the package. Two commits with
 * equal files are two packages that share their blobs. */
model_status manifest_digest(const struct manifest *manifest, char ret_hex[SHA256_HEX_BYTES],
                             struct model_error *err);
/* Whether it is the manifest that a folder of the store is named by. */
bool manifest_names_folder(const struct manifest *manifest, const char *dir);
/* How files of it that are damaged are had again, as in "...; download it again with --force". */
const char *manifest_remedy(const struct manifest *manifest);
void manifest_finish(struct manifest *manifest);

#endif
