/* mirror_scanner.h - threads that read and hash repositories, so that the loop never waits for a disk.
 * All functions belong to the loop's thread. */
#ifndef MIRROR_SCANNER_H
#define MIRROR_SCANNER_H

#include "mirror_snapshot.h"

struct uv_loop_s;
struct mirror_scanner;

/* One order; owned by the scanner until done() has it. */
struct mirror_scan {
    void (*run)(struct mirror_scan *scan, const atomic_bool *stop); /* [a scanner's thread] */
    char *root, *folder;                    /* freed with it; NULL for work of another kind */
    const struct mirror_snapshot *previous; /* must live until done() */
    void (*done)(struct mirror_scan *scan); /* [loop thread] must call mirror_scan_destroy() */
    void *context;
    /* The result, for done(): */
    model_status status;
    struct model_error err;
    struct mirror_snapshot *snapshot; /* to be taken (and set NULL), else freed with the scan */
    struct mirror_scan *next;
};

model_status mirror_scanner_create(struct uv_loop_s *loop, const struct log_sink *log,
                                   struct mirror_scanner **ret, struct model_error *err);
/* Copies the paths. MODEL_OUT_OF_MEMORY: done() will not be called. */
model_status mirror_scanner_order(struct mirror_scanner *scanner, const char *root,
                                  const char *folder, const struct mirror_snapshot *previous,
                                  void (*done)(struct mirror_scan *scan), void *context);
/* Work of another kind: run() has the order's context. */
model_status mirror_scanner_order_work(struct mirror_scanner *scanner,
                                       void (*run)(struct mirror_scan *scan,
                                                   const atomic_bool *stop),
                                       void (*done)(struct mirror_scan *scan), void *context);
void mirror_scan_destroy(struct mirror_scan *scan);
/* Stops the threads (within one block read), calls done() with MODEL_CANCELLED for what was not
 * finished, then on_closed() from the loop. */
void mirror_scanner_close(struct mirror_scanner *scanner, void (*on_closed)(void *context),
                          void *context);

#endif
