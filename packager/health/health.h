/* health.h - what `pkgmgr doctor` looks at: is everything there that packages need to come, stay and run? Each check
 * ends in one finding, with what to do about it; none changes anything but for a file of its own that it
 * removes again. Nothing says a token. Blocks on disk and network. One thread. */
#ifndef HEALTH_H
#define HEALTH_H

#include "hub_http.h"

enum health_verdict { HEALTH_OK, HEALTH_SKIPPED, HEALTH_WARNING, HEALTH_FAILED };

struct health_finding {
    const char *name; /* "store" */
    enum health_verdict verdict;
    model_status status; /* of HEALTH_FAILED: what the exit code is made of */
    char text[600];      /* what was found */
    char remedy[400];    /* what to do; "" when nothing is to be done */
};

/* Who takes findings. */
struct health_report {
    void (*take)(void *context, const struct health_finding *finding);
    void *context;
};

/* "store", "links", "space", "packages", "downloads", "leftovers". A store that is not there yet is fine when it can
 * be made. */
void health_check_store(const char *store_dir, const struct health_report *report);

struct health_hub {
    const char *endpoint;           /* normal, see hub_endpoint_normalize() */
    const char *token;              /* NULL: none */
    bool offline;                   /* nothing is asked */
    struct hub_transport transport; /* how to ask */
    int64_t now_s;                  /* the date here, in seconds since 1970 */
};

/* "endpoint", "token", "clock". */
void health_check_hub(const struct health_hub *hub, const struct health_report *report);

/* "plugins" and one more "plugin" for each that cannot be opened; "modelhost". */
void health_check_plugins(const char *plugin_path, const char *modelhost,
                          const struct health_report *report);

/* "trust": libsodium, and the list of trusted keys, which need not be there. */
void health_check_trust(const char *trusted_path, const struct health_report *report);

/* Makes a finding and gives it to the report; remedy may be NULL. */
void health_say(const struct health_report *report, const char *name, enum health_verdict verdict,
                model_status status, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

#endif
