/* plugin_no_note.c - a fixture: a shared object like any other, without the note. Its constructor must
 * never run: it ends the process that opens it. */
#include "model_abi.h"

#include <stdlib.h>

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
