/* prepared_machine.h - the processor in the name of a file of prepared weights: machines that share a store pack for
 * different instructions, and each finds its own file beside the others'. What else decides (a library's version, limits
 * of the environment) is in the key of each blob, the first of which is in the name, too. No state, any thread. */
#ifndef PREPARED_MACHINE_H
#define PREPARED_MACHINE_H

#include "digest.h"

#define PREPARED_MACHINE_WORDS 6

/* What the processor says of its instructions, nothing of which core or how many: alike on machines of one kind. */
struct prepared_machine {
    uint32_t words[PREPARED_MACHINE_WORDS];
};
struct prepared_machine prepared_machine(void);

/* The key of a model (prepared_key.h) on such a machine; the two may be one array. */
model_status prepared_machine_key(const char key[SHA256_HEX_BYTES], struct prepared_machine machine,
                                  char ret_key[SHA256_HEX_BYTES]);

#endif
