/* json_scan.h - a strict JSON reader that builds no tree: for the headers of weight files, which may
 * be 100 MB long and come from anyone. It walks the caller's text once and keeps nothing, so hostile
 * text costs no memory; whole numbers are exact; strings are decoded where they stand.
 *
 *   json_scan_init(&scan, text, size_bytes, "model.safetensors: header", err);
 *   status = json_scan_object(&scan, &first, &key) ... until key is NULL
 *
 * Every failure is MODEL_CORRUPT with a sentence that starts with `what` and names the byte. One
 * thread at a time. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include "modelhost.h"

#include <stdbool.h>

#define JSON_SCAN_MAX_DEPTH 64

/* The largest whole number that every JSON reader keeps exactly: 2^53 - 1. */
#define JSON_SCAN_MAX_INTEGER 9007199254740991u

struct json_scan {
    char *begin, *at, *end;
    const char *what;
    struct model_error *err;
};

/* The text is the caller's and is written to. MODEL_CORRUPT unless it is UTF-8. */
model_status json_scan_init(struct json_scan *scan, char *text, size_t size_bytes, const char *what,
                            struct model_error *err);

/* Fails with a sentence: "<what>: byte 17: <problem>". */
model_status json_scan_fail(const struct json_scan *scan, const char *problem);

/* Steps through an object: the first call (with *first true) takes '{', each call gives the next key
 * (decoded, terminated, in the text) and leaves the scan at its value; NULL after the last. */
model_status json_scan_object(struct json_scan *scan, bool *first, const char **ret_key);
/* Steps through an array: *ret_more says whether a value follows. */
model_status json_scan_array(struct json_scan *scan, bool *first, bool *ret_more);

/* A string; no zero character inside. */
model_status json_scan_string(struct json_scan *scan, const char **ret);
/* A whole number, not negative, at most JSON_SCAN_MAX_INTEGER, without fraction or exponent. */
model_status json_scan_integer(struct json_scan *scan, uint64_t *ret);
/* Any value. */
model_status json_scan_skip(struct json_scan *scan);
/* Nothing but white space may follow. */
model_status json_scan_end(struct json_scan *scan);

#endif
