/* compiled_model.c - see compiled_model.h. */
#include "compiled_model.h"
#include "coreml_model.h"
#include "model_extensions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

model_status bridge_error(const struct coreml_bridge *bridge, model_status status, char *text,
                          struct model_error *err)
{
    const model_status result = kernels_fail(err, status, "Core ML: %.800s",
                                             text != NULL ? text : "failed and did not say why");
    bridge->free_string(text);
    return result;
}

/* "<error>; <what becomes of it>" */
static void warn(const struct compiled_model *compiled, const struct model_error *err,
                 const char *what)
{
    char line[MODEL_ERROR_BYTES];
    (void)snprintf(line, sizeof line, "%.900s; %s", err->message, what);
    compiled->services->log(compiled->services->context, MODEL_LOG_WARN, line);
}

/* ---- compiling */

/* target NULL: into a folder of the system's. */
static model_status run_compiler(struct compiled_model *compiled, const char *target,
                                 char **ret_path, struct model_error *err)
{
    char *text = NULL;
    compiled->compiler = compiled->bridge->compile_model(compiled->source, target, ret_path, &text);
    return compiled->compiler == MODEL_OK
               ? MODEL_OK
               : bridge_error(compiled->bridge, compiled->compiler, text, err);
}

static model_status compile(void *context, const char *target, struct model_error *err)
{
    struct compiled_model *compiled = context;
    char *path = NULL;
    const model_status status = run_compiler(compiled, target, &path, err);
    compiled->bridge->free_string(path);
    return status;
}

static model_status compile_unkept(struct compiled_model *compiled, struct model_error *err)
{
    char *path = NULL;
    const model_status status = run_compiler(compiled, NULL, &path, err);
    if (status != MODEL_OK)
        return status;
    compiled->path = path != NULL ? strdup(path) : NULL;
    compiled->is_temporary = true;
    compiled->bridge->free_string(path);
    return compiled->path != NULL ? MODEL_OK : kernels_no_memory(err, "a path");
}

/* A folder that is full or may not be written to costs time, not the model. */
static model_status compile_kept(struct compiled_model *compiled, struct model_error *err)
{
    compiled->compiler = MODEL_OK;
    const model_status status = coreml_cache_get(&compiled->cache, compiled->key, compile, compiled,
                                                 &compiled->path, NULL, err);
    if (status == MODEL_OK || (compiled->compiler != MODEL_OK && compiled->compiler != MODEL_IO))
        return status;
    warn(compiled, err, "the compiled model is not kept");
    compiled->cache.folder = NULL;
    return compile_unkept(compiled, err);
}

/* ---- the key */

static model_status read_system(char *platform, size_t platform_bytes, char *build,
                                size_t build_bytes, struct model_error *err)
{
    struct utsname system;
    if (uname(&system) != 0)
        return kernels_fail(err, MODEL_IO, "the system does not say what it is");
    (void)snprintf(platform, platform_bytes, "%s %s", system.sysname, system.machine);
    (void)snprintf(build, build_bytes, "%s", system.version);
#ifdef __APPLE__
    size_t size_bytes = build_bytes;
    if (sysctlbyname("kern.osversion", build, &size_bytes, NULL, 0) != 0)
        return kernels_fail(err, MODEL_IO, "the system does not say its build");
#endif
    return MODEL_OK;
}

static model_status make_key(struct compiled_model *compiled, const struct coreml_model *file,
                             const char *units, const char *precision, struct model_error *err)
{
    char platform[2 * sizeof(struct utsname) + 2], build[sizeof(struct utsname)];
    model_status status = read_system(platform, sizeof platform, build, sizeof build, err);
    if (status != MODEL_OK)
        return status;
    char *shapes = coreml_features_line(&file->inputs);
    if (shapes == NULL)
        return kernels_no_memory(err, "the sizes of the model's inputs");
    const struct coreml_cache_facts facts = {platform, build, units, precision, shapes};
    status = coreml_cache_key(compiled->source, &facts, compiled->key, err);
    free(shapes);
    return status;
}

/* ---- public */

model_status compiled_model_init(struct compiled_model *compiled,
                                 const struct model_services *services,
                                 const struct coreml_bridge *bridge, const char *source,
                                 const struct coreml_model *file, const char *units,
                                 const char *precision, struct model_error *err)
{
    const struct model_compiled_models *kept =
        services->get_extension(services->context, MODEL_COMPILED_MODELS);
    *compiled = (struct compiled_model){.services = services, .bridge = bridge, .source = source};
    if (kept == NULL || !MODEL_HAS(struct model_compiled_models, kept, max_bytes))
        return compile_unkept(compiled, err);
    compiled->cache = (struct coreml_cache){kept->folder, kept->max_bytes};
    if (make_key(compiled, file, units, precision, err) == MODEL_OK)
        return compile_kept(compiled, err);
    warn(compiled, err, "so what is compiled of the model is not kept");
    compiled->cache.folder = NULL;
    return compile_unkept(compiled, err);
}

model_status compiled_model_again(struct compiled_model *compiled, model_status status,
                                  struct model_error *err)
{
    if (compiled->cache.folder == NULL || status != MODEL_CORRUPT)
        return status;
    warn(compiled, err, "the compiled model that is kept goes, and it is compiled once more");
    free(compiled->path);
    compiled->path = NULL;
    const model_status removed = coreml_cache_remove(&compiled->cache, compiled->key, err);
    return removed == MODEL_OK ? compile_kept(compiled, err) : removed;
}

void compiled_model_finish(struct compiled_model *compiled)
{
    struct model_error err = {.struct_size = sizeof err};
    if (compiled->is_temporary && compiled->path != NULL &&
        coreml_compiled_remove(compiled->path, &err) != MODEL_OK)
        warn(compiled, &err, "what was compiled of the model without a cache is left behind");
    free(compiled->path);
    *compiled = (struct compiled_model){.path = NULL};
}
