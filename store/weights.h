/* weights.h - the weights of a model as one table of named views, whether they lie in one
 * model.safetensors or in shards listed by model.safetensors.index.json.
 *
 * The files are mapped and checked once; the table is immutable and may be read by any thread; views
 * live until weights_destroy(). In an index every name must be in the shard that it says, in no other,
 * and every tensor of a shard must be listed; shard names are safe relative names. */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include "archive.h"

#include <stdbool.h>

#define WEIGHTS_SINGLE_NAME "model.safetensors"

struct weights;

/* Opens the weights of a folder: model.safetensors, or the index and its shards; where both are there
 * the single file, as Hugging Face transformers does. MODEL_NOT_FOUND: the
 * folder has neither (and says which pickles it has instead). MODEL_CORRUPT: a broken file, a missing
 * shard, an index that does not fit its shards. Data that the file does not align to its element's size
 * is copied, all other views are of the mapping. */
model_status weights_open(const char *folder, struct weights **ret, struct model_error *err);
/* The same for a folder of an archive, which must live as long, as package_file.h names it; NULL: on disk.
 * is_lazy: contents that are mapped from an archive are compared with their digests by weights_check(),
 * which whoever uses a view calls first. */
model_status weights_open_from(const struct archive *archive, const char *folder, bool is_lazy,
                               struct weights **ret, struct model_error *err);
/* Compares the file that a view is of with its digest, if that was left for later; once. */
model_status weights_check(const struct weights *weights, const struct model_tensor *view,
                           struct model_error *err);
/* One file of any name (`run --inputs`). */
model_status weights_open_file(const char *path, struct weights **ret, struct model_error *err);
void weights_destroy(struct weights *weights);
/* Whether a folder has both the single file and an index, which is then not read. */
bool weights_has_both(const struct archive *archive, const char *folder);

size_t weights_count(const struct weights *weights);
/* The receiver's struct_size is set by the caller, and is kept: the fields within it are filled in.
 * One below the layout of 1.0 is left alone.
 * Ordered by name. */
void weights_at(const struct weights *weights, size_t index, struct model_tensor *ret);
/* MODEL_NOT_FOUND, and MODEL_INVALID_ARGUMENT for a receiver that is too small, without a sentence. */
model_status weights_find(const struct weights *weights, const char *name,
                          struct model_tensor *ret);
/* The place of a name that there is, for weights_at(). */
size_t weights_index(const struct weights *weights, const char *name);
/* Gives the pages behind a view back until they are read again. */
void weights_discard(const struct weights *weights, const struct model_tensor *view);

/* The mapped files, for the guard against files that shrink. */
size_t weights_n_files(const struct weights *weights);
struct file_map weights_file(const struct weights *weights, size_t index, const char **ret_path);

#endif
