/* fuzz_generation_config.c - any bytes as generation_config.json and as a caller's numbers; with what is
 * accepted, tokens are drawn. */
#include "fuzz_folder.h"
#include "generation_config.h"

#include "errors.h"

#include <math.h>

enum { VOCAB = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Numbers from the end of the input, so that the file keeps its beginning. */
static double take_number(const uint8_t *data, size_t *size)
{
    static const double some[] = {NAN, INFINITY, -INFINITY, -1, 0, 1e-300, 0.5, 1, 1e300};
    if (*size == 0)
        return MODELHOST_AS_CONFIGURED;
    const uint8_t byte = data[--*size];
    return byte < 128 ? MODELHOST_AS_CONFIGURED
                      : some[byte % (sizeof some / sizeof *some)] * (byte < 200 ? 1 : 0.37);
}

static void draw(const struct generation_settings *settings, const uint8_t *data, size_t size)
{
    struct sampler sampler;
    float logits[VOCAB];
    must(sampler_init(&sampler, &settings->sampling, VOCAB, settings->seed, 0, NULL) == MODEL_OK);
    const int64_t prompt[] = {-1, 0, VOCAB - 1, VOCAB, INT64_MAX};
    sampler_add_prompt(&sampler, prompt, 5);
    for (int step = 0; step < 4; step++) {
        int64_t id = -1;
        for (size_t i = 0; i < VOCAB; i++)
            logits[i] = size > 0 ? (float)((int)data[(i * 7 + (size_t)step) % size] - 100) : 0.0f;
        must(sampler_next(&sampler, logits, &id, NULL) == MODEL_OK);
        must(id >= 0 && id < VOCAB);
        must(sampler_logprob(logits, VOCAB, id) <= 1e-6);
    }
    sampler_finish(&sampler);
    must(generation_limit(settings, size) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct generation_config config;
    struct generation_settings settings;
    struct modelhost_generation wanted = MODELHOST_GENERATION_INIT;
    wanted.temperature = take_number(data, &size);
    wanted.top_p = take_number(data, &size);
    wanted.min_p = take_number(data, &size);
    wanted.repetition_penalty = take_number(data, &size);
    wanted.presence_penalty = take_number(data, &size);
    fuzz_put("generation_config.json", data, size);
    if (generation_config_read(NULL, fuzz_path(""), fuzz_path("none"), NULL, &config, &err) ==
            MODEL_OK &&
        generation_settings_make(&config, &wanted, &settings, &err) == MODEL_OK)
        draw(&settings, data, size);
    else
        must(err.message[0] != '\0');
    return 0;
}
