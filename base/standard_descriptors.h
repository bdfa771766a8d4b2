/* standard_descriptors.h - a process whose standard input, output or error is closed. Its next files would
 * get these numbers, take what is printed, and abort libuv, which refuses to close them. */
#ifndef STANDARD_DESCRIPTORS_H
#define STANDARD_DESCRIPTORS_H

/* Opens /dev/null at those of 0, 1 and 2 that are closed; returns them as bits. Reading from such an input
 * and writing to such an output still fail, as they would have. [any-thread] */
unsigned standard_descriptors_fill(void);
/* Closes again what standard_descriptors_fill() opened. */
void standard_descriptors_clear(unsigned filled);

#endif
