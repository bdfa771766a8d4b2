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
 * their code is unmapped. A file that took the place of one that is open is opened beside it;
 * MODEL_CORRUPT for one that was written over while it is open. */
model_status plugin_handle_open(const char *path, const struct log_sink *log,
                                struct plugin_handle *ret, struct model_error *err);

#endif
