/* wide_harness.h - small random models that are wide enough to be computed in fewer bits, and take calls of many rows. Harnesses
 * that are not loaded. */
#ifndef WIDE_HARNESS_H
#define WIDE_HARNESS_H

#include "plugin_harness.h"

/* Up to 200 tokens. */
struct harness *wide_bert_create(void);
struct harness *wide_gpt2_create(void);
struct harness *wide_lstm_create(void);   /* two layers of 64, on inputs of 48 */
struct harness *wide_resnet_create(void); /* two stages, with convolutions of 1, 3 and 7 */

#endif
