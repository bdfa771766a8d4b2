/* check.h - what a check of a conformance run is, and how it says what it found.
 *
 * A check runs in a process of its own (check_child.c), on that process's first thread. What it is about
 * to do goes to its parent as steps, so that a crash or a hang has a name; the verdict comes last. */
#ifndef CHECK_H
#define CHECK_H

#include "errors.h"

#include <stdbool.h>

#define CHECK_COUNT        12
#define CHECK_REASON_BYTES 480
/* Of growth: fewer cannot be told from noise. */
#define CHECK_MIN_ROUNDS 16

enum check_verdict { CHECK_PASSED = 0, CHECK_FAILED, CHECK_SKIPPED };

struct subject;

struct check {
    struct subject *subject;
    int record_fd;  /* where steps and the verdict go */
    int64_t rounds; /* of create and destroy; at least CHECK_MIN_ROUNDS */
    int64_t end_ns; /* by then it should have ended; a process that has not is killed later */
    char reason[CHECK_REASON_BYTES];
};

/* One row of the table (check_list.c). */
struct check_entry {
    const char *name;
    const char *what; /* for people */
    enum check_verdict (*run)(struct check *check);
    bool needs_model; /* skipped when there is no package that the plugin can run */
};

/* checks[number - 1]. */
extern const struct check_entry check_list[CHECK_COUNT];
const char *check_verdict_name(enum check_verdict verdict);
/* -1: no verdict's name. */
int check_verdict_of(const char *name);

/* Says what comes next: "create_model() without weight 'a.b'". */
void check_step(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sets the reason and gives the verdict. */
enum check_verdict check_passed(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum check_verdict check_failed(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum check_verdict check_skipped(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Whether there is time for another round. */
bool check_has_time(const struct check *check);

enum check_verdict check_static(struct check *check);
enum check_verdict check_versions(struct check *check);
enum check_verdict check_load(struct check *check);
enum check_verdict check_growth(struct check *check);
enum check_verdict check_bad_packages(struct check *check);
enum check_verdict check_no_memory(struct check *check);
enum check_verdict check_schema(struct check *check);
enum check_verdict check_bounds(struct check *check);
enum check_verdict check_results(struct check *check);
enum check_verdict check_parallel(struct check *check);
enum check_verdict check_cancel(struct check *check);
enum check_verdict check_unload(struct check *check);

#endif
