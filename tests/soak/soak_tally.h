/* soak_tally.h - answers counted by model and kind, and the first wrong ones told in full. [any-thread] */
#ifndef SOAK_TALLY_H
#define SOAK_TALLY_H

#include "modelhost.h"

#include <stdatomic.h>
#include <stdbool.h>

enum soak_outcome {
    SOAK_RIGHT,
    SOAK_CACHED, /* right, and from the result cache */
    SOAK_STREAMED,
    SOAK_CANCELLED, /* as was asked for */
    SOAK_FAULT,     /* the error that the request had to meet */
    SOAK_LOADED,    /* a model opened and released in between */
    SOAK_WRONG,
    N_SOAK_OUTCOMES
};

struct soak_tally {
    atomic_ullong n[N_SOAK_OUTCOMES];
    const char *name, *where;
};

void soak_tally_count(struct soak_tally *tally, enum soak_outcome outcome);
/* Counts a wrong one and says what it was; `what`: what was wanted. */
void soak_tally_wrong(struct soak_tally *tally, const char *what, model_status status,
                      const char *message);
void soak_tally_head(void);
void soak_tally_print(const struct soak_tally *tally);

#endif
