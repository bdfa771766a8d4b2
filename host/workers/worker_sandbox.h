/* worker_sandbox.h - what a worker process gives up before it runs a line of a plugin.
 *
 * Afterwards, in every thread and for good: no new privileges and, for root, none but reading files; no core
 * files, no debugger of the same user; bounded address space, descriptors and file sizes; on Linux no
 * look into other processes (Landlock, where there is one), and a
 * filter of system calls (worker_seccomp.h). Threads, memory, futexes, reading files, and what the process
 * had open before, go on as ever, so OpenMP and oneDNN do not notice.
 *
 * It keeps mistakes and common attacks inside the process. It is no wall against code that is written to
 * break out: the calls that remain are the whole kernel's. */
#ifndef WORKER_SANDBOX_H
#define WORKER_SANDBOX_H

#include "modelhost.h"

/* 0 in a field: the usual limit. A limit that is lower already stays. */
struct worker_limits {
    uint64_t memory_bytes;   /* address space, mapped weights and stacks included; 0: none */
    uint64_t max_open_files; /* 0: 1,024 */
    uint64_t max_file_bytes; /* of files and of memory with a descriptor; 0: 64 GiB */
    /* The one folder below which files and folders may be made, changed and removed, by
     * worker_domain_confines_writing(); absolute, and there. NULL: none */
    const char *writable_folder;
};

/* Enters the sandbox; `limits` may be NULL. To be called by the only thread of the process. A part that
 * the system refuses is an error that names it (MODEL_UNSUPPORTED; MODEL_INVALID_ARGUMENT for less memory
 * than the process has already): it must end then, since half a sandbox looks like a whole one. */
model_status worker_sandbox_enter(const struct worker_limits *limits, struct model_error *err);

/* Inside: gives up what opening a plugin needs and the plugin does not, to be called before its first line runs
 * (plugin_barrier). It may have threads. Memory with a descriptor is not counted by the limit of memory. */
model_status worker_sandbox_before_plugin(struct model_error *err);

#endif
