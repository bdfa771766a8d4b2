/* plugin_hostile.c - a fixture: a plugin that turns against its host, from within a worker process. Copies input
 * "x" (F32, ["n"]) plus one to output "y" (F32, ["n"]), but when x[0] is
 *   -1  says in the channel that the host does not sleep while it does, and exits
 *   -2  leads the sleeping host to another futex, and exits
 *   -3  emits for ever, and takes each cancel back
 *   -4  ends its thread, with pthread_exit()
 *   -5  makes memory with a descriptor, and fails when that works
 *   -6  begins a message to the host and goes on with it byte by byte, for ever
 * config.json: with "hostile_drips" create_model() does the last one.
 * The channel is found as any code in the process could: host/workers/worker_channel.h says where things are. */
#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#endif

MODEL_PLUGIN_NOTE("hostile", "1.0.0", "hostile");

/* Of a channel, in words. */
enum { TO_HOST_COUNT = 16, TO_HOST_SLEEPS = 17, FIRST_CANCELLED = 32 };

#define MAX_CHANNELS 16

FIXTURE_FLOATS("n", 0);
static const struct model_description description = {FIXTURE_ONE_TO_ONE("Hostile"),
                                                     .capabilities = MODEL_CAN_STREAM,
                                                     .cancel_grain = MODEL_CANCEL_LAYER};

/* All memory that is shared with the host and may be written to; the channel is in it. */
static int find_shared(volatile uint32_t *ret[MAX_CHANNELS])
{
    char line[1000], rights[5];
    int n_found = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL && n_found < MAX_CHANNELS) {
        unsigned long begin = 0, end = 0;
        if (strstr(line, "modelhost-worker") != NULL &&
            sscanf(line, "%lx-%lx %4s", &begin, &end, rights) == 3 && rights[1] == 'w')
            ret[n_found++] = (volatile uint32_t *)(uintptr_t)begin;
    }
    if (maps != NULL)
        (void)fclose(maps);
    return n_found;
}

#ifdef __linux__
/* Waits until the host sleeps, and sees to it that nothing wakes it. */
static void lose_the_host(int what)
{
    volatile uint32_t *shared[MAX_CHANNELS];
    const int n_shared = find_shared(shared);
    if (n_shared == 0)
        return;
    for (int i = 0;; i = i + 1 < n_shared ? i + 1 : 0) {
        if (shared[i][TO_HOST_SLEEPS] != 1)
            continue;
        if (what == -2 &&
            syscall(SYS_futex, &shared[i][TO_HOST_COUNT], FUTEX_CMP_REQUEUE, 0, (void *)1,
                    &shared[i][TO_HOST_COUNT + 8], shared[i][TO_HOST_COUNT]) < 1)
            continue;
        shared[i][TO_HOST_SLEEPS] = 0;
        _exit(7);
    }
}

#endif

static void emit_for_ever(const struct model_call *call)
{
    volatile uint32_t *shared[MAX_CHANNELS];
    const int n_shared = find_shared(shared);
    float value = 1;
    struct model_tensor piece = {sizeof piece, "y", &value, sizeof value, MODEL_F32, 1, {1},
                                 {1},          0,   0};
    const struct model_tensor *const pieces[] = {&piece};
    for (;;) {
        for (int i = 0; i < n_shared; i++)
            if (shared[i][FIRST_CANCELLED] < 100) /* no tensor's data */
                shared[i][FIRST_CANCELLED] = 0;
        (void)call->sink->emit(call->sink->context, pieces, 1);
    }
}

/* On the host's socket: the header of a line for the log (host/workers/worker_message.h), and a line that does not end. */
static void drip(void)
{
    const struct {
        uint32_t magic;
        uint16_t version, type;
        uint32_t payload_bytes, reserved;
    } header = {0x4B574D48u, 5, 9, 1u << 20, 0};
    const struct timespec pause = {.tv_nsec = 5000000};
    for (size_t i = 0;; i++) {
        if (write(3, i < sizeof header ? (const char *)&header + i : "", 1) != 1)
            _exit(8);
        (void)nanosleep(&pause, NULL);
    }
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const float *in = call->inputs[0]->data;
    const int64_t n_numbers = call->inputs[0]->shape[0];
    const int what = n_numbers > 0 ? (int)in[0] : 0;
    (void)self;
#ifdef __linux__
    if (what == -1 || what == -2)
        lose_the_host(what);
    if (what == -5 && memfd_create("hostile", 0) >= 0)
        return MODEL_IO;
#endif
    if (what == -3 && call->sink != NULL)
        emit_for_ever(call);
    if (what == -4)
        pthread_exit(NULL);
    if (what == -6)
        drip();
    model_status status = call->allocate_output(call->context, 0, MODEL_F32, 1, &n_numbers, err);
    if (status != MODEL_OK)
        return status;
    for (int64_t i = 0; i < n_numbers; i++)
        ((float *)call->outputs[0]->data)[i] = in[i] + 1;
    return MODEL_OK;
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    return fixture_create_instance(self, sizeof(struct fixture_instance), run, NULL, ret, err);
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    if (config_number(services, "hostile_drips", 0) != 0)
        drip();
    struct fixture *model =
        fixture_create_model(services, sizeof *model, &description, create_instance, err);
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    *ret = &model->base;
    return MODEL_OK;
}
