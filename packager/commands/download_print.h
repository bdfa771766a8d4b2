/* download_print.h - the results of `pkgmgr download`, for people and as JSON. Main thread. */
#ifndef DOWNLOAD_PRINT_H
#define DOWNLOAD_PRINT_H

#include "download.h"

/* What a dry run found: each file, and the sums. */
model_status download_print_plan(const struct download *download, bool json,
                                 struct model_error *err);
/* The package's folder, or all about it as JSON; what was done and what is left to do goes to stderr
 * unless quiet. */
model_status download_print_result(const struct download_result *result, bool json, bool quiet,
                                   struct model_error *err);

#endif
