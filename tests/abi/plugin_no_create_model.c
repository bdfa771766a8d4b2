/* plugin_no_create_model.c - a fixture: carries the note and exports nothing. */
#include "model_abi.h"

MODEL_PLUGIN_NOTE("bert", "1.0.0", "bert");

/* So that the file is not empty of code. */
__attribute__((used)) static int nothing(void)
{
    return 0;
}
