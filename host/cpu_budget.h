/* cpu_budget.h - how many CPUs this process may really use. */
#ifndef CPU_BUDGET_H
#define CPU_BUDGET_H

#include "modelhost.h"

/* The smaller of the affinity mask and the cgroup's CPU quota (v2 cpu.max of the process's group and
 * all above it, or v1 cpu.cfs_quota_us), rounded up, at least 1. [any-thread] */
uint32_t cpu_budget(void);

/* The quota alone, for tests: `self_cgroup` is the text of /proc/self/cgroup, `root` the folder where
 * cgroups are mounted. 0: no limit. */
uint32_t cpu_budget_of_cgroup(const char *self_cgroup, const char *root);

#endif
