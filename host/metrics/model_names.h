/* model_names.h - what the models of a host are called in log lines and metrics: two packages never have one
 * name, so that they do not count together.
 *
 * The first package that wants a name has it as long as the host lives, also when it is closed and opened again;
 * another one gets a number behind it. Their number is bounded; what comes behind that keeps the wanted name.
 * [any-thread] */
#ifndef MODEL_NAMES_H
#define MODEL_NAMES_H

#include "modelhost.h"

#include <uv.h>

#define MODEL_NAMES_MAX       1024
#define MODEL_NAMES_MAX_BYTES 200 /* of a name */

struct model_name;

struct model_names {
    uv_mutex_t mutex; /* guards what follows */
    struct model_name *first;
    uint32_t n_names;
};

model_status model_names_init(struct model_names *names, struct model_error *err);
void model_names_finish(struct model_names *names);

/* A name that somebody wants: 1 to MODEL_NAMES_MAX_BYTES bytes without control characters. */
model_status model_names_check(const char *name, struct model_error *err);

/* The name of the package in this folder, to be freed with free(). */
model_status model_names_take(struct model_names *names, const char *wanted, const char *dir,
                              char **ret, struct model_error *err);

#endif
