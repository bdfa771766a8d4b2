/* worker_watch.c - the thread of a slot: starts processes, reads what they say, reaps them. See
 * worker_slot.h.
 *
 * What comes from the process is not trusted: messages are checked by worker_message.c, and one that the host
 * does not expect ends the process. */
#include "clock.h"
#include "compiled_folder.h"
#include "crash_report.h"
#include "errors.h"
#include "plugin_error.h"
#include "worker_lines.h"
#include "worker_slot_private.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OUTPUT_READS 256 /* of a process that has ended; others may hold its pipe */

/* ---- what it says */

static void take_log(struct worker_slot *slot, const struct worker_message *message)
{
    const int32_t level =
        message->numbers[0] > MODEL_LOG_DEBUG ? MODEL_LOG_DEBUG : (int32_t)message->numbers[0];
    if (level <= MODEL_LOG_WARN &&
        message->numbers[2] == 0) { /* what a crash quotes is the plugin's */
        line_tail_append(&slot->tail, message->text, strlen(message->text));
        line_tail_append(&slot->tail, "\n", 1);
    }
    worker_lines_take(slot, slot->is_repeating && level <= MODEL_LOG_INFO ? MODEL_LOG_DEBUG : level,
                      message->numbers[1], message->text);
}

static void take_created(struct worker_slot *slot, const struct worker_message *message)
{
    uv_mutex_lock(&slot->mutex);
    for (struct worker_link *link = slot->links; link != NULL; link = link->next) {
        if (link->id != message->numbers[0] || link->is_created)
            continue;
        link->is_created = true;
        link->status = (model_status)message->numbers[1];
        (void)error_set(&link->error, link->status, "%s", message->text);
        plugin_error_tidy(&link->error, link->status, "create_instance() failed");
    }
    uv_cond_broadcast(&slot->changed);
    uv_mutex_unlock(&slot->mutex);
}

static void fail_start(struct worker_slot *slot, model_status status, const char *text)
{
    slot->failure = status;
    (void)error_set(&slot->error, status, "%s", text);
    plugin_error_tidy(&slot->error, status, "the worker did not say why");
}

/* Keeps the first description, holds later ones against it. Under the mutex. */
static model_status take_description(struct worker_slot *slot, const struct worker_message *message,
                                     struct model_error *err)
{
    if (slot->description.size == 0)
        return buffer_append(&slot->description, message->block, message->block_bytes);
    if (slot->description.size == message->block_bytes &&
        memcmp(slot->description.data, message->block, message->block_bytes) == 0)
        return MODEL_OK;
    return error_set(err, MODEL_CORRUPT,
                     "%s: a new worker finds another model there than was loaded; load it again",
                     slot->config->package_dir);
}

static model_status take_opened(struct worker_slot *slot, const struct worker_message *message,
                                struct model_error *err)
{
    slot->has_opened = true;
    uv_mutex_lock(&slot->mutex);
    model_status status = slot->state == WORKER_STARTING && message->type == WORKER_HELLO
                              ? take_description(slot, message, err)
                              : MODEL_OK;
    if (status != MODEL_OK)
        fail_start(slot, status, err->message);
    else if (slot->state == WORKER_STARTING && message->type == WORKER_FAILED)
        fail_start(slot,
                   message->numbers[0] == MODEL_OK ? MODEL_INTERNAL
                                                   : (model_status)message->numbers[0],
                   message->text);
    else if (slot->state == WORKER_STARTING) {
        slot->failure = MODEL_OK;
        slot->error.message[0] = '\0';
        slot->state = WORKER_READY;
        metrics_add(slot->config->metrics, METRIC_WORKERS_READY, 0, 1);
        slot->tail = (struct line_tail){.n_ended = 0}; /* what it said of the package is no cause */
        slot->is_repeating = false;
    }
    uv_cond_broadcast(&slot->changed);
    uv_mutex_unlock(&slot->mutex);
    return status;
}

/* Why nothing more is wanted of the process: bury() ends it. */
static void set_breach(struct worker_slot *slot, const char *sentence)
{
    if (atomic_load(&slot->n_calls) == 0) /* else the call says it */
        worker_lines_say(slot, MODEL_LOG_ERROR, 0, sentence);
    uv_mutex_lock(&slot->mutex);
    if (slot->breach.message[0] == '\0') /* the first is the cause of others */
        (void)error_set(&slot->breach, MODEL_CORRUPT, "%s", sentence);
    uv_mutex_unlock(&slot->mutex);
}

/* Reads one message, or what has come of it; false: nothing good will come from there any more. Never waits. */
static bool read_message(struct worker_slot *slot)
{
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = worker_socket_receive(slot->process.socket, &slot->inbox, &err);
    const struct worker_message *message = &slot->inbox.message;
    if (status == MODEL_BUSY)
        return true;
    if (status == MODEL_OK && message->type == WORKER_LOG)
        take_log(slot, message);
    else if (status == MODEL_OK && message->type == WORKER_CREATED)
        take_created(slot, message);
    else if (status == MODEL_OK &&
             (message->type == WORKER_HELLO || message->type == WORKER_FAILED))
        status = take_opened(slot, message, &err);
    else if (status == MODEL_OK && message->type == WORKER_MODEL)
        slot->has_model = true;
    else if (status == MODEL_OK)
        status =
            error_set(&err, MODEL_CORRUPT, "a message of type %u from a worker", message->type);
    slot->has_greeted = true;
    if (status != MODEL_OK && status != MODEL_NOT_FOUND)
        set_breach(slot, err.message);
    if (status != MODEL_OK || message->type != WORKER_FAILED)
        return status == MODEL_OK;
    if (slot->is_repeating) /* nobody loads it who is told */
        worker_lines_say(slot, MODEL_LOG_ERROR, 0, message->text);
    return false;
}

/* ---- its life */

static bool is_readable(int fd)
{
    struct pollfd wanted = {fd, POLLIN, 0};
    return poll(&wanted, 1, 0) > 0 && (wanted.revents & POLLIN) != 0;
}

/* When the process has taken too long to begin: to say its first message, or to open the package. It is kept as long
 * as the slot's thread comes back to look, so nothing that this thread does may wait for the process: its socket and its
 * pipe do not block, and a message or a line that comes piece by piece is left as it is. */
static int64_t opening_until_ns(const struct worker_slot *slot, int64_t start_ns)
{
    const int64_t greeting_ns =
        slot->config->greeting_ns > 0 ? slot->config->greeting_ns : WORKER_GREETING_NS;
    if (slot->has_opened)
        return INT64_MAX;
    return start_ns + (slot->has_greeted ? worker_slot_load_ns(slot) : greeting_ns);
}

/* For poll(): how long until something is due, that or a word on lines that were left out. */
static int wait_ms(const struct worker_slot *slot, int64_t start_ns)
{
    const int64_t opening_ns = opening_until_ns(slot, start_ns);
    const int64_t omitted_ns = log_limit_due_ns(&slot->limit);
    const int64_t until_ns = opening_ns < omitted_ns ? opening_ns : omitted_ns;
    if (until_ns == INT64_MAX)
        return -1;
    const int64_t left_ms = (until_ns - clock_now_ns() + NS_PER_MS - 1) / NS_PER_MS;
    return left_ms <= 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

/* The plugin's function that a process that opens the package is in. */
static const char *opening_step(const struct worker_slot *slot)
{
    return slot->has_model ? "create_instance" : "create_model";
}

/* The process is to be ended, because it takes too long to begin. */
static void say_slow(struct worker_slot *slot)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (!slot->has_greeted) {
        set_breach(slot, "it said nothing for too long; is worker_path the modelhost command "
                         "of this version?");
        return;
    }
    (void)error_set(&err, MODEL_DEADLINE,
                    "plugin %s did not come back from %s() within %lld ms for %s; its "
                    "process was ended. If loading takes longer, raise load_timeout_ms "
                    "(--load-timeout)",
                    slot->config->plugin != NULL ? slot->config->plugin : "", opening_step(slot),
                    (long long)(worker_slot_load_ns(slot) / NS_PER_MS), slot->config->package_dir);
    uv_mutex_lock(&slot->mutex);
    if (slot->state == WORKER_STARTING && slot->failure == MODEL_OK)
        fail_start(slot, MODEL_DEADLINE, err.message);
    uv_mutex_unlock(&slot->mutex);
}

/* Reads until the process ends, closes its socket, or takes too long to begin. */
static void read_all(struct worker_slot *slot)
{
    const int64_t start_ns = clock_now_ns();
    struct pollfd wanted[] = {{slot->process.socket, POLLIN, 0},
                              {slot->process.output, POLLIN, 0},
                              {slot->process.pidfd, POLLIN, 0}};
    for (bool good = true; good;) {
        const int n_ready = poll(wanted, 3, wait_ms(slot, start_ns));
        if (n_ready < 0)
            continue;
        if (wanted[1].revents != 0 && !worker_lines_read(slot) &&
            (wanted[1].revents & POLLHUP) != 0)
            wanted[1].fd = -1; /* closed */
        if (wanted[0].revents != 0)
            good = read_message(slot);
        good = good && wanted[2].revents == 0;
        worker_lines_tell_omitted(slot, false);
        if (good && clock_now_ns() >= opening_until_ns(slot, start_ns)) {
            say_slow(slot);
            good = false;
        }
    }
}

/* Waits for its end, and reads what it said before. */
static struct worker_end bury(struct worker_slot *slot)
{
    worker_process_kill(&slot->process); /* if it only closed its socket */
    struct worker_end end = worker_process_reap(&slot->process);
    for (int i = 0; i < MAX_OUTPUT_READS && worker_lines_read(slot); i++)
        continue;
    for (int i = 0; i < MAX_OUTPUT_READS && is_readable(slot->process.socket); i++)
        if (!read_message(slot))
            break;
    worker_lines_end(slot);
    worker_lines_tell_omitted(slot, true);
    return end;
}

/* Under the mutex. */
static void remember_end(struct worker_slot *slot, const struct worker_end *end)
{
    const char *lines[LINE_TAIL_LINES];
    struct worker_death *death = &slot->deaths[slot->generation % WORKER_DEATHS];
    death->generation = slot->generation;
    death->end = *end;
    death->killed = slot->killed;
    /* One that ended by itself in the middle of a message has done nothing else wrong. */
    death->breach = slot->breach;
    if (!end->is_known || !WIFSIGNALED(end->wait_status) || WTERMSIG(end->wait_status) != SIGKILL)
        death->breach.message[0] = '\0';
    death->n_calls = atomic_load(&slot->n_calls);
    death->n_lines = line_tail_lines(&slot->tail, lines);
    for (size_t i = 0; i < death->n_lines; i++)
        (void)snprintf(death->lines[i], LINE_TAIL_BYTES, "%s", lines[i]);
}

/* It ended by itself, and neither well nor for somebody else's signal. Under the mutex. */
static bool is_crash(const struct worker_slot *slot, const struct worker_end *end)
{
    const int status = end->wait_status;
    if (!end->is_known || slot->killed || slot->breach.message[0] != '\0' ||
        slot->failure != MODEL_OK)
        return false;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM;
    return !slot->is_leaving || WEXITSTATUS(status) != 0;
}

/* Whether the only call in it is making an instance. Under the mutex. */
static bool is_creating(const struct worker_slot *slot)
{
    const struct worker_link *link = slot->links;
    while (link != NULL && link->is_created)
        link = link->next;
    return link != NULL && atomic_load(&slot->n_calls) == 1;
}

/* What no call is told of, nor a load, goes to the log: a crash in destroy(), or between calls. */
static void tell_end(struct worker_slot *slot, const struct worker_end *end)
{
    const struct worker_guard *guard = &slot->config->guard;
    struct model_error err = MODEL_ERROR_INIT;
    const char *lines[LINE_TAIL_LINES];
    const size_t n_lines = line_tail_lines(&slot->tail, lines);
    uv_mutex_lock(&slot->mutex);
    const uint32_t n_calls = atomic_load(&slot->n_calls);
    const bool crashed = is_crash(slot, end);
    const bool is_starting = slot->state == WORKER_STARTING;
    const char *doing = slot->is_leaving    ? "destroy"
                        : is_starting       ? opening_step(slot)
                        : is_creating(slot) ? "create_instance"
                        : n_calls > 0       ? "run"
                                            : NULL;
    uv_mutex_unlock(&slot->mutex);
    if (!crashed)
        return;
    crash_report_write(&err, end->wait_status, doing, lines, n_lines, false);
    if (n_calls == 0 && !is_starting)
        worker_lines_say(slot, MODEL_LOG_WARN, 0, err.message);
    if (guard->crashed != NULL)
        guard->crashed(guard->context, atomic_load(&slot->works) != 0, err.message);
}

/* Tells all who wait: the generation has ended. */
static void end_generation(struct worker_slot *slot, const struct worker_end *end)
{
    tell_end(slot, end);
    uv_mutex_lock(&slot->mutex);
    const bool was_starting = slot->state == WORKER_STARTING && slot->failure == MODEL_OK;
    remember_end(slot, end);
    const bool worked = atomic_load(&slot->works) != 0;
    atomic_store(&slot->n_ends, worked ? 1 : atomic_load(&slot->n_ends) + 1);
    if (slot->killed || worked)
        worker_backoff_worked(&slot->backoff);
    else
        worker_backoff_died(&slot->backoff, clock_now_ns());
    slot->has_process = false;
    if (slot->state == WORKER_READY)
        metrics_add(slot->config->metrics, METRIC_WORKERS_READY, 0, -1);
    slot->state = WORKER_RESTING;
    atomic_store(&slot->n_ended, slot->generation);
    for (struct worker_link *link = slot->links; link != NULL; link = link->next)
        shared_event_wake(&link->channel->to_host);
    if (was_starting) {
        struct model_error err = MODEL_ERROR_INIT;
        fail_start(slot, worker_slot_write_end(slot, slot->generation, opening_step(slot), &err),
                   err.message);
    }
    uv_cond_broadcast(&slot->changed);
    uv_mutex_unlock(&slot->mutex);
}

/* What the worker could not decrypt: it has no key. */
static model_status send_contents(struct worker_slot *slot, struct model_error *err)
{
    const struct archive_contents *contents = slot->config->contents;
    model_status status = MODEL_OK;
    for (size_t i = 0; contents != NULL && i < contents->n_items && status == MODEL_OK; i++) {
        const struct worker_message message = {.type = WORKER_CONTENT,
                                               .path = contents->items[i].path};
        status = worker_socket_send(slot->process.socket, &message, contents->items[i].fd, err);
    }
    return status;
}

/* -1 is nothing to be passed. */
static void pass_prepared(struct worker_slot *slot, const struct prepared_ends *ends, uint64_t kind,
                          int fd)
{
    const struct worker_message message = {
        .type = WORKER_PREPARED, .numbers = {kind}, .text = ends->key};
    if (fd < 0)
        return;
    (void)worker_socket_send(slot->process.socket, &message, fd, NULL);
    (void)close(fd);
}

/* Before the package is opened: what was prepared for it, and where to send what is new. */
static void send_prepared(struct worker_slot *slot)
{
    struct prepared_ends ends;
    if (slot->config->prepared == NULL)
        return;
    prepared_share_hand_over(slot->config->prepared, &ends);
    for (size_t i = 0; i < PREPARED_MAX_FORMS; i++)
        pass_prepared(slot, &ends, 0, ends.files[i]);
    pass_prepared(slot, &ends, 1, ends.pipe);
}

/* Before that, too: where what a framework compiles is kept, which somebody may have removed. */
static void send_compiled(struct worker_slot *slot)
{
    const struct model_compiled_models *compiled = slot->config->compiled;
    struct model_error err = MODEL_ERROR_INIT;
    if (compiled == NULL || compiled->folder == NULL)
        return;
    const struct worker_message message = {
        .type = WORKER_COMPILED, .numbers = {compiled->max_bytes}, .path = compiled->folder};
    if (compiled_folder_make(compiled->folder, &err) == MODEL_OK)
        (void)worker_socket_send(slot->process.socket, &message, -1, NULL);
    else
        log_write(slot->config->log, MODEL_LOG_WARN, "compiled models are not kept: %s",
                  err.message);
}

static model_status send_open(struct worker_slot *slot, struct model_error *err)
{
    const struct worker_config *config = slot->config;
    char block[MODEL_PARTS_BYTES + WORKER_MAX_BACKEND_BYTES];
    const size_t n_backend = config->backend != NULL ? strlen(config->backend) : 0;
    if (n_backend > WORKER_MAX_BACKEND_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "a backend's name of %zu bytes, want at most %d", n_backend,
                         WORKER_MAX_BACKEND_BYTES);
    model_status status = send_contents(slot, err);
    if (status != MODEL_OK)
        return status;
    model_parts_write(&config->parts, block);
    memcpy(block + MODEL_PARTS_BYTES, n_backend > 0 ? config->backend : "", n_backend);
    const struct worker_message message = {
        .type = WORKER_OPEN,
        .numbers = {config->lanes, config->threads, (uint64_t)config->log->level,
                    config->memory_bytes, (uint64_t)config->loading, (uint64_t)config->verification,
                    config->memory_budget_bytes, (uint64_t)config->dtype},
        .text = config->plugin_path,
        .path = config->package_dir,
        .block = block,
        .block_bytes = (uint32_t)(MODEL_PARTS_BYTES + n_backend),
    };
    return worker_socket_send(slot->process.socket, &message, -1, err);
}

/* Starts a process; false: it could not be, and `error` says why. */
static bool start(struct worker_slot *slot)
{
    const struct worker_guard *guard = &slot->config->guard;
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = guard->admit != NULL ? guard->admit(guard->context, &err) : MODEL_OK;
    slot->tail = (struct line_tail){.n_ended = 0};
    slot->line_bytes = 0;
    slot->inbox.n_received = 0; /* of a message that the last process has not ended */
    slot->has_greeted = slot->has_opened = slot->has_model = false;
    uv_mutex_lock(&slot->mutex);
    slot->breach.message[0] = '\0';
    slot->is_repeating = slot->description.size > 0;
    slot->state = WORKER_STARTING;
    slot->failure = MODEL_OK;
    slot->killed = false;
    slot->is_barred = status != MODEL_OK;
    slot->started_ns = clock_now_ns();
    slot->generation++;
    atomic_store(&slot->works, 0);
    if (status == MODEL_OK && slot->stopping)
        status = error_set(&err, MODEL_CANCELLED, "nobody wants the model any more");
    if (status == MODEL_OK)
        status = worker_process_start(slot->config->command, &slot->process, &err);
    slot->has_process = status == MODEL_OK;
    if (status == MODEL_OK && slot->is_repeating)
        metrics_add(slot->config->metrics, METRIC_WORKER_RESTARTS, 0, 1);
    if (status == MODEL_OK) {
        send_prepared(slot);
        send_compiled(slot);
        (void)send_open(slot, NULL); /* if it is gone already, that is seen soon */
    } else {
        fail_start(slot, status, err.message);
        worker_backoff_refused(&slot->backoff, clock_now_ns());
        slot->state = WORKER_RESTING;
        atomic_store(&slot->n_ended, slot->generation);
    }
    uv_cond_broadcast(&slot->changed);
    uv_mutex_unlock(&slot->mutex);
    if (status == MODEL_OK && slot->is_repeating)
        worker_lines_say(slot, MODEL_LOG_INFO, 0, "started in place of one that ended");
    return status == MODEL_OK;
}

/* Waits until the next process may be started; false: none is wanted. A slot that never had a model is not
 * tried again: whoever loads it is told. */
static bool rest(struct worker_slot *slot)
{
    uv_mutex_lock(&slot->mutex);
    while (!slot->stopping) {
        const int64_t left_ns = worker_backoff_left_ns(&slot->backoff, clock_now_ns());
        if (slot->description.size == 0)
            uv_cond_wait(&slot->changed, &slot->mutex);
        else if (left_ns > 0)
            (void)uv_cond_timedwait(&slot->changed, &slot->mutex, (uint64_t)left_ns);
        else
            break;
    }
    const bool goes_on = !slot->stopping;
    uv_mutex_unlock(&slot->mutex);
    return goes_on;
}

void worker_watch(void *argument)
{
    struct worker_slot *slot = argument;
    do {
        if (!start(slot))
            continue;
        read_all(slot);
        const struct worker_end end = bury(slot);
        end_generation(slot, &end);
        worker_process_finish(&slot->process);
    } while (rest(slot));
    uv_mutex_lock(&slot->mutex);
    slot->thread_ended = true;
    uv_cond_broadcast(&slot->changed);
    uv_mutex_unlock(&slot->mutex);
}
