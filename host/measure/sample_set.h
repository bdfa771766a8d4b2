/* sample_set.h - inputs that a model is asked with to see how accurate it is: from texts, pictures or tensors, or made from
 * its description. Owns copies of everything. One thread. */
#ifndef SAMPLE_SET_H
#define SAMPLE_SET_H

#include "loaded_model.h"
#include "made_inputs.h"

#define SAMPLE_SET_MAX 1024

struct sample_set {
    struct made_inputs *samples[SAMPLE_SET_MAX]; /* (n) */
    size_t n, max;      /* more than max (up to SAMPLE_SET_MAX) are left out */
    const char *source; /* accuracy_report.inputs */
    bool is_text;       /* each is one sequence of tokens of a real text, without padding */
};

/* A text in pieces of at most n_tokens tokens, as far as the model takes them, special ones included. MODEL_NOT_FOUND: the
 * package has no tokenizer; MODEL_UNSUPPORTED: the model takes no ids; MODEL_INVALID_ARGUMENT: a text without tokens. */
model_status sample_set_add_text(struct sample_set *set, struct modelhost_model *model,
                                 const char *text, size_t text_bytes, int64_t n_tokens,
                                 struct model_error *err);
/* Pictures through the package's preprocessor_config.json. */
model_status sample_set_add_images(struct sample_set *set, struct modelhost_model *model,
                                   const struct modelhost_image *images, uint32_t n_images,
                                   struct model_error *err);
/* The tensors of a safetensors file that have the names of the model's inputs. MODEL_INVALID_ARGUMENT: not all that are
 * wanted, or of other shapes. */
model_status sample_set_add_tensors(struct sample_set *set, const struct modelhost_model *model,
                                    const char *path, struct model_error *err);
/* n with n_tokens tokens, or a picture of the usual size. */
model_status sample_set_add_made(struct sample_set *set, const struct modelhost_model *model,
                                 size_t n, int64_t n_tokens, struct model_error *err);
void sample_set_finish(struct sample_set *set);

#endif
