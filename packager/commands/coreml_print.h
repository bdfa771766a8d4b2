/* coreml_print.h - `pkgmgr inspect` of Core ML models. Main thread only. */
#ifndef COREML_PRINT_H
#define COREML_PRINT_H

#include "archive.h"
#include "buffer.h"
#include "json_view.h"

/* Reads the model at path, of an archive or NULL, and adds what it is to an object (coreml_inspection.h). */
model_status coreml_describe(json_node *root, const struct archive *archive, const char *path,
                             struct model_error *err);
/* The text for people, of such an object. */
void coreml_text_of(const json_node *root, struct buffer *ret);

#endif
