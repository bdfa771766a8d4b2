/* plugin_choice.h - the plugin for a model, found on the plugin path by what its config.json says.
 * [any-thread] */
#ifndef PLUGIN_CHOICE_H
#define PLUGIN_CHOICE_H

#include "plugin_file.h"

#include <stdbool.h>

/* Looks for it. *ret_plugin is a path, or NULL when none serves the model; then *ret_advice says what
 * the model is, where was looked and what to do. Both are to be freed. package: how the user names the
 * package in "pkgmgr install". config_path NULL: the package has no config.json. */
model_status plugin_choose(const char *config_path, const char *plugin_path, const char *package,
                           char **ret_plugin, char **ret_advice, struct model_error *err);

/* The advice where plugin_choose() has refused a broken config.json, which a person knows by its name in the package
 * and not by its blob; to be freed, NULL: no memory. */
char *plugin_choice_refused(const char *config_path, const char *name,
                            const struct model_error *reason);

/* Whether the file is a plugin this version opens (MODEL_ABI_MISMATCH, MODEL_UNSUPPORTED,
 * MODEL_INVALID_ARGUMENT otherwise). */
model_status plugin_check_usable(const char *plugin, struct plugin_file *ret,
                                 struct model_error *err);

/* Whether it serves the model of this config.json: MODEL_UNSUPPORTED, naming both, when not. */
model_status plugin_check_serves(const struct plugin_file *file, const char *plugin,
                                 const char *config_path, struct model_error *err);

#endif
