/* plugin_path.h - finding a plugin for an architecture in the folders of the plugin path.
 *
 * The path is folders separated by ':'. Files lib*.so (lib*.dylib) are looked at, in the order of the
 * folders and then of the names. */
#ifndef PLUGIN_PATH_H
#define PLUGIN_PATH_H

#include "plugin_file.h"

/* One candidate that was looked at. */
struct plugin_candidate {
    const char *path;
    model_status status;            /* MODEL_OK: could be opened */
    const char *reason;             /* the sentence, when it could not */
    const struct plugin_file *file; /* NULL when it could not be read */
};

/* Calls visit() for each candidate until it returns false. Folders that are not there are skipped. */
model_status plugin_path_visit(const char *plugin_path,
                               bool (*visit)(void *context,
                                             const struct plugin_candidate *candidate),
                               void *context, struct model_error *err);

/* The first usable plugin that serves one of the architectures; *ret_path is the caller's to free.
 * MODEL_NOT_FOUND: "no plugin for 'xyz' in <path>". */
model_status plugin_path_find(const char *plugin_path, const char *const *architectures,
                              size_t n_architectures, char **ret_path, struct model_error *err);

#endif
