/* weight_loading.h - when weights become memory: the loading modes of a model (enum modelhost_loading), and
 * its memory budget.
 *
 *   mapped     pages are read when they are used, and the system may take them back
 *   eager      all are read at once, and locked where the process may do that
 *   streaming  what was asked for longest ago is given back, so that about WEIGHT_WINDOW_BYTES and the tensor
 *              that is read stay; everything after each call
 *   lazy       a file of an archive is compared with its digest when the first of its tensors is asked for */
#ifndef WEIGHT_LOADING_H
#define WEIGHT_LOADING_H

#include "log.h"
#include "package.h"
#include "weights.h"

#include <pthread.h>

#define WEIGHT_WINDOW_BYTES (64u << 20)
#define WEIGHT_WINDOW_VIEWS 64

struct weight_loading {
    const struct weights *weights; /* NULL: none, and nothing is done */
    int32_t mode;                  /* enum modelhost_loading */
    uint64_t budget_bytes;         /* 0: none */
    pthread_mutex_t mutex;         /* guards what follows */
    int has_mutex;
    struct model_tensor recent[WEIGHT_WINDOW_VIEWS]; /* a ring: (n_recent) from first_recent on */
    size_t first_recent, n_recent;
    uint64_t recent_bytes;
    model_status status; /* of the first comparison that failed, with its sentence */
    struct model_error err;
};

/* Before the weights are opened: what would be unpacked into memory fits the budget. */
model_status weight_loading_check_package(const struct package *package,
                                          const struct modelhost_load_options *options,
                                          struct model_error *err);
/* Begins: `loading` is all zero. Weights that are larger than the budget are MODEL_OUT_OF_MEMORY, with both
 * numbers; streaming needs the window only. */
model_status weight_loading_init(struct weight_loading *loading, const struct weights *weights,
                                 const struct modelhost_load_options *options,
                                 const struct log_sink *log, struct model_error *err);
void weight_loading_finish(struct weight_loading *loading);

/* A view is handed to the plugin. MODEL_CORRUPT, kept in status. [any-thread] */
model_status weight_loading_use(struct weight_loading *loading, const struct model_tensor *view);
/* Nobody reads for now. [any-thread] */
void weight_loading_rest(struct weight_loading *loading);
/* Before an instance is made, whose memory each run fills: this machine has as much. A model of a few bytes may say that
 * it computes with any number of values. */
model_status weight_loading_check_instance(const struct model_description *description,
                                           struct model_error *err);
/* Once the model is made: what failed meanwhile, and whether what it says it takes fits the budget. */
model_status weight_loading_check(struct weight_loading *loading,
                                  const struct model_description *description,
                                  struct model_error *err);

#endif
