/* encoding_scratch.h - what encoding a text needs on the way; kept in the struct encoding so that the
 * next text finds it warm. */
#ifndef ENCODING_SCRATCH_H
#define ENCODING_SCRATCH_H

#include "pipeline.h"

struct encoding_scratch {
    struct normalized_text text;
    struct normalized_text spare;                         /* between two steps of normalisation */
    struct normalized_text rewritten[PIPELINE_MAX_STEPS]; /* by pre-tokenizers that change text */
    struct pattern_memory pattern;
    struct model_scratch model;
    struct token_list lists[2]; /* of the text and of its pair */
};

#endif
