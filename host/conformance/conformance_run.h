/* conformance_run.h - the twelve checks of a plugin, each in a process of its own that is killed when it does
 * not end. Blocks. [any-thread] */
#ifndef CONFORMANCE_RUN_H
#define CONFORMANCE_RUN_H

#include "checked_package.h"
#include "conformance_report.h"

struct conformance_options {
    const char
        *program; /* of the processes: started as "<program> check-plugin --check N ...", it calls
                            check_child_run() */
    const char *plugin;
    const struct checked_package *package; /* open; NULL: none */
    uint32_t only;                         /* bit N - 1: check N; 0: all */
    int64_t time_limit_ms;                 /* of each check */
    int64_t rounds;                        /* of check 4 */
    /* A check has ended; may be NULL. */
    void (*ended)(void *context, uint32_t number, const struct conformance_result *result);
    void *context;
};

/* MODEL_OK when the checks ran, whatever they found. *ret_refusal is the sentence with which the plugin
 * refuses the package, "" when it runs it: then the checks that need a model were skipped. */
model_status conformance_run(const struct conformance_options *options,
                             struct conformance_report *ret, char ret_refusal[CHECK_REASON_BYTES],
                             struct model_error *err);

#endif
