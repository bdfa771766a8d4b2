/* plugin_faulty.c - a fixture: gives twice its input "x" (F32, ["batch", 4]) as "y", and is wrong in the one way
 * that config.json says: "fault" is one of the names in the table below. Without it, it is right. */
#include "model_abi.h"

#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

MODEL_PLUGIN_NOTE("faulty", "1.0.0", "faulty");

enum fault {
    NONE,
    /* run() */
    WRITE_INPUT,
    OVERRUN_OUTPUT,
    UNDERRUN_OUTPUT,
    READ_PAST_INPUT,
    CRASH,
    ABORT,
    EXIT,
    HANG,
    SPIN,
    WRONG_SHAPE,
    NO_OUTPUT,
    SILENT_ERROR,
    NO_STATUS,
    RANDOM,
    BATCH,
    IGNORE_CANCEL,
    LATE_EMIT,
    THREADS,
    THROW_AWAY_ERROR,
    LEAK_MALLOC,
    LEAK_DESCRIPTOR,
    BREAKS_AFTER_CANCEL,
    SHARED_STATE,
    IDS_UNCHECKED,
    FORGE_VERDICT,
    GETS_OUT,
    TIMER,
    ALARM,
    END_THREAD,
    CLOSE_ALL,
    FLOOD,
    /* create_model() and destroy() */
    LEAK_BLOCK,
    NO_NULL_CHECK,
    CRASH_ON_CONFIG,
    TRUST_WEIGHT,
    NEWER_FIELD,
    SIGNAL_HANDLER,
    LOCALE,
    CRASH_AT_EXIT,
    LATE_LOG,
    BAD_SCHEMA,
    N_FAULTS
};

static const char *const fault_names[N_FAULTS] = {"none",
                                                  "write-input",
                                                  "overrun-output",
                                                  "underrun-output",
                                                  "read-past-input",
                                                  "crash",
                                                  "abort",
                                                  "exit",
                                                  "hang",
                                                  "spin",
                                                  "wrong-shape",
                                                  "no-output",
                                                  "silent-error",
                                                  "no-status",
                                                  "random",
                                                  "batch",
                                                  "ignore-cancel",
                                                  "late-emit",
                                                  "threads",
                                                  "throw-away-error",
                                                  "leak-malloc",
                                                  "leak-descriptor",
                                                  "breaks-after-cancel",
                                                  "shared-state",
                                                  "ids-unchecked",
                                                  "forge-verdict",
                                                  "gets-out",
                                                  "timer",
                                                  "alarm",
                                                  "end-thread",
                                                  "close-all",
                                                  "flood",
                                                  "leak-block",
                                                  "no-null-check",
                                                  "crash-on-config",
                                                  "trust-weight",
                                                  "newer-field",
                                                  "signal-handler",
                                                  "locale",
                                                  "crash-at-exit",
                                                  "late-log",
                                                  "bad-schema"};

struct faulty_model {
    struct model base;
    const struct model_services *services;
    enum fault fault;
    float bias;
};

struct faulty_instance {
    struct model_instance base;
    const struct faulty_model *model;
    int is_broken;
};

static const struct model_dimension shape[] = {{"batch", 1, INT64_MAX}, {NULL, 4, 4}};
static const struct model_dimension bad_shape[] = {{"batch", 5, 1}, {NULL, 4, 4}};
static const struct model_tensor_spec x = {sizeof x, "x", MODEL_F32, 2, shape, 0, 0};
static const struct model_tensor_spec y = {sizeof y, "y", MODEL_F32, 2, shape, 0, 0};
static const struct model_tensor_spec bad_y = {sizeof y, "y", MODEL_F32, 2, bad_shape, 0, 0};
static const struct model_tensor_spec *const inputs[] = {&x}, *const outputs[] = {&y},
                                             *const bad_outputs[] = {&bad_y};
#define DESCRIPTION(outputs_)                                                                      \
    {                                                                                              \
        .struct_size = sizeof(struct model_description), .architecture = "Faulty",                 \
        .inputs = inputs, .outputs = outputs_, .n_inputs = 1, .n_outputs = 1, .device = "cpu",     \
        .compute_dtype = "f32", .max_batch = INT64_MAX, .cancel_grain = MODEL_CANCEL_LAYER,        \
        .capabilities = MODEL_CAN_STREAM                                                           \
    }
static const struct model_description description = DESCRIPTION(outputs);
static const struct model_description bad_description = DESCRIPTION(bad_outputs);

static volatile int counter;
static void *volatile leaked;
static volatile float shared[4];

static model_status fail(struct model_error *err, model_status status, const char *sentence)
{
    if (err != NULL)
        memcpy(err->message, sentence, strlen(sentence) + 1);
    return status;
}

/* Something that goes on when its call is over. */
struct later {
    const struct model_stream_sink *sink;
    struct model_stream_sink copy;
    const struct model_services *services;
};

static void *do_later(void *argument)
{
    struct later *later = argument;
    usleep(50000);
    if (later->sink != NULL)
        (void)later->copy.emit(later->copy.context, NULL, 0);
    else
        later->services->log(later->services->context, MODEL_LOG_INFO, "late");
    return NULL;
}

static void start_later(const struct model_stream_sink *sink, const struct model_services *services)
{
    struct later *later = calloc(1, sizeof *later);
    pthread_t thread;
    if (later == NULL)
        return;
    later->sink = sink;
    if (sink != NULL)
        later->copy = *sink;
    later->services = services;
    if (pthread_create(&thread, NULL, do_later, later) == 0)
        (void)pthread_detach(thread);
}

static void *wait_for_ever(void *argument)
{
    (void)argument;
    for (;;)
        pause();
    return NULL;
}

/* Says to the host's check, over its own pipe, that it is done and well. */
static void forge_verdict(void)
{
    static const char line[] = "\nP\nVpassed all is well\n";
    (void)!write(3, line, sizeof line - 1);
    _exit(0);
}

/* Of lines that say nothing, where verdicts go. */
static void flood(void)
{
    static const char line[] = "\nnothing to say here\n";
    for (int i = 0; i < 20000; i++)
        (void)!write(3, line, sizeof line - 1);
    abort();
}

/* What it can get at beside its work, or NULL. */
static const char *get_out(void)
{
    if (getenv("HF_TOKEN") != NULL)
        return "faulty: got a token of the environment";
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
        return "faulty: got a socket";
#ifdef O_TMPFILE
    if (open("/tmp", O_TMPFILE | O_RDWR, 0600) >= 0)
        return "faulty: got a file to write to";
#endif
    const pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child > 0 ? "faulty: got a process" : NULL;
}

#ifdef __linux__
static int leave_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    const struct itimerspec later = {.it_value = {.tv_sec = 1000}};
    timer_t timer;
    return timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 &&
           timer_settime(timer, 0, &later, NULL) == 0;
}
#else
static int leave_timer(void)
{
    return 1;
}
#endif

/* What goes wrong before anything is computed. */
static model_status fault_first(struct faulty_instance *instance, const struct model_call *call,
                                struct model_error *err)
{
    pthread_t thread;
    switch (instance->model->fault) {
    case WRITE_INPUT:
        *(volatile float *)call->inputs[0]->data = 1;
        return MODEL_OK;
    case CRASH:
        *(volatile int *)(intptr_t)counter = 1; /* at address 0 */
        return MODEL_OK;
    case ABORT:
        abort();
    case EXIT:
        exit(3);
    case HANG:
        wait_for_ever(NULL);
        return MODEL_OK;
    case SPIN:
        for (;;)
            counter = 0;
    case FORGE_VERDICT:
        forge_verdict();
        return MODEL_OK;
    case GETS_OUT:
        return get_out() == NULL ? MODEL_OK : fail(err, MODEL_INTERNAL, get_out());
    case TIMER:
        return leave_timer() ? MODEL_OK : MODEL_INTERNAL;
    case ALARM:
        (void)alarm(1000);
        return MODEL_OK;
    case CLOSE_ALL:
        for (int fd = 0; fd < 64; fd++)
            (void)close(fd);
        return MODEL_OK;
    case FLOOD:
        flood();
        return MODEL_OK;
    case END_THREAD:
        pthread_exit(NULL);
    case SILENT_ERROR:
        return MODEL_INTERNAL;
    case NO_STATUS:
        return fail(err, 4711, "faulty: no status");
    case THREADS:
        return pthread_create(&thread, NULL, wait_for_ever, NULL) == 0 ? MODEL_OK : MODEL_INTERNAL;
    case LEAK_MALLOC:
        leaked = malloc(3000);
        return leaked != NULL ? MODEL_OK : MODEL_INTERNAL;
    case LEAK_DESCRIPTOR:
        return open("/dev/null", O_RDONLY) >= 0 ? MODEL_OK : MODEL_INTERNAL;
    case LATE_EMIT:
        if (call->sink != NULL)
            start_later(call->sink, NULL);
        return MODEL_OK;
    default:
        return MODEL_OK;
    }
}

/* Values that index a table of ten, as a plugin would that takes ids on trust. */
static float look_up(float index)
{
    static const float table[10] = {0};
    return *(const volatile float *)(table + (index > 1e9F ? 1L << 40 : (long)index));
}

static void compute(const struct faulty_instance *instance, const struct model_call *call)
{
    const struct model_tensor *in = call->inputs[0], *out = call->outputs[0];
    const enum fault fault = instance->model->fault;
    const int64_t n = in->shape[0] * 4;
    const float *from = in->data;
    float *to = out->data;
    for (int64_t i = 0; i < n; i++)
        to[i] = 2 * from[i] + instance->model->bias;
    if (fault == OVERRUN_OUTPUT)
        ((volatile char *)to)[out->size_bytes] = 1;
    else if (fault == UNDERRUN_OUTPUT)
        ((volatile char *)to)[-1] = 1;
    else if (fault == READ_PAST_INPUT)
        to[0] += 0 * ((const volatile float *)from)[n];
    else if (fault == RANDOM)
        to[0] += (float)++counter;
    else if (fault == BATCH && in->shape[0] > 1)
        to[n - 1] += 1;
    else if (fault == IDS_UNCHECKED && from[0] > 1e6F)
        to[0] = look_up(from[0]);
    if (fault == SHARED_STATE) { /* through memory that all instances share */
        for (int i = 0; i < 4; i++)
            shared[i] = to[i];
        usleep(500);
        for (int i = 0; i < 4; i++)
            to[i] = shared[i];
        counter++;
        if (in->shape[0] == 1)
            shared[0] = (float)counter;
    }
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    struct faulty_instance *instance = (struct faulty_instance *)self;
    const enum fault fault = instance->model->fault;
    const int64_t wrong[2] = {call->inputs[0]->shape[0], 5};
    model_status status = model_cancel_status(call->cancel);
    if (instance->is_broken)
        return fail(err, MODEL_INTERNAL, "faulty: broken since a call was cancelled");
    if (status != MODEL_OK && fault != IGNORE_CANCEL) {
        instance->is_broken = fault == BREAKS_AFTER_CANCEL;
        return status;
    }
    status = fault_first(instance, call, err);
    if (status != MODEL_OK || fault == NO_OUTPUT)
        return status;
    status = call->allocate_output(call->context, 0, MODEL_F32, 2,
                                   fault == WRONG_SHAPE ? wrong : call->inputs[0]->shape, err);
    if (status != MODEL_OK)
        return fault == THROW_AWAY_ERROR ? MODEL_OK : status;
    compute(instance, call);
    return MODEL_OK;
}

static void destroy_instance(struct model_instance *self)
{
    const struct faulty_model *model = ((struct faulty_instance *)self)->model;
    if (model->fault != LEAK_BLOCK)
        model->services->release(model->services->context, self);
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    const struct faulty_model *model = (const struct faulty_model *)self;
    struct faulty_instance *instance =
        model->services->allocate(model->services->context, sizeof *instance);
    if (instance == NULL && model->fault != NO_NULL_CHECK)
        return fail(err, MODEL_OUT_OF_MEMORY, "faulty: no memory for 'instance'");
    *instance = (struct faulty_instance){
        {.struct_size = sizeof instance->base, .run = run, .destroy = destroy_instance}, model, 0};
    *ret = &instance->base;
    return MODEL_OK;
}

static void destroy(struct model *self)
{
    struct faulty_model *model = (struct faulty_model *)self;
    const struct model_services *services = model->services;
    if (model->fault == LATE_LOG)
        start_later(NULL, services);
    services->release(services->context, model);
}

static void do_nothing(int signal_number)
{
    (void)signal_number;
}

static void crash_at_exit(void)
{
    abort();
}

static enum fault read_fault(const struct model_services *services)
{
    struct model_value value = {.struct_size = sizeof value};
    if (services->config_value(services->context, "fault", &value) == MODEL_OK &&
        value.kind == MODEL_VALUE_STRING)
        for (int i = 0; i < N_FAULTS; i++)
            if (strcmp(value.string, fault_names[i]) == 0)
                return (enum fault)i;
    return NONE;
}

/* The optional weight "bias" (F32 [1]), unless it is taken as it comes. */
static model_status read_bias(struct faulty_model *model, struct model_error *err)
{
    struct model_tensor bias = {.struct_size = sizeof bias};
    if (model->services->tensor_by_name(model->services->context, "bias", &bias) != MODEL_OK)
        return MODEL_OK;
    if (model->fault == TRUST_WEIGHT) /* the last of two that it wants */
        model->bias = ((const volatile float *)bias.data)[1];
    else if (bias.dtype != MODEL_F32 || bias.rank != 1 || bias.shape[0] != 2)
        return fail(err, MODEL_CORRUPT, "weight 'bias': want F32 of shape [2]");
    return MODEL_OK;
}

static void fault_creating(const struct model_services *services, enum fault fault)
{
    struct model_value size = {.struct_size = sizeof size};
    if (fault == CRASH_ON_CONFIG &&
        services->config_value(services->context, "size", &size) == MODEL_OK)
        counter = *(const volatile char *)size.string; /* a string, surely */
    else if (fault == NEWER_FIELD)
        counter = (int)((const volatile size_t *)(services + 1))[0];
    else if (fault == SIGNAL_HANDLER)
        (void)signal(SIGUSR1, do_nothing);
    else if (fault == LOCALE)
        (void)setlocale(LC_ALL, "C.UTF-8");
    else if (fault == CRASH_AT_EXIT && counter++ == 0)
        (void)atexit(crash_at_exit);
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    const enum fault fault = read_fault(services);
    fault_creating(services, fault);
    struct faulty_model *model = services->allocate(services->context, sizeof *model);
    if (model == NULL)
        return fail(err, MODEL_OUT_OF_MEMORY, "faulty: no memory for 'model'");
    *model = (struct faulty_model){{sizeof model->base,
                                    fault == BAD_SCHEMA ? &bad_description : &description,
                                    create_instance, NULL, destroy},
                                   services,
                                   fault,
                                   0};
    model_status status = read_bias(model, err);
    if (status != MODEL_OK) {
        services->release(services->context, model);
        return status;
    }
    *ret = &model->base;
    return MODEL_OK;
}
