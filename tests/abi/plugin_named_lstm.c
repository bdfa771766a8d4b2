/* plugin_named_lstm.c - a plugin whose note and exports are right and which opens nothing: what a
 * package manager can be tested with. */
#include "model_abi.h"

#include <string.h>

MODEL_PLUGIN_NOTE("named-lstm", "1.0.0", "lstm");

MODEL_EXPORT model_status create_model(const struct model_services *services,
                                       const struct model_create_args *args, struct model **ret,
                                       struct model_error *err)
{
    static const char sentence[] = "the plugin 'named-lstm' opens nothing";
    (void)services, (void)args, (void)ret;
    if (err != NULL)
        memcpy(err->message, sentence, sizeof sentence);
    return MODEL_UNSUPPORTED;
}
