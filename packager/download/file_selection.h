/* file_selection.h - which files of a repository a download takes. Pure. [any-thread]
 *
 * By default everything but what nobody here reads: other frameworks' weights where there are
 * safetensors, the repository's own housekeeping, and pickles, which run code when they are opened.
 * With --include the patterns decide alone; pickles still want --allow-pickle. Names that a package
 * keeps for itself (model_info.json, backends/, those of package_keeps_name()) are never taken: a repository
 * must not be able to put a plugin into a package, or a signature beside a manifest that is made here. */
#ifndef FILE_SELECTION_H
#define FILE_SELECTION_H

#include "hub.h"

enum file_verdict {
    FILE_TAKEN = 0,
    FILE_NOT_ASKED,       /* --include or --exclude said no */
    FILE_OTHER_FRAMEWORK, /* weights that safetensors replace */
    FILE_PICKLE,
    FILE_HOUSEKEEPING, /* .gitattributes */
    FILE_RESERVED      /* a name of the package's own */
};

struct selection_rules {
    const char *const *includes; /* (n_includes) */
    size_t n_includes;
    const char *const *excludes; /* (n_excludes) */
    size_t n_excludes;
    bool allow_pickle;
};

/* Fills verdicts (n_files). MODEL_UNSUPPORTED: the weights are pickles and nothing else, or lie below a name
 * of the package's own, and the sentence says what to do; MODEL_NOT_FOUND: nothing is left to take. */
model_status file_selection_judge(const struct hub_files *files,
                                  const struct selection_rules *rules, const char *id,
                                  enum file_verdict *ret_verdicts, struct model_error *err);

/* "another framework's weights": why a file is left out. */
const char *file_verdict_reason(enum file_verdict verdict);

#endif
