/* coreml_inspection.h - what `pkgmgr inspect` tells of a Core ML model, as JSON. [any-thread] */
#ifndef COREML_INSPECTION_H
#define COREML_INSPECTION_H

#include "coreml_listing.h"
#include "coreml_model.h"
#include "json_view.h"

/* Adds to an object: "form": "coreml", "kind", "specification_version"[, "opset", "functions"][, "parts": [{"name",
 * "kind", "inputs": [name], "outputs": [name][, "parts"]}]], "inputs", "outputs",
 * "states": [{"name", "type"[, "dtype", "shape", "min", "max", "shapes", "colors", "optional"]}], "labels" (how many),
 * "operations", "operators": {name: n}, "weights": {"count", "bytes", "dtypes": {name: elements}}, "metadata":
 * {"author", "license", "description", "version"}. */
model_status coreml_inspection_add(json_node *object, const struct coreml_model *model,
                                   struct model_error *err);

/* Those of "inputs", "outputs" and "states" that the object does not have yet. */
void coreml_inspection_add_interface(json_node *object, const struct coreml_interface *interface);

/* The same of a program that is there as text: "kind": "mlProgram text"; what its first function takes and gives. */
model_status coreml_inspection_add_listing(json_node *object, const struct coreml_listing *listing,
                                           struct model_error *err);

#endif
