/* disk_queue.h - threads that do what takes long on a disk (syncing, hashing), while the network goes on.
 * Jobs start in the order they come. One thread owns the queue: it pushes and takes. */
#ifndef DISK_QUEUE_H
#define DISK_QUEUE_H

#include "modelhost.h"

struct disk_job {
    void (*run)(struct disk_job *job); /* on a thread of the queue */
    void *owner;                       /* the job's maker's */
    struct disk_job *next;             /* the queue's */
};

struct disk_queue;

/* wake() is called after each job, by the thread that ran it; may be NULL. n_threads 0: disk_queue_push()
 * runs the job itself, which makes tests repeatable. */
model_status disk_queue_create(unsigned n_threads, void (*wake)(void *context), void *context,
                               struct disk_queue **ret, struct model_error *err);
/* Waits for what is running; what has not started does not. */
void disk_queue_destroy(struct disk_queue *queue);

/* The job must stay where it is until it is taken. */
void disk_queue_push(struct disk_queue *queue, struct disk_job *job);
/* A job that has run, or NULL. */
struct disk_job *disk_queue_take(struct disk_queue *queue);
/* Waits until all that was pushed has run; they are still to be taken. */
void disk_queue_drain(struct disk_queue *queue);

#endif
