/* sbom.h - what a package is made of, as an SPDX 2.3 document (ISO/IEC 5962) in JSON: the package with its origin
 * and licence, each file with SHA-1 and SHA-256. [any-thread] */
#ifndef SBOM_H
#define SBOM_H

#include "json_view.h"
#include "package.h"

/* Reads every file, and compares it with the manifest (MODEL_CORRUPT). created_s: seconds since 1970; all else
 * follows from the package, so that the same package and time give the same document.
 * MODEL_NOT_FOUND: a folder without metadata.json, which nothing is known of. Free with json_free(). */
model_status sbom_make(const struct package *package, int64_t created_s, json_node **ret,
                       struct model_error *err);

#endif
