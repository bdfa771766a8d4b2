/* conformance_report.h - what a conformance run found, kept in the store under the plugin's SHA-256:
 *
 *   <store>/conformance/<sha256>.json
 *   {"format_version":1, "sha256":"...", "plugin":"bert", "plugin_version":"1.0.0", "abi":"1.0",
 *    "host_version":"0.1.0", "created_s":1795276800, "conformant":true,
 *    "checks":[{"number":1,"name":"static","verdict":"passed","time_ms":12,"reason":"..."}, ...]}
 *
 * Read as hostile. [any-thread] */
#ifndef CONFORMANCE_REPORT_H
#define CONFORMANCE_REPORT_H

#include "check.h"
#include "digest.h"

#define CONFORMANCE_REPORT_FORMAT_VERSION 1

struct conformance_result {
    bool has_run; /* false: it was not asked for */
    enum check_verdict verdict;
    int64_t time_ms;
    char reason[CHECK_REASON_BYTES];
};

struct conformance_report {
    char sha256[SHA256_HEX_BYTES];
    char plugin[48], plugin_version[16], host_version[32];
    uint16_t abi_major, abi_minor;
    int64_t created_s; /* seconds since 1970 */
    struct conformance_result checks[CHECK_COUNT];
};

/* Whether all twelve checks ran and passed. */
bool conformance_report_is_conformant(const struct conformance_report *report);
/* The numbers of checks with this verdict, "4, 11", into text; how many. */
size_t conformance_report_list(const struct conformance_report *report, enum check_verdict verdict,
                               char *text, size_t text_bytes);

/* JSON text, to be freed; NULL without memory. */
char *conformance_report_print(const struct conformance_report *report);
/* `what` names the text in errors. */
model_status conformance_report_parse(const char *text, size_t size_bytes, const char *what,
                                      struct conformance_report *ret, struct model_error *err);

/* Writes it into the store, atomically. *ret_path, to be freed, may be NULL. */
model_status conformance_report_save(const char *store_dir, const struct conformance_report *report,
                                     char **ret_path, struct model_error *err);
/* MODEL_NOT_FOUND: there is none for this plugin. MODEL_CORRUPT: one that is broken, or of another. */
model_status conformance_report_load(const char *store_dir, const char *sha256,
                                     struct conformance_report *ret, struct model_error *err);

/* Whether text is the SHA-256 of something in lower-case hex. */
bool is_sha256(const char *text);

#endif
