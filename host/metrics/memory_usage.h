/* memory_usage.h - how much memory is really in use: of a mapping, of this process. [any-thread] */
#ifndef MEMORY_USAGE_H
#define MEMORY_USAGE_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a mapped range that are in memory, by the page. Of large ones evenly spread samples are looked at,
 * so that asking takes about a millisecond at most. 0 when the system does not say. */
uint64_t memory_usage_mapping(const void *data, size_t size_bytes);

/* Bytes of this process that are in memory; 0 when the system does not say. */
uint64_t memory_usage_process(void);

/* The most bytes that it ever held in memory since its program began, mapped files included; 0 when the system does not
 * say. */
uint64_t memory_usage_peak(void);

#endif
