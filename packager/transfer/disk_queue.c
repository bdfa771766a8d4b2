/* disk_queue.c - see disk_queue.h. */
#include "disk_queue.h"
#include "errors.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define MAX_THREADS 16

struct job_list {
    struct disk_job *first, **end;
};

struct disk_queue {
    pthread_mutex_t lock; /* guards all below but the threads */
    pthread_cond_t changed;
    struct job_list waiting, ended;
    size_t n_running;
    bool is_closing;
    void (*wake)(void *context);
    void *context;
    pthread_t threads[MAX_THREADS]; /* (n_threads) */
    unsigned n_threads;
};

static void append(struct job_list *list, struct disk_job *job)
{
    job->next = NULL;
    *list->end = job;
    list->end = &job->next;
}

static struct disk_job *take_first(struct job_list *list)
{
    struct disk_job *job = list->first;
    if (job != NULL && (list->first = job->next) == NULL)
        list->end = &list->first;
    return job;
}

static void *work(void *context)
{
    struct disk_queue *queue = context;
    (void)pthread_mutex_lock(&queue->lock);
    for (;;) {
        while (queue->waiting.first == NULL && !queue->is_closing)
            (void)pthread_cond_wait(&queue->changed, &queue->lock);
        if (queue->is_closing)
            break;
        struct disk_job *job = take_first(&queue->waiting);
        queue->n_running++;
        (void)pthread_mutex_unlock(&queue->lock);
        job->run(job);
        (void)pthread_mutex_lock(&queue->lock);
        queue->n_running--;
        append(&queue->ended, job);
        (void)pthread_cond_broadcast(&queue->changed);
        if (queue->wake != NULL)
            queue->wake(queue->context);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return NULL;
}

model_status disk_queue_create(unsigned n_threads, void (*wake)(void *context), void *context,
                               struct disk_queue **ret, struct model_error *err)
{
    struct disk_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return error_no_memory(err, "the queue of disk work");
    queue->wake = wake;
    queue->context = context;
    queue->waiting.end = &queue->waiting.first;
    queue->ended.end = &queue->ended.first;
    (void)pthread_mutex_init(&queue->lock, NULL);
    (void)pthread_cond_init(&queue->changed, NULL);
    while (queue->n_threads < n_threads && queue->n_threads < MAX_THREADS &&
           pthread_create(&queue->threads[queue->n_threads], NULL, work, queue) == 0)
        queue->n_threads++; /* with fewer, or none, it takes longer */
    *ret = queue;
    return MODEL_OK;
}

void disk_queue_destroy(struct disk_queue *queue)
{
    if (queue == NULL)
        return;
    (void)pthread_mutex_lock(&queue->lock);
    queue->is_closing = true;
    (void)pthread_cond_broadcast(&queue->changed);
    (void)pthread_mutex_unlock(&queue->lock);
    for (unsigned i = 0; i < queue->n_threads; i++)
        (void)pthread_join(queue->threads[i], NULL);
    (void)pthread_cond_destroy(&queue->changed);
    (void)pthread_mutex_destroy(&queue->lock);
    free(queue);
}

void disk_queue_push(struct disk_queue *queue, struct disk_job *job)
{
    if (queue->n_threads == 0)
        job->run(job);
    (void)pthread_mutex_lock(&queue->lock);
    append(queue->n_threads == 0 ? &queue->ended : &queue->waiting, job);
    (void)pthread_cond_broadcast(&queue->changed);
    (void)pthread_mutex_unlock(&queue->lock);
}

struct disk_job *disk_queue_take(struct disk_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    struct disk_job *job = take_first(&queue->ended);
    (void)pthread_mutex_unlock(&queue->lock);
    return job;
}

void disk_queue_drain(struct disk_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    while (queue->waiting.first != NULL || queue->n_running > 0)
        (void)pthread_cond_wait(&queue->changed, &queue->lock);
    (void)pthread_mutex_unlock(&queue->lock);
}
