/* bridge_calls.h - what stands behind the functions of coreml_bridge.h: Apple's classes (coreml_*.m), or a mock. bridge_entries.c
 * calls it with arguments that are checked: no pointer is NULL but target_path and ret_error, and options and counts are whole
 * structs of this version. */
#ifndef BRIDGE_CALLS_H
#define BRIDGE_CALLS_H

#include "coreml_bridge.h"

model_status bridge_compile_model(const char *source_path, const char *target_path, char **ret_path,
                                  char **ret_error);
model_status bridge_load_model(const char *compiled_path, const struct coreml_load_options *options,
                               struct coreml_handle **ret, char **ret_error);
model_status bridge_model_schema(struct coreml_handle *model, const struct coreml_schema **ret,
                                 char **ret_error);
model_status bridge_predict(struct coreml_handle *model, const struct model_call *call,
                            struct model_error *err, char **ret_error);
void bridge_free_model(struct coreml_handle *model);
model_status bridge_plan(const char *compiled_path, const struct coreml_load_options *options,
                         struct coreml_plan_counts *ret, char **ret_error);

/* Sentences and paths that callers give back; NULL: no memory. */
char *bridge_copy_string(const char *text);
void bridge_free_string(char *text);

#endif
