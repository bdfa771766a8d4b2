/* batch_queue.h - which requests in a queue may run together.
 *
 * A request is described once, before it is submitted; what batch_policy.h needs to know of it stands in
 * it then, so that looking for company under the scheduler's mutex costs comparing numbers. */
#ifndef BATCH_QUEUE_H
#define BATCH_QUEUE_H

#include "batch_policy.h"
#include "modelhost.h"

struct modelhost_model;
struct modelhost_request;

/* What the model's load options say, as far as the model can: max_items is 0, and the log says why, where its
 * requests cannot be joined. */
struct batch_limits batch_limits_of(const struct modelhost_model *model);

/* Sets request->candidate. Requests that stream, have a session or run the plugin by themselves are never
 * joined. Before submission. */
void batch_describe(struct modelhost_request *request);

/* The batch that `first` leads, out of those behind it in its queue (request->next), into members, which have
 * room for BATCH_MAX_ITEMS. Returns how many there are; 0 when it had better wait for more, until *ret_run_at_ns. Under the
 * mutex that guards the queue. */
uint32_t batch_gather(struct modelhost_request *first, int64_t now_ns,
                      struct modelhost_request **members, int64_t *ret_run_at_ns);

#endif
