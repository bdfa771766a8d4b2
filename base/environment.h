/* environment.h - the one place of the library that reads the environment: the defaults that stand
 * behind NULL options, and what commands start from. Strings are to be freed. */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include "modelhost.h"

#include <stdbool.h>

/* MODELHOST_STORE, or $XDG_CACHE_HOME/modelhost, or ~/.cache/modelhost. */
model_status environment_store_dir(char **ret, struct model_error *err);
/* $XDG_CONFIG_HOME/modelhost, or ~/.config/modelhost: what belongs to the user, not to a store. */
model_status environment_config_dir(char **ret, struct model_error *err);
/* MODELHOST_PLUGIN_PATH, or the folder lib/modelhost/plugins of the installation: beside libmodelhost if
 * this code came from there, else beside the running command's bin/, else below the prefix that it was
 * built for. */
model_status environment_plugin_path(char **ret, struct model_error *err);
/* The modelhost command, which runs workers: in bin/ of the installation that libmodelhost is in, or beside the
 * running program, or below the prefix that it was built for (where it may be missing). */
model_status environment_worker_path(char **ret, struct model_error *err);
/* The value of a variable, NULL when it is unset or empty. Not to be freed. */
const char *environment_value(const char *name);
/* Whether a variable says yes: 1, true, yes, on, in any case. */
bool environment_flag(const char *name);
/* Whether a variable demands something for safety: anything but 0, false, no, off, in any case, does. */
bool environment_demand(const char *name);

#endif
