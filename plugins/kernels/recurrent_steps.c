/* recurrent_steps.c - see recurrent_steps.h.
 *
 * A step is one phase, or two with a projection; an item of work is a few panels. Threads meet at the end of
 * every phase, a few microseconds apart, so they wait by looking, not for long: on a busy machine the other
 * may not run at all. A small layer's steps are over before that could pay, however many items there are. Nothing relies on their running at the
 * same time, as parallel_for does not promise it: a thread first takes the panels of its own share (they
 * stay in its cache), then what others have not begun, and one thread alone does all. */
#include "recurrent_steps.h"

#include <sched.h>
#include <string.h>

#define MIN_SHARED_WEIGHTS    131072 /* numbers: smaller layers stay in one processor's cache */
#define LOOKS_BEFORE_YIELDING 200
#define UNIT_PANELS           4                     /* at most in one item of work */
#define SUMS_STRIDE           (4 * RECURRENT_UNITS) /* between the items of a panel's sums */

struct job {
    const struct kernels *kernels;
    const struct recurrent_steps *steps;
    size_t n_workers, n_together; /* panels of units in an item of work */
    _Atomic size_t n_done;        /* items of work, of all phases */
    atomic_bool stop;
    _Atomic uint32_t *claims; /* (items of work): the phase that nobody has begun yet */
};

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ---- the work */

/* sums(n_rows, stride) = a(n_rows, depth) panel. */
static void multiply(const struct vector_kernels *vector, const struct recurrent_panels *panels,
                     size_t index, const float *a, size_t n_rows, float *sums, size_t stride)
{
    const size_t columns = panels->n_parts * panels->width, depth = panels->depth;
    const size_t first = index * recurrent_panel_numbers(panels);
    const float *panel = (const float *)panels->packed + first;
    if (panels->is_bf16)
        vector->bf16_product(a, depth, n_rows, (const uint16_t *)panels->packed + first, columns,
                             depth, sums, stride);
    else if (n_rows == 1)
        vector->panel_row(a, panel, columns, depth, sums);
    else
        vector->product(a, depth, n_rows, panel, columns, depth, sums, stride, columns);
}

static size_t panel_rows(const struct recurrent_panels *panels, size_t index)
{
    const size_t left = panels->part_rows - index * panels->width;
    return left < panels->width ? left : panels->width;
}

/* Numbers [first, first + n) of h of one item at one step; a hidden step keeps what was before. */
static void finish(const struct recurrent_steps *s, size_t step, size_t item, size_t first,
                   size_t n, const float *h)
{
    const size_t place = s->backwards ? s->n_steps - 1 - step : step,
                 row = place * s->n_items + item;
    const float *before = s->h[step % 2] + item * s->h_width + first;
    float *after = s->h[1 - step % 2] + item * s->h_width + first;
    float *y = s->y + row * s->y_stride + first;
    const bool visible = s->visible == NULL || s->visible[row] != 0;
    memcpy(after, visible ? h : before, n * sizeof *after);
    if (visible)
        memcpy(y, h, n * sizeof *y);
    else
        memset(y, 0, n * sizeof *y);
}

/* h of n units, and their c, within its limit: h is the same, so far from 0. */
static void run_lstm_gates(const struct recurrent_steps *s, const struct vector_kernels *vector,
                           const float *x, const float *bias, const float *sums, size_t n, float *c,
                           float *h)
{
    vector->lstm_gates(x, bias, s->hidden, sums, n, c, h);
    for (size_t i = 0; i < n && s->c_limit > 0; i++)
        c[i] = c[i] > s->c_limit ? s->c_limit : c[i] < -s->c_limit ? -s->c_limit : c[i];
}

/* The units of one panel, of items [first_item, + n_items) whose sums are there. */
static void run_gates(const struct job *job, size_t step, size_t index, size_t first_item,
                      size_t n_items, const float *sums)
{
    const struct recurrent_steps *s = job->steps;
    const struct recurrent_panels *panels = &s->layer->recurrent;
    const struct vector_kernels *vector = job->kernels->vector;
    const size_t place = s->backwards ? s->n_steps - 1 - step : step;
    const size_t first = index * RECURRENT_UNITS, n = panel_rows(panels, index);
    const float *bias = s->layer->bias + first, *before = s->h[step % 2] + first;
    float h[RECURRENT_UNITS] = {0};
    for (size_t item = first_item; item < first_item + n_items; item++, sums += SUMS_STRIDE) {
        const size_t row = place * s->n_items + item;
        const float *x = s->products + row * panels->n_parts * s->hidden + first;
        if (s->visible != NULL && s->visible[row] == 0)
            memset(h, 0, sizeof h); /* not read: the state stays */
        else if (s->kind == RECURRENT_LSTM)
            run_lstm_gates(s, vector, x, bias, sums, n, s->c + item * s->hidden + first, h);
        else
            vector->gru_gates(x, bias, s->hidden, sums, n, before + item * s->h_width, h);
        if (s->layer->projection.n_panels == 0)
            finish(s, step, item, first, n, h);
        else
            memcpy(s->inner + item * s->hidden + first, h, n * sizeof *h);
    }
}

/* Some panels of weight_hh, for all items. First the sums of all, then the gates of all: the processor
 * works on several gates at once, as none waits for another. */
static void run_units(const struct job *job, size_t step, size_t first, size_t n_panels)
{
    const struct recurrent_steps *s = job->steps;
    const struct recurrent_panels *panels = &s->layer->recurrent;
    float sums[UNIT_PANELS][PRODUCT_ROWS * SUMS_STRIDE];
    for (size_t item = 0, n; item < s->n_items; item += n) {
        n = product_rows(s->n_items - item);
        for (size_t i = 0; i < n_panels; i++)
            multiply(job->kernels->vector, panels, first + i, s->h[step % 2] + item * s->h_width, n,
                     sums[i], SUMS_STRIDE);
        for (size_t i = 0; i < n_panels; i++)
            run_gates(job, step, first + i, item, n, sums[i]);
    }
}

/* One panel of weight_hr, for all items. */
static void run_projection(const struct job *job, size_t step, size_t index)
{
    const struct recurrent_steps *s = job->steps;
    const struct recurrent_panels *panels = &s->layer->projection;
    const size_t first = index * PROJECTION_COLUMNS, n = panel_rows(panels, index);
    float sums[PRODUCT_ROWS * PROJECTION_COLUMNS];
    for (size_t item = 0, rows; item < s->n_items; item += rows) {
        rows = product_rows(s->n_items - item);
        multiply(job->kernels->vector, panels, index, s->inner + item * s->hidden, rows, sums,
                 PROJECTION_COLUMNS);
        for (size_t i = 0; i < rows; i++)
            finish(s, step, item + i, first, n, sums + i * PROJECTION_COLUMNS);
    }
}

/* ---- who does what */

/* false: the run ends. */
static bool wait_for(struct job *job, size_t n_done)
{
    const struct model_cancel *cancel = job->steps->cancel;
    if (cancel != NULL && model_cancel_status(cancel) != MODEL_OK)
        atomic_store(&job->stop, true);
    for (size_t looks = 0; atomic_load_explicit(&job->n_done, memory_order_acquire) < n_done;) {
        if (atomic_load_explicit(&job->stop, memory_order_relaxed))
            return false;
        if (++looks < LOOKS_BEFORE_YIELDING)
            pause_briefly();
        else
            (void)sched_yield();
    }
    return !atomic_load_explicit(&job->stop, memory_order_relaxed);
}

static bool claim(struct job *job, size_t index, uint32_t phase)
{
    uint32_t next = atomic_load_explicit(&job->claims[index], memory_order_relaxed);
    return next <= phase &&
           atomic_compare_exchange_strong_explicit(&job->claims[index], &next, phase + 1,
                                                   memory_order_relaxed, memory_order_relaxed);
}

/* The i-th item of work that a worker looks at in a step: its own share first, then those of others. Steps go
 * through it there and back: what the last one read last is in the second-level cache still, which does not
 * hold the weights of a layer. */
static size_t item_of(const struct job *job, size_t worker, size_t step, size_t n_items, size_t i)
{
    const size_t first = worker * n_items / job->n_workers;
    const size_t end = (worker + 1) * n_items / job->n_workers;
    return step % 2 == 0 ? (first + i) % n_items : (end + n_items - 1 - i) % n_items;
}

/* All of a phase that this worker gets out of n_items items of work; how many. */
static size_t work_phase(struct job *job, size_t worker, uint32_t phase, size_t n_items)
{
    const bool two = job->steps->layer->projection.n_panels > 0;
    const size_t n_panels = job->steps->layer->recurrent.n_panels, together = job->n_together;
    const size_t step = two ? phase / 2 : phase;
    size_t n = 0;
    for (size_t i = 0; i < n_items; i++) {
        const size_t index = item_of(job, worker, step, n_items, i);
        const size_t left = n_panels - index * together;
        if (!claim(job, index, phase))
            continue;
        if (two && phase % 2 == 1)
            run_projection(job, step, index);
        else
            run_units(job, step, index * together, left < together ? left : together);
        n++;
    }
    return n;
}

static void work(void *argument, size_t worker)
{
    struct job *job = argument;
    const struct recurrent_layer *layer = job->steps->layer;
    const size_t n_projection = layer->projection.n_panels;
    const size_t n_units = (layer->recurrent.n_panels + job->n_together - 1) / job->n_together;
    const size_t n_phases = job->steps->n_steps * (n_projection > 0 ? 2 : 1);
    size_t before = 0; /* items of work in the phases before */
    for (uint32_t phase = 0; phase < n_phases; phase++) {
        const size_t n_items = n_projection > 0 && phase % 2 == 1 ? n_projection : n_units;
        if (!wait_for(job, before))
            return;
        size_t n = work_phase(job, worker, phase, n_items);
        if (n > 0)
            atomic_fetch_add_explicit(&job->n_done, n, memory_order_release);
        before += n_items;
    }
}

/* Panels that are claimed together: some, as long as there are enough for every worker. */
static size_t choose_together(size_t n_panels, size_t n_workers)
{
    size_t n = UNIT_PANELS;
    while (n > 1 && n_panels < 4 * n * n_workers)
        n /= 2;
    return n;
}

void recurrent_steps_run(const struct kernels *kernels, const struct recurrent_steps *steps)
{
    const struct recurrent_panels *units = &steps->layer->recurrent;
    const size_t n_projection = steps->layer->projection.n_panels;
    const size_t n_claims = units->n_panels > n_projection ? units->n_panels : n_projection;
    const size_t n_weights = units->n_parts * steps->hidden * units->depth;
    struct job job = {.kernels = kernels,
                      .steps = steps,
                      .n_workers = n_weights < MIN_SHARED_WEIGHTS ? 1 : kernels->threads,
                      .claims = steps->claims};
    job.n_together = choose_together(units->n_panels, job.n_workers);
    for (size_t i = 0; i < n_claims; i++)
        atomic_init(&job.claims[i], 0);
    if (job.n_workers > 1)
        kernels_parallel(kernels, job.n_workers, work, &job);
    else
        work(&job, 0);
}
