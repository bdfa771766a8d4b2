/* worker_slot.c - see worker_slot.h: the side of those who use a process. The mutex is never held while
 * something waits for the process: its socket does not block. */
#include "worker_slot.h"
#include "clock.h"
#include "crash_report.h"
#include "errors.h"
#include "worker_slot_private.h"

#include <stdlib.h>

#define MAX_WAIT_NS (1 * NS_PER_S)   /* for a process that must not be started yet */
#define MAX_REPEATS 3                /* of what others have to do with; the last one is alone */
#define SLICE_NS    (10 * NS_PER_MS) /* between looks at a token that cannot wake */

/* Under the mutex: sleeps until something changed, but a little only. */
static void wait_a_little(struct worker_slot *slot, const struct worker_patience *patience)
{
    int64_t left_ns = patience->until_ns - clock_now_ns();
    left_ns = left_ns < SLICE_NS ? left_ns : SLICE_NS;
    if (left_ns > 0)
        (void)uv_cond_timedwait(&slot->changed, &slot->mutex, (uint64_t)left_ns);
}

/* ---- making and ending */

static void free_slot(struct worker_slot *slot)
{
    worker_inbox_finish(&slot->inbox);
    buffer_finish(&slot->description);
    uv_cond_destroy(&slot->changed);
    uv_mutex_destroy(&slot->mutex);
    free(slot);
}

static struct worker_slot *new_slot(const struct worker_config *config,
                                    const struct buffer *description)
{
    struct worker_slot *slot = calloc(1, sizeof *slot);
    if (slot == NULL || uv_mutex_init(&slot->mutex) != 0) {
        free(slot);
        return NULL;
    }
    if (uv_cond_init(&slot->changed) != 0) {
        uv_mutex_destroy(&slot->mutex);
        free(slot);
        return NULL;
    }
    slot->config = config;
    slot->inbox = (struct worker_inbox)WORKER_INBOX_INIT;
    slot->description = (struct buffer)BUFFER_INIT(WORKER_MAX_PAYLOAD_BYTES);
    slot->error.struct_size = slot->breach.struct_size = sizeof slot->error;
    if (description != NULL &&
        buffer_append(&slot->description, description->data, description->size) != MODEL_OK) {
        free_slot(slot);
        return NULL;
    }
    return slot;
}

/* Until its first process has opened the model. */
static model_status wait_for_model(struct worker_slot *slot, struct model_error *err)
{
    struct worker_patience patience = {.cancelled = slot->config->cancelled, .until_ns = INT64_MAX};
    model_status status = MODEL_OK;
    uv_mutex_lock(&slot->mutex);
    while (status == MODEL_OK && slot->state == WORKER_STARTING && slot->failure == MODEL_OK) {
        if (patience.cancelled == NULL)
            uv_cond_wait(&slot->changed, &slot->mutex);
        else if (worker_patience_is_over(&patience, clock_now_ns()))
            status = error_set(err, MODEL_CANCELLED, "nobody wants the model any more");
        else
            wait_a_little(slot, &patience);
    }
    if (status == MODEL_OK && slot->state != WORKER_READY)
        status = error_set(err, slot->failure, "%s", slot->error.message);
    uv_mutex_unlock(&slot->mutex);
    return status;
}

model_status worker_slot_create(const struct worker_config *config,
                                const struct buffer *description, struct worker_slot **ret,
                                struct model_error *err)
{
    struct worker_slot *slot = new_slot(config, description);
    if (slot == NULL)
        return error_no_memory(err, "a worker");
    if (uv_thread_create(&slot->thread, worker_watch, slot) != 0) {
        free_slot(slot);
        return error_set(err, MODEL_OUT_OF_MEMORY, "cannot start a thread for a worker");
    }
    model_status status = wait_for_model(slot, err);
    if (status != MODEL_OK)
        worker_slot_destroy(slot, 0);
    else
        *ret = slot;
    return status;
}

/* Under the mutex. */
static void kill_process(struct worker_slot *slot)
{
    if (!slot->has_process)
        return;
    slot->killed = true;
    worker_process_kill(&slot->process);
}

/* Under the mutex. An end that does not read what it is sent is no good any more. */
static model_status send_message(struct worker_slot *slot, const struct worker_message *message,
                                 int passed, struct model_error *err)
{
    model_status status = worker_socket_send(slot->process.socket, message, passed, err);
    if (status == MODEL_IO)
        worker_process_kill(&slot->process);
    return status;
}

void worker_slot_say_goodbye(struct worker_slot *slot)
{
    const struct worker_message goodbye = {.type = WORKER_GOODBYE};
    uv_mutex_lock(&slot->mutex);
    if (!slot->stopping && slot->has_process && slot->state == WORKER_READY) {
        slot->is_leaving = true;
        (void)send_message(slot, &goodbye, -1, NULL);
    } else if (!slot->stopping)
        kill_process(slot);
    slot->stopping = true;
    uv_cond_broadcast(&slot->changed);
    uv_mutex_unlock(&slot->mutex);
}

/* Under the mutex: the time is over. */
static void end_late(struct worker_slot *slot)
{
    if (slot->has_process && slot->is_leaving)
        log_write(slot->config->log, MODEL_LOG_WARN,
                  "worker %ld: plugin %s did not come back from destroy() in time; its process is "
                  "ended",
                  (long)slot->process.pid,
                  slot->config->plugin != NULL ? slot->config->plugin : "");
    kill_process(slot);
}

void worker_slot_destroy(struct worker_slot *slot, int64_t until_ns)
{
    if (slot == NULL)
        return;
    worker_slot_say_goodbye(slot);
    uv_mutex_lock(&slot->mutex);
    for (int64_t left_ns; !slot->thread_ended && (left_ns = until_ns - clock_now_ns()) > 0;)
        (void)uv_cond_timedwait(&slot->changed, &slot->mutex, (uint64_t)left_ns);
    if (!slot->thread_ended)
        end_late(slot);
    uv_mutex_unlock(&slot->mutex);
    (void)uv_thread_join(&slot->thread);
    free_slot(slot);
}

int64_t worker_slot_load_ns(const struct worker_slot *slot)
{
    return slot->config->load_ns > 0 ? slot->config->load_ns : WORKER_LOAD_NS;
}

const struct buffer *worker_slot_description(const struct worker_slot *slot)
{
    return &slot->description;
}

bool worker_slot_limits_memory(const struct worker_slot *slot)
{
    return slot->config->memory_bytes > 0;
}

const struct log_sink *worker_slot_log(const struct worker_slot *slot)
{
    return slot->config->log;
}

int64_t worker_slot_pid(struct worker_slot *slot)
{
    uv_mutex_lock(&slot->mutex);
    const int64_t pid = slot->has_process ? slot->process.pid : 0;
    uv_mutex_unlock(&slot->mutex);
    return pid;
}

uint64_t worker_slot_generation(struct worker_slot *slot)
{
    uv_mutex_lock(&slot->mutex);
    const uint64_t generation = slot->generation;
    uv_mutex_unlock(&slot->mutex);
    return generation;
}

/* ---- using */

/* Under the mutex: why there is no process, and that one is started in so long. */
static void say_failing(const struct worker_slot *slot, int64_t left_ns, struct model_error *err)
{
    const long long left_ms = (long long)(left_ns / NS_PER_MS);
    const uint32_t n = slot->backoff.n_deaths;
    if (slot->is_barred)
        (void)error_set(err, MODELHOST_CRASHED,
                        "no worker process may be started; it is tried again in %lld ms", left_ms);
    else if (n == 0)
        (void)error_set(err, MODELHOST_CRASHED,
                        "no worker process can be started; it is tried again in %lld ms", left_ms);
    else
        (void)error_set(err, MODELHOST_CRASHED,
                        "the worker process has ended %u time%s without an answer in between; it "
                        "is started again in %lld ms",
                        n, n == 1 ? "" : "s", left_ms);
    if (slot->error.message[0] != '\0')
        error_advise(err, "%s", slot->error.message);
}

/* Under the mutex: whether it rests for longer than anybody should wait, or has to; says so. */
static bool rests_long(struct worker_slot *slot, struct model_error *err)
{
    const int64_t left_ns = worker_backoff_left_ns(&slot->backoff, clock_now_ns());
    if (slot->state != WORKER_RESTING || (left_ns <= MAX_WAIT_NS && !slot->is_barred))
        return false;
    say_failing(slot, left_ns, err);
    return true;
}

model_status worker_slot_check(struct worker_slot *slot, struct model_error *err)
{
    model_status status = MODEL_OK;
    uv_mutex_lock(&slot->mutex);
    const int64_t now_ns = clock_now_ns();
    const int64_t starting_ns = slot->state == WORKER_STARTING ? now_ns - slot->started_ns : 0;
    if (slot->state != WORKER_READY &&
        (slot->is_barred || worker_backoff_is_failing(&slot->backoff))) {
        say_failing(slot, worker_backoff_left_ns(&slot->backoff, now_ns), err);
        status = MODELHOST_CRASHED;
    } else if (starting_ns > MAX_WAIT_NS)
        status = error_set(err, MODEL_BUSY, "a worker process has been starting for %lld ms",
                           (long long)(starting_ns / NS_PER_MS));
    uv_mutex_unlock(&slot->mutex);
    return status;
}

model_status worker_slot_wait(struct worker_slot *slot, struct worker_patience *patience,
                              uint64_t *ret_generation, struct model_error *err)
{
    model_status status = MODEL_OK;
    uv_mutex_lock(&slot->mutex);
    while (status == MODEL_OK && slot->state != WORKER_READY) {
        if (rests_long(slot, err))
            status = MODELHOST_CRASHED;
        else if (worker_patience_is_over(patience, clock_now_ns()))
            status = worker_patience_say_over(patience, "a new worker process", err);
        else
            wait_a_little(slot, patience);
    }
    if (status == MODEL_OK)
        *ret_generation = slot->generation;
    uv_mutex_unlock(&slot->mutex);
    return status;
}

/* Under the mutex: whether this process can be sent to. */
static bool is_ready(const struct worker_slot *slot, uint64_t generation)
{
    return slot->has_process && slot->generation == generation;
}

model_status worker_slot_attach(struct worker_slot *slot, uint64_t generation,
                                struct worker_link *link, int channel_fd,
                                struct worker_patience *patience, struct model_error *err)
{
    const struct worker_message create = {.type = WORKER_CREATE,
                                          .numbers = {link->id, link->channel_bytes}};
    model_status status = MODEL_OK;
    uv_mutex_lock(&slot->mutex);
    link->is_created = false;
    link->generation = generation;
    link->shared_bytes = link->channel_bytes;
    link->next = slot->links;
    slot->links = link;
    if (is_ready(slot, generation))
        (void)send_message(slot, &create, channel_fd, NULL);
    while (status == MODEL_OK && !link->is_created) {
        if (!is_ready(slot, generation))
            status = worker_slot_write_end(slot, generation, "create_instance", err);
        else if (worker_patience_is_over(patience, clock_now_ns())) {
            kill_process(slot);
            status = worker_patience_say_over(patience, "a new instance", err);
        } else
            wait_a_little(slot, patience);
    }
    if (status == MODEL_OK && link->status != MODEL_OK)
        status = error_set(err, link->status, "%s", link->error.message);
    uv_mutex_unlock(&slot->mutex);
    return status;
}

void worker_slot_detach(struct worker_slot *slot, uint64_t generation, struct worker_link *link)
{
    const struct worker_message destroy = {.type = WORKER_DESTROY, .numbers = {link->id}};
    uv_mutex_lock(&slot->mutex);
    struct worker_link **at = &slot->links;
    while (*at != NULL && *at != link)
        at = &(*at)->next;
    if (*at == link)
        *at = link->next;
    if (is_ready(slot, generation))
        (void)send_message(slot, &destroy, -1, NULL);
    uv_mutex_unlock(&slot->mutex);
}

/* Under the mutex: a descriptor's memory is no address of the worker once that has unmapped it, so the host counts. */
static model_status check_room(const struct worker_slot *slot, uint64_t size_bytes,
                               struct model_error *err)
{
    const uint64_t limit_bytes =
        worker_slot_limits_memory(slot) ? slot->config->memory_bytes : WORKER_MAX_SHARED_BYTES;
    uint64_t used_bytes = 0; /* at most the limit, and what channels take */
    for (const struct worker_link *link = slot->links; link != NULL; link = link->next)
        used_bytes += link->generation == slot->generation ? link->shared_bytes : 0;
    if (used_bytes <= limit_bytes && size_bytes <= limit_bytes - used_bytes)
        return MODEL_OK;
    return error_set(err, MODEL_OUT_OF_MEMORY,
                     "out of memory for %llu bytes of tensors: the worker process may share %llu "
                     "bytes with its host%s, and %llu are taken",
                     (unsigned long long)size_bytes, (unsigned long long)limit_bytes,
                     worker_slot_limits_memory(slot) ? " (worker_memory_bytes)" : "",
                     (unsigned long long)used_bytes);
}

model_status worker_slot_share(struct worker_slot *slot, uint64_t generation,
                               struct worker_link *link, uint32_t segment_id, uint64_t size_bytes,
                               int fd, struct model_error *err)
{
    const struct worker_message share = {.type = WORKER_SHARE,
                                         .numbers = {link->id, segment_id, size_bytes}};
    model_status status = MODEL_OK;
    uv_mutex_lock(&slot->mutex);
    if (is_ready(slot, generation)) { /* if not, its caller finds that it has ended */
        status = check_room(slot, size_bytes, err);
        if (status == MODEL_OK)
            status = send_message(slot, &share, fd, err);
        link->shared_bytes += status == MODEL_OK ? size_bytes : 0;
    }
    uv_mutex_unlock(&slot->mutex);
    return status == MODEL_IO ? MODEL_OK : status;
}

void worker_slot_drop_segment(struct worker_slot *slot, uint64_t generation,
                              struct worker_link *link, uint32_t segment_id, uint64_t size_bytes)
{
    const struct worker_message drop = {.type = WORKER_DROP, .numbers = {link->id, segment_id}};
    uv_mutex_lock(&slot->mutex);
    if (is_ready(slot, generation)) {
        (void)send_message(slot, &drop, -1, NULL);
        link->shared_bytes -= size_bytes < link->shared_bytes ? size_bytes : link->shared_bytes;
    }
    uv_mutex_unlock(&slot->mutex);
}

bool worker_slot_has_ended(const struct worker_slot *slot, uint64_t generation)
{
    return atomic_load(&slot->n_ended) >= generation;
}

void worker_slot_worked(struct worker_slot *slot, uint64_t generation)
{
    if (atomic_load_explicit(&slot->works, memory_order_relaxed) == 0 &&
        !worker_slot_has_ended(slot, generation))
        atomic_store(&slot->works, 1);
}

uint32_t worker_slot_ends(const struct worker_slot *slot)
{
    return atomic_load(&slot->works) != 0 ? 0 : atomic_load(&slot->n_ends);
}

void worker_slot_kill(struct worker_slot *slot, uint64_t generation)
{
    uv_mutex_lock(&slot->mutex);
    if (is_ready(slot, generation))
        kill_process(slot);
    uv_mutex_unlock(&slot->mutex);
}

/* Under the mutex. */
static bool may_begin(const struct worker_slot *slot, bool alone)
{
    return !slot->is_alone && (alone ? slot->n_turns == 0 : slot->n_waiting == 0);
}

model_status worker_slot_begin_call(struct worker_slot *slot, bool alone,
                                    struct worker_patience *patience, struct model_error *err)
{
    model_status status = MODEL_OK;
    uv_mutex_lock(&slot->mutex);
    slot->n_waiting += alone;
    while (status == MODEL_OK && !may_begin(slot, alone)) {
        if (worker_patience_is_over(patience, clock_now_ns()))
            status = worker_patience_say_over(patience, "its turn in the worker process", err);
        else
            wait_a_little(slot, patience);
    }
    slot->n_waiting -= alone;
    if (status == MODEL_OK) {
        slot->is_alone = alone;
        slot->n_turns += !alone;
        (void)atomic_fetch_add(&slot->n_calls, 1);
    } else
        uv_cond_broadcast(&slot->changed);
    uv_mutex_unlock(&slot->mutex);
    return status;
}

void worker_slot_end_call(struct worker_slot *slot, bool alone)
{
    uv_mutex_lock(&slot->mutex);
    (void)atomic_fetch_sub(&slot->n_calls, 1);
    if (alone)
        slot->is_alone = false;
    else
        slot->n_turns--;
    if (alone || slot->n_waiting > 0)
        uv_cond_broadcast(&slot->changed);
    uv_mutex_unlock(&slot->mutex);
}

bool worker_slot_may_repeat(struct worker_slot *slot, uint64_t generation, model_status status,
                            struct worker_attempt *attempt)
{
    const bool lacks_memory = status == MODEL_OUT_OF_MEMORY && worker_slot_limits_memory(slot);
    if (attempt->alone || (!lacks_memory && status != MODELHOST_CRASHED))
        return false;
    uv_mutex_lock(&slot->mutex);
    const struct worker_death *death = &slot->deaths[generation % WORKER_DEATHS];
    const bool is_forgotten = death->generation > generation; /* many have ended since */
    const bool excuses = is_forgotten || (death->generation == generation &&
                                          atomic_load(&slot->n_ended) >= generation &&
                                          (death->killed || death->n_calls > 1));
    const bool is_known = excuses && !is_forgotten && death->killed;
    uv_mutex_unlock(&slot->mutex);
    attempt->n++;
    attempt->alone = !is_known || attempt->n == MAX_REPEATS;
    return lacks_memory || excuses;
}

model_status worker_slot_write_end(struct worker_slot *slot, uint64_t generation, const char *doing,
                                   struct model_error *err)
{
    const struct worker_death *death = &slot->deaths[generation % WORKER_DEATHS];
    const char *lines[LINE_TAIL_LINES];
    for (size_t i = 0; i < LINE_TAIL_LINES; i++)
        lines[i] = death->lines[i];
    if (death->generation != generation || !death->end.is_known)
        return error_set(err, MODELHOST_CRASHED,
                         "plugin crashed in %s: its process ended, and how is not known (does the "
                         "application ignore SIGCHLD, or wait for all children?)",
                         doing);
    if (death->killed)
        return error_set(err, MODELHOST_CRASHED,
                         "the worker process was ended during %s, because another call in it did "
                         "not come back",
                         doing);
    if (death->breach.message[0] != '\0')
        return error_set(err, MODELHOST_CRASHED, "the worker process was ended in %s: %s", doing,
                         death->breach.message);
    crash_report_write(err, death->end.wait_status, doing, lines, death->n_lines, false);
    return MODELHOST_CRASHED;
}

model_status worker_slot_say_end(struct worker_slot *slot, uint64_t generation, const char *doing,
                                 struct model_error *err)
{
    uv_mutex_lock(&slot->mutex);
    model_status status = worker_slot_write_end(slot, generation, doing, err);
    uv_mutex_unlock(&slot->mutex);
    return status;
}
