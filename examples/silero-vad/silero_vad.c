/* silero_vad.c - the Silero voice activity detector (16 kHz): how likely each 32 ms hold speech.
 *
 * The graph: a chunk with the 64 samples before it -> short-time spectrum as a convolution ->
 * magnitudes -> 4 convolutions -> LSTM cell -> one number. What it has heard is a slot: the last
 * samples and the LSTM's state, so that a session hears a stream in pieces of any number of chunks. */
#include "kernels.h"

#include <math.h>
#include <string.h>

MODEL_PLUGIN_NOTE("silero-vad", "1.0.0", "silero-vad");

enum {
    CHUNK = 512,    /* samples of one answer */
    CONTEXT = 64,   /* samples before them that it also looks at */
    REFLECTED = 64, /* samples mirrored at the end */
    PADDED = CONTEXT + CHUNK + REFLECTED,
    BINS = 129, /* of the spectrum: real parts, then imaginary ones */
    FRAMES = 4, /* of the spectrum of a chunk */
    HIDDEN = 128,
    MAP = FRAMES * 2 * BINS /* numbers of the largest feature map */
};

enum { SPECTRUM = 0, ANSWER = 5, N_CONVS }; /* features between them */

/* What one stream is remembered by. All zeros: nothing was heard. */
struct memory {
    float context[CONTEXT], c[HIDDEN], h[HIDDEN];
};

struct vad {
    struct plugin_model base;
    const struct conv *convs[N_CONVS];
    struct lstm_cell cell;
};

/* The buffers of a run. */
struct run {
    const struct vad *vad;
    struct linear_runner *runner;
    size_t batch;
    struct memory *memory; /* (batch) */
    float *padded;         /* (PADDED) */
    float *a, *b;          /* (MAP) */
    float *gates;          /* (4 HIDDEN) */
};

static void layout(void *context, struct scratch *scratch)
{
    struct run *run = context;
    run->memory = scratch_take(scratch, run->batch, sizeof *run->memory);
    run->padded = scratch_take(scratch, PADDED, sizeof(float));
    run->a = scratch_take(scratch, MAP, sizeof(float));
    run->b = scratch_take(scratch, MAP, sizeof(float));
    run->gates = scratch_take(scratch, (size_t)4 * HIDDEN, sizeof(float));
}

/* chunk(CHUNK) behind its context, mirrored at the end without repeating the last sample. */
static void pad(struct memory *memory, const float *chunk, float *padded)
{
    memcpy(padded, memory->context, sizeof memory->context);
    memcpy(padded + CONTEXT, chunk, CHUNK * sizeof *chunk);
    for (size_t i = 0; i < REFLECTED; i++)
        padded[CONTEXT + CHUNK + i] = padded[CONTEXT + CHUNK - 2 - i];
    memcpy(memory->context, chunk + CHUNK - CONTEXT, sizeof memory->context);
}

/* The padded chunk -> features (HIDDEN), in run->a or run->b. */
static const float *hear(struct run *run)
{
    struct map_shape shape = {1, 1, PADDED, 1};
    float *x = run->a, *y = run->b;
    conv_run(run->runner, run->vad->convs[SPECTRUM], run->padded, shape, x);
    for (size_t i = 0; i < FRAMES; i++) {
        const float *real = x + i * 2 * BINS, *imaginary = real + BINS;
        for (size_t k = 0; k < BINS; k++)
            y[i * BINS + k] = sqrtf(real[k] * real[k] + imaginary[k] * imaginary[k]);
    }
    shape = (struct map_shape){1, 1, FRAMES, BINS};
    for (size_t i = SPECTRUM + 1; i < ANSWER; i++) {
        float *from = y;
        conv_run(run->runner, run->vad->convs[i], from, shape, x);
        (void)conv_shape(run->vad->convs[i], shape, &shape);
        y = x;
        x = from;
    }
    return y;
}

static float run_chunk(struct run *run, struct memory *memory, const float *chunk)
{
    const struct vad *vad = run->vad;
    pad(memory, chunk, run->padded);
    lstm_cell_read(run->runner, &vad->cell, hear(run), 1, run->gates);
    lstm_cell_step(vad->base.kernels, run->runner, &vad->cell, run->gates, 1, memory->c, memory->h);
    memcpy(run->a, memory->h, sizeof memory->h);
    activation_rows(vad->base.kernels, ACTIVATION_RELU, run->a, 1, HIDDEN);
    conv_run(run->runner, vad->convs[ANSWER], run->a, (struct map_shape){1, 1, 1, HIDDEN}, run->b);
    return run->b[0];
}

/* audio [batch, samples] -> probs [batch, samples / CHUNK]. */
static model_status vad_run(struct model_instance *self, const struct model_call *call,
                            struct model_error *err)
{
    struct plugin_instance *instance = (struct plugin_instance *)self;
    const struct model_tensor *audio = call_input(call, "audio");
    const int64_t n_samples = audio->shape[1], n_chunks = n_samples / CHUNK;
    struct run run = {.vad = (const struct vad *)instance->model,
                      .runner = instance->runner,
                      .batch = (size_t)audio->shape[0]};
    struct call_reader reader = {.call = call, .err = err};
    if (n_samples % CHUNK != 0)
        return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                            "audio has %lld samples, want a multiple of %d: pad the end with zeros",
                            (long long)n_samples, CHUNK);
    float *probs = take_output(&reader, "probs", 2, (int64_t[]){audio->shape[0], n_chunks});
    if (reader.status == MODEL_OK)
        reader.status = scratch_layout(run.vad->base.kernels, layout, &run, err);
    if (reader.status != MODEL_OK)
        return reader.status;
    linear_runner_begin(run.runner, call->cancel, err);
    plugin_slots_read(instance, call, run.batch, run.memory);
    for (int64_t i = 0; i < audio->shape[0] * n_chunks; i++) {
        const float *chunk = (const float *)audio->data + i * CHUNK;
        const float probability = run_chunk(&run, &run.memory[i / n_chunks], chunk);
        if (linear_runner_status(run.runner) != MODEL_OK)
            return linear_runner_status(run.runner);
        if (probs != NULL)
            probs[i] = probability;
    }
    plugin_slots_write(instance, call, n_samples, run.memory);
    return MODEL_OK;
}

static model_status load_weights(struct vad *vad, struct model_error *err)
{
    static const struct {
        const char *name;
        int in, out, kernel, stride;
        enum activation activation;
    } parts[N_CONVS] = {{"stft_conv", 1, 2 * BINS, 2 * (BINS - 1), BINS - 1, ACTIVATION_NONE},
                        {"conv1", BINS, 128, 3, 1, ACTIVATION_RELU},
                        {"conv2", 128, 64, 3, 2, ACTIVATION_RELU},
                        {"conv3", 64, 64, 3, 2, ACTIVATION_RELU},
                        {"conv4", 64, HIDDEN, 3, 1, ACTIVATION_RELU},
                        {"final_conv", HIDDEN, 1, 1, 1, ACTIVATION_SIGMOID}};
    struct loader loader = {vad->base.kernels, err, MODEL_OK};
    for (size_t i = 0; i < N_CONVS; i++) {
        const struct conv_spec spec = {.in_channels = parts[i].in,
                                       .out_channels = parts[i].out,
                                       .kernel_width = parts[i].kernel,
                                       .stride_x = parts[i].stride,
                                       .padding_x = parts[i].kernel == 3 ? 1 : 0,
                                       .activation = parts[i].activation};
        vad->convs[i] = load_conv_norm(&loader, spec, parts[i].name, NULL);
    }
    vad->cell = load_lstm_cell(&loader, HIDDEN, HIDDEN, "lstm_cell.", "");
    return loader.status;
}

/* The network is what it is; config.json may say so, but nothing else. */
static model_status check_config(struct vad *vad, struct model_error *err)
{
    const struct {
        const char *path;
        int value;
    } fields[] = {{"sampling_rate", 16000},  {"chunk", CHUNK},  {"context", CONTEXT},
                  {"n_fft", 2 * (BINS - 1)}, {"hop", BINS - 1}, {"reflect_pad_right", REFLECTED},
                  {"hidden_size", HIDDEN}};
    struct config_reader reader = {kernels_services(vad->base.kernels), err, MODEL_OK};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        (void)config_integer(&reader, fields[i].path, fields[i].value, fields[i].value,
                             fields[i].value);
    return reader.status;
}

static model_status build(struct plugin_model *base, struct model_error *err)
{
    struct vad *vad = (struct vad *)base;
    const struct model_dimension batch = {"batch", 1, INT64_MAX};
    const struct model_dimension audio[] = {batch, {"samples", CHUNK, INT64_MAX}};
    const struct model_dimension probs[] = {batch, {"chunks", 1, INT64_MAX}};
    struct spec_list in = {.kernels = base->kernels}, out = in;
    base->run = vad_run;
    model_status status = check_config(vad, err);
    status = status == MODEL_OK ? load_weights(vad, err) : status;
    if (status != MODEL_OK)
        return status;
    spec_add(&in, "audio", MODEL_F32, 0, 2, audio);
    spec_add(&out, "probs", MODEL_F32, 0, 2, probs);
    base->description.architecture = "SileroVad";
    base->description.task = "voice-activity-detection";
    plugin_slots_init(base, sizeof(struct memory));
    return spec_describe(&in, &out, &base->description, err);
}

PLUGIN_CREATE_MODEL(struct vad, build)
