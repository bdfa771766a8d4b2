/* soak_client.h - threads that ask the models at random and judge every answer. */
#ifndef SOAK_CLIENT_H
#define SOAK_CLIENT_H

#include "soak_model.h"

#include <pthread.h>

/* What clients do, in parts of 100; what is left over is asked and waited for. */
struct soak_habits {
    uint32_t awaits, cancels, streams, reloads;
};

/* What all clients share; they only read it, but for `ends`. */
struct soak_world {
    struct modelhost *host;
    struct soak_models *models;
    struct soak_habits habits;
    atomic_bool ends;
};

struct soak_client {
    struct soak_world *world;
    uint64_t random;
    pthread_t thread;
};

bool soak_client_start(struct soak_client *client, struct soak_world *world, uint64_t seed);
/* Behind world->ends. */
void soak_client_join(struct soak_client *client);

/* One request that meets the model's fault; how long it took. [any-thread] */
int64_t soak_ask_for_fault(struct soak_model *model, uint64_t *random);

#endif
