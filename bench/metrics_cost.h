/* metrics_cost.h - what counting a request costs. */
#ifndef METRICS_COST_H
#define METRICS_COST_H

#include <stdint.h>

/* Nanoseconds of everything that a request counts, on each of n_threads threads (1 to 64) that count the same
 * model at once; the best of a few bursts. Negative without memory. */
double metrics_cost_ns(uint32_t n_threads);

/* Microseconds to write the text of n_models models (1 to 256). Negative without memory. */
double metrics_cost_text_us(uint32_t n_models);

#endif
