/* model_key.h - what a loaded model was made of, as a name: two loads of one key give the same model. No
 * state, any thread. */
#ifndef MODEL_KEY_H
#define MODEL_KEY_H

#include "digest.h"
#include "modelhost.h"

/* A digest of the package's folder, the content of its metadata.json, the options (complete, but for
 * `backend`, which may be NULL), and of the package's files and the plugins on the plugin path as far as a
 * look at their folders tells them apart: name, device, inode, size, time of change. What has been
 * replaced has another key. Where accuracy reports decide about the dtype, those of the store (NULL: there is none) are part
 * of it, all of them: whose they are is known when a model is open. */
model_status model_key_make(const char *package_dir, const char *plugin_path, const char *store_dir,
                            const char *backend, const struct modelhost_load_options *options,
                            char ret_key[SHA256_HEX_BYTES], struct model_error *err);

#endif
