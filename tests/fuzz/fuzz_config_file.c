/* fuzz_config_file.c - any bytes as a file of options. What is accepted can be shown, and what is shown is
 * accepted and says the same. */
#include "config_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct modelhost_config *config = NULL, *again = NULL;
    char *shown = NULL, *shown_again = NULL;
    if (config_file_parse((const char *)data, size, "options", &config, NULL) != MODEL_OK)
        return 0;
    if (modelhost_config_show(config, &shown, NULL) != MODEL_OK ||
        config_file_parse(shown, strlen(shown), "shown", &again, NULL) != MODEL_OK ||
        modelhost_config_show(again, &shown_again, NULL) != MODEL_OK ||
        strcmp(shown, shown_again) != 0)
        abort();
    free(shown);
    free(shown_again);
    modelhost_config_destroy(config);
    modelhost_config_destroy(again);
    return 0;
}
