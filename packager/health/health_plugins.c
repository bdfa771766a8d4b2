/* health_plugins.c - see health.h: the plugins that would be found, and the program that opens them. No code of a
 * plugin runs. */
#include "errors.h"
#include "files.h"
#include "health.h"
#include "plugin_path.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 10000

extern char **environ;

/* ---- plugins */

struct look {
    const struct health_report *report;
    size_t n_good, n_bad;
};

static bool take_candidate(void *context, const struct plugin_candidate *candidate)
{
    struct look *look = context;
    if (candidate->status == MODEL_OK) {
        look->n_good++;
        return true;
    }
    look->n_bad++;
    health_say(look->report, "plugin", HEALTH_FAILED, candidate->status,
               "build it again for this version, or take it off the plugin path", "%s",
               candidate->reason);
    return true;
}

static void check_path(const char *plugin_path, const struct health_report *report)
{
    struct look look = {.report = report};
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = plugin_path_visit(plugin_path, take_candidate, &look, &err);
    if (status != MODEL_OK)
        health_say(report, "plugins", HEALTH_FAILED, status, NULL, "%s", err.message);
    else if (look.n_good == 0)
        health_say(report, "plugins", HEALTH_WARNING, MODEL_OK,
                   "name folders with plugins by MODELHOST_PLUGIN_PATH; models run only with one "
                   "of their architecture",
                   "none that can be opened in %.400s", plugin_path);
    else
        health_say(report, "plugins", HEALTH_OK, MODEL_OK, NULL, "%zu of %zu in %.400s fit",
                   look.n_good, look.n_good + look.n_bad, plugin_path);
}

/* ---- the program */

/* What it prints, as far as there is room; -1 when it cannot be run or does not end. */
static int read_output(const char *program, char *text, size_t size_bytes)
{
    int ends[2], code = -1;
    pid_t child = 0;
    posix_spawn_file_actions_t actions;
    char name[] = "modelhost", option[] = "--version";
    char *argv[] = {name, option, NULL};
    if (pipe(ends) != 0)
        return -1;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    (void)posix_spawn_file_actions_addclose(&actions, ends[0]);
    (void)posix_spawn_file_actions_addclose(&actions, ends[1]);
    const bool is_running = posix_spawn(&child, program, &actions, NULL, argv, environ) == 0;
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    struct pollfd ready = {.fd = ends[0], .events = POLLIN};
    ssize_t n =
        is_running && poll(&ready, 1, PATIENCE_MS) == 1 ? read(ends[0], text, size_bytes - 1) : -1;
    (void)close(ends[0]);
    if (is_running) {
        if (n < 0)
            (void)kill(child, SIGKILL);
        while (waitpid(child, &code, 0) < 0 && errno == EINTR)
            continue;
    }
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return n > 0 ? 0 : -1;
}

static void check_program(const char *modelhost, const struct health_report *report)
{
    char text[200];
    if (!path_is_file(modelhost) || read_output(modelhost, text, sizeof text) != 0)
        health_say(report, "modelhost", HEALTH_WARNING, MODEL_OK,
                   "`make install` puts it beside pkgmgr; packages come without it, but do not run",
                   "%.400s cannot be run", modelhost);
    else if (strcmp(text, "modelhost " MODELHOST_VERSION) != 0)
        health_say(report, "modelhost", HEALTH_WARNING, MODEL_OK,
                   "install both from the same version", "%.300s says '%.80s', want version %s",
                   modelhost, text, MODELHOST_VERSION);
    else
        health_say(report, "modelhost", HEALTH_OK, MODEL_OK, NULL, "%.300s is of this version, %s",
                   modelhost, MODELHOST_VERSION);
}

void health_check_plugins(const char *plugin_path, const char *modelhost,
                          const struct health_report *report)
{
    check_path(plugin_path, report);
    check_program(modelhost, report);
}
