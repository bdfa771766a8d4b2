/* progress_view.c - see progress_view.h. */
#include "progress_view.h"
#include "clock.h"
#include "commands.h"
#include "environment.h"
#include "human_text.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_NS (NS_PER_S / 10)
#define SAMPLE_NS (NS_PER_S / 2)
#define EVENT_NS  NS_PER_S

void progress_view_init(struct progress_view *view, bool quiet)
{
    const char *kind = environment_value("TERM");
    *view = (struct progress_view){.quiet = quiet};
    view->terminal =
        !quiet && isatty(STDERR_FILENO) != 0 && (kind == NULL || strcmp(kind, "dumb") != 0);
}

void progress_view_use_events(struct progress_view *view)
{
    view->events = !view->quiet;
    view->terminal = false;
}

static size_t columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* The rate follows what happens, without jumping. */
static void sample(struct progress_view *view, int64_t now_ns, uint64_t done_bytes)
{
    int64_t passed_ns = now_ns - view->sampled_ns;
    if (view->sampled_ns != 0 && passed_ns < SAMPLE_NS)
        return;
    if (view->sampled_ns != 0 && done_bytes >= view->sampled_bytes) {
        double rate = (double)(done_bytes - view->sampled_bytes) * 1e9 / (double)passed_ns;
        view->rate_bytes_per_s =
            view->rate_bytes_per_s > 0 ? 0.7 * view->rate_bytes_per_s + 0.3 * rate : rate;
    }
    view->sampled_ns = now_ns;
    view->sampled_bytes = done_bytes;
}

/* The first, the last, and one a second between. */
static void send_progress(struct progress_view *view, const struct download_plan *plan,
                          size_t file_index, uint64_t done_bytes)
{
    const int64_t now_ns = clock_now_ns();
    if (view->drawn_ns != 0 && now_ns - view->drawn_ns < EVENT_NS && done_bytes < plan->fetch_bytes)
        return;
    view->drawn_ns = now_ns;
    json_node *event = command_event("progress");
    (void)json_add_string(event, "path", plan->files[file_index].file->path);
    (void)json_add_number(event, "file", (double)file_index + 1);
    (void)json_add_number(event, "files", (double)plan->n_files);
    (void)json_add_number(event, "done_bytes", (double)done_bytes);
    (void)json_add_number(event, "total_bytes", (double)plan->fetch_bytes);
    command_event_send(event);
}

void progress_view_update(void *context, const struct download_plan *plan, size_t file_index,
                          uint64_t done_bytes)
{
    struct progress_view *view = context;
    char line[512];
    if (view->events)
        send_progress(view, plan, file_index, done_bytes);
    if (!view->terminal)
        return;
    int64_t now_ns = clock_now_ns();
    sample(view, now_ns, done_bytes);
    if (view->drawn && now_ns - view->drawn_ns < REDRAW_NS)
        return;
    struct progress_state state = {
        .name = plan->files[file_index].file->path,
        .file = file_index + 1,
        .n_files = plan->n_files,
        .done_bytes = done_bytes,
        .total_bytes = plan->fetch_bytes,
        .rate_bytes_per_s = (uint64_t)view->rate_bytes_per_s,
    };
    progress_line(&state, columns() - 1, line, sizeof line);
    fprintf(stderr, "\r%s\033[K", line);
    view->drawn = true;
    view->drawn_ns = now_ns;
}

void progress_view_file_done(void *context, const struct plan_file *file)
{
    const struct progress_view *view = context;
    char size[HUMAN_TEXT_BYTES];
    if (view->events) {
        json_node *event = command_event("file");
        (void)json_add_string(event, "path", file->file->path);
        (void)json_add_number(event, "size", (double)file->file->size_bytes);
        (void)json_add_bool(event, "in_store", file->in_store);
        command_event_send(event);
    } else if (!view->quiet && !view->terminal)
        fprintf(stderr, "%s  %s%s\n", file->file->path, human_size(file->file->size_bytes, size),
                file->in_store ? "  (in the store already)" : "");
}

void progress_view_clear(struct progress_view *view)
{
    if (view->drawn)
        fputs("\r\033[K", stderr);
    view->drawn = false;
}

void progress_view_log(void *context, int32_t level, const char *message)
{
    const struct progress_view *view = context;
    if (view->events) {
        json_node *event = command_event("message");
        (void)json_add_string(event, "level",
                              level <= MODEL_LOG_WARN    ? "warning"
                              : level >= MODEL_LOG_DEBUG ? "debug"
                                                         : "info");
        (void)json_add_string(event, "text", message);
        command_event_send(event);
        return;
    }
    progress_view_clear(context);
    command_note("%s", message);
}
