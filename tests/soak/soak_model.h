/* soak_model.h - the models of a soak, what they are asked, and what the right answers are.
 *
 * A folder chaos-MODE is a package of examples/chaos with rate 0.1 and a seed: its numbers decide whether a
 * request meets the fault, here (soak_chaos.c) as in the plugin, and otherwise 2 * input + 1 is right. Other
 * packages get made-up inputs, a text and a prompt, and their first answer, given alone in this process, is
 * the right one. Models belong to main(); clients only read them and count. */
#ifndef SOAK_MODEL_H
#define SOAK_MODEL_H

#include "soak_tally.h"

#define SOAK_MAX_MODELS 64
#define SOAK_MAX_INPUTS 8
#define SOAK_MAX_CASES  8

enum soak_form { SOAK_TENSORS, SOAK_TEXT, SOAK_GENERATION };

struct soak_case {
    enum soak_form form;
    uint32_t n_inputs;
    struct model_tensor inputs[SOAK_MAX_INPUTS];
    const struct model_tensor *pointers[SOAK_MAX_INPUTS];
    char *text;      /* a prompt, for SOAK_GENERATION */
    uint64_t digest; /* of the right answer */
    char *streamed;  /* what a stream of it gives, as one text */
};

/* What a mode of chaos comes to. */
struct soak_fault {
    const char *mode;
    bool in_process; /* the mode is survived there */
    model_status status;
    const char *sentence; /* is in the error; NULL: not looked at */
    int64_t timeout_ms;   /* of the requests that meet the fault; 0: none */
    uint64_t worker_memory_bytes;
};

struct soak_model {
    char *name, *folder;
    const struct soak_fault *fault; /* NULL: no package of chaos */
    struct modelhost_load_options options;
    struct modelhost_model *model;
    struct soak_case cases[SOAK_MAX_CASES];
    uint32_t n_cases;
    bool owns_cases; /* the same package in a worker has them, too */
    struct soak_tally tally;
};

struct soak_models {
    struct soak_model list[SOAK_MAX_MODELS];
    uint32_t n;
};

/* Loads what the folder holds: modes of chaos if their names are in `modes` (NULL: all) and the others with
 * with_others; in this process where that is safe, and in workers. Says what is wrong on stderr. */
bool soak_models_load(struct soak_models *models, struct modelhost *host, const char *folder,
                      const char *const *modes, bool with_others);
/* Releases the models, keeps the counts. */
void soak_models_release(struct soak_models *models);
void soak_models_free(struct soak_models *models);

/* NULL: no package of chaos, or one of a mode that is not known. */
const struct soak_fault *soak_fault_find(const char *folder_name);
/* Whether a request with these numbers meets the fault. */
bool soak_is_doomed(const float *values, size_t n);
bool soak_chaos_is_right(const struct modelhost_result *result, const float *values, size_t n);

/* Tensors that the model takes, made up; false: it wants what cannot be made up. To be freed in either case. The
 * names are the model's, and the pointers into the case, which stays where it is. */
bool soak_case_make(const struct modelhost_model *model, uint32_t variant, struct soak_case *ret);
void soak_case_free(struct soak_case *asked);

/* Of all that the result holds. */
uint64_t soak_digest(const struct modelhost_result *result);
/* The call of a case, waited for. *ret_result is set on success. `streamed` NULL: not streamed; else
 * what comes is put together there, at most streamed_bytes - 1. */
model_status soak_ask(struct modelhost_model *model, const struct soak_case *asked, char *streamed,
                      size_t streamed_bytes, struct modelhost_result **ret_result,
                      struct model_error *err);

#endif
