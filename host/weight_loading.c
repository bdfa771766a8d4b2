/* weight_loading.c - see weight_loading.h. Pages of a mapping are given back to the system without asking:
 * who still reads them gets them again from the file. */
#include "weight_loading.h"
#include "errors.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t mapped_bytes(const struct weights *weights)
{
    uint64_t total = 0;
    for (size_t i = 0; i < weights_n_files(weights); i++)
        total += weights_file(weights, i, NULL).size_bytes;
    return total;
}

static uint64_t window_bytes(const struct weight_loading *loading)
{
    const uint64_t share = loading->budget_bytes / 4;
    return share > 0 && share < WEIGHT_WINDOW_BYTES ? share : WEIGHT_WINDOW_BYTES;
}

static model_status refuse(const char *what, uint64_t needed, uint64_t budget, const char *advice,
                           struct model_error *err)
{
    return error_set(err, MODEL_OUT_OF_MEMORY, "%s %llu bytes, memory_budget_bytes is %llu; %s",
                     what, (unsigned long long)needed, (unsigned long long)budget, advice);
}

static bool is_weights(const char *path)
{
    static const char suffix[] = ".safetensors";
    const size_t n = strlen(path), n_suffix = sizeof suffix - 1;
    return n > n_suffix && strcmp(path + n - n_suffix, suffix) == 0;
}

model_status weight_loading_check_package(const struct package *package,
                                          const struct modelhost_load_options *options,
                                          struct model_error *err)
{
    uint64_t total = 0;
    if (package->archive == NULL || options->memory_budget_bytes == 0)
        return MODEL_OK;
    const struct archive_index *index = archive_index(package->archive);
    for (size_t i = 0; i < index->n_entries; i++) {
        const struct archive_entry *entry = &index->entries[i];
        if (!archive_is_in_place(entry) && is_weights(entry->path))
            total += entry->size_bytes;
    }
    return total <= options->memory_budget_bytes
               ? MODEL_OK
               : refuse("the archive's weights are compressed or encrypted and unpack to", total,
                        options->memory_budget_bytes, "pack them as they are, or allow more", err);
}

/* ---- eager */

static void touch(const struct file_map *map)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const volatile uint8_t *data = map->data;
    for (size_t at = 0; at < map->size_bytes; at += page)
        (void)data[at];
}

static void take_all(const struct weights *weights, const struct log_sink *log)
{
    for (size_t i = 0; i < weights_n_files(weights); i++) {
        const char *path = NULL;
        const struct file_map map = weights_file(weights, i, &path);
        if (map.size_bytes == 0)
            continue;
        if (mlock(map.data, map.size_bytes) != 0) {
            log_write(log, MODEL_LOG_INFO,
                      "%s is read, but not locked in memory: the limit of locked memory is too "
                      "small (ulimit -l)",
                      path);
            (void)madvise((void *)(uintptr_t)map.data, map.size_bytes, MADV_WILLNEED);
        }
        touch(&map);
    }
}

/* ---- the life of one */

model_status weight_loading_init(struct weight_loading *loading, const struct weights *weights,
                                 const struct modelhost_load_options *options,
                                 const struct log_sink *log, struct model_error *err)
{
    loading->mode = options->loading;
    loading->budget_bytes = options->memory_budget_bytes;
    loading->status = MODEL_OK;
    loading->weights = weights;
    if (weights == NULL)
        return MODEL_OK;
    if (pthread_mutex_init(&loading->mutex, NULL) != 0)
        return error_no_memory(err, "a model");
    loading->has_mutex = 1;
    const uint64_t weights_bytes = mapped_bytes(weights);
    if (loading->budget_bytes > 0 && loading->mode != MODELHOST_STREAMING &&
        weights_bytes > loading->budget_bytes)
        return refuse("the weights have", weights_bytes, loading->budget_bytes,
                      "load them with loading streaming, or allow more", err);
    if (loading->mode == MODELHOST_EAGER)
        take_all(weights, log);
    return MODEL_OK;
}

void weight_loading_finish(struct weight_loading *loading)
{
    if (loading->has_mutex)
        (void)pthread_mutex_destroy(&loading->mutex);
    loading->has_mutex = 0;
}

/* Under the mutex. */
static void drop_oldest(struct weight_loading *loading)
{
    const struct model_tensor *view = &loading->recent[loading->first_recent];
    weights_discard(loading->weights, view);
    loading->recent_bytes -= view->size_bytes;
    loading->first_recent = (loading->first_recent + 1) % WEIGHT_WINDOW_VIEWS;
    loading->n_recent--;
}

/* Under the mutex. What was asked for before is read by now, or is read again. */
static void add_recent(struct weight_loading *loading, const struct model_tensor *view)
{
    while (loading->n_recent > 0 &&
           (loading->n_recent == WEIGHT_WINDOW_VIEWS ||
            loading->recent_bytes + view->size_bytes > window_bytes(loading)))
        drop_oldest(loading);
    const size_t at = (loading->first_recent + loading->n_recent++) % WEIGHT_WINDOW_VIEWS;
    loading->recent[at] = *view;
    loading->recent_bytes += view->size_bytes;
}

model_status weight_loading_use(struct weight_loading *loading, const struct model_tensor *view)
{
    model_status status = MODEL_OK;
    if (loading->weights == NULL)
        return MODEL_OK;
    if (loading->mode == MODELHOST_LAZY) {
        struct model_error err = MODEL_ERROR_INIT;
        status = weights_check(loading->weights, view, &err);
        (void)pthread_mutex_lock(&loading->mutex);
        if (status != MODEL_OK && loading->status == MODEL_OK) {
            loading->status = status;
            loading->err = err;
        }
        (void)pthread_mutex_unlock(&loading->mutex);
    } else if (loading->mode == MODELHOST_STREAMING) {
        (void)pthread_mutex_lock(&loading->mutex);
        add_recent(loading, view);
        (void)pthread_mutex_unlock(&loading->mutex);
    }
    return status;
}

void weight_loading_rest(struct weight_loading *loading)
{
    if (loading->weights == NULL || loading->mode != MODELHOST_STREAMING)
        return;
    for (size_t i = 0; i < weights_n_files(loading->weights); i++) {
        const struct file_map map = weights_file(loading->weights, i, NULL);
        file_map_discard(&map, map.data, map.size_bytes);
    }
}

model_status weight_loading_check_instance(const struct model_description *description,
                                           struct model_error *err)
{
    const long n_pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    if (n_pages <= 0 || page_bytes <= 0) /* it does not say */
        return MODEL_OK;
    const uint64_t physical = (uint64_t)n_pages * (uint64_t)page_bytes;
    return description->instance_bytes <= physical
               ? MODEL_OK
               : error_set(err, MODEL_OUT_OF_MEMORY,
                           "a run of the model takes %llu bytes, this machine has %llu; run it on "
                           "one with more, or make a model of smaller inputs",
                           (unsigned long long)description->instance_bytes,
                           (unsigned long long)physical);
}

model_status weight_loading_check(struct weight_loading *loading,
                                  const struct model_description *description,
                                  struct model_error *err)
{
    if (loading->status != MODEL_OK)
        return error_set(err, loading->status, "%s", loading->err.message);
    if (loading->budget_bytes == 0)
        return MODEL_OK;
    uint64_t needed = description->memory_bytes + description->instance_bytes;
    if (loading->weights != NULL && loading->mode == MODELHOST_EAGER)
        needed += mapped_bytes(loading->weights);
    if (loading->weights != NULL && loading->mode == MODELHOST_STREAMING)
        needed += window_bytes(loading);
    return needed <= loading->budget_bytes
               ? MODEL_OK
               : refuse("the model takes", needed, loading->budget_bytes, "allow more", err);
}
