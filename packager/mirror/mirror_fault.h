/* mirror_fault.h - a mirror that misbehaves on purpose, so that downloaders can be tested: which modes
 * are on, and whose turn it is. Everything is decided by counting requests, nothing by time, so a run
 * can be repeated. What a mode does is in mirror_fault_reply.c. Belongs to the loop's thread. */
#ifndef MIRROR_FAULT_H
#define MIRROR_FAULT_H

#include "modelhost.h"

#include <stdbool.h>

enum mirror_fault_mode {
    FAULT_RENAME_307,
    FAULT_RESOLVE_CACHE_307,
    FAULT_CDN_302,
    FAULT_IGNORE_RANGE,
    FAULT_416,
    FAULT_429_RATELIMIT,
    FAULT_429_RETRY_AFTER,
    FAULT_5XX_THEN_OK,
    FAULT_TRUNCATE,
    FAULT_CORRUPT,
    FAULT_STALL,
    FAULT_SLOW,
    FAULT_EXPIRE_403,
    FAULT_BRANCH_MOVES,
    FAULT_401_BARE,
    FAULT_GZIP,
    FAULT_N_MODES
};

struct mirror_faults;

/* Reads "MODE" and "MODE=ARG" (n_texts of them). MODEL_INVALID_ARGUMENT names what is wrong and the
 * modes there are. */
model_status mirror_faults_create(const char *const *texts, size_t n_texts,
                                  struct mirror_faults **ret, struct model_error *err);
void mirror_faults_destroy(struct mirror_faults *faults);

/* Whether the mode is on; false for NULL. */
bool mirror_fault_is_on(const struct mirror_faults *faults, enum mirror_fault_mode mode);
/* Its ARG, or the default. */
uint64_t mirror_fault_argument(const struct mirror_faults *faults, enum mirror_fault_mode mode);
/* Counts a request for `key` (a path) and says whether the mode strikes it: it does for the first ARG
 * of each key. */
bool mirror_fault_strikes(struct mirror_faults *faults, enum mirror_fault_mode mode,
                          const char *key);
/* Counts one more under a name, without striking; how many there were before. UINT64_MAX without
 * memory, or when there are more than a million names. */
uint64_t mirror_fault_count(struct mirror_faults *faults, enum mirror_fault_mode mode,
                            const char *key);
/* The same without counting. */
uint64_t mirror_fault_counted(const struct mirror_faults *faults, enum mirror_fault_mode mode,
                              const char *key);

/* Line i of the list of modes, for --help; NULL behind the last. */
const char *mirror_fault_help(size_t i);

#endif
