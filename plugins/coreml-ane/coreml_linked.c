/* coreml_linked.c - which bridge to Core ML this plugin has: Apple's on macOS, none elsewhere. Tests link
 * another file in its place. */
#include "coreml_bridge.h"

const struct coreml_bridge *coreml_bridge_linked(void)
{
#ifdef __APPLE__
    static const struct coreml_bridge bridge = {
        coreml_compile_model, coreml_load_model,  coreml_model_schema, coreml_predict,
        coreml_free_model,    coreml_free_string, coreml_plan};
    return &bridge;
#else
    return NULL;
#endif
}
