/* request.h - one request on its way: waiting, running, answered.
 *
 * Whoever first claims a request answers it: the lane that ran it, the loop at its deadline, or a
 * caller who cancels. Claims happen under the scheduler's mutex. A request is reference-counted: its
 * caller, the queue or lane that has it, and its pending answer hold one each. */
#ifndef REQUEST_H
#define REQUEST_H

#include "batch_policy.h"
#include "breaker.h"
#include "lane_watchdog.h"
#include "log.h"
#include "modelhost.h"
#include "wait_word.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct hosted_instance;
struct lane;
struct modelhost_session;
struct request_group;
struct scheduler;

/* What a pipeline adds to a request; the first member of its own struct. */
struct request_job {
    /* Makes the inputs, of what the caller gave, with request_set_inputs(); NULL: the request has them.
     * Stops when request->cancelled is raised. [lane-thread] */
    model_status (*prepare)(struct request_job *job, struct modelhost_request *request,
                            struct model_error *err);
    /* Runs the plugin as often as it takes; NULL: once, on the request's inputs. May be suspended between two
     * calls, and is called again then, behind prepare() (lanes/lane_suspend.h). [lane-thread] */
    model_status (*run)(struct request_job *job, struct modelhost_request *request,
                        struct modelhost_result **ret_result, struct model_error *err);
    /* Turns the plugin's tensors into the answer; NULL: they are the answer. [lane-thread] */
    model_status (*answer)(struct request_job *job, struct modelhost_result *result,
                           struct model_error *err);
    void (*destroy)(struct request_job *job);
    /* Another model of the package is to do it than the one that it was made for, whose memory it may not use any
     * more. Before it is queued; NULL: it uses nothing of the model. [any-thread] */
    model_status (*rebind)(struct request_job *job, struct modelhost_model *model,
                           struct model_error *err);
    /* Of the tensors that prepare() will make: their items, and about how many tokens; 0 items: unknown,
     * so that the request runs alone. */
    uint32_t n_items;
    uint64_t n_tokens;
};

/* A run of several requests; it stops when all of them are given up. Guarded by the scheduler's mutex but for
 * `cancelled`, which the plugin reads. */
struct joint_run {
    uint32_t cancelled; /* 0, or the status to stop with */
    uint32_t n_waiting; /* requests in it without an answer */
};

/* Who wants to know at once that a request was given up: a lane that waits for another process. */
struct cancel_listener {
    /* `status` is what was raised. Short; it takes no lock. [any-thread] */
    void (*raise)(struct cancel_listener *self, uint32_t status);
};

enum request_state { REQUEST_NEW = 0, REQUEST_QUEUED, REQUEST_RUNNING, REQUEST_ANSWERED };

#define REQUEST_FEW_INPUTS 4

struct modelhost_request {
    _Atomic uint32_t references;
    uint64_t id;                   /* unique in the host, from 1; in log lines */
    struct modelhost_model *model; /* holds a reference */
    struct modelhost_model
        *asked; /* the same; whom the caller asked, whose way leads to `model`; NULL: that itself */
    struct scheduler *scheduler;
    int32_t priority;
    bool wants_direct; /* to run on the caller's thread */

    /* What to run. After submission the lane alone has it. */
    const struct model_tensor **inputs;                        /* (n_inputs) */
    const struct model_tensor *few_inputs[REQUEST_FEW_INPUTS]; /* where they are, if so few */
    struct model_tensor *input_copies; /* (n_inputs), or NULL when the caller's are used */
    void **input_memory;               /* (n_inputs), data of the copies */
    uint32_t n_inputs;
    char **output_names; /* (n_output_names), NULL: the usual ones */
    uint32_t n_output_names;
    struct request_job *job;           /* owned; NULL: the tensor form */
    struct modelhost_session *session; /* holds a reference; NULL: none */
    bool has_session;                  /* on a lane: between session_begin() and session_end() */
    bool has_advanced;                 /* then: the plugin has read the input */

    /* Which backend serves it, and why (model_route.h). */
    struct breaker_ticket ticket; /* until the answer */
    char *fallback_reason;        /* owned, until the result has it; NULL: it is the first */
    bool waits_for_backend;       /* before submission: one is being opened */

    /* What the caller is told before the answer. */
    void (*on_tensors)(void *context, const struct model_tensor *const *tensors,
                       uint32_t n_tensors); /* NULL: not what the plugin emits */
    void *on_tensors_context;
    uv_mutex_t telling; /* held meanwhile; guards closed */
    bool closed;        /* the answer may have been given */

    struct batch_candidate candidate; /* what batching knows of it; see batch_describe() */

    /* Times, monotonic nanoseconds. */
    int64_t submitted_ns;
    int64_t started_ns;  /* a lane took it, under the scheduler's mutex; 0: none did */
    int64_t deadline_ns; /* INT64_MAX: none */

    /* Read by the plugin without a lock: 0, or the status to stop with. */
    uint32_t cancelled;
    struct lane_progress progress; /* signs of life of the plugin */
    _Atomic bool is_abandoned;     /* its lane did not come back: what it holds is not used again */
    uv_mutex_t listening;          /* guards listener */
    struct cancel_listener *listener;

    /* Guarded by the scheduler's mutex. */
    enum request_state state;
    struct request_group *group; /* while it is queued and not held */
    bool is_suspended;           /* queued, and has begun (lane_suspend.h); on its lane: is to be */
    bool is_held;                /* queued, and waits for a backend (scheduler_held.c) */
    bool is_routed;              /* then: somebody looks for its backend */
    uint64_t held_round;         /* then: when that was done last */
    struct modelhost_request *previous, *next; /* in the group, or in the list of answers */
    struct lane *lane;                         /* while it runs */
    int64_t given_up_ns;                       /* while it ran; 0: not, or counted */
    struct joint_run *joint;                   /* that it is a part of; NULL: none */
    size_t heap_index;                         /* in the deadline heap; SIZE_MAX: not there */

    struct wait_word answered; /* for a caller who waits */

    /* The answer; written by whoever claimed it. */
    model_status status;
    struct modelhost_result *result;
    struct model_error *error; /* NULL: none, or there was no memory for it */

    /* How it is delivered. callback NULL: the caller waits. */
    modelhost_callback callback;
    void *user;
    uv_async_t *async; /* on the caller's loop; NULL: on the host's */
};

/* From the call to the answer: what the call says, else what the model was loaded with; 0: no limit. */
int64_t request_timeout_ms(const struct modelhost_model *model,
                           const struct modelhost_run_options *options);

/* A new request holding the model. Copies the inputs' data when `copy` is set: when the call may return
 * before the plugin does. */
model_status request_create(struct modelhost_model *model, const struct model_tensor *const *inputs,
                            uint32_t n_inputs, int copy,
                            const struct modelhost_run_options *options,
                            struct modelhost_request **ret, struct model_error *err);
/* Takes a job over and counts the time from when it came. Before submission. */
void request_adopt_job(struct modelhost_request *request, struct request_job *job,
                       int64_t start_ns);
/* Counts the time, and the deadline, from an earlier moment. Before submission. */
void request_count_from(struct modelhost_request *request, int64_t start_ns);
/* The tensors that a job made; they must live as long as the job. Once, for a request without inputs.
 * [lane-thread] */
model_status request_set_inputs(struct modelhost_request *request,
                                const struct model_tensor *const *inputs, uint32_t n_inputs,
                                struct model_error *err);
/* What lines of the log that belong to it are about. */
struct log_subject request_subject(const struct modelhost_request *request);
void request_retain(struct modelhost_request *request);
void request_drop(struct modelhost_request *request);

/* Gives the session back, if the request has one; `answered`: its caller gets the result. The session of an
 * abandoned request is lost with its instance. [lane-thread] */
void request_end_session(struct modelhost_request *request, bool answered);
/* Gives an instance back to the model; one that an abandoned request held is destroyed. [lane-thread] */
void request_return_instance(struct modelhost_request *request, struct hosted_instance *instance);

/* The sentence of one that was not answered with MODEL_OK. */
const struct model_error *request_error(const struct modelhost_request *request);

/* Every end of a request that was submitted, once: behind the decision, before anybody is told. Without
 * locks. [any-thread] */
void request_ended(const struct modelhost_request *request);

/* Around telling the caller something before the answer. false: the answer may have been given, so that
 * nothing may be told, and there is nothing to end. [lane-thread, a plugin's threads] */
bool request_begin_telling(struct modelhost_request *request);
void request_end_telling(struct modelhost_request *request);
/* Nothing is told any more; before the answer. */
void request_close(struct modelhost_request *request);

/* Raises the token: `status` is what a plugin is to stop with. [any-thread] */
void request_raise(struct modelhost_request *request, uint32_t status);
/* The listener is told when the token is raised, at once if it was already, until request_unlisten(), behind
 * which it is not called any more. One at a time. [lane-thread] */
void request_listen(struct modelhost_request *request, struct cancel_listener *listener);
void request_unlisten(struct modelhost_request *request);

/* Hands the answer to the callback and drops the answer's reference. */
void request_call_back(struct modelhost_request *request);

#endif
