/* lane.h - a thread that runs requests one after the other, and what becomes of one that is stuck.
 *
 * A lane belongs to its scheduler, whose mutex guards it. A lane whose request was given up and that does
 * not come back within the grace is abandoned: another thread takes its place at once, and when the plugin
 * returns at last, what the old one holds is dropped and it ends. One whose call shows no progress while another
 * model's request waits is relieved: another thread takes its place for the other models, its own call goes on, with
 * its answer, and then it ends. */
#ifndef LANE_H
#define LANE_H

#include "request.h"

struct lane {
    struct scheduler *scheduler;
    struct lane *next, *previous; /* in the scheduler's list; next: of the ended ones, too */
    struct lane *next_idle;
    struct wait_word work; /* posted when there may be some */
    struct wait_spin spin;
    /* What it runs. `running` is company[0] where there is a company; it stays until the end, answered or not, and the
     * others become NULL when they are answered. Each is a reference. */
    struct modelhost_request *running;  /* NULL: nothing */
    struct modelhost_request **company; /* (n_company), room for BATCH_MAX_ITEMS; NULL: direct */
    uint32_t n_company;                 /* with company[0]; 1: alone; 0: nothing runs */
    uint32_t n_waiting;                 /* of these, how many have no answer yet */
    int64_t given_up_ns;                /* when all that it runs was given up; 0: not */
    bool is_direct;                     /* a caller's thread, for one call */
    bool is_abandoned;
    bool is_relieved; /* another one has its place */
    uint32_t place;   /* among the scheduler's lanes, for pinning; a caller's thread has none */
    bool is_late;     /* reported by the watchdog; until the call ends */
    uv_thread_t thread;
};

/* What a call on a lane left to be freed outside the mutex: freeing may run a plugin's code (the instance of an
 * abandoned one) and the application's. lane_end() fills it in, and whoever ran the lane owns it: on its stack, until
 * lane_drop() at the first moment without the mutex. A lane with a thread of its own comes to such a moment when the
 * next call has begun, when it is idle, or when it ends; a direct one right behind its call. */
struct lane_remains {
    struct modelhost_request *request; /* a reference; NULL: none */
    struct modelhost_result *result;   /* nobody wants it; NULL: none */
};

/* Starts a thread; MODEL_OUT_OF_MEMORY. Without the mutex. */
model_status lane_start(struct scheduler *scheduler, struct model_error *err);
/* Joins the threads that ended; returns how many have not by then, whose turn comes again (wait_ns 0: does not
 * wait, on Linux). Without the mutex. */
uint32_t lane_join_ended(struct scheduler *scheduler, int64_t wait_ns);

/* Runs one request whose reference the lane takes over: begin, with the mutex; execute, without; end, with
 * it; drop, without. [lane-thread] */
void lane_begin(struct lane *lane, struct modelhost_request *request);
model_status lane_execute(struct lane *lane, struct modelhost_result **ret_result,
                          struct model_error *err);
void lane_end(struct lane *lane, model_status status, struct modelhost_result *result,
              struct model_error *error, struct lane_remains *ret_remains);
void lane_drop(struct lane_remains *remains);

/* The same of several requests of one model, which are all taken over: instead of lane_begin(); and
 * instead of lane_execute(), after which lane_end() ends the first, which has its answer already. */
void lane_begin_company(struct lane *lane, uint32_t n);
/* Answers one of lane->company that has run, and lets go of it unless it is the first. `result` is taken over.
 * [lane-thread] */
void lane_answer(struct lane *lane, struct modelhost_request **place, model_status status,
                 struct modelhost_result *result, struct model_error *error);
/* Around a run of some of the company: in between, joint->cancelled is raised when the last of them has
 * been given up. [lane-thread] */
void lane_join(struct lane *lane, struct modelhost_request ***places, uint32_t n,
               struct joint_run *joint);
void lane_part(struct lane *lane, struct modelhost_request ***places, uint32_t n);

/* Under the mutex: into the scheduler's list, and out of it. */
void lane_link(struct scheduler *scheduler, struct lane *lane);
void lane_unlink(struct lane *lane);
/* Under the mutex: the last step of a lane with a thread of its own; the loop joins that. */
void lane_leave(struct lane *lane);

/* Under the mutex: a lane to be posted when it is unlocked, if one is idle, there is work and fewer lanes run
 * than may; or NULL. */
struct lane *lane_to_wake(struct scheduler *scheduler);

/* Under the mutex: MODEL_BUSY when too many lanes are stuck in the model's plugin. */
model_status lane_check_model(const struct modelhost_model *model, struct model_error *err);

/* Under the mutex: whether one more call of the model may run; those of its relieved lanes count. */
bool lane_has_place(const struct scheduler *scheduler, const struct modelhost_model *model);
/* Under the mutex: what the lane runs is not counted any more. */
void lane_free_place(struct lane *lane);

#define LANE_MAX_NEWS 6

/* Lines for the log, to be written without the mutex, and the requests that they are about. */
struct lane_news {
    char lines[LANE_MAX_NEWS][256];
    int32_t levels[LANE_MAX_NEWS];
    struct modelhost_request *requests[LANE_MAX_NEWS]; /* references, dropped by lane_tell() */
    uint32_t n_lines;
};

/* Under the mutex, by the loop: abandons lanes whose grace is over, reports those that are late, relieves those that
 * others wait for; returns when to look again (INT64_MAX: when told to). */
int64_t lane_keep_time(struct scheduler *scheduler, int64_t now_ns, struct lane_news *news);
/* Writes the lines. Without the mutex. */
void lane_tell(const struct scheduler *scheduler, struct lane_news *news);

#endif
