/* plugin_counters.h - what a plugin counts by names of its own (model_services.count). Belongs to a series,
 * and so outlives the model: counts never go back when it is opened again. [any-thread] */
#ifndef PLUGIN_COUNTERS_H
#define PLUGIN_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

#define PLUGIN_COUNTERS_MAX        32
#define PLUGIN_COUNTERS_NAME_BYTES 48

struct plugin_counter {
    char name[PLUGIN_COUNTERS_NAME_BYTES];
    uint64_t value;
    uint64_t pushed; /* of the value, to the one who reads the counts: StatsD, or a worker's host */
};

/* What was added to a counter. */
struct plugin_count {
    char name[PLUGIN_COUNTERS_NAME_BYTES];
    uint64_t delta;
};

struct plugin_counters {
    atomic_bool has_news; /* something was added since plugin_counters_take() */
    uv_mutex_t mutex;     /* guards what follows; entries stay, in the order of their first count */
    struct plugin_counter counters[PLUGIN_COUNTERS_MAX];
    uint32_t n_counters;
};

/* 0, or libuv's error. */
int plugin_counters_init(struct plugin_counters *counters);
void plugin_counters_finish(struct plugin_counters *counters);

/* A name that is not lower_snake_case, is too long or is one too many is not counted: it would become a
 * label. */
void plugin_counters_add(struct plugin_counters *counters, const char *name, uint64_t delta);

/* What was added under a name in all; 0: nothing was. */
uint64_t plugin_counters_value(struct plugin_counters *counters, const char *name);

/* What came since the last time, for one reader who takes it elsewhere; returns how many there are. Costs a
 * look when there is nothing. */
uint32_t plugin_counters_take(struct plugin_counters *counters,
                              struct plugin_count ret[PLUGIN_COUNTERS_MAX]);

#endif
