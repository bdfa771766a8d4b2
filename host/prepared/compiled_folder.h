/* compiled_folder.h - <store>/compiled: what the compilers of frameworks made of models, for plugins that ask for
 * MODEL_COMPILED_MODELS (model_extensions.h). The host makes the folder, and plugins what is in it. All of it may
 * be removed at any time. [any-thread], any process */
#ifndef COMPILED_FOLDER_H
#define COMPILED_FOLDER_H

#include "modelhost.h"

#define COMPILED_FOLDER_NAME "compiled"
#define COMPILED_NONE_BYTES  1 /* compiled_max_bytes that keeps nothing */

/* Where it is, absolute, to be freed. NULL: there is no store, or nothing is to be kept. */
char *compiled_folder_path(const char *store_dir, uint64_t max_bytes);

/* Makes it, its owner's alone. MODEL_CORRUPT when it is a link, another user's, or others may write to it. */
model_status compiled_folder_make(const char *path, struct model_error *err);

#endif
