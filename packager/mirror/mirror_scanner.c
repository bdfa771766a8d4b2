/* mirror_scanner.c - see mirror_scanner.h.
 *
 * A few threads, because one may be busy for minutes with a large repository while a small one is asked
 * for. `mutex` guards orders, finished and is_closing. */
#include "mirror_scanner.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#define N_THREADS 3

struct mirror_scanner {
    uv_thread_t threads[N_THREADS];
    unsigned n_threads;
    uv_mutex_t mutex;
    uv_cond_t ordered;
    uv_async_t async; /* tells the loop that something finished */
    struct mirror_scan *orders, **last_order;
    struct mirror_scan *finished, **last_finished;
    bool is_closing;
    atomic_bool stop;
    const struct log_sink *log;
    void (*on_closed)(void *context);
    void *on_closed_context;
};

static void append(struct mirror_scan ***last, struct mirror_scan *scan)
{
    scan->next = NULL;
    **last = scan;
    *last = &scan->next;
}

static struct mirror_scan *next_order(struct mirror_scanner *scanner)
{
    uv_mutex_lock(&scanner->mutex);
    while (scanner->orders == NULL && !scanner->is_closing)
        uv_cond_wait(&scanner->ordered, &scanner->mutex);
    struct mirror_scan *scan = scanner->is_closing ? NULL : scanner->orders;
    if (scan != NULL) {
        scanner->orders = scan->next;
        if (scanner->orders == NULL)
            scanner->last_order = &scanner->orders;
    }
    uv_mutex_unlock(&scanner->mutex);
    return scan;
}

static void work(void *argument)
{
    struct mirror_scanner *scanner = argument;
    struct mirror_scan *scan;
    while ((scan = next_order(scanner)) != NULL) {
        if (scan->run != NULL)
            scan->run(scan, &scanner->stop);
        else
            scan->status =
                mirror_snapshot_create(scan->root, scan->folder, scan->previous, &scanner->stop,
                                       scanner->log, &scan->snapshot, &scan->err);
        uv_mutex_lock(&scanner->mutex);
        append(&scanner->last_finished, scan);
        uv_mutex_unlock(&scanner->mutex);
        (void)uv_async_send(&scanner->async);
    }
}

static void deliver(struct mirror_scan *scan)
{
    for (struct mirror_scan *next; scan != NULL; scan = next) {
        next = scan->next;
        scan->done(scan);
    }
}

static void on_finished(uv_async_t *async)
{
    struct mirror_scanner *scanner = async->data;
    uv_mutex_lock(&scanner->mutex);
    struct mirror_scan *finished = scanner->finished;
    scanner->finished = NULL;
    scanner->last_finished = &scanner->finished;
    uv_mutex_unlock(&scanner->mutex);
    deliver(finished);
}

static void stop_threads(struct mirror_scanner *scanner)
{
    atomic_store(&scanner->stop, true);
    uv_mutex_lock(&scanner->mutex);
    scanner->is_closing = true;
    uv_cond_broadcast(&scanner->ordered);
    uv_mutex_unlock(&scanner->mutex);
    for (unsigned i = 0; i < scanner->n_threads; i++)
        (void)uv_thread_join(&scanner->threads[i]);
}

static void on_async_closed(uv_handle_t *handle)
{
    struct mirror_scanner *scanner = handle->data;
    void (*on_closed)(void *) = scanner->on_closed;
    void *context = scanner->on_closed_context;
    uv_cond_destroy(&scanner->ordered);
    uv_mutex_destroy(&scanner->mutex);
    free(scanner);
    if (on_closed != NULL)
        on_closed(context);
}

void mirror_scanner_close(struct mirror_scanner *scanner, void (*on_closed)(void *context),
                          void *context)
{
    stop_threads(scanner);
    scanner->on_closed = on_closed;
    scanner->on_closed_context = context;
    struct mirror_scan *finished = scanner->finished, *orders = scanner->orders;
    scanner->finished = scanner->orders = NULL;
    for (struct mirror_scan *scan = orders; scan != NULL; scan = scan->next)
        scan->status = error_set(&scan->err, MODEL_CANCELLED, "the mirror is being closed");
    deliver(finished);
    deliver(orders);
    uv_close((uv_handle_t *)&scanner->async, on_async_closed);
}

static model_status start_threads(struct mirror_scanner *scanner, struct model_error *err)
{
    for (; scanner->n_threads < N_THREADS; scanner->n_threads++) {
        int code = uv_thread_create(&scanner->threads[scanner->n_threads], work, scanner);
        if (code != 0)
            return error_set(err, MODEL_IO, "cannot start a thread: %s", uv_strerror(code));
    }
    return MODEL_OK;
}

model_status mirror_scanner_create(uv_loop_t *loop, const struct log_sink *log,
                                   struct mirror_scanner **ret, struct model_error *err)
{
    struct mirror_scanner *scanner = calloc(1, sizeof *scanner);
    if (scanner == NULL)
        return error_no_memory(err, "the mirror");
    scanner->last_order = &scanner->orders;
    scanner->last_finished = &scanner->finished;
    scanner->log = log;
    int code = uv_mutex_init(&scanner->mutex);
    if (code != 0)
        goto fail_mutex;
    code = uv_cond_init(&scanner->ordered);
    if (code != 0)
        goto fail_cond;
    code = uv_async_init(loop, &scanner->async, on_finished);
    if (code != 0)
        goto fail_async;
    scanner->async.data = scanner;
    model_status status = start_threads(scanner, err);
    if (status != MODEL_OK) {
        mirror_scanner_close(scanner, NULL, NULL);
        return status;
    }
    *ret = scanner;
    return MODEL_OK;

fail_async:
    uv_cond_destroy(&scanner->ordered);
fail_cond:
    uv_mutex_destroy(&scanner->mutex);
fail_mutex:
    free(scanner);
    return error_set_errno(err, -code, "cannot start the mirror");
}

static void enqueue(struct mirror_scanner *scanner, struct mirror_scan *scan)
{
    uv_mutex_lock(&scanner->mutex);
    append(&scanner->last_order, scan);
    uv_cond_signal(&scanner->ordered);
    uv_mutex_unlock(&scanner->mutex);
}

model_status mirror_scanner_order(struct mirror_scanner *scanner, const char *root,
                                  const char *folder, const struct mirror_snapshot *previous,
                                  void (*done)(struct mirror_scan *scan), void *context)
{
    struct mirror_scan *scan = calloc(1, sizeof *scan);
    if (scan == NULL)
        return MODEL_OUT_OF_MEMORY;
    scan->err.struct_size = sizeof scan->err;
    scan->root = strdup(root);
    scan->folder = strdup(folder);
    scan->previous = previous;
    scan->done = done;
    scan->context = context;
    if (scan->root == NULL || scan->folder == NULL) {
        mirror_scan_destroy(scan);
        return MODEL_OUT_OF_MEMORY;
    }
    enqueue(scanner, scan);
    return MODEL_OK;
}

model_status mirror_scanner_order_work(struct mirror_scanner *scanner,
                                       void (*run)(struct mirror_scan *scan,
                                                   const atomic_bool *stop),
                                       void (*done)(struct mirror_scan *scan), void *context)
{
    struct mirror_scan *scan = calloc(1, sizeof *scan);
    if (scan == NULL)
        return MODEL_OUT_OF_MEMORY;
    *scan = (struct mirror_scan){.run = run, .done = done, .context = context};
    scan->err.struct_size = sizeof scan->err;
    enqueue(scanner, scan);
    return MODEL_OK;
}

void mirror_scan_destroy(struct mirror_scan *scan)
{
    if (scan == NULL)
        return;
    free(scan->root);
    free(scan->folder);
    mirror_snapshot_destroy(scan->snapshot);
    free(scan);
}
