/* backend_name.c - see backend_name.h. */
#include "backend_name.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>

#define ONLY_DEVICE "cpu"

model_status backend_name_read(const char *name, struct backend_name *ret, struct model_error *err)
{
    const size_t n = strcspn(name, ":");
    const char *device = name[n] == ':' ? name + n + 1 : NULL;
    char *folder = text_format("%.*s", (int)n, name);
    if (folder == NULL)
        return error_no_memory(err, "a backend's name");
    const bool is_good = path_is_safe(folder) && strchr(folder, '/') == NULL &&
                         (device == NULL || strcmp(device, ONLY_DEVICE) == 0);
    free(folder);
    if (!is_good)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "'%s' is no name of a backend; want that of its folder, such as cpu, with "
                         "':" ONLY_DEVICE "' behind it where no accelerator shall be used",
                         name);
    *ret = (struct backend_name){(int)n, device};
    return MODEL_OK;
}
