/* package_build.h - from blobs to a package: adds the plugin and model_info.json to a manifest and
 * lets the store make it visible. Used by download (all files new) and by install (one file more). */
#ifndef PACKAGE_BUILD_H
#define PACKAGE_BUILD_H

#include "log.h"
#include "store.h"

#include <stdbool.h>

struct package_wish {
    const char *
        plugin; /* copied into the store, becomes libmodel.so beside the config.json; NULL: none is added */
    const char *plugin_path; /* where it goes in the package; NULL: beside coreml_config_path() */
    const char *old_dir;     /* the package that this one replaces, or NULL */
    bool must_open;          /* weights that no host could open are MODEL_CORRUPT, not a warning */
    bool is_told;            /* that its plugin may not open the model: no warning */
};

/* The manifest lists files whose blobs the store has. staging is a folder of store_make_staging(), work
 * goes on below it; the caller ends it. *ret_dir, to be freed, is the package, which takes over all names
 * of the old one. What model_info.json cannot tell (a broken config.json, say) is a warning to the log:
 * the package is then made without it. Sentences name the package and its files, not the staging folder,
 * which is gone when they are read. */
model_status package_build(const struct store *store, const char *staging,
                           struct manifest *manifest, const struct package_wish *wish,
                           const struct log_sink *log, char **ret_dir, struct model_error *err);

/* Copies a file, hashing it on the way; syncs it. dst must not exist. */
model_status copy_file_hashed(const char *src, const char *dst, char ret_sha256[SHA256_HEX_BYTES],
                              uint64_t *ret_size_bytes, struct model_error *err);

/* The same into an open file, which is empty; dst names it. On failure it is left as it is then. */
model_status copy_hashed_into(const char *src, int fd, const char *dst,
                              char ret_sha256[SHA256_HEX_BYTES], uint64_t *ret_size_bytes,
                              struct model_error *err);

/* A small file made for the package. */
model_status package_add_text(const struct store *store, const char *staging,
                              struct manifest *manifest, const char *path, const char *text,
                              struct model_error *err);

/* The path of a manifest's file among the blobs, NULL in *ret when it lists none such; to be freed. */
model_status manifest_blob_path(const struct store *store, const struct manifest *manifest,
                                const char *path, char **ret, struct model_error *err);

/* "backends/cpu/" of the files a plugin needs beside it. */
#define PACKAGE_CONFIG_PATH "backends/cpu/config.json"
#define PACKAGE_PLUGIN_PATH "backends/cpu/" PACKAGE_PLUGIN_NAME
#define PACKAGE_INFO_PATH   "model_info.json"

#endif
