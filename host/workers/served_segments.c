/* served_segments.c - see served_segments.h. */
#include "served_segments.h"
#include "errors.h"

model_status served_segments_init(struct served_segments *segments, struct model_error *err)
{
    *segments = (struct served_segments){.closed = false};
    if (uv_mutex_init(&segments->mutex) != 0)
        return error_no_memory(err, "an instance");
    if (uv_cond_init(&segments->added) != 0) {
        uv_mutex_destroy(&segments->mutex);
        return error_no_memory(err, "an instance");
    }
    return MODEL_OK;
}

void served_segments_finish(struct served_segments *segments)
{
    for (size_t i = 0; i < SERVED_MAX_SEGMENTS; i++)
        worker_segment_drop(segments->items[i].segment);
    uv_cond_destroy(&segments->added);
    uv_mutex_destroy(&segments->mutex);
}

model_status served_segments_add(struct served_segments *segments, uint32_t id,
                                 struct worker_segment *segment, struct model_error *err)
{
    size_t i = 0;
    uv_mutex_lock(&segments->mutex);
    while (i < SERVED_MAX_SEGMENTS && segments->items[i].segment != NULL)
        i++;
    if (i < SERVED_MAX_SEGMENTS) {
        segments->items[i].segment = segment;
        segments->items[i].id = id;
        uv_cond_broadcast(&segments->added);
    }
    uv_mutex_unlock(&segments->mutex);
    if (i < SERVED_MAX_SEGMENTS)
        return MODEL_OK;
    worker_segment_drop(segment);
    return error_set(err, MODEL_CORRUPT, "the host shares more than %d segments with an instance",
                     SERVED_MAX_SEGMENTS);
}

/* Under the mutex. */
static struct worker_segment **find(struct served_segments *segments, uint32_t id)
{
    for (size_t i = 0; i < SERVED_MAX_SEGMENTS; i++)
        if (segments->items[i].segment != NULL && segments->items[i].id == id)
            return &segments->items[i].segment;
    return NULL;
}

void served_segments_remove(struct served_segments *segments, uint32_t id)
{
    uv_mutex_lock(&segments->mutex);
    struct worker_segment **place = find(segments, id);
    struct worker_segment *segment = place != NULL ? *place : NULL;
    if (place != NULL)
        *place = NULL;
    uv_mutex_unlock(&segments->mutex);
    worker_segment_drop(segment);
}

void served_segments_settle(struct served_segments *segments)
{
    /* Nothing is to be done under it: whoever removes a segment takes it later, and so sees all that came before. */
    uv_mutex_lock(&segments->mutex);
    uv_mutex_unlock(&segments->mutex);
}

struct worker_segment *served_segments_wait(struct served_segments *segments, uint32_t id)
{
    struct worker_segment **place = NULL;
    uv_mutex_lock(&segments->mutex);
    while ((place = find(segments, id)) == NULL && !segments->closed)
        uv_cond_wait(&segments->added, &segments->mutex);
    struct worker_segment *segment = place != NULL ? *place : NULL;
    uv_mutex_unlock(&segments->mutex);
    return segment;
}

void served_segments_close(struct served_segments *segments)
{
    uv_mutex_lock(&segments->mutex);
    segments->closed = true;
    uv_cond_broadcast(&segments->added);
    uv_mutex_unlock(&segments->mutex);
}
