/* plugin_copy.h - a private copy of a plugin's file, in memory.
 *
 * Code that is open is mapped from its file. Who writes over the file, as `cp` does, pulls it from under
 * the process; a copy keeps what was checked. [any-thread] */
#ifndef PLUGIN_COPY_H
#define PLUGIN_COPY_H

#include "buffer.h"
#include "digest.h"
#include "plugin_file.h"

#define PLUGIN_COPY_PATH_BYTES 64

/* Whether to open a copy: the file can be written over (some write bit is set; or_not: even if it cannot), is
 * not too large, and does not look for libraries beside itself ("$ORIGIN"). *ret_bytes, to be finished, holds the file and
 * ret_digest its SHA-256 when it is so. */
bool plugin_copy_wanted(const char *path, const struct plugin_file *file, bool or_not,
                        struct buffer *ret_bytes, char ret_digest[SHA256_HEX_BYTES]);
/* Whether a copy is not all that would run: it names places where libraries are (RUNPATH, a path). What comes from the
 * system's folders by a name is the system's. */
bool plugin_copy_lacks_libraries(const struct plugin_file *file);
/* What to say of a file of which a copy must be all, and is not, or that cannot be copied: MODEL_UNSUPPORTED. */
model_status plugin_copy_refuse(const char *path, const struct plugin_file *file,
                                struct model_error *err);
/* Whether a file can be copied, and the copy is all; else that. */
model_status plugin_copy_check(const char *path, struct model_error *err);
/* Whether the plugin of a signed package, which is a sealed file in memory already, is all that would run:
 * MODELHOST_UNTRUSTED. `name` is what it is called. */
model_status plugin_copy_check_signed(const char *path, const char *name, struct model_error *err);
/* A file in memory with these bytes: its descriptor, to be closed, and a path that opens it while it is
 * not; -1 where there is no such thing. */
int plugin_copy_make(const struct buffer *bytes, char ret_path[PLUGIN_COPY_PATH_BYTES]);

#endif
