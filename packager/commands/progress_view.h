/* progress_view.h - what is seen while a download runs: one line that redraws itself where stderr is a
 * terminal, a line per file where it is not, a JSON object a line for programs, nothing with -q. Main thread. */
#ifndef PROGRESS_VIEW_H
#define PROGRESS_VIEW_H

#include "download.h"

struct progress_view {
    bool quiet, terminal, drawn;
    bool events; /* in JSON */
    int64_t drawn_ns, sampled_ns;
    uint64_t sampled_bytes;
    double rate_bytes_per_s;
};

void progress_view_init(struct progress_view *view, bool quiet);
/* JSON from here on, unless it is quiet: "progress" each second at most, "file", "message". */
void progress_view_use_events(struct progress_view *view);
/* The callbacks of struct download_options; `context` is the view. */
void progress_view_update(void *context, const struct download_plan *plan, size_t file_index,
                          uint64_t done_bytes);
void progress_view_file_done(void *context, const struct plan_file *file);
/* A sink for messages that keeps them apart from the line. */
void progress_view_log(void *context, int32_t level, const char *message);
/* Takes the line away. */
void progress_view_clear(struct progress_view *view);

#endif
