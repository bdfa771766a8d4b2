/* fuzz_lockfile.c - a modelhost.lock made of any bytes is refused with a sentence, or printed and read again to
 * the same text, with nothing but safe paths in it. */
#include "errors.h"
#include "files.h"
#include "lockfile.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check_round_trip(struct lockfile *lockfile)
{
    struct lockfile again = {0};
    for (size_t i = 0; i < lockfile->n_packages; i++)
        for (size_t j = 0; j < lockfile->packages[i].manifest.n_files; j++)
            if (!path_is_safe(lockfile->packages[i].manifest.files[j].path))
                abort();
    char *first = lockfile_print(lockfile);
    if (first == NULL || lockfile_parse(first, strlen(first), "l", &again, NULL) != MODEL_OK ||
        again.n_packages != lockfile->n_packages)
        abort();
    lockfile_finish(&again);
    free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct lockfile lockfile;
    struct model_error err = MODEL_ERROR_INIT;
    if (lockfile_parse((const char *)data, size_bytes, "l", &lockfile, &err) == MODEL_OK) {
        check_round_trip(&lockfile);
        lockfile_finish(&lockfile);
    } else if (err.message[0] == '\0') {
        abort();
    }
    return 0;
}
