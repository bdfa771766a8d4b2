/* batching.h - what joining the requests of many clients brings, measured in turns with leaving it. */
#ifndef BATCHING_H
#define BATCHING_H

#include <stdint.h>

/* Opens the package FOLDER, a model of texts, and has n_clients (up to 64) ask it for one short text each, again and
 * again, for about `seconds` in all: half of the time one by one, half joined. Prints a line of JSON; returns an
 * exit code. */
int batching_measure(const char *folder, uint32_t n_clients, uint32_t seconds);

#endif
