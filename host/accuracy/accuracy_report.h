/* accuracy_report.h - how far a model's answers in fewer bits are from those in float32, kept in the store under the key
 * of what was measured (prepared_key.h: plugin's file, config.json, weights, dtype), so that a report of other weights or
 * another plugin does not count:
 *
 *   <store>/accuracy/<key>.json
 *   {"format_version":1, "key":"...", "dtype":"int8", "plugin":"bert", "plugin_version":"1.0.0", "host_version":"0.1.0",
 *    "created_s":1795276800, "inputs":"texts", "samples":12, "few_samples":false, "cosine":0.9991, "worst_output":"logits", "max_abs":0.31,
 *    "top1_agreement":0.98, "perplexity_f32":21.3, "perplexity":21.6,
 *    "budget":{"max_cosine_loss":0.005, "max_perplexity_change":null, "min_top1_agreement":0.99}, "passed":true}
 *
 * What was not measured is null. A report of before there was a "min_top1_agreement" has none, which is 0. Read as hostile.
 * [any-thread] */
#ifndef ACCURACY_REPORT_H
#define ACCURACY_REPORT_H

#include "digest.h"
#include "modelhost.h"

#include <stdbool.h>

#define ACCURACY_REPORT_FORMAT_VERSION 1
#define ACCURACY_NOT_MEASURED          (-1.0)
#define ACCURACY_FEW_SAMPLES           8 /* fewer are said to be few: "few_samples" */

/* What may be lost. */
struct accuracy_budget {
    double max_cosine_loss;       /* 1 - cosine, 0 to 2 */
    double max_perplexity_change; /* 0.02: two in a hundred more; ACCURACY_NOT_MEASURED: any */
    double min_top1_agreement;    /* 0.99: of a hundred rows of logits ninety-nine; 0: any */
};

struct accuracy_report {
    char key[SHA256_HEX_BYTES];
    char dtype[8], plugin[48], plugin_version[16], host_version[32];
    int64_t created_s; /* seconds since 1970 */
    char inputs[16];   /* "texts", "images", "tensors", "reference", "made" */
    int64_t samples;   /* how many */
    double cosine;     /* the least of all samples and outputs, -1 to 1 */
    char worst_output[48];
    double max_abs;                    /* the largest difference of two numbers */
    double top1_agreement;             /* of rows of logits, 0 to 1, or ACCURACY_NOT_MEASURED */
    double perplexity_f32, perplexity; /* on the texts, 1 or more, or ACCURACY_NOT_MEASURED */
    struct accuracy_budget budget;
};

/* Of an enum modelhost_dtype: cosine 0.9999 in bf16, 0.995 in int8, 0.98 in int4; any perplexity and agreement. */
struct accuracy_budget accuracy_default_budget(int32_t dtype);

/* Whether what was measured keeps within a budget. */
bool accuracy_report_passes(const struct accuracy_report *report,
                            const struct accuracy_budget *budget);
/* The part of a sentence that says why not: "cosine 0.97 of logits, want at least 0.995". */
void accuracy_report_say(const struct accuracy_report *report, const struct accuracy_budget *budget,
                         char *text, size_t text_bytes);

/* Of inputs that were made from the model's description. */
bool accuracy_report_is_made(const struct accuracy_report *report);
/* Of few samples, or of made inputs: what it says is true, and not enough for who did not look at it. */
bool accuracy_report_is_weak(const struct accuracy_report *report);
/* Whether it should not silently take the place of another one: made inputs are weaker than real ones, a budget that is
 * kept is weaker than one that was missed, then fewer samples than more. Two differ in that order, but for a budget that
 * is missed with made inputs where it was kept with real ones: that one counts. */
bool accuracy_report_is_weaker(const struct accuracy_report *report,
                               const struct accuracy_report *than);
/* The part of a sentence that tells them apart: "8 samples of made inputs, within its budget". */
void accuracy_report_describe(const struct accuracy_report *report, char *text, size_t text_bytes);

/* JSON text, to be freed; NULL without memory. Texts in it are ASCII, with '?' for any other character. */
char *accuracy_report_print(const struct accuracy_report *report);
/* `what` names the text in errors. MODEL_CORRUPT. */
model_status accuracy_report_parse(const char *text, size_t size_bytes, const char *what,
                                   struct accuracy_report *ret, struct model_error *err);

/* Where the store has its reports, and that of a key, to be freed; NULL without memory. */
char *accuracy_report_folder(const char *store_dir);
char *accuracy_report_path(const char *store_dir, const char *key);
/* Writes it into a folder, which is made, atomically. */
model_status accuracy_report_write(const char *dir, const char *name,
                                   const struct accuracy_report *report, struct model_error *err);
/* The same into the store. */
model_status accuracy_report_save(const char *store_dir, const struct accuracy_report *report,
                                  struct model_error *err);
/* MODEL_NOT_FOUND: there is none. MODEL_CORRUPT: one that is broken, of another key, another user's, or that others may
 * write to. */
model_status accuracy_report_load(const char *store_dir, const char *key,
                                  struct accuracy_report *ret, struct model_error *err);

#endif
