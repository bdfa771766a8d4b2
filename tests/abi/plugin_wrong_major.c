/* plugin_wrong_major.c - a fixture: built for major version 2 of the ABI. Its constructor must never
 * run: it ends the process that opens it. */
#include "model_abi.h"

#include <stdlib.h>

#undef MODEL_ABI_MAJOR
#define MODEL_ABI_MAJOR 2
MODEL_PLUGIN_NOTE("bert", "1.0.0", "bert");

__attribute__((constructor)) static void end_process(void)
{
    abort();
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)services;
    (void)args;
    (void)ret;
    (void)err;
    return MODEL_INTERNAL;
}
