/* package_json.h - a package as the commands print it with --json. [any-thread] */
#ifndef PACKAGE_JSON_H
#define PACKAGE_JSON_H

#include "json_view.h"
#include "package.h"

/* Adds "files": [{"path","size","sha256"}] (empty without a manifest). */
void package_json_add_files(json_node *object, const struct package *package);

/* Adds "plugin": {"name","version","abi","architectures","sha256","path"}, or null. */
void package_json_add_plugin(json_node *object, const struct package *package);

/* All of it: path, id, revision, requested_revision, created, endpoint, size, files, plugin,
 * model_info. NULL without memory. */
json_node *package_json(const struct package *package);

#endif
