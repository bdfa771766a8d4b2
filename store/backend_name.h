/* backend_name.h - how one of a package's backends is named: "cpu", or "coreml:cpu". No state, any thread. */
#ifndef BACKEND_NAME_H
#define BACKEND_NAME_H

#include "model_abi.h"

struct backend_name {
    int folder_bytes; /* of the name: the folder in <package>/backends */
    const char *
        device; /* "cpu": by the processor, without an accelerator; NULL: the plugin's own choice. Of the name */
};

/* MODEL_INVALID_ARGUMENT: it is no such name. */
model_status backend_name_read(const char *name, struct backend_name *ret, struct model_error *err);

#endif
