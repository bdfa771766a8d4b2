/* plugin_install.h - puts a plugin into a package. */
#ifndef PLUGIN_INSTALL_H
#define PLUGIN_INSTALL_H

#include "package_locate.h"
#include "plugin_file.h"

#include "log.h"

/* Checks the plugin (note, version, exports) and that it serves the package's model (unless force),
 * then installs it. A package of the store is never changed: a new version of it takes its place, and
 * *ret_dir, to be freed, is that one. A plain folder gets it by one rename. It goes to
 * backends/cpu/, or to backends/coreml/ when the config.json there is what it serves.
 * store is needed for a package of the store only. */
model_status plugin_install(const struct store *store, const struct package_place *place,
                            const char *plugin, bool force, const struct log_sink *log,
                            char **ret_dir, struct plugin_file *ret_file, struct model_error *err);

#endif
