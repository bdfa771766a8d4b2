/* prepared_key.h - which files of prepared weights belong to a model: a digest of the plugin's file, the text of
 * config.json, the other files of the backend and the dtype. Threads, lanes, names are no part of it. Which of them is the one
 * the processor says (prepared_machine.h), and the key of the plugin's first blob for its library (prepared_folder.h). No
 * state, any thread. */
#ifndef PREPARED_KEY_H
#define PREPARED_KEY_H

#include "digest.h"
#include "modelhost.h"
#include "package.h"
#include "weights.h"

#include <stdbool.h>

struct prepared_model {
    const struct package *package;
    const char *config_text; /* (config_bytes) */
    size_t config_bytes;
    const struct weights *weights; /* NULL: none, or an archive's that are not open */
    const char *plugin_sha256;
    const struct modelhost_load_options *options;
};

/* Whether its prepared weights may be kept: only where nobody asks for more than sizes and times (verification
 * checksum, no lazy comparison, no signature), since they stand for weights that are not read then; and nothing of
 * what is encrypted, which must not come to lie on a disk. */
bool prepared_key_is_wanted(const struct package *package,
                            const struct modelhost_load_options *options);

/* Every file in the backend's folder counts, since a plugin may read any (backend_files.h): by the manifest's digest,
 * size and time of change, whatever its place; those that no manifest lists, and archives, by path, device, inode,
 * size and time. MODEL_CORRUPT: another file has the name of weights that are mapped. */
model_status prepared_key_make(const struct prepared_model *model, char ret_key[SHA256_HEX_BYTES],
                               struct model_error *err);

#endif
