/* test_disk_queue.c - jobs on threads of a queue; what waits, waits on a latch, never on time. */
#include "testing.h"

#include "disk_queue.h"

#include <semaphore.h>
#include <stdatomic.h>

struct counted {
    struct disk_job job;
    sem_t *gate; /* waited for, if there */
    atomic_int *n_run;
};

static void count(struct disk_job *job)
{
    const struct counted *counted = job->owner;
    if (counted->gate != NULL)
        (void)sem_wait(counted->gate);
    atomic_fetch_add(counted->n_run, 1);
}

static void post(void *context)
{
    (void)sem_post(context);
}

static void every_job_runs_once_and_is_told(void **state)
{
    static struct counted jobs[100];
    struct disk_queue *queue = NULL;
    atomic_int n_run = 0;
    sem_t woken;
    size_t n_taken = 0;
    (void)state;
    assert_int_equal(sem_init(&woken, 0, 0), 0);
    assert_int_equal(disk_queue_create(3, post, &woken, &queue, NULL), MODEL_OK);
    for (size_t i = 0; i < 100; i++) {
        jobs[i] = (struct counted){{.run = count}, NULL, &n_run};
        jobs[i].job.owner = &jobs[i];
        disk_queue_push(queue, &jobs[i].job);
    }
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(sem_wait(&woken), 0);
    while (disk_queue_take(queue) != NULL)
        n_taken++;
    assert_int_equal(n_taken, 100);
    assert_int_equal(n_run, 100);
    disk_queue_destroy(queue);
    sem_destroy(&woken);
}

static void draining_waits_for_what_runs(void **state)
{
    struct counted jobs[2];
    struct disk_queue *queue = NULL;
    atomic_int n_run = 0;
    sem_t gate;
    (void)state;
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(disk_queue_create(1, NULL, NULL, &queue, NULL), MODEL_OK);
    for (size_t i = 0; i < 2; i++) {
        jobs[i] = (struct counted){{.run = count}, &gate, &n_run};
        jobs[i].job.owner = &jobs[i];
        disk_queue_push(queue, &jobs[i].job);
    }
    assert_null(disk_queue_take(queue));
    (void)sem_post(&gate);
    (void)sem_post(&gate);
    disk_queue_drain(queue);
    assert_int_equal(n_run, 2);
    assert_ptr_equal(disk_queue_take(queue), &jobs[0].job);
    assert_ptr_equal(disk_queue_take(queue), &jobs[1].job);
    disk_queue_destroy(queue);
    sem_destroy(&gate);
}

static void without_threads_pushing_runs_the_job(void **state)
{
    struct disk_queue *queue = NULL;
    atomic_int n_run = 0;
    struct counted counted = {{.run = count}, NULL, &n_run};
    (void)state;
    counted.job.owner = &counted;
    assert_int_equal(disk_queue_create(0, NULL, NULL, &queue, NULL), MODEL_OK);
    disk_queue_push(queue, &counted.job);
    assert_int_equal(n_run, 1);
    assert_ptr_equal(disk_queue_take(queue), &counted.job);
    disk_queue_destroy(queue);
    disk_queue_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_once_and_is_told),
        cmocka_unit_test(draining_waits_for_what_runs),
        cmocka_unit_test(without_threads_pushing_runs_the_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
