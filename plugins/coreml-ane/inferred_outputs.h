/* inferred_outputs.h - sizes of outputs that a program's file does not declare, as its operations make them. */
#ifndef INFERRED_OUTPUTS_H
#define INFERRED_OUTPUTS_H

#include "coreml_ane.h"

/* Ports of rank 0 get the sizes of the output of their name, at all sizes of the inputs, out of a translation that ends here;
 * others stay. A port that it does not make stays at rank 0, as all do when the file is no program. MODEL_UNSUPPORTED: the program
 * cannot be translated, and why; else MODEL_OUT_OF_MEMORY alone. [create-thread] */
model_status inferred_outputs_fill(const struct coreml_ane *ane, struct coreml_model *file,
                                   struct coreml_port *ports, uint32_t n_ports,
                                   struct model_error *err);

#endif
