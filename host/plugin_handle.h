/* plugin_handle.h - a plugin's code in this process: the one place that knows dlopen. */
#ifndef PLUGIN_HANDLE_H
#define PLUGIN_HANDLE_H

#include "log.h"
#include "plugin_file.h"

struct plugin_handle {
    struct plugin_file file; /* what its note and symbol table said */
    model_create_function create_model;
};

/* Reads the file's note, checks version and exports, and only then opens it (RTLD_NOW | RTLD_LOCAL).
 * The code stays mapped for the life of the process: thread-local destructors and OpenMP crash when
 * their code is unmapped. What was opened stays what it is when its file is replaced or written over, and
 * the next call takes the new file. (A file without write permission, with libraries beside it or above
 * 64 MB is opened in place: it can be replaced by renaming only, and is MODEL_CORRUPT when it was written
 * over while it is open. Debuggers and profilers find such a file by its path.) */
model_status plugin_handle_open(const char *path, const struct log_sink *log,
                                struct plugin_handle *ret, struct model_error *err);

/* The same, with something to do when the file is checked and copied and before a line of it runs (NULL: nothing);
 * where that fails nothing is opened. It may be done more than once. */
typedef model_status (*plugin_barrier)(struct model_error *err);
model_status plugin_handle_open_behind(plugin_barrier barrier, const char *path,
                                       const struct log_sink *log, struct plugin_handle *ret,
                                       struct model_error *err);

#endif
