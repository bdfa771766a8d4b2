/* plugin_probe.h - what a package's plugin says of its model, asked by opening it once. The only place
 * of the packager that runs a plugin. */
#ifndef PLUGIN_PROBE_H
#define PLUGIN_PROBE_H

#include "json_view.h"
#include "package.h"

/* The content of model_info.json for an open package: with the plugin's own description (task, inputs,
 * outputs, memory) when it has a plugin that opens the model, without it otherwise; why the plugin does
 * not is in *ret_refusal then. Blocks while the weights are prepared. */
model_status plugin_probe_info(const struct package *package, json_node **ret,
                               struct model_error *ret_refusal, struct model_error *err);

#endif
