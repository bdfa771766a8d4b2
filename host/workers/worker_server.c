/* worker_server.c - see worker_server.h. */
#include "worker_server.h"
#include "cpu_budget.h"
#include "crash_report.h"
#include "errors.h"
#include "host.h"
#include "loaded_model.h"
#include "parallel.h"
#include "served_instance.h"
#include "worker_description.h"
#include "worker_domain.h"
#include "worker_sandbox.h"
#include "worker_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>
#endif

#define MAX_INSTANCES 1024
#define MAX_END_MS    10000 /* for what follows the goodbye; the host waits for less */

struct worker_server {
    int socket;
    struct worker_inbox inbox;
    uv_mutex_t sending;                   /* guards the socket's sending side */
    int32_t loading, verification, dtype; /* as in modelhost_load_options */
    uint64_t memory_budget_bytes;
    char *package_dir, *backend;           /* backend NULL: the package's own choice */
    struct model_parts parts;              /* what the host has seen there */
    struct archive_contents contents;      /* what it has decrypted of it */
    struct prepared_ends ends;             /* for prepared weights */
    struct model_compiled_models compiled; /* that may be changed; folder NULL: nothing */
    struct modelhost host;                 /* as much of one as a model needs */
    uv_thread_t opening;
    void (*end_at_once)(int code);

    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t fewer;
    struct modelhost_model *model; /* NULL: not open yet */
    struct served_instance *served[MAX_INSTANCES];
    uint32_t n_served;
};

static void send_message(struct worker_server *server, const struct worker_message *message)
{
    uv_mutex_lock(&server->sending);
    (void)worker_socket_send(server->socket, message, -1,
                             NULL); /* if the host is gone, so are we */
    uv_mutex_unlock(&server->sending);
}

static void send_log(struct worker_server *server, int32_t level, const char *line)
{
    send_message(server, &(struct worker_message){
                             .type = WORKER_LOG, .numbers = {(uint64_t)level}, .text = line});
}

/* Set when the code of a plugin is about to be opened: what is said before is no plugin's. */
static _Atomic bool a_plugin_is_in;

static model_status before_plugin(struct model_error *err)
{
    atomic_store(&a_plugin_is_in, true);
    return worker_sandbox_before_plugin(err);
}

/* So that the host can say where it came to an end. */
static void tell_model_created(struct modelhost *host)
{
    send_message((struct worker_server *)((char *)host - offsetof(struct worker_server, host)),
                 &(struct worker_message){.type = WORKER_MODEL});
}

/* The host knows the model by a name of its own. */
static void send_record(void *context, const struct modelhost_log_record *record)
{
    send_message(context,
                 &(struct worker_message){.type = WORKER_LOG,
                                          .numbers = {(uint64_t)record->level, record->request_id,
                                                      !atomic_load(&a_plugin_is_in)},
                                          .text = record->message});
}

static void send_failure(struct worker_server *server, model_status status,
                         const struct model_error *err)
{
    send_message(server, &(struct worker_message){.type = WORKER_FAILED,
                                                  .numbers = {(uint64_t)status},
                                                  .text = err->message});
}

/* ---- opening the package */

static void send_hello(struct worker_server *server, const struct modelhost_model *model)
{
    struct buffer description = BUFFER_INIT(WORKER_MAX_PAYLOAD_BYTES / 2);
    struct model_error err = MODEL_ERROR_INIT;
    model_status status =
        worker_description_write(model->model->description, &model->plan, &description, &err);
    const struct worker_message message = {.type = WORKER_HELLO,
                                           .numbers = {(uint64_t)getpid()},
                                           .block = description.data,
                                           .block_bytes = (uint32_t)description.size};
    if (status == MODEL_OK)
        send_message(server, &message);
    else
        send_failure(server, status, &err);
    buffer_finish(&description);
}

static void open_model(void *argument)
{
    struct worker_server *server = argument;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    options.loading = server->loading;
    options.verification = server->verification;
    options.memory_budget_bytes = server->memory_budget_bytes;
    options.dtype = server->dtype;
    send_log(server, MODEL_LOG_DEBUG, "opens the package"); /* the host waits for a first message */
    const struct model_source source = {.package_dir = server->package_dir,
                                        .backend = server->backend,
                                        .options = &options,
                                        .parts = &server->parts,
                                        .contents = &server->contents,
                                        .prepared = &server->ends,
                                        .compiled = &server->compiled};
    struct modelhost_model *model = NULL;
    model_status status = loaded_model_create(&server->host, &source, &model, &err);
    if (status != MODEL_OK) {
        send_failure(server, status, &err);
        return;
    }
    uv_mutex_lock(&server->mutex);
    server->model = model;
    uv_mutex_unlock(&server->mutex);
    send_hello(server, model);
}

/* What the host has decrypted; it is kept. */
static model_status take_content(struct worker_server *server, struct model_error *err)
{
    const int fd = server->inbox.passed;
    server->inbox.passed = -1;
    return fd >= 0 ? archive_contents_add(&server->contents, server->inbox.message.path, fd, err)
                   : error_set(err, MODEL_CORRUPT, "a message without its content");
}

static model_status take_prepared(struct worker_server *server, struct model_error *err)
{
    const struct worker_message *message = &server->inbox.message;
    size_t n_files = 0;
    while (n_files < PREPARED_MAX_FORMS - 1 && server->ends.files[n_files] >= 0)
        n_files++;
    int *end = message->numbers[0] == 0 ? &server->ends.files[n_files] : &server->ends.pipe;
    if (message->text == NULL || strlen(message->text) != SHA256_HEX_BYTES - 1 || *end >= 0 ||
        message->numbers[0] > 1)
        return error_set(err, MODEL_CORRUPT, "the host did not say which weights are prepared");
    memcpy(server->ends.key, message->text, SHA256_HEX_BYTES);
    *end = server->inbox.passed;
    server->inbox.passed = -1;
    return MODEL_OK;
}

/* Not where a worker could write elsewhere, too. */
static model_status take_compiled(struct worker_server *server, struct model_error *err)
{
    const struct worker_message *message = &server->inbox.message;
    if (server->compiled.folder != NULL || message->path[0] != '/')
        return error_set(err, MODEL_CORRUPT, "the host did not say where compiled models are");
    if (!worker_domain_confines_writing())
        return MODEL_OK;
    server->compiled = (struct model_compiled_models){
        sizeof server->compiled, text_format("%s", message->path), message->numbers[0]};
    return server->compiled.folder != NULL ? MODEL_OK : error_no_memory(err, "a path");
}

/* In front of the message that says what to open there are descriptors and folders. */
static model_status receive_open(struct worker_server *server, struct model_error *err)
{
    prepared_ends_init(&server->ends);
    for (;;) {
        model_status status = worker_socket_receive(server->socket, &server->inbox, err);
        const uint16_t type = status == MODEL_OK ? server->inbox.message.type : WORKER_OPEN;
        if (type == WORKER_CONTENT)
            status = take_content(server, err);
        else if (type == WORKER_PREPARED)
            status = take_prepared(server, err);
        else if (type == WORKER_COMPILED)
            status = take_compiled(server, err);
        else
            return status;
        if (status != MODEL_OK)
            return status;
    }
}

static model_status take_open(struct worker_server *server, struct model_error *err)
{
    model_status status = receive_open(server, err);
    const struct worker_message *open = &server->inbox.message;
    if (status != MODEL_OK)
        return status;
    if (open->type != WORKER_OPEN || open->numbers[0] == 0 || open->numbers[0] > MAX_INSTANCES ||
        !model_parts_read(open->block, open->block_bytes, &server->parts))
        return error_set(err, MODEL_CORRUPT, "the host did not say which package to open");
    server->host.lanes = (uint32_t)open->numbers[0];
    server->host.threads = (uint32_t)open->numbers[1];
    server->loading = (int32_t)(open->numbers[4] & 3);
    server->verification = (int32_t)(open->numbers[5] & 3);
    server->memory_budget_bytes = open->numbers[6];
    server->dtype = (int32_t)(open->numbers[7] & 7);
    server->package_dir = text_format("%s", open->path);
    server->host.plugin_path = text_format("%s", open->text != NULL ? open->text : "");
    const int n_backend = (int)(open->block_bytes - MODEL_PARTS_BYTES);
    if (n_backend > 0)
        server->backend =
            text_format("%.*s", n_backend, (const char *)open->block + MODEL_PARTS_BYTES);
    if (server->package_dir == NULL || server->host.plugin_path == NULL ||
        (n_backend > 0 && server->backend == NULL))
        return error_no_memory(err, "a path");
    const struct log_sink log = {
        .level = (int32_t)open->numbers[2], .record = send_record, .context = server};
    const struct worker_limits limits = {.memory_bytes = open->numbers[3],
                                         .writable_folder = server->compiled.folder};
    server->host.barrier = before_plugin;
    server->host.model_created = tell_model_created;
    server->host.cpus = cpu_budget();            /* while it can be read */
    status = worker_sandbox_enter(&limits, err); /* while there is one thread */
    if (status != MODEL_OK) {
        send_failure(server, status, err); /* and no line of the log besides */
        server->end_at_once(1);
    }
    status = host_metrics_init(&server->host.metrics, err);
    if (status == MODEL_OK)
        status = reaper_create(&log, &server->host.reaper, err);
    if (status == MODEL_OK && uv_thread_create(&server->opening, open_model, server) != 0)
        status = error_set(err, MODEL_OUT_OF_MEMORY, "cannot start a thread");
    return status;
}

/* ---- instances */

static void on_created(void *context, uint32_t id, model_status status, const char *sentence)
{
    send_message(context, &(struct worker_message){.type = WORKER_CREATED,
                                                   .numbers = {id, (uint64_t)status},
                                                   .text = sentence});
}

static void on_thread_ended(void *context)
{
    const struct worker_server *server = context;
    server->end_at_once(CRASH_EXIT_THREAD_ENDED);
}

static void on_ended(void *context, struct served_instance *served)
{
    struct worker_server *server = context;
    uv_mutex_lock(&server->mutex);
    for (uint32_t i = 0; i < server->n_served; i++)
        if (server->served[i] == served) {
            server->served[i] = server->served[--server->n_served];
            break;
        }
    uv_cond_signal(&server->fewer);
    uv_mutex_unlock(&server->mutex);
}

/* Under the mutex. */
static struct served_instance *find(struct worker_server *server, uint64_t id)
{
    for (uint32_t i = 0; i < server->n_served; i++)
        if (served_instance_id(server->served[i]) == id)
            return server->served[i];
    return NULL;
}

/* The memory whose descriptor came with a message. */
static model_status map_passed(struct worker_server *server, uint64_t size_bytes,
                               struct worker_segment **ret, struct model_error *err)
{
    const int fd = server->inbox.passed;
    server->inbox.passed = -1;
    return fd >= 0 ? worker_segment_map(fd, size_bytes, ret, err)
                   : error_set(err, MODEL_CORRUPT, "a message without its memory");
}

static model_status create_instance(struct worker_server *server,
                                    const struct worker_message *message, struct model_error *err)
{
    struct worker_segment *channel = NULL;
    struct served_options options = {.id = (uint32_t)message->numbers[0],
                                     .threads = server->host.threads,
                                     .can_spin = server->host.cpus > 1,
                                     .created = on_created,
                                     .ended = on_ended,
                                     .thread_ended = on_thread_ended,
                                     .context = server};
    model_status status = map_passed(server, message->numbers[1], &channel, err);
    if (status == MODEL_OK && channel->size_bytes < sizeof(struct worker_channel))
        status = error_set(err, MODEL_CORRUPT, "a channel that is too short");
    uv_mutex_lock(&server->mutex);
    options.model = server->model;
    if (status == MODEL_OK && options.model == NULL)
        status =
            error_set(err, MODEL_CORRUPT, "the host wants an instance of a model not yet open");
    if (status == MODEL_OK && server->n_served == MAX_INSTANCES)
        status = error_set(err, MODEL_BUSY, "more than %d instances in a worker", MAX_INSTANCES);
    if (status == MODEL_OK)
        status = served_instance_start(&options, channel, &server->served[server->n_served], err);
    server->n_served += status == MODEL_OK;
    uv_mutex_unlock(&server->mutex);
    if (status != MODEL_OK)
        worker_segment_drop(channel);
    if (status == MODEL_OUT_OF_MEMORY || status == MODEL_BUSY) {
        on_created(server, options.id, status, err->message);
        return MODEL_OK;
    }
    return status;
}

static model_status share(struct worker_server *server, const struct worker_message *message,
                          struct model_error *err)
{
    struct worker_segment *segment = NULL;
    model_status status = map_passed(server, message->numbers[2], &segment, err);
    uv_mutex_lock(&server->mutex);
    struct served_instance *served = find(server, message->numbers[0]);
    if (status == MODEL_OK && served != NULL)
        status = served_instance_share(served, (uint32_t)message->numbers[1], segment, err);
    else
        worker_segment_drop(segment);
    uv_mutex_unlock(&server->mutex);
    return status;
}

static void end_instance(struct worker_server *server, const struct worker_message *message)
{
    uv_mutex_lock(&server->mutex);
    struct served_instance *served = find(server, message->numbers[0]);
    if (served != NULL && message->type == WORKER_DESTROY)
        served_instance_end(served);
    else if (served != NULL)
        served_instance_drop_segment(served, (uint32_t)message->numbers[1]);
    uv_mutex_unlock(&server->mutex);
}

/* ---- the main thread */

static model_status obey(struct worker_server *server, struct model_error *err)
{
    const struct worker_message *message = &server->inbox.message;
    switch (message->type) {
    case WORKER_CREATE:
        return create_instance(server, message, err);
    case WORKER_SHARE:
        return share(server, message, err);
    case WORKER_DESTROY:
    case WORKER_DROP:
        end_instance(server, message);
        return MODEL_OK;
    default:
        return error_set(err, MODEL_CORRUPT, "a message of type %u from the host", message->type);
    }
}

/* Behind the goodbye nobody reads the socket: a plugin that does not come back from destroy() is not to
 * outlive its host. */
static void watch_end(void *argument)
{
    const struct worker_server *server = argument;
    struct pollfd host = {.fd = server->socket}; /* POLLHUP needs no asking */
    while (poll(&host, 1, MAX_END_MS) < 0 && errno == EINTR)
        continue;
    server->end_at_once(1);
}

/* What the host does not wait for long: the plugin's own destroy(), behind its instances'. */
static void end_kindly(struct worker_server *server)
{
    uv_thread_t watch;
    if (uv_thread_create(&watch, watch_end, server) != 0)
        server->end_at_once(1);
    (void)uv_thread_join(&server->opening);
    uv_mutex_lock(&server->mutex);
    while (server->n_served > 0)
        uv_cond_wait(&server->fewer, &server->mutex);
    uv_mutex_unlock(&server->mutex);
    loaded_model_drop(server->model);
    (void)reaper_stop(server->host.reaper, INT64_MAX); /* watch_end() has the limit */
}

/* The kernel ends the process with the thread that started it, which is the slot's and waits for the process:
 * also when a plugin holds the thread that reads the socket, or the process is stopped. A host that had gone
 * before has closed its end. */
static bool follow_host(int socket)
{
#ifdef __linux__
    struct pollfd host = {.fd = socket}; /* POLLHUP needs no asking */
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && poll(&host, 1, 0) == 0;
#else
    (void)socket;
    return true;
#endif
}

int worker_server_run(int socket, void (*end_at_once)(int code))
{
    static struct worker_server server; /* threads use it to the end of the process */
    struct model_error err = MODEL_ERROR_INIT;
    parallel_begin(); /* its files are out of reach in the sandbox */
    server.socket = socket;
    server.end_at_once = end_at_once;
    server.inbox = (struct worker_inbox)WORKER_INBOX_INIT;
    if (uv_mutex_init(&server.sending) != 0 || uv_mutex_init(&server.mutex) != 0 ||
        uv_cond_init(&server.fewer) != 0 || !follow_host(socket))
        return 1;
    model_status status = take_open(&server, &err);
    while (status == MODEL_OK) {
        status = worker_socket_receive(socket, &server.inbox, &err);
        if (status == MODEL_OK && server.inbox.message.type == WORKER_GOODBYE)
            break;
        if (status == MODEL_OK)
            status = obey(&server, &err);
    }
    if (status != MODEL_OK) {
        if (status != MODEL_NOT_FOUND) /* a host that has just gone */
            send_log(&server, MODEL_LOG_ERROR, err.message);
        end_at_once(status == MODEL_NOT_FOUND ? 0 : 1);
    }
    end_kindly(&server);
    return 0;
}
