/* coreml_model.h - a Core ML model, read and checked: a .mlmodel file, or a .mlpackage folder by its manifest.
 *
 *   coreml_model_open(path, &model, err);               on disk, or
 *   coreml_model_open_from(files, name, &model, err);   out of what a host has
 *   model->network (layers; coreml_network.h) or model->program (operations; coreml_program.h)
 *   coreml_model_close(model);
 *
 * Every pointer that is reached from a struct coreml_model lives until coreml_model_close(); nothing of it
 * is written to after opening, so any thread may read. Weights of an ML Program are views of the weight files,
 * those of a network into the model's own memory: after closing, neither is there, but for views of a host's files. Names are UTF-8, never NULL. What
 * the file leaves out is 0, NULL or "".
 *
 * Follows Apple's published Core ML format (Model.proto and the containers around it). */
#ifndef COREML_MODEL_H
#define COREML_MODEL_H

#include "coreml_message.h"
#include "coreml_network.h"
#include "coreml_program.h"
#include "model_extensions.h"

#define COREML_MAX_VERSION 10 /* specificationVersion: the newest that is known */

enum coreml_feature_kind {
    COREML_FEATURE_NONE = 0, /* the file does not say */
    COREML_FEATURE_INT64,
    COREML_FEATURE_DOUBLE,
    COREML_FEATURE_STRING,
    COREML_FEATURE_IMAGE,
    COREML_FEATURE_ARRAY,
    COREML_FEATURE_DICTIONARY,
    COREML_FEATURE_SEQUENCE,
    COREML_FEATURE_STATE /* of an array */
};

enum coreml_color {
    COREML_COLOR_NONE = 0,
    COREML_GRAY = 10,
    COREML_RGB = 20,
    COREML_BGR = 30,
    COREML_GRAY_F16 = 40
};

struct coreml_feature {
    const char *name, *description;
    enum coreml_feature_kind kind;
    bool is_optional;
    bool is_flexible; /* min and max say between what; of single permitted shapes the hull */
    int32_t dtype; /* of an array: MODEL_F32, MODEL_F64, MODEL_F16, MODEL_I32, MODEL_I8; else 0 */
    enum coreml_color color;       /* of an image */
    uint32_t rank;                 /* of an image 2; an array may have no shape: 0 */
    int64_t shape[MODEL_MAX_RANK]; /* of an image [height, width] */
    int64_t min[MODEL_MAX_RANK], max[MODEL_MAX_RANK]; /* max -1: no bound */
    /* (n_permitted, rank): the only shapes that there may be; n_permitted 0: all between min and max */
    const int64_t *permitted;
    size_t n_permitted;
    const coreml_message *type; /* "FeatureType": what else is to be known */
};

struct coreml_features {
    const struct coreml_feature *items; /* (n) */
    size_t n;
};

struct coreml_model {
    const char *path;    /* of the model file, or what it was called */
    uint64_t size_bytes; /* of that file, of which a copy stays until closing */
    int32_t version;     /* specificationVersion */
    const char
        *kind; /* "neuralNetworkClassifier", "mlProgram", "pipeline": the format's own words */
    struct coreml_features inputs, outputs, states;
    const char *predicted_label, *predicted_probabilities; /* names of outputs; "" */
    const char *default_function;                          /* of an ML Program */
    const char *author, *license, *description, *model_version;
    const coreml_message *metadata; /* "Metadata" with userDefined; NULL */
    /* Class labels: of a classifier network, or of a program's classify operation. Numbers are printed. */
    const char *const *labels; /* (n_labels) */
    size_t n_labels;
    bool labels_are_numbers;
    const struct coreml_network *network; /* one of these, or none for a kind that is only named */
    const struct coreml_program *program;
    /* Of a pipeline: models whose features go on by name, from the first to the last. Its labels are those of the last
     * part that has any. */
    const struct coreml_model *parts; /* (n_parts) */
    size_t n_parts;
    const char *part_name; /* of a part; "" */
};

/* MODEL_NOT_FOUND; MODEL_CORRUPT: "<path>: ..."; MODEL_UNSUPPORTED: a compiled model (.mlmodelc), a version over
 * COREML_MAX_VERSION, too large. Missing weight files are no error yet: coreml_value_view() says it. */
model_status coreml_model_open(const char *path, struct coreml_model **ret,
                               struct model_error *err);
/* The same without weight files, which are not looked at: weights in them are known by their types alone. */
model_status coreml_model_open_bare(const char *path, struct coreml_model **ret,
                                    struct model_error *err);
/* The same out of a host's files, which live longer than the model; `name` is one of theirs. In create_model(). */
model_status coreml_model_open_from(const struct model_backend_files *files, const char *name,
                                    struct coreml_model **ret, struct model_error *err);
/* The same of bytes in memory, without weight files; `what` names them. The bytes may go afterwards. */
model_status coreml_model_parse(const uint8_t *data, size_t size_bytes, const char *what,
                                struct coreml_model **ret, struct model_error *err);
void coreml_model_close(struct coreml_model *model);
/* Gives the pages of a view of a weight file back until they are read again; does nothing for other memory. */
void coreml_model_discard(const struct coreml_model *model, const void *data, size_t size_bytes);
/* Whether it is a view of a weight file that lives longer than the model: of a host. */
bool coreml_model_is_outlived(const struct coreml_model *model, const void *data,
                              size_t size_bytes);

/* Names and sizes as one line, "image[192,192] mask[1,1..512]", -1 where there is no bound; to be freed. NULL: no memory,
 * or more than a megabyte. */
char *coreml_features_line(const struct coreml_features *features);

/* By exact name; NULL. */
const struct coreml_feature *coreml_features_find(const struct coreml_features *features,
                                                  const char *name);

#endif
