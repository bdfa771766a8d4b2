/* loaded_model.h - a package opened with its plugin: what struct modelhost_model is.
 *
 * Reference-counted: its user holds one reference, each request another. All plugin code of creating and
 * destroying runs on a thread of its own, never on the application's. */
#ifndef LOADED_MODEL_H
#define LOADED_MODEL_H

#include "package.h"
#include "page_guard.h"
#include "plugin_handle.h"
#include "services.h"

#include <stdatomic.h>

struct image_pipeline;
struct text_pipeline;

struct modelhost_model {
    _Atomic uint32_t references;
    struct modelhost *host;
    const struct log_sink *log;
    struct package package;
    char *plugin_path;
    struct plugin_handle plugin;
    char *config_text;
    size_t config_bytes;
    json_node *config;
    struct weights *weights;    /* NULL: none in the package */
    struct page_guard **guards; /* (n_guards), one for each mapped file */
    size_t n_guards;
    struct services services;
    uint32_t lanes;
    struct model *model;
    char *description_json;
    int64_t load_ns;

    uv_mutex_t mutex; /* guards what follows */
    int has_mutex;
    struct model_instance **idle; /* (lanes) instances that nobody runs */
    uint32_t n_idle;
    struct text_pipeline *pipeline;        /* made at the first text */
    struct image_pipeline *image_pipeline; /* made at the first image */
};

/* Opens a package folder. plugin_path: where to look when the package brings no plugin. */
model_status loaded_model_create(struct modelhost *host, const struct log_sink *log,
                                 const char *package_dir, const char *plugin_path, uint32_t lanes,
                                 uint32_t threads, struct modelhost_model **ret,
                                 struct model_error *err);
void loaded_model_retain(struct modelhost_model *model);
/* The last one destroys it. */
void loaded_model_drop(struct modelhost_model *model);

/* An instance for one call; made when none is idle. [lane-thread] */
model_status loaded_model_take_instance(struct modelhost_model *model, struct model_instance **ret,
                                        struct model_error *err);
void loaded_model_return_instance(struct modelhost_model *model, struct model_instance *instance);

/* MODEL_CORRUPT when a weights file shrank under its mapping. */
model_status loaded_model_check_files(const struct modelhost_model *model, struct model_error *err);

/* The image pipeline of the model, made once. [any-thread] */
model_status loaded_model_image_pipeline(struct modelhost_model *model, struct image_pipeline **ret,
                                         struct model_error *err);

/* The text pipeline of the model, made once. [any-thread] */
model_status loaded_model_pipeline(struct modelhost_model *model, struct text_pipeline **ret,
                                   struct model_error *err);

#endif
