/* generation_config.h - how a package wants its text generated, and what a caller makes of it. */
#ifndef GENERATION_CONFIG_H
#define GENERATION_CONFIG_H

#include "json_view.h"
#include "sampler.h"

struct archive;

#define GENERATION_MAX_EOS        32
#define GENERATION_MAX_STOPS      16 /* stop strings of a package */
#define GENERATION_MAX_STOP_BYTES 128

/* generation_config.json; without one the fields of the same names in config.json, as transformers does. */
struct generation_config {
    struct sampler_settings sampling;
    int64_t max_new_tokens; /* 0: not said */
    int64_t max_length;     /* prompt included; 0: not said */
    int64_t bos_token_id;   /* -1: none */
    int64_t eos_token_ids[GENERATION_MAX_EOS];
    uint32_t n_eos;
    char stop_strings[GENERATION_MAX_STOPS][GENERATION_MAX_STOP_BYTES + 1];
    uint32_t n_stop_strings;
};

/* Reads <package_dir>/generation_config.json, else <backend_dir>'s, else `config` (config.json).
 * MODEL_CORRUPT names a field of the wrong kind, MODEL_UNSUPPORTED one that would change the text and that
 * nothing here computes; neutral values of it and fields that change no text pass. */
model_status generation_config_read(const struct archive *archive, const char *package_dir,
                                    const char *backend_dir, const json_node *config,
                                    struct generation_config *ret, struct model_error *err);

/* What one call does. */
struct generation_settings {
    struct sampler_settings sampling;
    int64_t max_new_tokens; /* of a prompt with n_prompt tokens: generation_limit() */
    int64_t max_length;
    uint32_t num_sequences;
    uint64_t seed;
    uint32_t first_prompt; /* the place of prompt 0 among the streams of the seed */
    int64_t eos_token_ids[2 * GENERATION_MAX_EOS]; /* the model's own and the caller's */
    uint32_t n_eos;
    bool sliding_window;
    uint32_t logprobs;
    void (*on_token)(void *context, const struct modelhost_token *token); /* may be NULL */
    void *context;
};

/* Puts the caller's wishes over the package's; MODEL_INVALID_ARGUMENT: "temperature is nan, want a number
 * from 0 to 100". A temperature of 0 is greedy. */
model_status generation_settings_make(const struct generation_config *config,
                                      const struct modelhost_generation *wanted,
                                      struct generation_settings *ret, struct model_error *err);

/* New tokens that a prompt of n_prompt tokens may have. */
int64_t generation_limit(const struct generation_settings *settings, size_t n_prompt);

#endif
