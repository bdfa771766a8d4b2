/* worker_lines.h - lines of the log about a worker: the host's own, the plugin's, and what its process prints, of which
 * there may be any number. All on the slot's thread. */
#ifndef WORKER_LINES_H
#define WORKER_LINES_H

#include "worker_slot_private.h"

/* About the model, and the request unless that is 0. */
void worker_lines_say(const struct worker_slot *slot, int32_t level, uint64_t request_id,
                      const char *text);
/* A line of the plugin's, unless there were too many. Those that nobody would see are not counted. */
void worker_lines_take(struct worker_slot *slot, int32_t level, uint64_t request_id,
                       const char *text);
/* How many there were too many, if it is time to say so, or by force. */
void worker_lines_tell_omitted(struct worker_slot *slot, bool force);
/* Reads what the process has printed; whether there was something. */
bool worker_lines_read(struct worker_slot *slot);
/* The line that it is printing is over, without its blank end, which is nothing by itself. */
void worker_lines_end(struct worker_slot *slot);

#endif
