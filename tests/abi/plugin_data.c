/* plugin_data.c - a fixture that must be refused: what it exports as create_model is no function. */
#define create_model create_model_as_declared
#include "model_abi.h"
#undef create_model

MODEL_PLUGIN_NOTE("data", "1.0.0", "data");

__attribute__((visibility("default"))) int create_model = 5;
