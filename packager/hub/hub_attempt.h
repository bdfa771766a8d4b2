/* hub_attempt.h - one attempt at a GET, hop by hop, and what to do when it failed: what hub_get() and
 * transfers of many ranges have in common. It only decides; exchanges and waiting are its caller's. */
#ifndef HUB_ATTEMPT_H
#define HUB_ATTEMPT_H

#include "hub.h"

struct hub_attempt {
    const char *first_url; /* the caller's: it must live as long */
    char *url;             /* of the hop under way; owned */
    bool may_show_token;   /* false for ever after once another origin was visited */
    bool left_endpoint;    /* the answer is another origin's */
    int n_hops;
    struct hub_digest digest; /* from the endpoint's own headers */
};

void hub_attempt_finish(struct hub_attempt *attempt);

/* Starts over, at url. */
model_status hub_attempt_start(struct hub_attempt *attempt, const char *url, bool may_show_token,
                               struct model_error *err);
/* Fills in where the next exchange goes, with which token, and how long it may stall. */
model_status hub_attempt_prepare(const struct hub *hub, struct hub_attempt *attempt,
                                 struct hub_exchange *exchange, struct model_error *err);
/* Takes in an answer. *ret_again: it is a redirect, which was followed. */
model_status hub_attempt_take(struct hub_attempt *attempt, const struct hub_response *response,
                              bool *ret_again, struct model_error *err);

/* How often to try when an attempt ended like this; 1: not again. `code` is the answer's status, and
 * failure counts, when status is not MODEL_OK. */
int hub_attempt_worth(const struct hub_attempt *attempt, model_status status,
                      enum hub_failure failure, long code);
/* How long the server asks us to wait; -1: it does not say. */
int64_t hub_asked_wait_ms(const struct hub *hub, const struct hub_response *response);
/* How long to wait after n failed attempts, when so much was asked for; -1: longer than anyone should. */
int64_t hub_backoff_ms(int64_t asked_ms, int n_attempts);

/* Says that it is tried again. reason NULL: the server's answer was `code`. */
void hub_say_again(const struct hub *hub, const char *reason, long code, int64_t wait_ms,
                   int n_attempts, int n_worth);
/* Puts advice behind a sentence when no attempt is left. */
void hub_advise(const struct hub *hub, enum hub_failure failure, struct model_error *err);

#endif
