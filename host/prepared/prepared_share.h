/* prepared_share.h - the host's side of prepared weights for a model whose plugin runs in worker processes.
 *
 * A worker may neither make nor rename files, and what its plugin gives is not to be trusted further than the plugin
 * itself. So it is handed the files of the key, to be read, of which its plugin's first blob names one; and a pipe, through
 * which it sends a file that it would like to be kept. A thread of the share reads the pipe into a file of the host's own, which the worker never
 * had its hands on, checks it like any other, and gives it its name. How much comes is bounded here.
 * [any-thread] unless it says otherwise. */
#ifndef PREPARED_SHARE_H
#define PREPARED_SHARE_H

#include "prepared_folder.h"
#include "prepared_weights.h"

struct prepared_share;

/* The folder's store must live as long, as must its log. */
model_status prepared_share_create(const struct prepared_folder *folder, const char *key,
                                   struct prepared_share **ret, struct model_error *err);
/* What a process that starts now is to be given; the ends are the caller's to close, when they are sent. One process at
 * a time is given a pipe. */
void prepared_share_hand_over(struct prepared_share *share, struct prepared_ends *ret);
/* Waits until nobody sends, at most until until_ns of clock.h: the next process then finds what the one before has made.
 * Not longer, either, than until *cancelled is raised (atomic; NULL: nobody does). NULL does nothing. */
void prepared_share_wait(struct prepared_share *share, int64_t until_ns, const uint32_t *cancelled);
/* When the processes are gone. NULL does nothing. One caller. */
void prepared_share_destroy(struct prepared_share *share);

#endif
