/* hub_easy.h - one exchange by one of libcurl's easy handles; hub_http.c runs many of them. With that
 * file it is the only one that knows libcurl. A handle is kept for the next exchange. One thread. */
#ifndef HUB_EASY_H
#define HUB_EASY_H

#include "hub_http.h"
#include "rate_limit.h"
#include "stall_timer.h"

#include <curl/curl.h>

/* What all handles of a client have in common. */
struct hub_easy_shared {
    struct rate_limit limit;
    int64_t resume_ns; /* when exchanges that the limit paused go on; 0: none is */
    char *ca_file;     /* owned by the client */
    bool ca_is_good;   /* it was found to hold certificates */
    int64_t (*now_ns)(void *context);
    void *clock_context;
};

struct hub_easy {
    CURL *curl;
    struct hub_easy_shared *shared;
    struct hub_call *call; /* under way */
    struct curl_slist *headers;
    struct hub_easy *next; /* for whoever keeps it */
    model_status refusal;  /* why a callback ended the exchange; MODEL_OK: none did */
    bool is_paused, was_added;
    struct stall_timer stall;
    int64_t started_ns;
    char reason[CURL_ERROR_SIZE];
};

int64_t hub_easy_now_ns(const struct hub_easy_shared *shared);

/* NULL without memory. */
struct hub_easy *hub_easy_create(struct hub_easy_shared *shared);
void hub_easy_destroy(struct hub_easy *easy);

/* Makes it ready for the call; on failure call->err says why. */
model_status hub_easy_start(struct hub_easy *easy, struct hub_call *call);
/* Whether it has stalled or takes too long: call->failure and err say so then. */
bool hub_easy_is_over(struct hub_easy *easy, int64_t now_ns);
/* What an exchange that ended with `code` comes to; fills call->response.status, failure and err. */
model_status hub_easy_result(struct hub_easy *easy, CURLcode code);
/* Forgets the call. */
void hub_easy_stop(struct hub_easy *easy);
/* Lets one go on that the limit had paused. */
void hub_easy_resume(struct hub_easy *easy);

#endif
