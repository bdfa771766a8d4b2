/* check_load.c - checks 3 and 12: what opening a plugin leaves behind in the process, and whether it can be
 * given up and opened again, by threads that end, in a process that ends. That the process ends well is
 * seen by its parent. */
#include "check.h"
#include "clock.h"
#include "page_guard.h"
#include "parallel.h"
#include "process_state.h"
#include "trial_run.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* One model with a run, given up again. Sets the reason when it fails. */
static bool live_once(struct check *check, const char *what)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct made_options sizes;
    check_step(check, "create_model() and run() %s", what);
    struct trial *trial = trial_start(check->subject, &sizes, &err);
    const bool good = trial != NULL;
    check_step(check, "destroy() %s", what);
    trial_stop(trial);
    return good || check_failed(check, "%s: %s", what, err.message) == CHECK_PASSED;
}

/* Whether there is a model to live: asked for before anything is measured. */
static bool is_runnable(struct check *check)
{
    struct trial *trial = trial_create(check->subject, &(struct trial_options){.fail_at = 0});
    check_step(check, "create_model()");
    const bool good = trial != NULL && trial_load(trial) == MODEL_OK;
    trial_stop(trial);
    return good;
}

enum check_verdict check_load(struct check *check)
{
    struct process_state before, loaded, used;
    struct model_error err = MODEL_ERROR_INIT;
    char text[200];
    (void)page_guard_install(NULL); /* the host's own, before it maps files for the plugin */
    process_state_take(&before);
    check_step(check, "opening the plugin (dlopen, constructors)");
    const int64_t start_ns = clock_now_ns();
    model_status status = subject_open_plugin(check->subject, &err);
    const double opening_ms = (double)(clock_now_ns() - start_ns) / 1e6;
    process_state_take(&loaded);
    if (status != MODEL_OK)
        return check_failed(check, "%s", err.message);
    if (process_state_difference(&before, &loaded, 0, text, sizeof text) != NULL)
        return check_failed(check, "opening it: %s", text);
    if (!is_runnable(check))
        return check_passed(check, "opened in %.1f ms, nothing changed; no model to run",
                            opening_ms);
    if (!live_once(check, "a first time"))
        return CHECK_FAILED;
    process_state_take(&used);
    if (process_state_difference(&loaded, &used, check->subject->threads - 1, text, sizeof text) !=
        NULL)
        return check_failed(check, "after create, run and destroy: %s", text);
    return check_passed(check, "opened in %.1f ms; nothing changed by opening, running, destroying",
                        opening_ms);
}

struct life {
    struct check *check;
    bool good, is_back; /* from the plugin; a thread can be ended in it */
};

static void *live_on_thread(void *argument)
{
    struct life *life = argument;
    parallel_adopt_thread(life->check->subject->threads);
    life->good = live_once(life->check, "on a thread that ends");
    life->is_back = true;
    return NULL;
}

enum check_verdict check_unload(struct check *check)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (subject_open_plugin(check->subject, &err) != MODEL_OK)
        return check_failed(check, "%s", err.message);
    const bool runnable = is_runnable(check);
    for (int i = 0; i < 3 && runnable; i++) {
        struct life life = {check, false, false};
        pthread_t thread;
        if (pthread_create(&thread, NULL, live_on_thread, &life) != 0)
            return check_failed(check, "out of threads");
        (void)pthread_join(thread, NULL);
        if (!life.is_back)
            return check_failed(check, "the plugin ended the thread that called it "
                                       "(pthread_exit()); run() and destroy() have to return");
        check_step(check, "opening the plugin again");
        struct plugin_handle again;
        if (life.good && plugin_handle_open(check->subject->plugin_path, &check->subject->log,
                                            &again, &err) != MODEL_OK)
            return check_failed(check, "opening it again: %s", err.message);
        if (!life.good)
            return CHECK_FAILED;
    }
    check_step(check, "the end of the process");
    return check_passed(check, "%s; the process ended well; a hung one was killed",
                        runnable ? "three lives on threads that ended, opened again each time"
                                 : "opened; no model to run");
}
