/* plugin_model.h - what every plugin's model and instance begin with, created and destroyed here.
 *
 * create_model() of a plugin is one call of plugin_model_create(), with a function that reads the
 * configuration, loads the weights and describes the model. Instances are a linear_runner and
 * whatever the model keeps in scratch during a run. */
#ifndef PLUGIN_MODEL_H
#define PLUGIN_MODEL_H

#include "linear.h"

struct plugin_instance;

/* The first member of a plugin's own struct. */
struct plugin_model {
    struct model model;
    struct model_description description;
    struct kernels *kernels; /* in whose memory the struct lies */
    model_status (*run)(struct model_instance *self, const struct model_call *call,
                        struct model_error *err); /* self is a struct plugin_instance */
    /* For models whose instances hold more than a runner, else 0 and NULL: the size of the plugin's own
     * struct that begins with a plugin_instance (zeroed), what gives back what it came to hold, and
     * model_instance.keep. */
    size_t instance_bytes;
    void (*finish_instance)(struct plugin_instance *instance);
    model_status (*keep)(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err);
};

struct plugin_instance {
    struct model_instance instance;
    const struct plugin_model *model;
    struct linear_runner *runner;
};

/* Makes a struct of size_bytes, zeroed, that begins with a plugin_model, and calls build(), which
 * sets description and run. If build() fails all is given back. [create-thread] */
model_status plugin_model_create(const struct model_services *services,
                                 const struct model_create_args *args, size_t size_bytes,
                                 model_status (*build)(struct plugin_model *model,
                                                       struct model_error *err),
                                 struct model **ret, struct model_error *err);

/* Defines create_model() as that and nothing else: `type_` is the plugin's struct. */
#define PLUGIN_CREATE_MODEL(type_, build_)                                                         \
    model_status create_model(const struct model_services *services,                               \
                              const struct model_create_args *args, struct model **ret,            \
                              struct model_error *err)                                             \
    {                                                                                              \
        return plugin_model_create(services, args, sizeof(type_), build_, ret, err);               \
    }

#endif
