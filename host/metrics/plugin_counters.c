/* plugin_counters.c - see plugin_counters.h. */
#include "plugin_counters.h"

#include <stdbool.h>
#include <string.h>

static bool is_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    const size_t length = strnlen(name, PLUGIN_COUNTERS_NAME_BYTES);
    return length > 0 && length < PLUGIN_COUNTERS_NAME_BYTES && strspn(name, allowed) == length;
}

int plugin_counters_init(struct plugin_counters *counters)
{
    counters->n_counters = 0;
    atomic_init(&counters->has_news, false);
    return uv_mutex_init(&counters->mutex);
}

void plugin_counters_finish(struct plugin_counters *counters)
{
    uv_mutex_destroy(&counters->mutex);
}

void plugin_counters_add(struct plugin_counters *counters, const char *name, uint64_t delta)
{
    if (name == NULL || !is_name(name))
        return;
    uv_mutex_lock(&counters->mutex);
    uint32_t i = 0;
    while (i < counters->n_counters && strcmp(counters->counters[i].name, name) != 0)
        i++;
    if (i == counters->n_counters && i < PLUGIN_COUNTERS_MAX) {
        struct plugin_counter *counter = &counters->counters[counters->n_counters++];
        memset(counter, 0, sizeof *counter);
        memcpy(counter->name, name, strlen(name));
    }
    if (i < counters->n_counters) {
        counters->counters[i].value += delta;
        atomic_store(&counters->has_news, true);
    }
    uv_mutex_unlock(&counters->mutex);
}

uint64_t plugin_counters_value(struct plugin_counters *counters, const char *name)
{
    uint64_t value = 0;
    uv_mutex_lock(&counters->mutex);
    for (uint32_t i = 0; i < counters->n_counters; i++)
        if (strcmp(counters->counters[i].name, name) == 0)
            value = counters->counters[i].value;
    uv_mutex_unlock(&counters->mutex);
    return value;
}

uint32_t plugin_counters_take(struct plugin_counters *counters,
                              struct plugin_count ret[PLUGIN_COUNTERS_MAX])
{
    uint32_t n = 0;
    if (!atomic_load_explicit(&counters->has_news, memory_order_relaxed))
        return 0;
    uv_mutex_lock(&counters->mutex);
    atomic_store(&counters->has_news, false);
    for (uint32_t i = 0; i < counters->n_counters; i++) {
        struct plugin_counter *counter = &counters->counters[i];
        if (counter->value == counter->pushed)
            continue;
        memcpy(ret[n].name, counter->name, sizeof ret[n].name);
        ret[n++].delta = counter->value - counter->pushed;
        counter->pushed = counter->value;
    }
    uv_mutex_unlock(&counters->mutex);
    return n;
}
