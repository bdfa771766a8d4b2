/* prometheus.h - the metrics as text that a Prometheus server reads (exposition format 0.0.4). */
#ifndef PROMETHEUS_H
#define PROMETHEUS_H

#include "buffer.h"
#include "metrics.h"

#define PROMETHEUS_MAX_BYTES    ((size_t)64 << 20)
#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends all samples, in the order of metrics_visit(): the same numbers, the same text. [any-thread] */
model_status prometheus_write(struct metrics *metrics, struct buffer *text,
                              struct model_error *err);

#endif
