/* chaos.h - a plugin that misbehaves as its config.json says: the model, and the table of what it does
 * wrong. See README.md. */
#ifndef CHAOS_H
#define CHAOS_H

#include "model_abi.h"

#include <pthread.h>

/* Where it goes wrong. */
enum chaos_place { IN_RUN, IN_CREATE, IN_CREATE_INSTANCE, IN_DESTROY, IN_KEEP, N_PLACES };

struct chaos_mode;

struct chaos_model {
    struct model base; /* first */
    const struct model_services *services;
    const struct chaos_mode *mode;
    int64_t argument; /* behind the mode's colon, else the mode's usual one */
    enum chaos_place place;
    double rate; /* of the runs that go wrong, 0 to 1 */
    uint64_t seed;
    int has_seed;
    int64_t limit_mb; /* of what oom takes */
    uint32_t n_runs;  /* atomic */
    struct model_description description;
    struct model_tensor_spec output;
    const struct model_tensor_spec *outputs[1];
};

struct chaos_instance {
    struct model_instance base; /* first */
    struct chaos_model *model;
    /* late-emit: a thread that emits behind run(), joined by the next run and by destroy() */
    const struct model_stream_sink *late_sink;
    pthread_t late_thread;
    int has_late_thread;
};

/* What a fault is done to. `instance` and `call` are NULL outside of run(). */
struct chaos_scene {
    struct chaos_model *model;
    struct chaos_instance *instance;
    const struct model_call *call;
};

struct chaos_mode {
    const char *name;
    int64_t usual_argument; /* NO_ARGUMENT: the mode takes none */
    /* Instead of the answer of run(), or, with is_before, ahead of whatever the place does anyway. */
    model_status (*fault)(const struct chaos_scene *scene, struct model_error *err);
    int is_before;
};

#define NO_ARGUMENT (-1)

/* By the name before a colon; NULL: there is no such mode. */
const struct chaos_mode *chaos_mode_find(const char *text);
/* All names with commas between them. */
void chaos_mode_list(char *ret, size_t ret_bytes);

/* The right answer: output = 2 * input + 1. */
model_status chaos_answer(const struct model_call *call, struct model_error *err);
/* Writes the sentence and returns the status. */
model_status chaos_fail(struct model_error *err, model_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Waits for the thread of late-emit, if there is one. */
void chaos_join_late(struct chaos_instance *instance);

#endif
