/* plugin_handle.h - a plugin's code in this process: the one place that knows dlopen. */
#ifndef PLUGIN_HANDLE_H
#define PLUGIN_HANDLE_H

#include "digest.h"
#include "log.h"
#include "plugin_file.h"

#include <stdbool.h>

struct plugin_handle {
    struct plugin_file file; /* what its note and symbol table said */
    model_create_function create_model;
    char sha256
        [SHA256_HEX_BYTES]; /* of what was opened, if the gate wants it or a copy was; else "" */
};

/* What happens before a line of a plugin's code runs. */
typedef model_status (*plugin_barrier)(struct model_error *err);
struct plugin_gate {
    /* Whether it may come in, with the SHA-256 of what will be opened; NULL: it may. */
    model_status (*admit)(void *context, const char *path, const char *sha256,
                          struct model_error *err);
    void *context;
    /* When the file is checked and copied; where that fails nothing is opened. May be done more than once;
     * NULL: nothing. */
    plugin_barrier barrier;
    /* Only what can be copied is opened, so that nothing that was not asked for runs: MODEL_UNSUPPORTED for a file
     * that is opened in place. */
    bool only_copies;
    bool wants_digest; /* in plugin_handle.sha256 */
};

/* Reads the file's note, checks version and exports, and only then opens it (RTLD_NOW | RTLD_LOCAL).
 * The code stays mapped for the life of the process: thread-local destructors and OpenMP crash when
 * their code is unmapped. What was opened stays what it is when its file is replaced or written over, and
 * the next call takes the new file. (A file without write permission, with libraries beside it or above
 * 64 MB is opened in place: it can be replaced by renaming only, and is MODEL_CORRUPT when it was written
 * over while it is open. Debuggers and profilers find such a file by its path.) */
model_status plugin_handle_open(const char *path, const struct log_sink *log,
                                struct plugin_handle *ret, struct model_error *err);
/* The same through a gate; its error when that lets nobody in. Where somebody is asked a copy is opened of read-only
 * files, too, so that what was asked for is what runs; of a file that is opened in place only as far as its
 * time of change tells, and behind its constructors. */
model_status plugin_handle_open_if(const char *path, const struct log_sink *log,
                                   const struct plugin_gate *gate, struct plugin_handle *ret,
                                   struct model_error *err);

#endif
