/* coreml_config.h - the configuration of a package's Core ML backend, which no repository brings: made of the model.
 * Used by download and by import, before a plugin is chosen. */
#ifndef COREML_CONFIG_H
#define COREML_CONFIG_H

#include "package.h"
#include "store.h"

#define PACKAGE_COREML_FOLDER        "backends/coreml/"
#define PACKAGE_COREML_CONFIG_PATH   PACKAGE_COREML_FOLDER "config.json"
#define PACKAGE_COREML_PICTURES_PATH PACKAGE_COREML_FOLDER "preprocessor_config.json"
#define PACKAGE_COREML_PLUGIN_PATH   PACKAGE_COREML_FOLDER PACKAGE_PLUGIN_NAME

/* A repository's config.json beside Core ML models alone: no host could run a backend that is made of it. */
#define PACKAGE_PLAIN_CONFIG_PATH "config.json"

/* Adds PACKAGE_COREML_CONFIG_PATH to a manifest that has a Core ML model below PACKAGE_COREML_FOLDER and none yet:
 * "model_type": "coreml", "coreml_model": the model's path in that folder, "coreml_compiled": that of the .mlmodelc of its name if there is one, and "id2label" of a classifier; and PACKAGE_COREML_PICTURES_PATH
 * when the model takes one picture. Without labels and this when the model cannot be read: the plugin will say why. A config.json that is all of backends/cpu/ becomes
 * PACKAGE_PLAIN_CONFIG_PATH. What has no such model stays as it is. */
model_status coreml_config_add(const struct store *store, const char *staging,
                               struct manifest *manifest, struct model_error *err);
/* To be freed: that nothing but Core ML can run the package, whose only model is a compiled one; NULL: others can, or there is no
 * memory. */
char *coreml_config_note(const struct manifest *manifest);
/* PACKAGE_CONFIG_PATH, or that of Core ML when the manifest has it alone. */
const char *coreml_config_path(const struct manifest *manifest);
/* The plugin's path beside it. */
const char *coreml_plugin_path(const struct manifest *manifest);
/* What the manifest has of a repository's file that would be at `path`, also where coreml_config_add() put it; NULL:
 * nothing. */
const struct manifest_file *coreml_find_file(const struct manifest *manifest, const char *path);

#endif
