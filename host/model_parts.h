/* model_parts.h - what a model was opened from, as digests: by them a process tells that it opened what another
 * one looked at. No state, any thread. */
#ifndef MODEL_PARTS_H
#define MODEL_PARTS_H

#include "digest.h"

#include <stdbool.h>

struct archive;
struct weights;

struct model_parts {
    char plugin[SHA256_HEX_BYTES]; /* SHA-256 of the plugin's file; "": any will do */
    char files[SHA256_HEX_BYTES];  /* of config.json, and of which other files there are; "": any */
    char manifest
        [SHA256_HEX_BYTES]; /* of metadata.json, whose signature was verified; "": none was wanted */
};

#define MODEL_PARTS_BYTES (3 * (SHA256_HEX_BYTES - 1)) /* as text without an end */

/* Makes `files`: the text of config.json as it was read, and of each weights file that is open (weights NULL: there
 * are none) and of every other file in `backend_dir` its path, device, inode, size and time of change; of a package in
 * one file, those of the archive; of a folder that is used as it was signed, config.json alone: the digest of its
 * manifest pins the rest. They are too large to be read for this. */
model_status model_parts_of_files(const char *config_text, size_t config_bytes,
                                  const char *backend_dir, const struct archive *archive,
                                  const struct weights *weights, char ret_files[SHA256_HEX_BYTES],
                                  struct model_error *err);

/* MODEL_CORRUPT, with what to do, unless `files` of `backend_dir` is the one that is wanted. */
model_status model_parts_check_files(const struct model_parts *wanted, const char *files,
                                     const char *backend_dir, struct model_error *err);
/* The same for the digest of a plugin. */
model_status model_parts_check_plugin(const struct model_parts *wanted, const char *sha256,
                                      const char *plugin_path, struct model_error *err);

/* As they cross to another process: MODEL_PARTS_BYTES, and back. False: that is none. */
void model_parts_write(const struct model_parts *parts, char ret[MODEL_PARTS_BYTES]);
bool model_parts_read(const void *bytes, size_t size_bytes, struct model_parts *ret);

#endif
