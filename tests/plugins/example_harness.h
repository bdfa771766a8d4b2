/* example_harness.h - a host with one package made of an example's plugin (build/examples/NAME.so) and
 * the files of a model, opened and run through modelhost.h as an application would. One test, one
 * thread. */
#ifndef EXAMPLE_HARNESS_H
#define EXAMPLE_HARNESS_H

#include "modelhost.h"
#include "plugin_harness.h"

struct example {
    struct modelhost *host;
    struct modelhost_model *model;
    struct harness *reference; /* the tensors of reference.safetensors */
    char *package;
    struct model_error err;
};

/* The folder of a model of SHARED, to be freed, or NULL. */
char *example_model(const char *name);
/* The plugin with config.json and model.safetensors of `folder`, and its reference. Everything must
 * work. */
struct example example_open(const char *plugin, const char *folder);
void example_close(struct example *example);

/* A run with one input or two (the second may be NULL), whose result must be there. */
struct modelhost_result *example_run(struct example *example, const struct model_tensor *first,
                                     const struct model_tensor *second, const char *output,
                                     struct modelhost_session *session);
/* Fails unless `found` has the size of `want` and differs by at most max_abs anywhere. */
void example_assert_close(const struct model_tensor *found, const struct model_tensor *want,
                          double max_abs);
/* A view of elements [first, first + n) along the first dimension, under another name. */
struct model_tensor example_slice(const struct model_tensor *tensor, const char *name,
                                  int64_t first, int64_t n);

#endif
