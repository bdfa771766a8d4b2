/* file_cache.h - the system's cache of files, as a cold start would find it. [any-thread] */
#ifndef FILE_CACHE_H
#define FILE_CACHE_H

#include "loaded_model.h"

/* The files that a model's weights come from: those of the package, or the archive, and the prepared ones. */
struct model_files {
    char **paths; /* (n), owned */
    size_t n;
};

/* MODEL_OUT_OF_MEMORY. Finish what was listed. */
model_status model_files_list(const struct modelhost_model *model, struct model_files *ret,
                              struct model_error *err);
void model_files_finish(struct model_files *files);
/* Has the system forget what it keeps of them, as far as it follows the advice and nobody has them mapped. What is not
 * there any more is left out. */
void model_files_drop_cache(const struct model_files *files);

#endif
