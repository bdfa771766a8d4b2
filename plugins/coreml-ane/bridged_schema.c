/* bridged_schema.c - see bridged_schema.h. */
#include "bridged_schema.h"
#include "coreml_ane.h"

#include <stdio.h>
#include <string.h>

#define KIND_FLAGS                                                                                 \
    (COREML_PORT_IMAGE | COREML_PORT_BGR | COREML_PORT_HALF | COREML_PORT_PROBABILITIES)
#define TEXT_BYTES 400

/* Inputs or outputs: what the bridge says, and the file's, which may be NULL. */
struct side {
    const char *kind; /* "input", "output" */
    const struct coreml_port *ports;
    uint32_t n_ports;
    const struct coreml_model *file;
    const struct coreml_features *features; /* of the file */
};

/* ---- in words */

static const char *kind_of(const struct coreml_port *port)
{
    return (port->flags & COREML_PORT_PROBABILITIES) != 0 ? "probabilities "
           : (port->flags & COREML_PORT_HALF) != 0        ? "a float16 picture "
           : (port->flags & COREML_PORT_BGR) != 0         ? "a BGR picture "
           : (port->flags & COREML_PORT_IMAGE) != 0       ? "a picture "
                                                          : "";
}

/* "a picture F32 [1, 3, 4, 2..8]". */
static const char *describe(const struct coreml_port *port, char text[TEXT_BYTES])
{
    int n = snprintf(text, TEXT_BYTES, "%s%s [", kind_of(port),
                     port->dtype == MODEL_I32 ? "I32" : "F32");
    for (uint32_t i = 0; i < port->rank && n > 0 && n < TEXT_BYTES; i++) {
        n += snprintf(text + n, (size_t)(TEXT_BYTES - n), "%s%lld", i > 0 ? ", " : "",
                      (long long)port->min[i]);
        if (port->max[i] > port->min[i] && n < TEXT_BYTES)
            n += port->max[i] == INT64_MAX ? snprintf(text + n, (size_t)(TEXT_BYTES - n), "..")
                                           : snprintf(text + n, (size_t)(TEXT_BYTES - n), "..%lld",
                                                      (long long)port->max[i]);
    }
    if (n > 0 && n < TEXT_BYTES)
        (void)snprintf(text + n, (size_t)(TEXT_BYTES - n), "]");
    return text;
}

/* ---- by itself */

static model_status check_sizes(const struct side *side, const struct coreml_port *port,
                                struct model_error *err)
{
    for (uint32_t i = 0; i < port->rank; i++)
        if (port->min[i] < 1 || port->min[i] > port->max[i])
            return kernels_fail(err, MODEL_CORRUPT,
                                "Core ML: dimension %u of %s '%.100s' is from %lld to %lld, want 1 "
                                "or more",
                                i, side->kind, port->name, (long long)port->min[i],
                                (long long)port->max[i]);
    return MODEL_OK;
}

static model_status check_port(const struct side *side, const struct coreml_port *port,
                               struct model_error *err)
{
    const bool is_image = (port->flags & COREML_PORT_IMAGE) != 0;
    if (port->name == NULL || port->name[0] == '\0')
        return kernels_fail(err, MODEL_CORRUPT, "Core ML: an %s has no name", side->kind);
    if (port->rank == 0)
        return kernels_fail(
            err, MODEL_UNSUPPORTED,
            "Core ML: %s '%.100s' declares no sizes, want them in the model: convert "
            "it with fixed ones, or leave it to the kernels",
            side->kind, port->name);
    if (port->rank > MODEL_MAX_RANK || (port->dtype != MODEL_F32 && port->dtype != MODEL_I32) ||
        (is_image && (port->dtype != MODEL_F32 || port->rank != 4)))
        return kernels_fail(err, MODEL_CORRUPT,
                            "Core ML: %s '%.100s' is of dtype %d and has %u dimensions, want %s",
                            side->kind, port->name, (int)port->dtype, port->rank,
                            is_image ? "F32 and 4 of a picture" : "F32 or I32, and at most 8");
    return check_sizes(side, port, err);
}

/* ---- beside the file */

/* What the file says of a feature, as a bridge would; rank 0: it says no sizes. False: it is no tensor. */
static bool declared(const struct coreml_model *file, const struct coreml_feature *feature,
                     struct coreml_port *ret)
{
    struct coreml_port port = {.name = feature->name, .dtype = MODEL_F32, .rank = feature->rank};
    const uint32_t first = feature->kind == COREML_FEATURE_IMAGE ? 2 : 0;
    for (uint32_t i = 0; i < feature->rank; i++) {
        port.min[first + i] = feature->min[i];
        port.max[first + i] = feature->max[i] < 0 ? INT64_MAX : feature->max[i];
    }
    if (feature->kind == COREML_FEATURE_IMAGE) {
        const bool is_half = feature->color == COREML_GRAY_F16;
        port.rank += first;
        port.min[0] = port.max[0] = 1;
        port.min[1] = port.max[1] = is_half || feature->color == COREML_GRAY ? 1 : 3;
        port.flags = COREML_PORT_IMAGE | (is_half ? COREML_PORT_HALF : 0) |
                     (feature->color == COREML_BGR ? COREML_PORT_BGR : 0);
    } else if (feature->kind == COREML_FEATURE_DICTIONARY) {
        port.rank = file->n_labels > 0 ? 1 : 0;
        port.min[0] = port.max[0] = (int64_t)file->n_labels;
        port.flags = COREML_PORT_PROBABILITIES;
    } else if (feature->dtype == MODEL_I32)
        port.dtype = MODEL_I32;
    *ret = port;
    return first > 0 || feature->kind == COREML_FEATURE_ARRAY ||
           feature->kind == COREML_FEATURE_DICTIONARY;
}

/* Sizes that vary may vary less than the file allows. */
static bool agrees(const struct coreml_port *port, const struct coreml_port *wanted)
{
    bool fits = port->dtype == wanted->dtype && ((port->flags ^ wanted->flags) & KIND_FLAGS) == 0 &&
                (wanted->rank == 0 || wanted->rank == port->rank);
    for (uint32_t i = 0; i < wanted->rank && fits; i++)
        fits = port->min[i] >= wanted->min[i] && port->max[i] <= wanted->max[i];
    return fits;
}

static model_status compare(const struct side *side, const struct coreml_port *port,
                            struct model_error *err)
{
    const struct coreml_feature *feature = coreml_features_find(side->features, port->name);
    struct coreml_port wanted;
    char found_text[TEXT_BYTES], wanted_text[TEXT_BYTES];
    if (feature == NULL || !declared(side->file, feature, &wanted))
        return kernels_fail(err, MODEL_CORRUPT,
                            "Core ML: the schema has the %s '%.100s', which is no tensor of the "
                            "model's",
                            side->kind, port->name);
    if (agrees(port, &wanted))
        return MODEL_OK;
    return kernels_fail(err, MODEL_CORRUPT,
                        "Core ML: %s '%.100s' is %s, and the model declares %s%s", side->kind,
                        port->name, describe(port, found_text), describe(&wanted, wanted_text),
                        wanted.rank == 0 ? " of any sizes" : "");
}

static const struct coreml_port *find_port(const struct side *side, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(side->ports[i].name, name) == 0)
            return &side->ports[i];
    return NULL;
}

/* None of the file's is missing, but for what may be left out. */
static model_status check_whole(const struct side *side, struct model_error *err)
{
    for (size_t i = 0; i < side->features->n; i++) {
        const struct coreml_feature *feature = &side->features->items[i];
        if (!feature->is_optional && strcmp(feature->name, side->file->predicted_label) != 0 &&
            find_port(side, side->n_ports, feature->name) == NULL)
            return kernels_fail(err, MODEL_CORRUPT,
                                "Core ML: the schema lacks the model's %s '%.100s'", side->kind,
                                feature->name);
    }
    return MODEL_OK;
}

static model_status check_side(const struct side *side, struct model_error *err)
{
    const uint32_t n = side->n_ports;
    for (uint32_t i = 0; i < n; i++) {
        model_status status = check_port(side, &side->ports[i], err);
        if (status == MODEL_OK && find_port(side, i, side->ports[i].name) != NULL)
            status = kernels_fail(err, MODEL_CORRUPT, "Core ML: the schema has %s '%.100s' twice",
                                  side->kind, side->ports[i].name);
        if (status == MODEL_OK && side->file != NULL)
            status = compare(side, &side->ports[i], err);
        if (status != MODEL_OK)
            return status;
    }
    return side->file != NULL ? check_whole(side, err) : MODEL_OK;
}

static model_status check_count(const char *kind, const struct coreml_port *ports, uint32_t n,
                                struct model_error *err)
{
    if (n > 0 && n <= COREML_ANE_MAX_FEATURES && ports != NULL)
        return MODEL_OK;
    return kernels_fail(err, MODEL_UNSUPPORTED, "Core ML: the schema has %u %ss, want 1 to %d", n,
                        kind, COREML_ANE_MAX_FEATURES);
}

model_status bridged_check_counts(const struct coreml_schema *schema, struct model_error *err)
{
    if (schema == NULL || !MODEL_HAS(struct coreml_schema, schema, n_outputs))
        return kernels_fail(err, MODEL_CORRUPT, "Core ML: the schema is none of this version");
    const model_status status = check_count("input", schema->inputs, schema->n_inputs, err);
    return status == MODEL_OK ? check_count("output", schema->outputs, schema->n_outputs, err)
                              : status;
}

model_status bridged_check_schema(const struct coreml_schema *schema,
                                  const struct coreml_model *file, struct model_error *err)
{
    const struct side inputs = {"input", schema->inputs, schema->n_inputs, file,
                                file != NULL ? &file->inputs : NULL};
    const struct side outputs = {"output", schema->outputs, schema->n_outputs, file,
                                 file != NULL ? &file->outputs : NULL};
    const model_status status = check_side(&inputs, err);
    return status == MODEL_OK ? check_side(&outputs, err) : status;
}
