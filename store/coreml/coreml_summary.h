/* coreml_summary.h - what a Core ML model is made of, in figures. [any-thread] */
#ifndef COREML_SUMMARY_H
#define COREML_SUMMARY_H

#include "coreml_blobs.h"
#include "coreml_model.h"

struct coreml_tally {
    const char *name; /* lives as long as the model */
    uint64_t n;
};

struct coreml_summary {
    struct coreml_tally
        *operators; /* (n_operators) layers or operations by kind, the most frequent first */
    size_t n_operators;
    uint64_t n_operations;       /* all of them, those in loops and branches once; without const */
    struct coreml_tally *dtypes; /* (n_dtypes) weights by how they are stored: their elements */
    size_t n_dtypes;
    /* A network's are its WeightParams; a program's the values in weight files, and those that stand in the
     * model with 10 elements or more, which is where writers begin to move them out. */
    uint64_t n_weights, weights_bytes;
    const char *files[COREML_MAX_BLOB_FILES]; /* (n_files) weight files, as the model calls them */
    size_t n_files;
};

model_status coreml_summarise(const struct coreml_model *model, struct coreml_summary *ret,
                              struct model_error *err);
void coreml_summary_finish(struct coreml_summary *summary);

#endif
