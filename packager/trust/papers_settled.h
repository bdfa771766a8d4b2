/* papers_settled.h - whether what was read of a folder without its lock was of one moment. [any-thread] */
#ifndef PAPERS_SETTLED_H
#define PAPERS_SETTLED_H

#include "manifest.h"
#include "package_papers.h"

/* Waits for who writes the papers of the folder as papers_lock_take() does. MODEL_BUSY: these are not its papers any more, or one of its plugins is
 * not that of `made`, which was made of the files. */
model_status papers_check_settled(const char *dir, const struct papers_wait *wait,
                                  const struct package_papers *papers, const struct manifest *made,
                                  struct model_error *err);

#endif
